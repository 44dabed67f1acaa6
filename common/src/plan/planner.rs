//! Planning from beginning to end: inputs, listings, channels, layouts, events, plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use crate::channel::Channel;
use crate::options::{Events, Mixed, OnBadFile, Ragged};
use crate::trc::Header;
use crate::units::counted;

use super::error::PlanError;
use super::findings::{Examples, FileNote, Finding, Findings, NoBaseline, SettingsChange};
use super::gather::{Candidate, Wanted, gather};
use super::inputs::{FolderInput, RunFolders, group, labels, natural};
use super::layouts::Resolved;
use super::model::{Folder, Plan, PlanId};
use super::names::Unmatched;
use super::place::{event_label, place};
use super::probe::{Names, Probed, Probing, probe, shared_sample};
use super::request::{LongBaseline, PlanProgress, PlanRequest};
use super::survey::{Heads, OwnFiles, Survey, survey};
use super::walk::{Listing, Selection, list, since_epoch_ns};
use super::{PlannedRun, layouts};

/// Trigger times of one event may differ by this much between channels.
const JITTER_NS: u64 = 1_000_000;

/// Plans every run that the inputs hold, in the order in which they are named.
///
/// Opens inputs read-only, and only their headers. Fails with the first thing that makes the request impossible; what
/// does not is in each run's findings.
pub fn plan(request: &PlanRequest, progress: &PlanProgress) -> Result<Vec<PlannedRun>, PlanError> {
    let survey = survey(&request.inputs, request.recursive, request.threads, &progress.files)?;
    plan_survey(request, survey, &OwnFiles, progress)
}

/// The same for inputs that were listed already, perhaps on another machine; their headers come from `heads`.
pub fn plan_survey(
    request: &PlanRequest,
    survey: Survey,
    heads: &dyn Heads,
    progress: &PlanProgress,
) -> Result<Vec<PlannedRun>, PlanError> {
    let pool = pool(request.threads)?;
    pool.install(|| {
        let (listed, mut findings) = drop_empty(survey.folders, request.recursive)?;
        let paths: Vec<&Path> = listed.iter().map(|(folder, _)| folder.path.as_path()).collect();
        let mut runs = group(&paths, request.join);
        for run in &mut runs {
            known_empty(run, &findings);
        }
        let mut listed: Vec<Option<(FolderInput, Listing)>> = listed.into_iter().map(Some).collect();
        let mut planned = Vec::with_capacity(runs.len());
        for run in runs {
            let members = run.members.iter().filter_map(|&at| listed[at].take()).collect();
            planned.push(plan_run(
                &run,
                members,
                request,
                (heads, progress),
                std::mem::take(&mut findings),
            )?);
        }
        Ok(planned)
    })
}

pub(super) fn pool(threads: usize) -> Result<rayon::ThreadPool, PlanError> {
    /// Enough to wait for any file server; starting more takes longer than they save.
    const MOST: usize = 64;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.clamp(1, MOST))
        .thread_name(|i| format!("plan-{i}"))
        .build()
        .map_err(|error| PlanError::Threads {
            message: error.to_string(),
        })
}

/// Lists the folders, with `recursive` also those below them.
pub(super) fn list_all(
    folders: Vec<FolderInput>,
    recursive: bool,
    seen: &AtomicU64,
) -> Result<Vec<(FolderInput, Listing)>, PlanError> {
    let mut listed = Vec::with_capacity(folders.len());
    for folder in folders {
        let mut waiting = vec![folder];
        while let Some(folder) = waiting.pop() {
            let listing = list_one(&folder, seen)?;
            if recursive && folder.names.is_none() {
                let mut below: Vec<PathBuf> = listing.folders.iter().map(|name| folder.path.join(name)).collect();
                below.sort_by(|a, b| natural(b, a));
                waiting.extend(below.into_iter().map(|path| FolderInput {
                    path,
                    names: None,
                    typed: false,
                }));
            }
            if folder.path.to_str().is_none() && !listing.entries.is_empty() {
                return Err(PlanError::NotUnicode { path: folder.path });
            }
            listed.push((folder, listing));
        }
    }
    // With `--recursive`, a folder can be both typed and below another one.
    let mut known = std::collections::BTreeSet::new();
    listed.retain(|(folder, _)| known.insert(folder.path.clone()));
    Ok(listed)
}

