//! Where the things are that a plan file speaks of, on this machine.
//!
//! A login node and compute nodes mostly see one storage at one path, so the paths as they were typed come first. Where the
//! storage is mounted elsewhere (a container), what lies beside the plan lies beside it there, too.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::ShareError;
use super::file::{self, RunHead};
use super::pieces::{Share, costs};
use crate::channel::Channel;
use crate::convert::{self, ConvertError, ConvertRun, NameTemplate, Settings};
use crate::plan::{Findings, LongBaseline, Out, Plan, PlanId, PlanRequest};
use crate::roots::{Place, RootError, Roots};
use crate::shard::TOKEN;
use crate::stitch::Stitcher;
use crate::units::{Bytes, RowRange};

/// The file in the folder for shards in which a task says that nobody will succeed.
pub(super) const HOPELESS: &str = "hopeless";

/// A folder below which inputs and outputs lie: what places begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    /// `at0`
    name: String,
    /// Where it was when it was planned.
    absolute: PathBuf,
    /// The same from the folder of the plan file, `/` between parts; none where the one does not lead to the other, or a
    /// link on the way would make something else of it.
    relative: Option<String>,
}

/// The folders below which all of `paths` lie, as near to them as can be: one, where the system has one tree. `plan`: the
/// folder of the plan file.
pub(super) fn anchors(paths: &[PathBuf], plan: &Path) -> Vec<Anchor> {
    let mut trees: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for path in paths {
        let path = written_out(path);
        let folder = path.parent().unwrap_or(&path);
        let top = top_of(folder);
        let common = trees
            .get(&top)
            .map_or_else(|| folder.to_owned(), |so_far| common(so_far, folder));
        trees.insert(top, common);
    }
    let plan = written_out(plan);
    let anchor = |(at, folder): (usize, PathBuf)| {
        // An output folder need not be there yet.
        let there = folder.ancestors().find(|above| above.is_dir()).unwrap_or(&folder);
        Anchor {
            name: format!("at{at}"),
            absolute: there.to_owned(),
            relative: relative(&plan, there),
        }
    };
    trees.into_values().enumerate().map(anchor).collect()
}

/// The same with the tops of the trees alone: links may lead anywhere, and the storage must stay where it is.
pub(super) fn tops(anchors: &[Anchor]) -> Vec<Anchor> {
    let top = |anchor: &Anchor| Anchor {
        name: anchor.name.clone(),
        absolute: top_of(&anchor.absolute),
        relative: None,
    };
    anchors.iter().map(top).collect()
}

/// The anchors as roots of this machine.
pub(super) fn roots(anchors: &[Anchor]) -> Result<Roots, RootError> {
    let word = |anchor: &Anchor| format!("{}={}", anchor.name, anchor.absolute.display());
    Roots::parse(anchors.iter().map(word))
}

/// Absolute, and without `..`, which is not what it says where a link comes before it.
fn written_out(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if !absolute.components().any(|part| part == Component::ParentDir) {
        return absolute;
    }
    for above in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (std::fs::canonicalize(above), absolute.strip_prefix(above)) {
            return real.components().chain(rest.components()).collect();
        }
    }
    absolute
}

/// `/`, or the drive or share.
fn top_of(path: &Path) -> PathBuf {
    let is_top = |part: &Component| matches!(part, Component::Prefix(_) | Component::RootDir);
    path.components().take_while(is_top).collect()
}

fn common(a: &Path, b: &Path) -> PathBuf {
    let same = a.components().zip(b.components()).take_while(|(a, b)| a == b);
    same.map(|(part, _)| part).collect()
}

/// How one folder is reached from another, `/` between parts.
fn relative(from: &Path, to: &Path) -> Option<String> {
    let shared = common(from, to);
    if top_of(from) != top_of(to) {
        return None;
    }
    let up = from.strip_prefix(&shared).ok()?.components().map(|_| Some(".."));
    let down = to.strip_prefix(&shared).ok()?.components();
    let parts: Option<Vec<&str>> = up.chain(down.map(|part| part.as_os_str().to_str())).collect();
    Some(parts?.join("/"))
}

/// A plan file, opened: its runs with this machine's paths.
#[derive(Debug)]
pub struct Shares {
    pub(super) settle: Duration,
    pub(super) trust_size: bool,
    pub(super) name: NameTemplate,
    pub(super) sync_every: Bytes,
    pub(super) roots: Roots,
    pub(super) runs: Vec<Run>,
}

/// A run of a plan file.
#[derive(Debug)]
pub(super) struct Run {
    /// With this machine's paths; its id is the portable one.
    pub(super) plan: Arc<Plan>,
    pub(super) findings: Findings,
    /// The output folder.
    pub(super) out: PathBuf,
    /// None where it was finished when it was planned.
    pub(super) state: Option<String>,
    /// The name of the folder for shards.
    pub(super) folder: String,
    /// Of each channel, in the plan's order.
    pub(super) pieces: Vec<Vec<RowRange>>,
}

