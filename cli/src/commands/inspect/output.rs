//! A finished array as text.

use trc2npy_common::inspect::{FirstRow, OutputReport, second};
use trc2npy_common::options::BaselineMethod;

use crate::screen::{count, counted, date, facts, paragraph, si, table};

/// What it holds, its rows by status, statistics, and the first rows.
pub(super) fn told(output: &OutputReport) -> String {
    let what = &output.description;
    let mut text = format!("{}\n\n", output.path.display());
    text += &facts(head(output));
    text.push('\n');
    text += &table(
        &["status", ">rows"],
        output
            .rows
            .iter()
            .map(|rows| vec![rows.status.describe().to_owned(), count(rows.rows)]),
    );
    if !what.varying_fields.is_empty() {
        text.push('\n');
        let names: Vec<String> = what.varying_fields.iter().map(|field| field.to_string()).collect();
        text += &paragraph(&format!("Differ from file to file: {}.", names.join(", ")));
    }
    if !output.columns.is_empty() {
        text.push('\n');
        text += &table(
            &["good rows", ">smallest", ">mean", ">largest"],
            output.columns.iter().map(|column| {
                let values = [column.min, column.mean, column.max].map(|value| si(value, &column.unit));
                std::iter::once(column.column.to_owned()).chain(values).collect()
            }),
        );
    }
    if !output.first_rows.is_empty() {
        text.push('\n');
        text += &first_rows(output);
    }
    text
}

fn head(output: &OutputReport) -> Vec<(&'static str, String)> {
    let what = &output.description;
    let options = &what.options;
    let baseline = match (options.baseline.points, options.baseline.method) {
        (0, _) => "none".to_owned(),
        (points, method) => {
            let how = match method {
                BaselineMethod::Mean => "mean",
                BaselineMethod::Median => "median",
            };
            format!("{how} of the first {}", counted(points.into(), "sample"))
        }
    };
    let record = if what.samples() == what.whole_record() {
        "all samples".to_owned()
    } else {
        let (first, end) = (what.first_sample, what.first_sample + what.samples());
        format!("samples {first}:{end} of {}", count(what.whole_record().into()))
    };
    let mut facts = vec![
        ("run", format!("{}, channel {}", what.run, what.channel)),
        (
            "shape",
            format!("({}, {}), {}", what.rows(), what.samples(), what.element.name()),
        ),
        ("record", record),
        ("size", output.bytes.to_string()),
        ("unit", what.unit.clone()),
        ("interval", si(what.sample_interval, second(&what.sample_interval_unit))),
        ("baseline", baseline),
        ("instrument", what.instrument.clone()),
    ];
    if let (Some(first), Some(last)) = (output.recorded.first_ns, output.recorded.last_ns) {
        facts.push(("recorded", format!("{} to {}", date(first), date(last))));
    }
    if let Some((first, last)) = &output.sources {
        facts.push((
            "sources",
            format!("{}, from {first}", counted(output.source_files, "file")),
        ));
        facts.push(("", format!("to {last}")));
    }
    facts
}

fn first_rows(output: &OutputReport) -> String {
    let volts = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| si(value, &output.unit));
    let text = table(
        &[">row", "time, or what is wrong", ">min", ">max", ">baseline"],
        output.first_rows.iter().map(|row| {
            vec![
                count(row.row),
                time_or_verdict(row),
                volts(row.min.map(f64::from)),
                volts(row.max.map(f64::from)),
                volts(row.baseline),
            ]
        }),
    );
    let wide = output.first_rows.iter().map(|row| row.samples.len()).max().unwrap_or(0);
    let heads: Vec<String> = (0..wide).map(|sample| format!(">{sample}")).collect();
    let heads: Vec<&str> = std::iter::once(">row")
        .chain(heads.iter().map(String::as_str))
        .collect();
    let samples = output.first_rows.iter().map(|row| {
        let values = row.samples.iter().map(|value| volts(value.map(f64::from)));
        std::iter::once(count(row.row)).chain(values).collect()
    });
    let off = match output.description.options.baseline.points {
        0 => "",
        _ => ", the baseline taken off",
    };
    format!("{text}\nFirst samples{off}\n\n{}", table(&heads, samples))
}

/// A bad row has no time.
fn time_or_verdict(row: &FirstRow) -> String {
    match row.status {
        Some(status) if status.is_good() => row.time_ns.map_or_else(|| "unknown".to_owned(), date),
        Some(status) => status.describe().to_owned(),
        None => "unknown status".to_owned(),
    }
}