fn list_one(folder: &FolderInput, seen: &AtomicU64) -> Result<Listing, PlanError> {
    let storage = |source| PlanError::Storage {
        path: folder.path.clone(),
        doing: "listed",
        source,
    };
    let Some(names) = &folder.names else {
        return list(&folder.path, Selection::All, seen).map_err(storage);
    };
    let listing = list(&folder.path, Selection::Names(names), seen).map_err(storage)?;
    if listing.entries.is_empty() && listing.unmatched.contains_key(&Unmatched::NoIndex) {
        // Only files without an index were named: then each of them is meant as it is.
        return list(&folder.path, Selection::Literally(names), seen).map_err(storage);
    }
    Ok(listing)
}

/// Takes out folders without traces. One that was named and is a run of its own is an error.
fn drop_empty(
    listed: Vec<(FolderInput, Listing)>,
    recursive: bool,
) -> Result<(Vec<(FolderInput, Listing)>, Findings), PlanError> {
    let paths: Vec<&Path> = listed.iter().map(|(folder, _)| folder.path.as_path()).collect();
    let has_traces = |at: usize| !listed[at].1.entries.is_empty();
    let runs = group(&paths, false);
    let hopeless = runs
        .iter()
        .filter(|run| !run.members.iter().any(|&at| has_traces(at)))
        .flat_map(|run| run.members.iter().copied());
    let any = (0..listed.len()).any(has_traces);
    let told: Vec<String> = hopeless
        .filter(|&at| !any || (listed[at].0.typed && listed[at].1.folders.is_empty()))
        .map(|at| what_is_there(&listed[at].0.path, &listed[at].1))
        .collect();
    if !told.is_empty() {
        let more = if told.len() > Examples::<()>::MOST { "; ..." } else { "" };
        let there = told[..told.len().min(Examples::<()>::MOST)].join("; ") + more;
        return Err(PlanError::NoTraces { there });
    }
    let mut findings = Findings::default();
    let mut kept = Vec::with_capacity(listed.len());
    for (folder, listing) in listed {
        if !listing.entries.is_empty() {
            kept.push((folder, listing));
        } else if folder.typed && (listing.folders.is_empty() || !recursive) {
            findings.all.push(Finding::EmptyFolder {
                folder: folder.path.display().to_string(),
            });
        }
    }
    Ok((kept, findings))
}

/// A folder that is there and empty, which is told, is not missing.
fn known_empty(run: &mut RunFolders, findings: &Findings) {
    for finding in &findings.all {
        let Finding::EmptyFolder { folder } = finding else {
            continue;
        };
        let name = Path::new(folder).file_name().unwrap_or_default();
        let missing = &mut run.missing;
        if let Some(at) = missing.examples.iter().position(|missing| name == missing.as_str()) {
            missing.examples.remove(at);
            missing.count -= 1;
        }
    }
}

fn what_is_there(path: &Path, listing: &Listing) -> String {
    let mut parts: Vec<String> = listing
        .unmatched
        .iter()
        .map(|(reason, files)| format!("{} {reason} {files}", counted(files.count, "file")))
        .collect();
    if !listing.folders.is_empty() {
        let mut names = Examples::default();
        for name in &listing.folders {
            names.add_smallest(name.to_string_lossy().into_owned());
        }
        parts.push(format!(
            "{} {names}: name them, or use --recursive",
            counted(names.count, "folder")
        ));
    }
    let there = if parts.is_empty() {
        "nothing".to_owned()
    } else {
        parts.join(", ")
    };
    format!("{} holds {there}", path.display())
}