/// How a run that was planned stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// All rows are there: nothing is left to make.
    Complete,
    /// It takes shards; these rows are in the array already.
    Open(BTreeMap<Channel, Vec<RowRange>>),
}

impl Run {
    /// Where its shards are.
    pub(super) fn job(&self) -> PathBuf {
        let state = self.state.as_deref().unwrap_or_default();
        convert::state_folder(&self.out, state).join(&self.folder)
    }

    /// Who looks at shards of it.
    pub(super) fn looker(&self) -> Stitcher {
        Stitcher {
            job: self.job(),
            plan: self.plan.id,
            sharing: false.into(),
        }
    }

    pub(super) fn gone(&self, why: &str) -> ShareError {
        ShareError::Gone {
            out: self.out.clone(),
            why: why.to_owned(),
        }
    }

    /// How it stands; an error where this plan has no say in it any more.
    pub(super) fn standing(&self, name: &NameTemplate) -> Result<Standing, ShareError> {
        let Some(state) = &self.state else {
            let mut channels = self.plan.channels.iter();
            return if channels.all(|channel| self.out.join(name.array(channel.channel)).is_file()) {
                Ok(Standing::Complete)
            } else {
                Err(self.gone("its arrays were there when it was planned, and are not there now"))
            };
        };
        let seen = convert::seen(&self.out, state).map_err(ConvertError::from)?;
        let Some(seen) = seen else {
            return Err(self.gone("what was begun there when it was planned is not there any more"));
        };
        if seen.complete {
            return Ok(Standing::Complete);
        }
        let job = self.job();
        if let Ok(why) = std::fs::read_to_string(job.join(HOPELESS)) {
            return Err(ShareError::Hopeless { why });
        }
        match std::fs::read_to_string(job.join(TOKEN)) {
            Ok(token) if token == token_of(self.plan.id) => Ok(Standing::Open(seen.committed)),
            Ok(_) => Err(self.gone("it was planned once more since, and other files were found then")),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.gone(if seen.hopeless {
                "it was given up: its files do not suit what was asked"
            } else {
                "another command has gone on with it (trc2npy convert does)"
            })),
            Err(source) => {
                Err(ConvertError::from(crate::fs::StorageError::new("read", &job.join(TOKEN), source)).into())
            }
        }
    }
}

/// What the folder for shards of a plan is known by.
pub(super) fn token_of(plan: PlanId) -> String {
    format!("{plan}\n")
}

/// A piece of a share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Position in the runs.
    pub(super) run: usize,
    /// Position in the channels of its plan.
    pub(super) channel: usize,
    pub(super) rows: RowRange,
    pub(super) cost: Bytes,
}

impl Shares {
    /// Opens a plan file, and finds on this machine what it speaks of.
    pub fn open(path: &Path) -> Result<Self, ShareError> {
        let failed = |source| ShareError::File {
            path: path.to_owned(),
            source,
        };
        let (head, plans) = file::read(path).map_err(failed)?;
        let name = head
            .name
            .parse()
            .map_err(|error| failed(file::ShareFileError::Damaged(format!("its --name: {error}"))))?;
        let beside = written_out(path);
        let beside = beside.parent().unwrap_or(Path::new("."));
        let mut looked = Vec::new();
        let mut found = None;
        for anchors in candidates(&head.anchors, beside) {
            let is_here = roots(&anchors).and_then(|roots| {
                let outs: Result<Vec<PathBuf>, RootError> = head.runs.iter().map(|run| out_of(run, &roots)).collect();
                Ok((roots, outs?))
            });
            match is_here {
                Ok((roots, outs)) if head.runs.iter().zip(&outs).all(|(run, out)| is_there(run, out)) => {
                    found = Some((roots, outs));
                    break;
                }
                Ok((_, outs)) => looked.extend(outs.iter().map(|out| format!("nothing is in {}", out.display()))),
                Err(error) => looked.push(error.to_string()),
            }
        }
        let Some((roots, outs)) = found else {
            return Err(ShareError::Elsewhere {
                plan: path.to_owned(),
                looked,
            });
        };
        let mut runs = Vec::with_capacity(plans.len());
        for ((head, plan), out) in head.runs.into_iter().zip(plans).zip(outs) {
            runs.push(Run {
                plan: Arc::new(plan.localised(&roots).map_err(ConvertError::from)?),
                findings: head.findings,
                out,
                state: head.state,
                folder: head.folder,
                pieces: head.pieces,
            });
        }
        Ok(Self {
            settle: head.settle,
            trust_size: head.trust_size,
            name,
            sync_every: head.sync_every,
            roots,
            runs,
        })
    }

