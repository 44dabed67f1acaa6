//! A `.trc` file as text.

use std::fmt::Write as _;

use trc2npy_common::inspect::TraceReport;
use trc2npy_common::trc::Value;

use crate::screen::{count, counted, date, facts, paragraph, table};

/// The whole file: what it is, every field, its blocks, its segments, and what is odd.
pub(super) fn told(trace: &TraceReport) -> String {
    let mut text = format!("{}\n\n", trace.path.display());
    let shape = trace.shape.map_or_else(
        || "-".to_owned(),
        |shape| {
            let rows = counted(shape.segments.into(), "row");
            format!("{rows} of {}", counted(shape.samples.into(), "sample"))
        },
    );
    let known = [
        ("size", trace.bytes.to_string()),
        ("holds", shape),
        ("triggered", trace.trigger_ns.map_or_else(|| "unknown".to_owned(), date)),
    ];
    text += &facts(known.into_iter().filter(|_| !trace.fields.is_empty()));
    if let Some(error) = &trace.error {
        text += &paragraph(&format!("NOT GOOD: {error}"));
    }
    for warning in &trace.warnings {
        text += &paragraph(&format!("warning: {warning}"));
    }
    if trace.fields.is_empty() {
        return text;
    }
    text.push('\n');
    text += &table(
        &["field", "value", "unit"],
        trace.fields.iter().map(|field| {
            let unit = field.unit.clone().unwrap_or_default();
            vec![field.field.to_string(), shown(&field.value), unit]
        }),
    );
    text.push('\n');
    let cut = trace.blocks.iter().any(|block| block.present < block.bytes);
    let mut heads = vec!["block", ">offset", ">bytes"];
    heads.extend(cut.then_some(">in the file"));
    text += &table(
        &heads,
        trace.blocks.iter().map(|block| {
            let mut cells = vec![block.block.to_string(), count(block.offset), count(block.bytes)];
            cells.extend(cut.then(|| count(block.present)));
            cells
        }),
    );
    if let Some(segments) = &trace.segments {
        text.push('\n');
        let mut before = None;
        let mut rows = Vec::new();
        for segment in &segments.ends {
            if before.is_some_and(|before| segment.segment > before + 1) {
                rows.push(vec!["...".to_owned(), String::new(), String::new()]);
            }
            before = Some(segment.segment);
            rows.push(vec![
                count(segment.segment.into()),
                format!("{:?}", segment.since_first),
                format!("{:?}", segment.offset),
            ]);
        }
        text += &table(
            &[">segment", ">s from the first", ">first sample, s from its trigger"],
            rows,
        );
    }
    text
}

/// A value on one line of a terminal, whatever bytes a file holds.
pub(super) fn shown(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if c.is_control() {
            let _ = write!(text, "{}", c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}