fn plan_run(
    run: &RunFolders,
    members: Vec<(FolderInput, Listing)>,
    request: &PlanRequest,
    (heads, progress): (&dyn Heads, &PlanProgress),
    mut findings: Findings,
) -> Result<PlannedRun, PlanError> {
    findings.add_some(run.missing.clone(), |folders| Finding::MissingFolders { folders });
    let (inputs, listings): (Vec<FolderInput>, Vec<Listing>) = members.into_iter().unzip();
    let paths: Vec<&Path> = inputs.iter().map(|folder| folder.path.as_path()).collect();
    let folders: Vec<Folder> = labels(&paths)
        .into_iter()
        .zip(&paths)
        .map(|(label, path)| Folder {
            path: (*path).to_owned(),
            label,
        })
        .collect();
    let wanted = Wanted {
        channels: request.channels.as_deref(),
        stem: request.stem.as_deref(),
    };
    let gathered = gather(
        &folders,
        listings,
        wanted,
        &|path| source_of(heads, path),
        &mut findings,
    )?;
    if gathered.channels.is_empty() {
        let left_out = findings
            .all
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        return Err(PlanError::NoTraces { there: left_out });
    }
    let names = Names {
        folders: &folders,
        patterns: &gathered.patterns,
        heads,
    };
    let read = read_channels(names, gathered.channels, request, progress, &mut findings)?;
    compare_triggers(names, &read, request.options.events, &mut findings);
    let channels = place(run, names, read, request, &mut findings)?;
    let mut plan = Plan {
        id: PlanId([0; 32]),
        run: run.name.clone(),
        options: request.options.clone(),
        request: request.summary(),
        folders,
        patterns: gathered.patterns,
        channels: channels.into(),
    };
    plan.id = plan.compute_id();
    Ok(PlannedRun { plan, findings })
}

/// The channel in a file's header, for names without one.
fn source_of(heads: &dyn Heads, path: &Path) -> Result<Option<Channel>, PlanError> {
    let head = heads.head(path).map_err(|source| PlanError::Storage {
        path: path.to_owned(),
        doing: "opened",
        source,
    })?;
    Ok(Header::parse(&head).ok().and_then(|header| header.wave_source()))
}

/// A channel whose headers were read.
pub(super) struct ReadChannel {
    pub(super) channel: Channel,
    pub(super) files: Vec<Candidate>,
    pub(super) left_out: Vec<Candidate>,
    pub(super) resolved: Resolved,
    /// The file whose header stands for the channel.
    pub(super) reference: (u32, u64),
    /// (folder, index) and trigger time of the files opened.
    pub(super) triggers: Vec<((u32, u64), i64)>,
}

fn read_channels(
    names: Names<'_>,
    channels: BTreeMap<Channel, Vec<Candidate>>,
    request: &PlanRequest,
    progress: &PlanProgress,
    findings: &mut Findings,
) -> Result<Vec<ReadChannel>, PlanError> {
    let probing = Probing {
        names,
        all: request.probes_all(),
        array: request.options.selection.array,
        on_bad_file: request.options.on_bad_file,
        young_after_ns: since_epoch_ns(SystemTime::now())
            .saturating_sub(i64::try_from(request.settle.as_nanos()).unwrap_or(i64::MAX)),
        opened: &progress.headers,
    };
    let largest = channels.values().max_by_key(|files| files.len());
    let shared = largest.map(|files| shared_sample(names, files)).unwrap_or_default();
    channels
        .into_iter()
        .map(|(channel, mut files)| {
            let probed = probe(channel, &mut files, &shared, probing, findings)?;
            settle_channel(channel, files, probed, names, request, findings)
        })
        .collect()
}

