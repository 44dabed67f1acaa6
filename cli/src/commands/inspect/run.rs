//! A run as text: what a user looks at before converting.

use std::fmt::Write as _;

use trc2npy_common::inspect::{ChannelReport, Gap, Numbers, RunReport, StemReport, second};
use trc2npy_common::plan::{Finding, Severity};
use trc2npy_common::trc::Value;

use crate::screen::{count, counted, date, facts, paragraph, si, table};

/// Gaps that are named of one channel in one folder.
const NAMED: usize = 4;

/// All runs of one stem.
pub(super) fn told(stem: &StemReport) -> String {
    let runs = stem.runs.iter().map(|run| told_run(run, stem.stem.as_deref()));
    runs.collect::<Vec<_>>().join("\n")
}

fn told_run(run: &RunReport, stem: Option<&str>) -> String {
    let mut text = match stem {
        Some(stem) => format!("Run {}, files called {stem} (--stem {stem})\n\n", run.run),
        None => format!("Run {}\n\n", run.run),
    };
    text += &facts(head(run));
    text.push('\n');
    text += &table(
        &[
            "channel",
            ">files",
            ">rows",
            ">samples",
            ">bits",
            "V/div",
            "coupling",
            ">interval",
            ">size",
        ],
        run.channels.iter().map(channel),
    );
    text.push('\n');
    text += &table(
        &["folder", "channel", ">files", ">first", ">last", ">missing", "gaps"],
        run.numbers.iter().map(numbers),
    );
    let findings = &run.findings.all;
    if !findings.is_empty() {
        text.push('\n');
    }
    for finding in findings {
        let how = match finding.severity() {
            Severity::Note => "note",
            Severity::Warning => "warning",
        };
        text += &paragraph(&format!("{how}: {}", told_finding(finding)));
    }
    if run.opened < run.files {
        text.push('\n');
        text += &paragraph(&format!(
            "{} of {} opened; --probe all opens every one, and finds every change of the settings.",
            count(run.opened),
            counted(run.files, "header")
        ));
    }
    text
}

fn head(run: &RunReport) -> Vec<(&'static str, String)> {
    let folders: Vec<String> = run.folders.iter().map(|folder| folder.display().to_string()).collect();
    let mut facts: Vec<(&str, String)> = Vec::new();
    for (i, folder) in folders.into_iter().enumerate() {
        facts.push((if i == 0 { "folders" } else { "" }, folder));
    }
    facts.push(("files", format!("{}, {}", count(run.files), run.bytes)));
    let mut instruments: Vec<String> = run
        .channels
        .iter()
        .map(|channel| {
            format!(
                "{} {} ({})",
                channel.instrument, channel.instrument_number, channel.template
            )
        })
        .collect();
    instruments.dedup();
    facts.push(("instrument", instruments.join(", ")));
    let first = run
        .channels
        .iter()
        .filter_map(|channel| channel.recorded.first_ns)
        .min();
    let last = run.channels.iter().filter_map(|channel| channel.recorded.last_ns).max();
    let known = [("first file", first), ("last file", last)];
    facts.extend(
        known
            .into_iter()
            .filter_map(|(name, time)| Some((name, format!("triggered {}", date(time?))))),
    );
    facts
}

fn channel(channel: &ChannelReport) -> Vec<String> {
    let named = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    // The column's head says what it is of.
    let range = named(&channel.range).replace("/div", "").replace('_', " ");
    vec![
        channel.channel.to_string(),
        count(channel.files),
        count(channel.rows),
        count(channel.samples.into()),
        channel.bits.to_string(),
        range,
        named(&channel.coupling),
        si(channel.interval.into(), second(&channel.interval_unit)),
        channel.bytes.to_string(),
    ]
}

fn numbers(numbers: &Numbers) -> Vec<String> {
    let gap = |gap: &Gap| match gap.to - gap.from {
        0 => gap.from.to_string(),
        _ => format!("{}-{}", gap.from, gap.to),
    };
    let mut gaps: Vec<String> = numbers.gaps.iter().take(NAMED).map(gap).collect();
    if numbers.gaps.len() > NAMED {
        gaps.push("...".to_owned());
    }
    vec![
        numbers.folder.clone(),
        numbers.channel.to_string(),
        count(numbers.files),
        numbers.first.to_string(),
        numbers.last.to_string(),
        count(numbers.missing),
        gaps.join(", "),
    ]
}

/// What convert would refuse is only said here, with the option that lets it pass.
fn told_finding(finding: &Finding) -> String {
    match finding {
        Finding::OtherLengths { channel, lengths, .. } => {
            let mut text = format!("channel {channel}: rows of {} lengths:", lengths.len());
            for (i, seen) in lengths.iter().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                let _ = write!(
                    text,
                    "{comma} {} in {} ({}{})",
                    counted(seen.samples.into(), "sample"),
                    counted(seen.files, "file"),
                    seen.example,
                    if seen.files > 1 { ", ..." } else { "" }
                );
            }
            text + "; convert needs --ragged"
        }
        Finding::MixedSettings { channel, change } => {
            format!("channel {channel}: {change}; convert needs --mixed warn, or the parts apart")
        }
        other => other.to_string(),
    }
}
