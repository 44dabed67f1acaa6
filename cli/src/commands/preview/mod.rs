//! `preview`: traces with time and voltage axes. What is common to all forms is here; `picture` draws SVG and PNG,
//! `characters` in the terminal.

mod characters;
mod picture;

use std::path::PathBuf;
use std::process::ExitCode;

use trc2npy_common::fs::write_file;
use trc2npy_common::options::ByteOptions;
use trc2npy_common::outputs::{self, OutputError, Paths};
use trc2npy_common::plan::PlanRequest;
use trc2npy_common::preview::{self, ArrayRequest, Panel, PreviewError, Trace};
use trc2npy_common::resources::Machine;
use trc2npy_common::selection::Selection;

use super::inspect::damaged;
use crate::failure::{BAD_ROWS, Failure};
use crate::options::{self, PictureFormat, PreviewOptions};
use crate::screen::{self, Canvas, count, counted};

/// Bad rows that are named of one channel.
const NAMED: usize = 5;

/// Draws what is named.
pub(crate) fn run(options: &PreviewOptions) -> Result<ExitCode, Failure> {
    let Some(file) = &options.out else {
        let canvas = Canvas::of_stdout();
        let panels = read(options, characters::parts(canvas))?;
        screen::show(&characters::draw(&panels, canvas))?;
        return Ok(tell(&panels));
    };
    if file.path.exists() && !options.overwrite {
        return Err(Failure::Options(format!(
            "{} is there already: choose another name, or --overwrite to replace it",
            file.path.display()
        )));
    }
    if let Some(folder) = file
        .path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
    {
        return Err(Failure::Options(format!(
            "{}: there is no folder {}: make it, or choose another",
            file.path.display(),
            folder.display()
        )));
    }
    let panels = read(options, picture::PARTS)?;
    let bytes = match file.format {
        PictureFormat::Svg => picture::svg(&panels).into_bytes(),
        PictureFormat::Png => picture::png(&panels),
    };
    write_file(&file.path, &bytes)?;
    Ok(tell(&panels))
}

fn read(options: &PreviewOptions, parts: u32) -> Result<Vec<Panel>, Failure> {
    let (arrays, sources) = sorted(&options.paths)?;
    let panels = match (arrays.is_empty(), sources.is_empty()) {
        (false, true) => preview::arrays(
            &ArrayRequest {
                arrays,
                channels: options.channels(),
                rows: options.rows(),
                samples: options.samples(),
            },
            parts,
        ),
        (true, _) => preview::sources(&request(sources, options), parts),
        (false, false) => {
            return Err(Failure::Options(format!(
                "{} holds arrays and {} does not: one picture is of arrays or of .trc files; call preview for each",
                arrays[0].folder().display(),
                sources[0].display()
            )));
        }
    };
    let mut panels = panels.map_err(|error| match error {
        PreviewError::Output(error) => damaged(error),
        error => Failure::Work {
            code: if error.is_usage() { 2 } else { 1 },
            message: error.to_string(),
        },
    })?;
    // Its row is the first of a single file, whatever its number: the file's name tells more.
    if let ([path], [panel]) = (&options.paths[..], &mut panels[..])
        && let (true, Some(name)) = (path.is_file() && Paths::of_any(path).is_none(), path.file_name())
    {
        panel.run = format!("{}/{}", panel.run, name.to_string_lossy());
    }
    Ok(panels)
}

/// Arrays, and all else, which the planner reads or explains. Of a folder that holds both, the arrays.
fn sorted(paths: &[PathBuf]) -> Result<(Vec<Paths>, Vec<PathBuf>), Failure> {
    let (mut arrays, mut sources) = (Vec::new(), Vec::new());
    for path in paths {
        let may_be_array = path.is_dir() || (path.exists() && Paths::of_any(path).is_some());
        match may_be_array.then(|| outputs::find(path)) {
            Some(Ok(found)) => arrays.extend(found.outputs),
            Some(Err(OutputError::None { .. })) if path.is_dir() => sources.push(path.clone()),
            Some(Err(error)) => return Err(error.into()),
            None => sources.push(path.clone()),
        }
    }
    Ok((arrays, sources))
}

fn request(sources: Vec<PathBuf>, options: &PreviewOptions) -> PlanRequest {
    let selection = Selection {
        rows: options.rows(),
        samples: options.samples(),
        ..Selection::default()
    };
    PlanRequest {
        channels: options.channels(),
        stem: options.stem.clone(),
        options: ByteOptions {
            selection,
            ..ByteOptions::default()
        },
        ..PlanRequest::new(sources, options::threads(&Machine::detect()))
    }
}