fn settle_channel(
    channel: Channel,
    mut files: Vec<Candidate>,
    probed: Probed,
    names: Names<'_>,
    request: &PlanRequest,
    findings: &mut Findings,
) -> Result<ReadChannel, PlanError> {
    let options = &request.options;
    let resolved = layouts::resolve(&probed.claims, &files, options.ragged);
    let Some(resolved) = resolved else {
        let (first, reason) = probed.first_trouble.unwrap_or((0, "not opened".to_owned()));
        return Err(PlanError::NoReadableHeader {
            channel,
            files: files.len() as u64,
            tried: probed.opened,
            first: names.path(&files[first]),
            reason,
        });
    };
    refuse_mixed(channel, probed.mixed, options.mixed, findings)?;
    if resolved.lengths.len() > 1 {
        let lengths = resolved
            .lengths
            .iter()
            .map(|length| length.shown(|at| names.label(&files[at])))
            .collect();
        if options.ragged == Ragged::Error {
            return Err(PlanError::Ragged { channel, lengths });
        }
        findings.all.push(Finding::OtherLengths {
            channel,
            samples: resolved.samples,
            ragged: options.ragged,
            lengths,
        });
    }
    let samples = resolved.shortest_row(options.ragged);
    let points = options.baseline.points;
    // Padded rows may be shorter than the record: what is too long for some of them alone cannot be left.
    if points >= resolved.samples && request.long_baseline == LongBaseline::Leave {
        findings.all.push(Finding::NoBaseline(NoBaseline {
            channel,
            points,
            samples: resolved.samples,
        }));
    } else if points >= samples {
        return Err(PlanError::BaselineTooLong {
            channel,
            points,
            samples,
        });
    }
    if resolved.eight > 0 && resolved.sixteen > 0 {
        findings.all.push(Finding::MixedWidths {
            channel,
            eight: resolved.eight,
            sixteen: resolved.sixteen,
        });
    }
    let triggers = probed
        .triggers
        .iter()
        .map(|&(at, time)| (names.key(&files[at]), time))
        .collect();
    let usual = probed.readable.iter().find(|&&at| !resolved.is_bad(&files[at]));
    let reference = usual
        .or(probed.readable.first())
        .map_or((0, 0), |&at| names.key(&files[at]));
    let mut left_out = Vec::new();
    match options.on_bad_file {
        OnBadFile::Skip => left_out = files.extract_if(.., |file| resolved.is_bad(file)).collect(),
        // Other bad files have stopped the run when they were opened.
        OnBadFile::Fail => {
            if let Some(file) = files.iter().find(|file| resolved.is_other_length(file)) {
                let found = resolved.layouts[resolved.layout(file) as usize].samples;
                return Err(PlanError::BadFile {
                    file: names.path(file),
                    reason: format!("{} samples a row expected, {found} found", resolved.samples),
                });
            }
        }
        OnBadFile::Nan => {}
    }
    if files.is_empty() {
        return Err(PlanError::NoRows {
            run: names.folders[0].label.clone(),
            why: format!("every file of channel {channel} is bad, and --on-bad-file skip leaves them out"),
        });
    }
    Ok(ReadChannel {
        channel,
        files,
        left_out,
        resolved,
        reference,
        triggers,
    })
}

fn refuse_mixed(
    channel: Channel,
    changes: Vec<SettingsChange>,
    mixed: Mixed,
    findings: &mut Findings,
) -> Result<(), PlanError> {
    if mixed == Mixed::Error && !changes.is_empty() {
        return Err(PlanError::Mixed { channel, changes });
    }
    findings.all.extend(
        changes
            .into_iter()
            .map(|change| Finding::MixedSettings { channel, change }),
    );
    Ok(())
}

/// Notes where the channels of one event were not triggered together, among the files that were opened.
fn compare_triggers(names: Names<'_>, channels: &[ReadChannel], events: Events, findings: &mut Findings) {
    if events == Events::Separate || channels.len() < 2 {
        return;
    }
    let mut times: Vec<((u32, u64), Channel, i64)> = channels
        .iter()
        .flat_map(|read| read.triggers.iter().map(|&(key, time)| (key, read.channel, time)))
        .collect();
    times.sort_unstable();
    let mut of = 0;
    let mut differing = Examples::default();
    for event in times.chunk_by(|a, b| a.0 == b.0).filter(|event| event.len() > 1) {
        of += 1;
        let earliest = event.iter().min_by_key(|(_, _, time)| *time).unwrap_or(&event[0]);
        let latest = event.iter().max_by_key(|(_, _, time)| *time).unwrap_or(&event[0]);
        let apart = latest.2.abs_diff(earliest.2);
        if apart > JITTER_NS {
            differing.add_with(|| FileNote {
                file: event_label(names, earliest.0),
                note: format!("{} is {:.3} s after {}", latest.1, apart as f64 / 1e9, earliest.1),
            });
        }
    }
    findings.add_some(differing, |events| Finding::TriggerTimes { of, events });
}
