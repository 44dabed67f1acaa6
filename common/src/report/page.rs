//! The page: what concerns the whole run, and the order of everything.

use super::html::{Head, Html};
use super::run::{LISTED, Run};
use super::svg::{Along, Chart, from_zero};
use super::{ChannelReport, Report, channel};
use crate::convert::PacePoint;
use crate::units::{Bytes, count, counted};

const STYLE: &str = include_str!("style.css");

/// Bad files that are shown unasked.
const SHOWN: usize = 20;

/// The whole page. Well-formed XML as well.
pub(super) fn page(report: &Report) -> String {
    let mut html = Html::default();
    let title = title(report);
    html.markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>");
    html.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>");
    html.element("title", &format!("{title} - trc2npy"));
    html.markup(&format!("<style>\n{STYLE}</style>\n</head>\n<body>\n<header>"));
    html.element("h1", &title);
    verdict(&mut html, report);
    contents(&mut html, report);
    html.markup("</header>\n<main>");
    summary(&mut html, report);
    if let Some(run) = &report.run {
        noticed(&mut html, run);
        course(&mut html, run);
    }
    for one in &report.channels {
        channel::section(&mut html, one, &anchor(one));
    }
    if let Some(run) = &report.run {
        html.heading("h2", "settings", "Settings and machine");
        html.facts("Settings", &run.settings);
        html.facts("Machine and folders", &run.machine);
    }
    html.markup("</main>\n<footer>");
    html.element(
        "p",
        &format!(
            "Made by trc2npy {} of the arrays, indices, JSONs and report.json beside it; trc2npy report makes it again.",
            env!("CARGO_PKG_VERSION")
        ),
    );
    html.markup("</footer>\n</body>\n</html>");
    html.finish()
}

fn title(report: &Report) -> String {
    if report.names.is_empty() {
        "A conversion".to_owned()
    } else {
        report.names.join(", ")
    }
}

/// Where a channel's part of the page is.
fn anchor(channel: &ChannelReport) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("array-{}", channel.file.chars().map(plain).collect::<String>())
}

/// What a channel is called: that of a conversion with several arrays of it by its file.
fn name(report: &Report, channel: &ChannelReport) -> String {
    let own = channel.description.channel;
    let same = |other: &&ChannelReport| other.description.channel == own;
    if report.channels.iter().filter(same).count() > 1 {
        channel.file.clone()
    } else {
        own.to_string()
    }
}

/// The result in a sentence.
fn verdict(html: &mut Html, report: &Report) {
    let rows: u64 = report.channels.iter().map(|one| one.description.rows()).sum();
    let bad: u64 = report.channels.iter().map(|one| one.numbers.statuses.bad_rows()).sum();
    let size: Bytes = report.channels.iter().map(|one| one.description.array_bytes()).sum();
    html.element(
        "p",
        &format!(
            "{}, {}, {size}",
            counted(report.channels.len() as u64, "channel"),
            counted(rows, "row")
        ),
    );
    if bad > 0 {
        html.loud(
            "bad",
            &format!("{} of {} are bad and not to be used.", count(bad), counted(rows, "row")),
        );
    } else if rows > 0 && report.broken.is_empty() {
        html.loud("good", "All rows are good.");
    }
    for (file, why) in &report.broken {
        html.loud("bad", &format!("{file} cannot be read: {why}"));
    }
    if report.run.is_none() {
        html.element(
            "p",
            "There is no report.json that can be read: speed, machine, settings and bad files are not known.",
        );
    }
}

fn contents(html: &mut Html, report: &Report) {
    let channels = report.channels.iter().map(|one| (anchor(one), name(report, one)));
    let mut links = vec![("summary".to_owned(), "Summary".to_owned())];
    if report.run.is_some() {
        links.push(("noticed".to_owned(), "Noticed".to_owned()));
        links.push(("course".to_owned(), "Speed".to_owned()));
    }
    links.extend(channels);
    if report.run.is_some() {
        links.push(("settings".to_owned(), "Settings and machine".to_owned()));
    }
    html.markup("<nav aria-label=\"Parts of this page\">");
    html.list(links.iter().map(|(id, text)| (Some(id.as_str()), text.as_str())));
    html.markup("</nav>");
}

fn summary(html: &mut Html, report: &Report) {
    html.heading("h2", "summary", "Summary");
    let heads = [
        Head::Text("channel"),
        Head::Number("rows"),
        Head::Number("shape"),
        Head::Text("dtype"),
        Head::Number("size"),
        Head::Number("bad rows"),
        Head::Number("source files"),
        Head::Text("file"),
    ];
    let row = |one: &ChannelReport| {
        let what = &one.description;
        vec![
            name(report, one),
            count(what.rows()),
            format!("({}, {})", what.rows(), what.samples()),
            dtype(what.element.descr()),
            what.array_bytes().to_string(),
            count(one.numbers.statuses.bad_rows()),
            count(one.source_files),
            one.file.clone(),
        ]
    };
    html.table("Arrays", &heads, report.channels.iter().map(row));
    let bad = report.channels.iter().flat_map(|one| {
        let verdicts = one.numbers.statuses.bad();
        verdicts.map(move |(status, rows)| vec![name(report, one), status.describe().to_owned(), count(rows)])
    });
    let bad: Vec<Vec<String>> = bad.collect();
    if !bad.is_empty() {
        let heads = [Head::Text("channel"), Head::Text("verdict"), Head::Number("rows")];
        html.table("Bad rows by verdict", &heads, bad);
    }
}

