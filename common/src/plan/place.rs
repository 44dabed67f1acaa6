//! From channels whose headers were read to their rows: events joined, tables filled, references chosen.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::selection::{Axis, RowSelection, Selection};
use crate::trc::Header;
use crate::units::{Bytes, RowRange};

use super::error::PlanError;
use super::events::{EventFile, Lacking, Placed, Sink, join};
use super::findings::{Examples, Finding, Findings, SelectedRows, SelectedSamples};
use super::gather::Candidate;
use super::inputs::RunFolders;
use super::model::{ChannelPlan, FileEntry, FileTable, LayoutId, LeftOut, PatternId, Reference};
use super::planner::ReadChannel;
use super::probe::Names;
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
    let file = |channel: usize, at: usize| {
        let read = &channels[channel];
        read.files.get(at).map(|file| EventFile {
            folder: names.patterns[file.pattern as usize].folder,
            segments: read.resolved.layouts[read.resolved.layout(file) as usize].segments,
            index: file.index,
        })
    };
    let selection = request.options.selection.rows;
    let mut tables = Tables {
        names,
        selection,
        rowless: vec![Vec::new(); channels.len()],
        untaken: vec![Vec::new(); channels.len()],
        channels: &channels,
        done: channels
            .iter()
            .map(|read| FileTable::with_capacity(read.files.len()))
            .collect(),
        lacking: BTreeMap::new(),
    };
    let rows = join(channels.len(), &file, events, &mut tables);
    let Tables {
        done,
        lacking,
        rowless,
        untaken,
        ..
    } = tables;
    for (read, untaken) in channels.iter_mut().zip(untaken) {
        read.left_out.extend(untaken);
    }
    if rows.iter().all(|&rows| rows == 0) {
        return Err(PlanError::NoRows {
            run: run.name.clone(),
            why: "no event is in all channels; use --events union, or choose --channels".to_owned(),
        });
    }
    let taken: Vec<u64> = rows.iter().map(|&rows| selection.before(rows)).collect();
    note_lacking(&channels, &rows, &taken, lacking, findings);
    let none = (0..channels.len()).find(|&at| taken[at] == 0 && !selection.is_all());
    if let Some(at) = none {
        return Err(PlanError::NoSuchRows {
            channel: channels[at].channel,
            selection: selection.quoted(),
            rows: rows[at],
        });
    }
    let placed = channels.into_iter().zip(done).zip(rowless).zip(&taken);
    let finished: Result<Vec<ChannelPlan>, PlanError> = placed
        .map(|(((read, table), rowless), &taken)| finish_channel(read, table, &rowless, taken, names, request))
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
                selection: selection.rows.quoted(),
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
    rowless: &[usize],
    rows: u64,
    names: Names<'_>,
    request: &PlanRequest,
) -> Result<ChannelPlan, PlanError> {
    let (reference, header) = reference(&read, rowless, names)?;
    let mut left_out = LeftOut::default();
    let mut sorted = read.left_out;
    sorted.sort_unstable_by_key(|file| names.key(file));
    for file in sorted {
        left_out.push(PatternId(file.pattern), file.index);
    }
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

/// The header that stands for the channel: that of the file chosen when they were read, or, where the join of events
/// gives it no rows, of the first that has some. Which of the rows are taken does not count: what is taken is a part of
/// what everything would have given.
fn reference(read: &ReadChannel, rowless: &[usize], names: Names<'_>) -> Result<(Reference, Header), PlanError> {
    let resolved = &read.resolved;
    let of = |at: usize| resolved.layouts[resolved.layout(&read.files[at]) as usize];
    let has_rows = |at: &usize| rowless.binary_search(at).is_err();
    let chosen = read
        .files
        .binary_search_by_key(&read.reference, |file| names.key(file))
        .ok();
    let readable = || (0..read.files.len()).filter(|&at| has_rows(&at) && of(at).width.is_some());
    let usual = readable().filter(|&at| of(at).samples == resolved.samples);
    let others = readable().filter(|&at| of(at).samples != resolved.samples);
    let best = chosen.filter(has_rows).into_iter().chain(usual).chain(others);
    let mut tried = 0;
    let mut trouble = None;
    // Where only bad files have rows, what is known of the channel is still what the chosen one says.
    for at in best.chain(chosen) {
        let file = &read.files[at];
        let path = names.path(file);
        tried += 1;
        let reason = match names.heads.head(&path) {
            Ok(head) => match Header::parse(&head) {
                Ok(header) => {
                    let reference = Reference {
                        pattern: PatternId(file.pattern),
                        index: file.index,
                        head,
                    };
                    return Ok((reference, header));
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        trouble.get_or_insert((path, reason));
    }
    let (first, reason) = trouble.unwrap_or_else(|| (PathBuf::new(), "no file has rows".to_owned()));
    Err(PlanError::NoReadableHeader {
        channel: read.channel,
        files: read.files.len() as u64,
        tried,
        first,
        reason,
    })
}

/// Builds the channels' tables from the joined events.
struct Tables<'a> {
    names: Names<'a>,
    selection: RowSelection,
    channels: &'a [ReadChannel],
    done: Vec<FileTable>,
    /// Of each channel the positions of the files that have no rows even where all are taken (`--events complete`).
    rowless: Vec<Vec<usize>>,
    /// Of each channel the files of which no row is taken.
    untaken: Vec<Vec<Candidate>>,
    lacking: BTreeMap<Option<usize>, Examples<String>>,
}

impl Sink for Tables<'_> {
    fn place(&mut self, placed: Placed) {
        let read = &self.channels[placed.channel];
        let file = read.files[placed.file];
        if placed.rows == 0 {
            self.rowless[placed.channel].push(placed.file);
        }
        let selection = self.selection;
        let before = RowRange::new(placed.first_row, placed.first_row + u64::from(placed.rows));
        let taken = selection.taken(before);
        if taken.is_empty() {
            self.untaken[placed.channel].push(file);
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
