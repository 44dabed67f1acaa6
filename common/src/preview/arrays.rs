//! Rows of finished arrays, of any element type, as traces.

use super::{BLOCK, Decimator, Panel, Place, PreviewError, check_panels, check_size};
use crate::channel::Channel;
use crate::inspect::second;
use crate::npy::index::IndexRecord;
use crate::outputs::{ChannelOutput, Description, Paths};
use crate::selection::{Axis, RowSelection, SampleSelection, Window};
use crate::status::Status;
use crate::trc::Field;
use crate::units::RowRange;

/// Which rows of which arrays.
#[derive(Clone, Debug)]
pub struct ArrayRequest {
    /// Where they lie.
    pub arrays: Vec<Paths>,
    /// Only these channels; all where there are none.
    pub channels: Option<Vec<Channel>>,
    /// Which rows, by their numbers in the array.
    pub rows: RowSelection,
    /// Which of the array's samples.
    pub samples: SampleSelection,
}

/// Reads rows of finished arrays, a panel each; of each row what can be seen in so many `parts`.
///
/// Fails where an array is damaged, lacks what is asked for, or has no good row among these.
pub fn arrays(request: &ArrayRequest, parts: u32) -> Result<Vec<Panel>, PreviewError> {
    let mut outputs = Vec::with_capacity(request.arrays.len());
    for paths in &request.arrays {
        outputs.push(ChannelOutput::open(paths)?);
    }
    if let Some(wanted) = &request.channels {
        let found: Vec<Channel> = outputs.iter().map(|output| output.description.channel).collect();
        if let Some(&channel) = wanted.iter().find(|channel| !found.contains(channel)) {
            return Err(PreviewError::NoSuchChannel { channel, found });
        }
        outputs.retain(|output| wanted.contains(&output.description.channel));
    }
    let taken = |output: &ChannelOutput| request.rows.before(output.description.rows());
    check_size(outputs.len(), outputs.iter().map(taken).sum())?;
    let panels = outputs.iter().map(|output| panel(output, request, parts));
    check_panels(panels.collect::<Result<_, _>>()?)
}

fn panel(output: &ChannelOutput, request: &ArrayRequest, parts: u32) -> Result<Panel, PreviewError> {
    let what = &output.description;
    let taken = request.rows.before(what.rows());
    if taken == 0 {
        return Err(PreviewError::NoSuchRows {
            path: output.paths.array.clone(),
            asked: request.rows,
            rows: what.rows(),
        });
    }
    let axis = Axis {
        offset: reference_offset(what),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "HORIZ_INTERVAL is an f32, written exactly"
        )]
        interval: what.sample_interval as f32,
        unit: &what.sample_interval_unit,
    };
    let window = request.samples.window(what.samples(), axis);
    let window = window.map_err(|why| PreviewError::NoSamples {
        path: output.paths.array.clone(),
        why,
    })?;
    // The unit of an array of codes is `code`; what is drawn is in the instrument's.
    let unit = what.fields.get(Field::VertUnit.name()).and_then(|unit| unit.as_str());
    let mut panel = Panel {
        run: what.run.clone(),
        channel: what.channel,
        unit: unit.unwrap_or_default().to_owned(),
        horizontal_unit: second(&what.sample_interval_unit).to_owned(),
        baseline: what.options.baseline.points > 0,
        traces: Vec::new(),
        left_out: Vec::new(),
        passed_over: 0,
    };
    for row in (0..taken).map(|k| request.rows.row(k)) {
        output.each_record::<PreviewError>(RowRange::new(row, row + 1), |row, record| {
            add(&mut panel, output, (row, record), window, parts)
        })?;
    }
    Ok(panel)
}

/// Where the reference file's first sample lies, of those that are in the array.
fn reference_offset(what: &Description) -> f64 {
    let whole = what
        .fields
        .get(Field::HorizOffset.name())
        .and_then(serde_json::Value::as_f64);
    whole.unwrap_or(0.0) + f64::from(what.first_sample) * what.sample_interval
}

fn add(
    panel: &mut Panel,
    output: &ChannelOutput,
    (row, record): (u64, &IndexRecord),
    window: Window,
    parts: u32,
) -> Result<(), PreviewError> {
    match Status::from_code(record.status) {
        Some(status) if status.is_good() => {}
        Some(status) => {
            panel.leave_out(row, status.describe());
            return Ok(());
        }
        None => {
            panel.leave_out(
                row,
                format!("its status in the index, {}, has no meaning", record.status),
            );
            return Ok(());
        }
    }
    let end = record.samples.get().min(window.first + window.samples);
    let samples = end.saturating_sub(window.first);
    let interval = f64::from(record.horiz_interval.get());
    let mut thinned = Decimator::new(samples, parts);
    let mut block = Vec::new();
    let mut next = window.first;
    while next < end {
        let until = end.min(next.saturating_add(BLOCK));
        output.volts(row, record, next..until, &mut block)?;
        thinned.push(&block);
        next = until;
    }
    let place = Place {
        offset: record.horiz_offset.get() + f64::from(window.first) * interval,
        interval,
    };
    panel.add(row, place, samples, thinned);
    Ok(())
}
