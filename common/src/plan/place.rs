//! From channels whose headers were read to their rows: events joined, tables filled, references chosen.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::channel::Channel;
use crate::trc::Header;
use crate::units::Bytes;

use super::error::PlanError;
use super::events::{EventFile, Lacking, Placed, Sink, join};
use super::findings::{Examples, Finding, Findings};
use super::gather::Candidate;
use super::inputs::RunFolders;
use super::layouts::Resolved;
use super::model::{ChannelPlan, FileEntry, FileTable, LayoutId, LeftOut, PatternId, Reference};
use super::planner::ReadChannel;
use super::probe::{Names, read_head};
use super::request::PlanRequest;

pub(super) fn event_label(names: Names<'_>, (folder, index): (u32, u64)) -> String {
    format!("{} index {index}", names.folders[folder as usize].label)
}

/// Gives every file its rows.
pub(super) fn place(
    run: &RunFolders,
    names: Names<'_>,
    mut channels: Vec<ReadChannel>,
    request: &PlanRequest,
    findings: &mut Findings,
) -> Result<Vec<ChannelPlan>, PlanError> {
    let events = request.options.events;
    let files: Vec<Vec<EventFile>> = channels
        .iter()
        .map(|read| {
            let of = |file: &Candidate| EventFile {
                folder: names.patterns[file.pattern as usize].folder,
                segments: read.resolved.layouts[read.resolved.layout(file) as usize].segments,
                index: file.index,
            };
            read.files.iter().map(of).collect()
        })
        .collect();
    let mut tables = Tables {
        names,
        channels: &mut channels,
        done: files
            .iter()
            .map(|files| FileTable::with_capacity(files.len()))
            .collect(),
        lacking: BTreeMap::new(),
    };
    let rows = join(&files, events, &mut tables);
    let Tables { done, lacking, .. } = tables;
    drop(files);
    if rows.iter().all(|&rows| rows == 0) {
        return Err(PlanError::NoRows {
            run: run.name.clone(),
            why: "no event is in all channels; use --events union, or choose --channels".to_owned(),
        });
    }
    note_lacking(&channels, &rows, lacking, findings);
    channels
        .into_iter()
        .zip(done)
        .zip(rows)
        .map(|((read, table), rows)| finish_channel(read, table, rows, names, request))
        .collect()
}

fn note_lacking(
    channels: &[ReadChannel],
    rows: &[u64],
    lacking: BTreeMap<Option<usize>, Examples<String>>,
    findings: &mut Findings,
) {
    for (channel, events) in lacking {
        findings.all.push(match channel {
            Some(at) => Finding::MissingEvents {
                channel: channels[at].channel,
                of: rows[at],
                events,
            },
            None => Finding::IncompleteEvents {
                of: rows[0] + events.count,
                events,
            },
        });
    }
}

fn finish_channel(
    read: ReadChannel,
    files: FileTable,
    rows: u64,
    names: Names<'_>,
    request: &PlanRequest,
) -> Result<ChannelPlan, PlanError> {
    let mut left_out = LeftOut::default();
    let mut sorted = read.left_out;
    sorted.sort_unstable_by_key(|file| names.key(file));
    for file in sorted {
        left_out.push(PatternId(file.pattern), file.index);
    }
    let reference = reference(&read.resolved, read.channel, read.reference, &files, names)?;
    let plan = ChannelPlan {
        channel: read.channel,
        rows,
        samples: read.resolved.samples,
        element: read.resolved.element(request.options.dtype),
        reference,
        layouts: read.resolved.layouts,
        files,
        left_out,
    };
    if plan.checked_bytes().is_none() {
        let largest = plan.files.iter().max_by_key(|file| file.rows);
        return Err(PlanError::TooLarge {
            channel: plan.channel,
            rows,
            samples: plan.samples,
            example: largest
                .map(|file| names.path_of(file.pattern, file.index))
                .unwrap_or_default(),
        });
    }
    Ok(plan)
}

/// The header that stands for the channel: that of `chosen`, or, where that file has no rows, of the first that has.
fn reference(
    resolved: &Resolved,
    channel: Channel,
    chosen: (u32, u64),
    files: &FileTable,
    names: Names<'_>,
) -> Result<Reference, PlanError> {
    let chosen = files.find(names.patterns, chosen.0, chosen.1);
    let others = (0..files.len()).filter(|&i| {
        let layout = resolved.layouts[files.get(i).layout.0 as usize];
        layout.width.is_some() && layout.samples == resolved.samples
    });
    let mut tried = 0;
    let mut trouble = None;
    for i in chosen.into_iter().chain(others) {
        let path = names.path_of(files.get(i).pattern, files.get(i).index);
        tried += 1;
        let reason = match read_head(&path) {
            Ok(head) => match Header::parse(&head) {
                Ok(_) => return Ok(Reference { file: i as u64, head }),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        trouble.get_or_insert((path, reason));
    }
    let (first, reason) = trouble.unwrap_or_else(|| (PathBuf::new(), "no file has rows".to_owned()));
    Err(PlanError::NoReadableHeader {
        channel,
        files: files.len() as u64,
        tried,
        first,
        reason,
    })
}

/// Builds the channels' tables from the joined events.
struct Tables<'a> {
    names: Names<'a>,
    channels: &'a mut [ReadChannel],
    done: Vec<FileTable>,
    lacking: BTreeMap<Option<usize>, Examples<String>>,
}

impl Sink for Tables<'_> {
    fn place(&mut self, placed: Placed) {
        let read = &mut self.channels[placed.channel];
        let file = read.files[placed.file];
        if placed.rows == 0 {
            read.left_out.push(file);
            return;
        }
        self.done[placed.channel].push(FileEntry {
            size: Bytes(file.size),
            mtime_ns: file.mtime_ns,
            first_row: placed.first_row,
            rows: placed.rows,
            layout: LayoutId(read.resolved.layout(&file)),
            pattern: PatternId(file.pattern),
            index: file.index,
        });
    }

    fn lack(&mut self, lacking: Lacking) {
        let events = self.lacking.entry(lacking.channel).or_default();
        events.add_with(|| {
            let event = event_label(self.names, (lacking.folder, lacking.index));
            match (lacking.segment, lacking.segments) {
                (0, 1) => event,
                (first, 1) => format!("{event}, segment {first}"),
                (first, n) => format!("{event}, segments {first} to {}", first + n - 1),
            }
        });
        events.count += u64::from(lacking.segments) - 1;
    }
}
