//! Rows of `.trc` files, in the order of a plan, as traces.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{BLOCK, Decimator, Panel, Place, PreviewError, check_panels, check_size};
use crate::fs::{self, StorageError};
use crate::inspect::second;
use crate::options::{ByteOptions, Mixed, Ragged};
use crate::plan::{self, ChannelPlan, Plan, PlanProgress, PlanRequest};
use crate::status::Status;
use crate::trc::decode::{self, Codes};
use crate::trc::{self, FormatError, HEAD_BYTES, Header, Layout, SegmentTime, WaveArray};
use crate::units::{Bytes, RowRange};

/// Reads the rows of `.trc` files that a request chooses, a panel a channel; of each row what can be seen in so many
/// `parts`. Files whose lengths or settings differ are drawn as they are.
///
/// Fails where the request cannot be planned, a file cannot be read, or no row is good.
pub fn sources(request: &PlanRequest, parts: u32) -> Result<Vec<Panel>, PreviewError> {
    let request = PlanRequest {
        options: ByteOptions {
            ragged: Ragged::Pad,
            mixed: Mixed::Warn,
            ..request.options.clone()
        },
        ..request.clone()
    };
    let planned = plan::plan(&request, &PlanProgress::default())?;
    let all = || {
        let plans = planned.iter().map(|planned| &planned.plan);
        plans.flat_map(|plan| plan.channels.iter().map(move |channel| (plan, channel)))
    };
    check_size(all().count(), all().map(|(_, channel)| channel.rows).sum())?;
    let panels = all().map(|(plan, channel)| panel(plan, channel, parts));
    check_panels(panels.collect::<Result<_, _>>()?)
}

fn panel(plan: &Plan, channel: &ChannelPlan, parts: u32) -> Result<Panel, PreviewError> {
    let reference = Header::parse(&channel.reference.head).expect("the planner parsed the reference header");
    let mut panel = Panel {
        run: plan.run.clone(),
        channel: channel.channel,
        unit: reference.vert_unit(),
        horizontal_unit: second(&reference.hor_unit()).to_owned(),
        baseline: false,
        traces: Vec::new(),
        left_out: Vec::new(),
        passed_over: 0,
    };
    let rows = plan.options.selection.rows;
    let mut path = PathBuf::new();
    let mut covered = 0;
    let missing = |panel: &mut Panel, none: Range<u64>| {
        none.for_each(|taken| panel.leave_out(rows.row(taken), Status::Missing.describe()));
    };
    for position in channel.files.overlapping(channel.all_rows()) {
        let entry = channel.files.get(position);
        let RowRange { start, end } = entry.row_range();
        if start == end {
            continue;
        }
        missing(&mut panel, covered..start);
        covered = end;
        plan.file_path(channel, position, &mut path);
        let source = Source::open(&path, plan.options.selection.array)?;
        for taken in start..end {
            let row = rows.row(taken);
            match &source {
                Ok(source) => source.add(&mut panel, row, entry.segment(taken, rows.every), channel, parts)?,
                Err(error) => panel.leave_out(row, error.to_string()),
            }
        }
    }
    missing(&mut panel, covered..channel.rows);
    Ok(panel)
}

/// An open file whose bytes bear its header out.
struct Source<'p> {
    file: File,
    path: &'p Path,
    header: Header,
    layout: Layout,
}

impl<'p> Source<'p> {
    fn open(path: &'p Path, array: WaveArray) -> Result<Result<Self, FormatError>, StorageError> {
        let failed = |source| StorageError::new("read", path, source);
        let file = File::open(path).map_err(failed)?;
        let size = Bytes(file.metadata().map_err(failed)?.len());
        let mut head = [0; HEAD_BYTES];
        let found = fs::read_at(&file, &mut head, 0).map_err(failed)?;
        let parsed = Header::parse(&head[..found]).and_then(|header| {
            let layout = header.decodable(array, size)?;
            Ok((header, layout))
        });
        Ok(parsed.map(|(header, layout)| Self {
            file,
            path,
            header,
            layout,
        }))
    }

    fn add(
        &self,
        panel: &mut Panel,
        row: u64,
        segment: u32,
        channel: &ChannelPlan,
        parts: u32,
    ) -> Result<(), PreviewError> {
        let Self { header, layout, .. } = self;
        if segment >= layout.shape.segments {
            let found = layout.shape.segments;
            panel.leave_out(row, format!("segment {segment} expected, {found} segments found"));
            return Ok(());
        }
        let taken = channel.taken(layout.shape.samples);
        let (first, end) = (taken.start, taken.end);
        let samples = end - first;
        let width = header.width().bytes();
        let start = layout.segment(segment).start;
        let mut thinned = Decimator::new(samples, parts);
        let mut bytes = Vec::new();
        let mut volts = Vec::new();
        let mut next = first;
        while next < end {
            let until = end.min(next.saturating_add(BLOCK));
            let count = (until - next) as usize;
            bytes.resize(count * width, 0);
            volts.resize(count, 0.0);
            self.read(&mut bytes, start + u64::from(next) * width as u64)?;
            let codes = Codes {
                bytes: &bytes,
                width: header.width(),
                order: header.order(),
            };
            decode::volts(codes, header.gain(), header.offset(), &mut volts);
            thinned.push(&volts);
            next = until;
        }
        let interval = f64::from(header.horiz_interval());
        let place = Place {
            offset: self.time(segment)?.offset + f64::from(first) * interval,
            interval,
        };
        panel.add(row, place, samples, thinned);
        Ok(())
    }

    /// When a segment was acquired.
    fn time(&self, segment: u32) -> Result<SegmentTime, StorageError> {
        let Some(at) = self.layout.time_entry(segment) else {
            return Ok(self.header.time_without_entry(segment));
        };
        let mut entry = [0; 16];
        self.read(&mut entry, at.start)?;
        let time = trc::segment_times(&entry, self.header.order()).next();
        Ok(time.unwrap_or_else(|| self.header.time_without_entry(segment)))
    }

    fn read(&self, into: &mut [u8], at: u64) -> Result<(), StorageError> {
        crate::outputs::read_exact(&self.file, self.path, into, at)
    }
}