/// Says which rows are not there, and which samples.
fn tell(panels: &[Panel]) -> ExitCode {
    for Panel {
        channel,
        left_out,
        traces,
        ..
    } in panels.iter().filter(|panel| !panel.left_out.is_empty())
    {
        let named: Vec<String> = left_out
            .iter()
            .take(NAMED)
            .map(|left_out| format!("row {} ({})", left_out.row, left_out.why))
            .collect();
        let more = if left_out.len() > NAMED { ", ..." } else { "" };
        screen::remark(&format!(
            "warning: channel {channel}: {} of {} left out: {}{more}",
            count(left_out.len() as u64),
            counted((left_out.len() + traces.len()) as u64, "row"),
            named.join(", "),
        ));
    }
    for panel in panels.iter().filter(|panel| panel.passed_over > 0) {
        screen::remark(&format!(
            "warning: channel {}: {} infinite and not drawn",
            panel.channel,
            match panel.passed_over {
                1 => "1 sample is".to_owned(),
                more => format!("{} are", counted(more, "sample")),
            }
        ));
    }
    if panels.iter().all(|panel| panel.left_out.is_empty()) {
        ExitCode::SUCCESS
    } else {
        BAD_ROWS.into()
    }
}

/// What a panel shows, in a line.
fn title(panel: &Panel) -> String {
    let traces = &panel.traces;
    let rows = match (traces.first(), traces.last()) {
        (Some(first), Some(last)) if first.row == last.row => format!("row {}", first.row),
        (Some(first), Some(last)) if last.row - first.row == traces.len() as u64 - 1 => {
            format!("rows {} to {}", first.row, last.row)
        }
        (Some(first), Some(last)) => {
            format!(
                "{} from {} to {}",
                counted(traces.len() as u64, "row"),
                first.row,
                last.row
            )
        }
        _ => "no good row".to_owned(),
    };
    let longest = traces.iter().map(|trace| trace.samples).max().unwrap_or(0);
    let same = traces.iter().all(|trace| trace.samples == longest);
    let each = match traces.len() {
        0 => String::new(),
        1 => format!(", {}", counted(longest.into(), "sample")),
        _ if same => format!(", {} each", counted(longest.into(), "sample")),
        _ => format!(", up to {}", counted(longest.into(), "sample")),
    };
    let baseline = if panel.baseline { ", baseline taken off" } else { "" };
    let bad = match panel.left_out.len() {
        0 => String::new(),
        bad => format!(", {} left out", counted(bad as u64, "bad row")),
    };
    printable(&format!(
        "{}, {}: {rows}{each}{baseline}{bad}",
        panel.run, panel.channel
    ))
}

/// The title of the horizontal axis: `time (µs)`.
fn horizontal_title(unit: &str, prefixed: &str) -> String {
    match (unit, prefixed) {
        ("s", _) => format!("time ({prefixed})"),
        ("Hz", _) => format!("frequency ({prefixed})"),
        (_, "") => "horizontal".to_owned(),
        _ => prefixed.to_owned(),
    }
}

/// From the first sample of all to the last.
fn horizontal_range(panels: &[Panel]) -> (f64, f64) {
    let traces = panels.iter().flat_map(|panel| &panel.traces);
    let ends = |trace: &Trace| {
        (
            trace.offset,
            trace.offset + f64::from(trace.samples - 1) * trace.interval,
        )
    };
    let (start, end) = extent(traces.map(ends));
    if start < end {
        return (start, end);
    }
    // Single samples, all at one time.
    let interval = panels
        .iter()
        .flat_map(|panel| &panel.traces)
        .map(|trace| trace.interval);
    let half = interval.fold(start.abs() * 1e-9, f64::max);
    (start - half, start + half)
}

/// From below the smallest value to above the largest.
fn vertical_range(panel: &Panel) -> (f64, f64) {
    let points = panel.traces.iter().flat_map(|trace| &trace.points);
    let (low, high) = extent(points.map(|point| (point.value.into(), point.value.into())));
    if low > high {
        return (-1.0, 1.0);
    }
    let size = low.abs().max(high.abs());
    // What is flat has room around it.
    let margin = if high - low > size * 1e-6 {
        (high - low) * 0.05
    } else if size > 0.0 {
        size * 0.1
    } else {
        1.0
    };
    (low - margin, high + margin)
}

fn extent(spans: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    spans.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (a, b)| {
        (low.min(a), high.max(b))
    })
}

/// What comes from names and headers can hold anything; a control character would spoil terminal and SVG.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