    /// The pieces of all runs, in order.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let runs = self.runs.iter().enumerate();
        let channels = runs.flat_map(|(run, of)| {
            let channels = of.plan.channels.iter().zip(&of.pieces).enumerate();
            channels.map(move |(channel, (plan, pieces))| (run, channel, plan, pieces))
        });
        channels
            .flat_map(|(run, channel, plan, pieces)| {
                let costs = costs(plan, pieces).into_iter();
                costs.zip(pieces).map(move |(cost, &rows)| Piece {
                    run,
                    channel,
                    rows,
                    cost,
                })
            })
            .collect()
    }

    /// Those of one share.
    pub(super) fn pieces_of(&self, share: Share) -> Vec<Piece> {
        let pieces = self.pieces();
        let costs: Vec<Bytes> = pieces.iter().map(|piece| piece.cost).collect();
        pieces[share.of(&costs)].to_vec()
    }

    /// The command that `convert` would be given for a run; `settings` are those of this machine.
    pub(super) fn command_of(&self, run: &Run, settings: &Settings) -> ConvertRun {
        let asked = &run.plan.request;
        let settings = Settings {
            range_size: None,
            sync_every: self.sync_every,
            settle: self.settle,
            trust_size: self.trust_size,
            name: self.name.clone(),
            ..settings.clone()
        };
        ConvertRun {
            request: PlanRequest {
                inputs: asked.inputs.iter().map(PathBuf::from).collect(),
                recursive: asked.recursive,
                join: asked.join,
                channels: asked.channels.clone(),
                stem: asked.stem.clone(),
                probe: asked.probe,
                settle: self.settle,
                threads: settings.threads,
                long_baseline: LongBaseline::Refuse,
                options: run.plan.options.clone(),
            },
            out: Out::Folder(run.out.to_string_lossy().into_owned()),
            settings,
        }
    }

    /// What the arrays are called.
    pub const fn name(&self) -> &NameTemplate {
        &self.name
    }
}

/// Where the anchors may be here: where they were, else beside the plan as they were.
fn candidates(anchors: &[Anchor], beside: &Path) -> Vec<Vec<Anchor>> {
    let mut all = vec![anchors.to_vec()];
    let moved = anchors.iter().map(|anchor| {
        let mut absolute = beside.to_owned();
        for part in anchor.relative.as_ref()?.split('/').filter(|part| !part.is_empty()) {
            if part != ".." {
                absolute.push(part);
            } else if !absolute.pop() {
                return None;
            }
        }
        Some(Anchor {
            absolute,
            ..anchor.clone()
        })
    });
    all.extend(moved.collect::<Option<Vec<Anchor>>>().filter(|moved| moved != anchors));
    all
}

fn out_of(run: &RunHead, roots: &Roots) -> Result<PathBuf, RootError> {
    let place: Place = run.out.parse()?;
    roots.contains(&place)
}

fn is_there(run: &RunHead, out: &Path) -> bool {
    match &run.state {
        // An error of the storage is told by whoever needs it.
        Some(state) => convert::seen(out, state).map_or(true, |seen| seen.is_some()),
        None => out.is_dir(),
    }
}

/// The place of the output folder of a run.
pub(super) fn place_of(path: &Path, roots: &Roots) -> Result<Place, ShareError> {
    roots
        .place_of(&written_out(path))
        .ok_or_else(|| ShareError::Unnameable { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_reached_from_one_another() {
        let reach = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(reach("/a/b", "/a/b").as_deref(), Some(""));
        assert_eq!(reach("/a/b", "/a/c/d").as_deref(), Some("../c/d"));
        assert_eq!(reach("/a/b/c", "/").as_deref(), Some("../../.."));
    }

    #[cfg(unix)] // Windows has other tops.
    #[test]
    fn the_anchor_is_the_nearest_folder_above_all() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("lab/run/r005")).unwrap();
        let found = anchors(&[at("lab/run/r005"), at("lab/npy/new/r005")], &at("lab/plans"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].absolute, at("lab"));
        assert_eq!(found[0].relative.as_deref(), Some(".."));
        let moved = candidates(&found, &at("mnt/plans"));
        assert_eq!(moved[1][0].absolute, at("mnt"));
        let tops = tops(&found);
        assert_eq!(tops[0].absolute, Path::new("/"));
        assert_eq!(candidates(&tops, &at("mnt")).len(), 1);
        // A link in the way makes something else of `..`.
        std::os::unix::fs::symlink(at("lab/run/r005"), at("link")).unwrap();
        assert_eq!(
            written_out(&at("link/../r006")),
            at("lab/run").canonicalize().unwrap().join("r006")
        );
    }
}
