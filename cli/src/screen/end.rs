//! What is said when a conversion has ended: the table, bad rows loudly, and how to load the arrays.

use std::fmt::{Display, Write as _};
use std::path::Path;

use trc2npy_common::convert::{BadFile, ChannelOutcome, NameTemplate, Outcome};
use trc2npy_common::status::Status;

use super::text::{count, python_text, table};

/// Bad files that are named on the screen.
const NAMED: usize = 3;

/// The table of the channels, then what their rows need to be used.
pub(crate) fn summary(outcome: &Outcome, name: &NameTemplate) -> String {
    let channels = &outcome.channels[..];
    let mut text = table(
        &[
            "channel",
            ">rows",
            "shape",
            ">size",
            ">seconds",
            ">MB/s",
            ">bad rows",
            "file",
        ],
        channels.iter().map(row),
    );
    text.push('\n');
    let bad = bad_rows_alone(outcome, name);
    if bad.is_empty() {
        let Some(first) = channels.first() else { return text };
        text += &loading(&first.path);
    } else {
        text += &bad;
    }
    text
}

/// What [`summary`] says of bad rows; nothing where there is none.
pub(crate) fn bad_rows_alone(outcome: &Outcome, name: &NameTemplate) -> String {
    let channels = outcome.channels.iter();
    let bad: Vec<&ChannelOutcome> = channels.filter(|channel| bad_rows(channel) > 0).collect();
    if bad.is_empty() {
        return String::new();
    }
    bad_part(outcome, &bad, name) + &bad_files(&outcome.bad_files, &outcome.out.join("report.json").display())
}

/// How many rows of a channel are bad.
pub(crate) fn bad_rows(channel: &ChannelOutcome) -> u64 {
    channel.bad.iter().map(|(_, rows)| rows).sum()
}

/// How to open an array.
pub(crate) fn loading(array: &Path) -> String {
    format!("Load it in Python:\n\n{}\n", lines_that_load(array))
}

fn lines_that_load(array: &Path) -> String {
    format!(
        "  import numpy as np\n  traces = np.load({}, mmap_mode=\"r\")",
        python_text(array)
    )
}

fn row(channel: &ChannelOutcome) -> Vec<String> {
    let speed = channel.bytes.0 as f64 / 1e6 / channel.seconds;
    vec![
        channel.channel.to_string(),
        count(channel.rows),
        format!("({}, {})", channel.rows, channel.samples),
        channel.bytes.to_string(),
        format!("{:.1}", channel.seconds),
        // A channel that was done before took no time.
        if speed.is_finite() {
            // Of a slow one the digit behind the point matters.
            format!("{speed:.*}", usize::from(speed < 10.0))
        } else {
            "-".to_owned()
        },
        count(bad_rows(channel)),
        channel.path.display().to_string(),
    ]
}

/// How many rows are bad, and of each channel that has some why.
pub(crate) fn verdicts_on_rows<'v>(
    rows: u64,
    of: u64,
    channels: impl Iterator<Item = (String, &'v [(Status, u64)])>,
) -> String {
    let mut text = format!("BAD ROWS: {} of {} are not to be used.\n", count(rows), count(of));
    for (channel, verdicts) in channels {
        let why: Vec<String> = verdicts
            .iter()
            .map(|(status, rows)| format!("{} {}", count(*rows), status.describe()))
            .collect();
        let _ = writeln!(text, "  {channel}: {}", why.join(", "));
    }
    text
}

fn bad_part(outcome: &Outcome, bad: &[&ChannelOutcome], name: &NameTemplate) -> String {
    let channels = &outcome.channels;
    let (rows, of): (u64, u64) = (
        bad.iter().map(|c| bad_rows(c)).sum(),
        channels.iter().map(|c| c.rows).sum(),
    );
    let verdicts = bad
        .iter()
        .map(|channel| (channel.channel.to_string(), &channel.bad[..]));
    let mut text = verdicts_on_rows(rows, of, verdicts);
    let first = bad[0];
    let index = outcome.out.join(name.sibling(first.channel, ".index.npy"));
    let _ = writeln!(
        text,
        "\nThe index says which rows are good; in Python:\n\n{}\n  index = np.load({})\n  good = index[\"status\"] == 0",
        lines_that_load(&first.path),
        python_text(&index),
    );
    let waits = |channel: &&&ChannelOutcome| channel.bad.iter().any(|(status, _)| *status == Status::StillWriting);
    if bad.iter().any(|channel| waits(&channel)) {
        text.push_str(
            "\nOnce nobody writes these files any more, the same command with --overwrite makes their rows.\n",
        );
    }
    text
}

