//! From channels whose headers were read to their rows: events joined, tables filled, references chosen.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::channel::Channel;
use crate::selection::{Axis, RowSelection, Selection};
use crate::trc::Header;
use crate::units::{Bytes, RowRange};

use super::error::PlanError;
use super::events::{EventFile, Lacking, Placed, Sink, join};
use super::findings::{Examples, Finding, Findings, SelectedRows, SelectedSamples};
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
        selection: request.options.selection.rows,
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
    let selection = request.options.selection.rows;
    let taken: Vec<u64> = rows.iter().map(|&rows| selection.before(rows)).collect();
    note_lacking(&channels, &rows, &taken, lacking, findings);
    let finished = channels.into_iter().zip(done).zip(&taken).zip(&rows);
    let finished: Result<Vec<ChannelPlan>, PlanError> = finished
        .map(|(((read, table), &taken), &of)| {
            if table.is_empty() {
                return Err(PlanError::NoSuchRows {
                    channel: read.channel,
                    selection: selection.to_string(),
                    rows: of,
                });
            }
            let channel = read.channel;
            finish_channel(read, table, taken, names, request).map_err(|error| match error {
                // The channel has good files; of those that are taken none is.
                PlanError::NoReadableHeader { .. } if !selection.is_all() => PlanError::NoSuchRows {
                    channel,
                    selection: selection.to_string(),
                    rows: of,
                },
                other => other,
            })
        })
        .collect();
    let finished = finished?;
    note_selection(&finished, &rows, request.options.selection, findings);
    Ok(finished)
}

/// Says what was taken, where that is not everything.
fn note_selection(channels: &[ChannelPlan], of: &[u64], selection: Selection, findings: &mut Findings) {
    for (plan, &of) in channels.iter().zip(of) {
        if plan.rows < of || selection.rows.end.is_some_and(|end| end > of) {
            findings.all.push(Finding::SelectedRows(SelectedRows {
                channel: plan.channel,
                selection: selection.rows.to_string(),
                rows: plan.rows,
                of,
                beyond: selection.rows.end.is_some_and(|end| end > of),
            }));
        }
        if plan.samples < plan.record_samples {
            findings.all.push(Finding::SelectedSamples(SelectedSamples {
                channel: plan.channel,
                first: plan.first_sample,
                samples: plan.samples,
                of: plan.record_samples,
            }));
        }
    }
}

fn note_lacking(
    channels: &[ReadChannel],
    rows: &[u64],
    taken: &[u64],
    lacking: BTreeMap<Option<usize>, Examples<String>>,
    findings: &mut Findings,
) {
    for (channel, events) in lacking {
        findings.all.push(match channel {
            Some(at) => Finding::MissingEvents {
                channel: channels[at].channel,
                of: taken[at],
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
    let (reference, header) = reference(&read.resolved, read.channel, read.reference, &files, names)?;
    let axis = Axis {
        offset: header.horiz_offset(),
        interval: header.horiz_interval(),
        unit: &header.hor_unit(),
    };
    let samples = request.options.selection.samples;
    let window = samples
        .window(read.resolved.samples, axis)
        .map_err(|why| PlanError::NoSamples {
            channel: read.channel,
            why,
        })?;
    let plan = ChannelPlan {
        channel: read.channel,
        rows,
        samples: window.samples,
        record_samples: read.resolved.samples,
        first_sample: window.first,
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
) -> Result<(Reference, Header), PlanError> {
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
                Ok(header) => return Ok((Reference { file: i as u64, head }, header)),
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
    selection: RowSelection,
    channels: &'a mut [ReadChannel],
    done: Vec<FileTable>,
    lacking: BTreeMap<Option<usize>, Examples<String>>,
}

impl Sink for Tables<'_> {
    fn place(&mut self, placed: Placed) {
        let read = &mut self.channels[placed.channel];
        let file = read.files[placed.file];
        let selection = self.selection;
        let before = RowRange::new(placed.first_row, placed.first_row + u64::from(placed.rows));
        let taken = selection.taken(before);
        if taken.is_empty() {
            read.left_out.push(file);
            return;
        }
        let in_file = |rows: u64| u32::try_from(rows).expect("a file has no more rows than segments");
        self.done[placed.channel].push(FileEntry {
            size: Bytes(file.size),
            mtime_ns: file.mtime_ns,
            first_row: taken.start,
            first_segment: in_file(selection.row(taken.start) - before.start),
            rows: in_file(taken.len()),
            layout: LayoutId(read.resolved.layout(&file)),
            pattern: PatternId(file.pattern),
            index: file.index,
        });
    }

    fn lack(&mut self, lacking: Lacking) {
        let segments = u64::from(lacking.segments);
        let lacked = match lacking.channel {
            Some(_) => {
                let rows = RowRange::new(lacking.row, lacking.row + segments);
                self.selection.taken(rows).len()
            }
            // What `complete` leaves out is no row that could be taken.
            None => segments,
        };
        if lacked == 0 {
            return;
        }
        let events = self.lacking.entry(lacking.channel).or_default();
        events.add_with(|| {
            let event = event_label(self.names, (lacking.folder, lacking.index));
            match (lacking.segment, lacking.segments) {
                (0, 1) => event,
                (first, 1) => format!("{event}, segment {first}"),
                (first, n) => format!("{event}, segments {first} to {}", first + n - 1),
            }
        });
        events.count += lacked - 1;
    }
}
