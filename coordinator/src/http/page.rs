//! The page itself: what is where, and in which words.

use trc2npy_common::units::{Bytes, count, counted};

use super::node::{Element, element};
use super::pictures::{HEIGHT, WIDTH};
use super::snapshot::{BadFile, Channel, Job, Part, Sentence, Status};
use super::tables::{self, cell, table};

pub(super) use super::node::escaped;

/// The whole page, as it is without a script.
pub(super) fn html(status: &Status) -> String {
    let mut html = String::from(HEAD);
    main(status).html(&mut html);
    html.push_str("<footer><p>trc2npy ");
    html.push_str(&escaped(status.version));
    html.push_str(FOOT);
    html
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    <meta name=\"color-scheme\" content=\"light dark\"><title>trc2npy</title>\
    <link rel=\"icon\" href=\"icon.svg\" type=\"image/svg+xml\"><link rel=\"stylesheet\" href=\"page.css\">\
    <script src=\"page.js\" defer></script></head><body><header><h1>trc2npy coordinator</h1>\
    <p id=\"link\" role=\"status\">As it was when it was loaded. <a href=\"./\">Refresh</a></p></header>";
const FOOT: &str = ". Nothing can be changed here. For programs: <a href=\"api/status\">JSON</a>, \
    <a href=\"metrics\">metrics</a>.</p></footer></body></html>\n";

/// What changes of it.
pub(super) fn main(status: &Status) -> Element {
    element("main")
        .add(jobs(status))
        .add(tables::workers(&status.workers))
        .add(events(&status.events))
}

pub(super) fn section(id: &'static str, title: &str) -> Element {
    let heading = format!("{id}-title");
    element("section")
        .with("id", id)
        .with("aria-labelledby", &heading)
        .add(element("h2").with("id", &heading).text(title))
}

fn jobs(status: &Status) -> Element {
    let section = section("jobs", "Jobs");
    if status.jobs.is_empty() {
        return section.add(note("Nothing was submitted yet."));
    }
    let newest = status.jobs[0].id;
    let section = section
        .add(legend())
        .all(status.jobs.iter().map(|one| job(one, one.id == newest)));
    if status.more_jobs == 0 {
        return section;
    }
    let more = counted(status.more_jobs as u64, "older job");
    section.add(note(&format!("{more} not shown; trc2npy jobs lists them.")))
}

pub(super) fn note(text: &str) -> Element {
    element("p").class("note").text(text)
}

fn legend() -> Element {
    let key = |letter: char, text: &str| {
        let bar = strip_of(&letter.to_string()).class("key").with("aria-hidden", "true");
        element("li").add(bar).text(text)
    };
    element("ul")
        .class("legend")
        .with("aria-label", "What the strips show")
        .add(key('o', "open"))
        .add(key('l', "in hand"))
        .add(key('p', "partly done"))
        .add(key('d', "done"))
        .add(key('b', "done, with bad rows"))
}

fn job(job: &Job, is_newest: bool) -> Element {
    let id = job.id;
    let is_live = matches!(job.state, "running" | "publishing");
    let badge = element("span").class(&format!("state {}", job.state)).text(job.state);
    let heading = element("h3").text(format!("Job {id}: {} ", job.run)).add(badge);
    let progress = element("progress")
        .with("max", job.rows.max(1))
        .with("value", job.rows_done)
        .with("aria-label", format!("rows of job {id} that are done"));
    let mut article = element("article")
        .with("data-key", format!("job-{id}"))
        .class("job")
        .add(heading)
        .add(element("p").class("where").text(job.out.clone()))
        .add(progress)
        .add(element("p").class("numbers").text(numbers(job)));
    if !job.error.is_empty() {
        article = article.add(element("p").class("error").text(job.error.clone()));
    }
    if !job.reasons.is_empty() {
        article = article.add(list("why rows wait", &job.reasons));
    }
    for (at, one) in job.channels.iter().enumerate() {
        article = article.add(channel(job, at, one, is_live || is_newest));
    }
    if !job.bad_files.is_empty() {
        article = article.add(bad_files(job));
    }
    if !job.warnings.is_empty() {
        let title = counted(job.warnings.len() as u64, "warning");
        let folded = element("details").add(element("summary").text(title));
        article = article.add(folded.add(list("warnings", &job.warnings)));
    }
    article
}

fn list(label: &str, sentences: &[String]) -> Element {
    let items = sentences.iter().map(|sentence| element("li").text(sentence.clone()));
    element("ul").class("told").with("aria-label", label).all(items)
}

fn percent(done: u64, of: u64) -> u128 {
    u128::from(done) * 100 / u128::from(of.max(1))
}

/// A job in a line.
fn numbers(job: &Job) -> String {
    let done = percent(job.rows_done, job.rows);
    let mut parts = vec![format!(
        "{} of {} rows ({done} %)",
        count(job.rows_done),
        count(job.rows)
    )];
    if job.bad_rows > 0 {
        parts.push(format!("{} bad", count(job.bad_rows)));
    }
    if job.bytes > 0 {
        parts.push(format!("{} of {} read", Bytes(job.bytes_done), Bytes(job.bytes)));
    }
    if job.speed > 0 {
        parts.push(format!("{}/s", Bytes(job.speed)));
    }
    parts.extend(job.eta_s.map(|seconds| format!("about {} left", duration(seconds))));
    if job.leases > 0 {
        let (leases, workers) = (
            counted(job.leases.into(), "lease"),
            counted(job.workers.into(), "worker"),
        );
        parts.push(format!("{leases} with {workers}"));
    }
    if job.ended_ms > 0 {
        parts.push(format!(
            "took {}",
            duration(job.ended_ms.saturating_sub(job.submitted_ms).div_ceil(1000))
        ));
    }
    parts.join(", ")
}

/// Hours and minutes, or less.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

fn channel(job: &Job, at: usize, channel: &Channel, is_open: bool) -> Element {
    let open = channel.rows.saturating_sub(channel.rows_done + channel.rows_leased);
    let bad = match channel.bad_rows {
        0 => String::new(),
        rows if channel.strip.contains(Part::Bad.letter()) => format!(", {} bad", count(rows)),
        rows => format!(
            ", {} bad (not in the strip: where they are was not kept over a restart)",
            count(rows)
        ),
    };
    let said = format!(
        "{}: {} of {} rows done, {} in hand, {} open{bad}",
        channel.name,
        count(channel.rows_done),
        count(channel.rows),
        count(channel.rows_leased),
        count(open)
    );
    let what = format!(
        "{} of {} samples, {}, {}",
        counted(channel.rows, "row"),
        count(channel.samples.into()),
        channel.dtype,
        channel.array
    );
    let strip = strip_of(&channel.strip)
        .class("strip")
        .with("role", "img")
        .with("aria-label", &said);
    let mut shown = element("div")
        .class("channel")
        .with("data-key", format!("channel-{at}"))
        .add(
            element("h4")
                .text(format!("{} ", channel.name))
                .add(element("small").text(what)),
        )
        .add(strip)
        .add(element("p").class("said").text(said));
    if !channel.pictures.is_empty() {
        shown = shown.add(pictures(job, at, channel, is_open));
    }
    shown
}

/// Neighbours of one state are one bar. Where rows are bad the bar is notched, not only of another colour.
fn strip_of(letters: &str) -> Element {
    let mut svg = element("svg")
        .with("viewBox", format!("0 0 {} 10", letters.len().max(1)))
        .with("preserveAspectRatio", "none");
    let letters = letters.as_bytes();
    let mut from = 0;
    for part in letters.chunk_by(|one, other| one == other) {
        let (class, top) = match part[0] {
            b'l' => ("leased", 3),
            b'p' => ("partly", 3),
            b'd' => ("done", 0),
            b'b' => ("bad", 0),
            _ => ("open", 7),
        };
        svg = svg.add(
            element("rect")
                .class(class)
                .with("x", from)
                .with("y", top)
                .with("width", part.len())
                .with("height", 10 - top),
        );
        from += part.len();
    }
    svg
}

fn pictures(job: &Job, at: usize, channel: &Channel, is_open: bool) -> Element {
    let base = format!("jobs/{}/channels/{at}", job.id);
    let mut folded = element("details")
        .class("pictures")
        .with("data-key", format!("pictures-{}", channel.pictures.join("-")));
    if is_open {
        folded = folded.with("open", "");
    }
    folded = folded.add(element("summary").text(format!("What {} looks like", channel.name)));
    let mut grid = element("div").class("grid");
    for picture in channel.pictures.iter().chain(&["rate", "drift"]) {
        let title = match *picture {
            "first" => "the first traces that are there",
            "last" => "the last traces that are there",
            "overlay" => "about a hundred traces over each other",
            "baselines" => "how the baselines are spread",
            "rate" => "the trigger rate over the run",
            _ => "the baseline over the run",
        };
        let address = format!("{base}/{picture}.svg?rows={}", channel.there);
        let source = element("source")
            .with("media", "(prefers-color-scheme: dark)")
            .with("srcset", format!("{address}&dark"));
        let image = element("img")
            .with("src", &address)
            .with("alt", format!("Job {} {}: {title}", job.id, channel.name))
            .with("width", WIDTH)
            .with("height", HEIGHT)
            .with("loading", "lazy");
        grid = grid.add(element("picture").with("data-key", *picture).add(source).add(image));
    }
    let facts = element("p")
        .class("facts")
        .with("data-facts", format!("{base}/glance.json?rows={}", channel.there))
        .add(
            element("a")
                .with("href", format!("{base}/glance.json"))
                .text("The run in numbers (JSON)"),
        );
    folded.add(facts).add(grid)
}

fn bad_files(job: &Job) -> Element {
    let row = |file: &BadFile| {
        element("tr")
            .with("role", "row")
            .add(cell("File", &file.file))
            .add(cell("Verdict", file.what))
            .add(cell("Found", &file.why))
    };
    let caption = format!("Bad files of job {}, the first {}", job.id, job.bad_files.len());
    element("details")
        .with("open", "")
        .add(element("summary").text(counted(job.bad_files.len() as u64, "bad file")))
        .add(table(
            &caption,
            &["File", "Verdict", "Found"],
            job.bad_files.iter().map(row),
        ))
}

fn events(events: &[Sentence]) -> Element {
    let section = section("events", "What has happened");
    let items = events.iter().map(|event| {
        let at = i64::try_from(event.at_ms)
            .ok()
            .and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let at = at.unwrap_or_default();
        let clock = at.strftime("%H:%M:%S UTC").to_string();
        let time = element("time").with("datetime", at).text(clock);
        element("li")
            .with("data-key", format!("event-{}", event.n))
            .add(time)
            .text(" ")
            .add(element("span").text(event.text.clone()))
    });
    let list = element("ol")
        .with("reversed", "")
        .with("aria-live", "polite")
        .with("aria-relevant", "additions")
        .with("aria-label", "The newest first")
        .with("tabindex", 0)
        .all(items);
    section.add(list)
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::Worker;
    use super::*;

    fn status() -> Status {
        let evil = "<img src=x onerror=alert(1)>";
        let channel = Channel {
            name: evil.to_owned(),
            rows: 200,
            rows_done: 100,
            rows_leased: 20,
            bad_rows: 3,
            strip: "ddblo".to_owned(),
            pictures: vec!["first"],
            there: 64,
            ..Channel::default()
        };
        let job = Job {
            id: 7,
            run: evil.to_owned(),
            out: evil.to_owned(),
            state: "running",
            error: evil.to_owned(),
            rows: 200,
            rows_done: 100,
            speed: 2_000_000,
            eta_s: Some(75),
            warnings: vec![evil.to_owned()],
            reasons: vec![evil.to_owned()],
            bad_files: vec![BadFile {
                file: evil.to_owned(),
                what: "cut short",
                why: evil.to_owned(),
            }],
            channels: vec![channel],
            ..Job::default()
        };
        let worker = Worker {
            name: evil.to_owned(),
            why: evil.to_owned(),
            in_hand: vec![evil.to_owned()],
            heard_s: 12,
            ..Worker::default()
        };
        let event = Sentence {
            n: 3,
            at_ms: 1_700_000_000_000,
            text: evil.to_owned(),
        };
        Status {
            version: "0.1.0",
            jobs: vec![job],
            more_jobs: 2,
            workers: vec![worker],
            events: vec![event],
        }
    }

    #[test]
    fn no_name_becomes_markup() {
        let html = html(&status());
        assert!(!html.contains("<img src=x"), "{html}");
        assert!(
            html.matches("&lt;img src=x onerror=alert(1)&gt;").count() >= 10,
            "{html}"
        );
    }

    #[test]
    fn nothing_is_inline_and_nothing_from_elsewhere() {
        let html = html(&status());
        for inline in [
            " style=",
            " onclick",
            "<style",
            "javascript:",
            "http:",
            "https:",
            "<script>",
        ] {
            assert!(!html.contains(inline), "{inline} in\n{html}");
        }
    }

    #[test]
    fn a_job_is_told_in_a_line() {
        let status = status();
        assert_eq!(
            numbers(&status.jobs[0]),
            "100 of 200 rows (50 %), 2.0 MB/s, about 1 min 15 s left"
        );
        let html = html(&status);
        for text in [
            "100 of 200 rows done, 20 in hand, 80 open, 3 bad",
            "last heard 12 s ago",
            "2 older jobs not shown",
            "22:13:20 UTC",
            "jobs/7/channels/0/first.svg?rows=64&amp;dark",
        ] {
            assert!(html.contains(text), "{text} is not in\n{html}");
        }
    }

    #[test]
    fn times_are_as_long_as_they_need_to_be() {
        assert_eq!([59, 61, 7260].map(duration), ["59 s", "1 min 1 s", "2 h 1 min"]);
    }
}