/// Some of the bad files, and where to find the others. Rows of missing events have none.
pub(crate) fn bad_files(files: &[BadFile], report: &dyn Display) -> String {
    if files.is_empty() {
        return String::new();
    }
    let mut text = "\nBad files:\n".to_owned();
    for bad in files.iter().take(NAMED) {
        // The other verdicts are in the reason's own words.
        let verdict = match bad.status {
            Status::StillWriting | Status::Unreadable | Status::Quarantined => format!("{}: ", bad.status.describe()),
            _ => String::new(),
        };
        let _ = writeln!(text, "  {}: {verdict}{}", bad.file, bad.why);
    }
    if files.len() > NAMED {
        let _ = writeln!(text, "  more in {report}");
    }
    text
}

#[cfg(test)]
mod tests {
    use trc2npy_common::convert::State;
    use trc2npy_common::plan::{Element, Findings};
    use trc2npy_common::units::Bytes;

    use super::*;

    fn channel(name: &str, bad: Vec<(Status, u64)>) -> ChannelOutcome {
        ChannelOutcome {
            channel: name.parse().unwrap(),
            path: Path::new("out").join(format!("{name}--Trace.npy")),
            rows: 125_000,
            samples: 402,
            element: Element::Float32,
            bytes: Bytes(201_000_000),
            seconds: 0.5,
            bad,
        }
    }

    fn outcome(channels: Vec<ChannelOutcome>, bad_files: &[(&str, &str)]) -> Outcome {
        Outcome {
            out: "out".into(),
            state: State::Finished,
            channels,
            findings: Findings::default(),
            notes: Vec::new(),
            bad_files: bad_files
                .iter()
                .map(|(file, why)| BadFile {
                    file: (*file).to_owned(),
                    status: Status::Truncated,
                    why: (*why).to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn good_rows_end_with_how_to_load_them() {
        let outcome = outcome(vec![channel("C1", vec![]), channel("C2", vec![])], &[]);
        let text = summary(&outcome, &NameTemplate::default());
        assert!(
            text.contains("traces = np.load(\"out/C1--Trace.npy\", mmap_mode=\"r\")"),
            "{text}"
        );
        assert!(!text.contains("BAD"), "{text}");
        let line = text.lines().nth(1).unwrap();
        let cells: Vec<&str> = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        assert_eq!(
            cells,
            [
                "C1",
                "125,000",
                "(125000, 402)",
                "201.0 MB",
                "0.5",
                "402",
                "0",
                &Path::new("out").join("C1--Trace.npy").display().to_string()
            ]
        );
    }

    #[test]
    fn a_slow_channel_has_a_digit_more() {
        let slow = ChannelOutcome {
            seconds: 60.0,
            ..channel("C1", vec![])
        };
        assert_eq!(row(&slow)[5], "3.4");
    }

    #[test]
    fn bad_rows_are_counted_and_masked() {
        let bad = vec![(Status::Truncated, 1_200), (Status::NotWaveform, 1)];
        let files = [
            ("r/a.trc", "why a"),
            ("r/b.trc", "why b"),
            ("r/c.trc", "why c"),
            ("r/d.trc", "why d"),
        ];
        let outcome = outcome(vec![channel("C1", vec![]), channel("C2", bad)], &files);
        let text = summary(&outcome, &NameTemplate::default());
        assert!(!text.contains("r/d.trc"), "{text}");
        for part in [
            "BAD ROWS: 1,201 of 250,000",
            "C2: 1,200 cut short, 1 not a LeCroy waveform",
            "index = np.load(\"out/C2--Trace.index.npy\")",
            "good = index[\"status\"] == 0",
            "  r/a.trc: why a\n",
            &format!("  more in {}\n", Path::new("out").join("report.json").display()),
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
