//! The first step: plan, take the output folders, and write down what the others need.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::error::ShareError;
use super::file::{self, Head, RunHead};
use super::pieces::{costs, piece_size, sensible};
use super::site::{Anchor, HOPELESS, Shares, anchors, place_of, roots, token_of, tops};
use crate::convert::{Assembly, AssemblyJob, Budget, ConvertError, ConvertRun, Opened, Watch};
use crate::fs;
use crate::plan::{self, Findings, Out, Plan, PlanProgress, PlannedRun};
use crate::roots::{RootError, Roots};
use crate::shard::{SHARES, TOKEN};
use crate::units::{Bytes, RowRange};

/// A plan file that was written.
#[derive(Debug)]
pub struct Begun {
    /// Its runs.
    pub runs: Vec<BegunRun>,
    /// Pieces that are to be made, of all runs.
    pub pieces: u64,
    /// Shares up to which each is worth a task of its own.
    pub sensible: u64,
}

/// A run of it.
#[derive(Debug)]
pub struct BegunRun {
    /// Its name.
    pub name: String,
    /// Its output folder.
    pub out: PathBuf,
    /// Rows of all channels.
    pub rows: u64,
    /// Of these, those that need no work.
    pub rows_done: u64,
    /// Bytes of its files.
    pub bytes_in: Bytes,
    /// Bytes that its outputs take in the end.
    pub bytes_out: Bytes,
    /// Whether it was finished already.
    pub finished: bool,
    /// What planning found.
    pub findings: Findings,
    /// Sentences for people.
    pub notes: Vec<String>,
}

/// A run whose output folder is taken.
struct Taken {
    begun: BegunRun,
    /// None where it was finished already.
    assembly: Option<Box<Assembly>>,
    portable: Plan,
    head: RunHead,
}

/// Plans as [`convert`](crate::convert::convert) would, refuses what it would refuse, takes the output folders for this
/// plan, and writes the plan file. Given again, it finds what was made meanwhile.
pub fn begin(run: &ConvertRun, path: &Path) -> Result<Begun, ShareError> {
    refuse_to_replace(path)?;
    let began = Instant::now();
    let planned = plan::plan(&run.request, &PlanProgress::default())?;
    let outs = plan::resolve_outputs(&run.out, &planned)?;
    for planned in &planned {
        // What no task can work on is not to wait for one.
        Budget::new(run.settings.memory_limit, planned.plan.memory_bytes(), 1).map_err(ConvertError::from)?;
    }
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let (anchors, roots) = anchored(&planned, &outs, beside.unwrap_or(Path::new(".")))?;
    let size = piece_size(planned.iter().map(|planned| &planned.plan), run.settings.range_size);
    let planning = began.elapsed();
    let mut taken: Vec<Taken> = Vec::with_capacity(planned.len());
    let write = |taken: &[Taken]| {
        let head = Head {
            anchors: anchors.clone(),
            settle: run.settings.settle,
            trust_size: run.settings.trust_size,
            name: run.settings.name.to_string(),
            sync_every: run.settings.sync_every,
            runs: taken.iter().map(|taken| taken.head.clone()).collect(),
        };
        let plans: Vec<Plan> = taken.iter().map(|taken| taken.portable.clone()).collect();
        Ok(file::write(path, &head, &plans)?)
    };
    let mut all = planned.into_iter().zip(&outs).try_for_each(|(planned, out)| {
        taken.push(Taken::new(planned, out, run, &roots, size, planning)?);
        Ok(())
    });
    if all.is_ok() {
        all = write(&taken);
    }
    if let Err(error) = all {
        // Nobody is to find half of what was refused; what was there before stays.
        for assembly in taken.into_iter().filter_map(|taken| taken.assembly) {
            if assembly.is_new() {
                assembly.withdraw();
            }
        }
        return Err(error);
    }
    let mut of_pieces = Vec::new();
    let mut runs = Vec::with_capacity(taken.len());
    for taken in taken {
        let channels = taken.portable.channels.iter().zip(&taken.head.pieces);
        of_pieces.extend(channels.flat_map(|(channel, pieces)| costs(channel, pieces)));
        runs.push(taken.begun);
        if let Some(assembly) = taken.assembly {
            assembly.leave();
        }
    }
    Ok(Begun {
        runs,
        pieces: of_pieces.len() as u64,
        sensible: sensible(&of_pieces),
    })
}

/// The folder for the shards of a command's runs.
fn folder_of(run: &ConvertRun) -> String {
    format!("{SHARES}{}", run.key())
}

/// Whether the plan file that is there is of this command: of the same inputs, output folder and options. What has become of
/// the files since is for the tasks to see.
pub fn keep(run: &ConvertRun, path: &Path) -> Result<(), ShareError> {
    let shares = Shares::open(path)?;
    let folder = folder_of(run);
    let mut differs = shares.runs.iter().any(|planned| planned.folder != folder);
    let out = run.out.text();
    // Where it names several, the inputs that were compared decide which.
    if !out.contains('{') {
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        differs |= shares
            .runs
            .iter()
            .any(|planned| whole(&planned.out) != whole(Path::new(out)));
    }
    if differs {
        return Err(ShareError::OtherPlan { path: path.to_owned() });
    }
    Ok(())
}