/// An element type as numpy calls it.
fn dtype(descr: &str) -> String {
    let name = match descr {
        "<f4" => "float32",
        "<i2" => "int16",
        "|i1" => "int8",
        other => other,
    };
    name.to_owned()
}

fn noticed(html: &mut Html, run: &Run) {
    html.heading("h2", "noticed", "Noticed");
    if run.warnings.is_empty() {
        html.element("p", "No warnings.");
    } else {
        html.element("h3", "Warnings");
        html.list(run.warnings.iter().map(|warning| (None, warning.as_str())));
    }
    if !run.notes.is_empty() {
        html.element("h3", "Notes");
        html.list(run.notes.iter().map(|note| (None, note.as_str())));
    }
    if run.bad_files.is_empty() {
        return;
    }
    let caption = if run.bad_files.len() == LISTED {
        format!(
            "Bad files, the first {}; the index has the others",
            count(LISTED as u64)
        )
    } else {
        "Bad files".to_owned()
    };
    let heads = [Head::Text("file"), Head::Text("verdict"), Head::Text("why")];
    let rows = run
        .bad_files
        .iter()
        .map(|bad| vec![bad.file.clone(), bad.status.describe().to_owned(), bad.why.clone()]);
    if run.bad_files.len() > SHOWN {
        let summary = counted(run.bad_files.len() as u64, "bad file");
        html.details(&summary, |html| html.table(&caption, &heads, rows));
    } else {
        html.table(&caption, &heads, rows);
    }
}

fn course(html: &mut Html, run: &Run) {
    html.heading("h2", "course", "Speed");
    html.facts("How it went", &run.course);
    if run.pace.len() < 3 {
        html.element("p", "It was over too soon for a picture of speed and memory over time.");
        return;
    }
    html.markup("<div class=\"pictures\">");
    speed(html, &run.pace);
    memory(html, run);
    html.markup("</div>");
}

/// A length of time in a unit that suits it: what a second is of it, and its name.
pub(super) fn unit_of_time(seconds: f64) -> (f64, &'static str) {
    match seconds {
        short if short < 300.0 => (1.0, "s"),
        minutes if minutes < 3.0 * 3_600.0 => (1.0 / 60.0, "min"),
        hours if hours < 4.0 * 86_400.0 => (1.0 / 3_600.0, "h"),
        _ => (1.0 / 86_400.0, "d"),
    }
}

/// The horizontal axis of a picture over the run's time.
fn over_time(pace: &[PacePoint]) -> (f64, String, (f64, f64)) {
    let end = pace.last().map_or(1.0, |point| point.s);
    let (scale, unit) = unit_of_time(end);
    (scale, format!("time since the start ({unit})"), (0.0, end * scale))
}

fn speed(html: &mut Html, pace: &[PacePoint]) {
    let (scale, name, ends) = over_time(pace);
    // What was counted between two looks is the speed between them.
    let steps: Vec<(f64, f64, f64)> = pace
        .windows(2)
        .filter(|two| two[1].s > two[0].s)
        .map(|two| {
            let bytes = two[1].bytes.saturating_sub(two[0].bytes).0 as f64;
            (two[0].s * scale, two[1].s * scale, bytes / (two[1].s - two[0].s))
        })
        .collect();
    let along = Along {
        ends,
        unit: "",
        name: &name,
    };
    let y = Along {
        ends: from_zero(steps.iter().map(|(_, _, speed)| *speed)),
        unit: "B/s",
        name: "read",
    };
    let mut chart = Chart::new(&along, &y);
    let corners = steps
        .iter()
        .flat_map(|(from, to, speed)| [(*from, *speed), (*to, *speed)]);
    chart.line("line", corners);
    let most = steps.iter().map(|(_, _, speed)| *speed).fold(0.0, f64::max);
    let told = format!("Input bytes read a second; at most {:.1} MB/s.", most / 1e6);
    html.figure(|number| chart.finish(number, "Speed over time", &told), &told);
}

fn memory(html: &mut Html, run: &Run) {
    let seen: Vec<(f64, f64)> = run
        .pace
        .iter()
        .filter_map(|point| Some((point.s, point.memory?.0 as f64)))
        .collect();
    if seen.is_empty() {
        let why = if run.by_workers {
            "Memory over time is not known: other machines made the rows."
        } else {
            "Memory over time is not known."
        };
        html.element("p", why);
        return;
    }
    let (scale, name, ends) = over_time(&run.pace);
    let x = Along {
        ends,
        unit: "",
        name: &name,
    };
    let y = Along {
        ends: from_zero(seen.iter().map(|(_, bytes)| *bytes)),
        unit: "B",
        name: "memory",
    };
    let mut chart = Chart::new(&x, &y);
    chart.line("line", seen.iter().map(|(s, bytes)| (s * scale, *bytes)));
    let most = seen.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
    let told = format!("Memory that the program held; at most {:.1} MB.", most / 1e6);
    html.figure(|number| chart.finish(number, "Memory over time", &told), &told);
}