/// An older plan is replaced, nothing else is.
fn refuse_to_replace(path: &Path) -> Result<(), ShareError> {
    let is_ours = path.is_file() && file::is_one(path).unwrap_or(false);
    if path.symlink_metadata().is_ok() && !is_ours {
        return Err(ShareError::NotReplaced { path: path.to_owned() });
    }
    Ok(())
}

/// What places begin with, and the same as roots.
fn anchored(planned: &[PlannedRun], outs: &[PathBuf], beside: &Path) -> Result<(Vec<Anchor>, Roots), ShareError> {
    let mut paths: Vec<PathBuf> = outs.to_vec();
    for PlannedRun { plan, .. } in planned {
        paths.extend(plan.folders.iter().map(|folder| folder.path.join("file")));
        let typed = &plan.request;
        paths.extend(typed.inputs.iter().map(|input| typed.working_folder.join(input)));
    }
    let near = anchors(&paths, beside);
    let anchored = |anchors: Vec<Anchor>| {
        let roots = roots(&anchors)?;
        for PlannedRun { plan, .. } in planned {
            plan.portable(&roots)?.localised(&roots)?;
        }
        for out in outs {
            if let Some(place) = roots.place_of(out) {
                roots.contains(&place)?;
            }
        }
        Ok((anchors, roots))
    };
    let told = |error| match error {
        RootError::NotBelow { path, .. } => ShareError::Unnameable { path },
        other => ConvertError::from(other).into(),
    };
    match anchored(near.clone()) {
        // A link leads out of what is near: below the top everything is.
        Err(RootError::LeadsOut { .. } | RootError::NotBelow { .. }) => anchored(tops(&near)).map_err(told),
        near => near.map_err(told),
    }
}

impl Taken {
    fn new(
        planned: PlannedRun,
        out: &Path,
        run: &ConvertRun,
        roots: &Roots,
        size: Bytes,
        planning: std::time::Duration,
    ) -> Result<Self, ShareError> {
        let folder = folder_of(run);
        let job = |run: &ConvertRun| {
            let job = AssemblyJob {
                run: ConvertRun {
                    out: Out::Folder(out.to_string_lossy().into_owned()),
                    ..run.clone()
                },
                out,
                folder: &folder,
                roots,
                reopened: false,
                planning,
                watch: Arc::new(Watch::new()),
            };
            Assembly::open(planned.clone(), job)
        };
        let place = place_of(out, roots)?.to_string();
        let mut opened = job(run)?;
        if let Opened::Begun(assembly) = &opened
            && assembly.job_folder().join(HOPELESS).exists()
        {
            // As `convert` does at once: others may take its place, and so may a closer look at the files.
            assembly.abandon(true);
            opened = job(run)?;
        }
        let mut begun = BegunRun {
            name: planned.plan.run.clone(),
            out: out.to_owned(),
            rows: planned.plan.channels.iter().map(|channel| channel.rows).sum(),
            rows_done: 0,
            bytes_in: planned.plan.input_bytes(),
            bytes_out: planned.plan.output_bytes(),
            finished: false,
            findings: planned.findings.clone(),
            notes: Vec::new(),
        };
        let assembly = match opened {
            Opened::Begun(assembly) => assembly,
            Opened::AlreadyDone(outcome) => {
                begun.finished = true;
                begun.rows_done = begun.rows;
                begun.notes = outcome.notes;
                let portable = planned.plan.portable(roots).map_err(ConvertError::from)?;
                let head = RunHead {
                    out: place,
                    state: None,
                    folder,
                    plan_bytes: portable.encode().len() as u64,
                    findings: planned.findings,
                    pieces: vec![Vec::new(); portable.channels.len()],
                };
                return Ok(Self {
                    begun,
                    assembly: None,
                    portable,
                    head,
                });
            }
        };
        let portable = assembly.portable().clone();
        let pieces: Vec<Vec<RowRange>> = portable
            .channels
            .iter()
            .map(|channel| channel.open_ranges(size, assembly.committed_rows(channel.channel)))
            .collect();
        let open: u64 = pieces.iter().flatten().map(|rows| rows.len()).sum();
        begun.rows = portable.channels.iter().map(|channel| channel.rows).sum();
        begun.rows_done = begun.rows - open;
        begun.notes = assembly.notes();
        // From here on tasks find the folder, and by this they know it.
        let token = token_of(portable.id);
        let head = RunHead {
            out: place,
            state: assembly.state_name(),
            folder,
            plan_bytes: portable.encode().len() as u64,
            findings: planned.findings,
            pieces,
        };
        let written = fs::write_file(&assembly.job_folder().join(TOKEN), token.as_bytes());
        if let Err(error) = written {
            if assembly.is_new() {
                assembly.withdraw();
            }
            return Err(error.into());
        }
        Ok(Self {
            begun,
            assembly: Some(assembly),
            portable,
            head,
        })
    }
}
