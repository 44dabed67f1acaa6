//! Progress while a conversion runs: a bar, plain lines, JSON lines or nothing, drawn by a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use console::{measure_text_width, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use serde::Serialize;
use trc2npy_common::convert::{Phase, Progress, Watch};
use trc2npy_common::units::Bytes;

use super::pace::Pace;
use super::text::{clock, count};
use super::{remark, show, terminal};
use crate::options::ProgressStyle;

/// Time between two looks at the counters.
const LOOK: Duration = Duration::from_millis(150);
/// Columns of the bar that stay, whatever stands beside it.
const SHORTEST_BAR: usize = 8;
/// A bar that stands for a blink only disturbs.
const BAR_AFTER: Duration = Duration::from_millis(300);

/// How progress is shown, `auto` resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Bar,
    Plain,
    Json,
    None,
}

impl Style {
    /// Time between two signs of life.
    const fn period(self) -> Duration {
        match self {
            Self::Bar => LOOK,
            Self::Json => Duration::from_secs(1),
            Self::Plain | Self::None => Duration::from_secs(5),
        }
    }
}

/// A line of `--progress json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event<'a> {
    /// A look at the counters of a running conversion.
    Progress {
        run: Option<&'a str>,
        seconds: f64,
        #[serde(flatten)]
        counters: Progress,
        bytes_per_second: Option<f64>,
        rows_per_minute: Option<f64>,
        seconds_left: Option<f64>,
    },
    /// A sentence for people.
    Note { text: &'a str },
    /// What a coordinator has taken.
    Submitted(&'a serde_json::Value),
    /// What became of one run of many.
    Run(&'a serde_json::Value),
    /// How it ended.
    End(&'a serde_json::Value),
}

impl Event<'_> {
    /// Writes the line. Where the reader has gone the conversion goes on without it.
    pub(crate) fn emit(&self) -> io::Result<()> {
        let line = serde_json::to_string(self).expect("numbers and texts can always be written as JSON");
        show(&line)
    }

    /// Writes a line that is only for whoever watches: what the work comes to is said, or fails to be, at its end.
    fn emit_in_passing(&self) {
        let _ = self.emit();
    }
}

/// Shows the progress of one conversion after the other; can be told things from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Display {
    style: Style,
    bar: ProgressBar,
}

impl Display {
    pub(crate) fn new(asked: ProgressStyle) -> Self {
        let asked = if super::talk() == super::Talk::Little && asked != ProgressStyle::Json {
            ProgressStyle::None
        } else {
            asked
        };
        let style = match asked {
            ProgressStyle::Auto | ProgressStyle::Bar if terminal::draws() => Style::Bar,
            // In a file a bar is only noise.
            ProgressStyle::Auto | ProgressStyle::Bar | ProgressStyle::Plain => Style::Plain,
            ProgressStyle::Json => Style::Json,
            ProgressStyle::None => Style::None,
        };
        Self {
            style,
            bar: ProgressBar::hidden(),
        }
    }

    /// Whether stdout carries JSON lines and nothing else.
    pub(crate) fn is_json(&self) -> bool {
        self.style == Style::Json
    }

    /// A sentence between the progress: above the bar, as a line, or as an event.
    pub(crate) fn note(&self, text: &str) {
        if self.is_json() {
            Event::Note { text }.emit_in_passing();
        } else {
            self.bar.suspend(|| remark(text));
        }
    }

    /// Cleans the screen and ends the program.
    pub(crate) fn leave(&self, code: i32) -> ! {
        self.bar.suspend(|| std::process::exit(code))
    }

    /// Shows `watch` until the returned guard is dropped. `run` names one of several runs.
    pub(crate) fn follow(&self, watch: Arc<Watch>, run: Option<String>) -> Following {
        let (stop, stopped) = mpsc::channel();
        let display = self.clone();
        let thread = (self.style != Style::None).then(|| {
            thread::Builder::new()
                .name("progress".to_owned())
                .spawn(move || display.draw_until(&stopped, &watch, run.as_deref()))
        });
        // Without a thread there is no progress to see; the conversion itself needs none.
        Following {
            stop: Some(stop),
            thread: thread.and_then(Result::ok),
        }
    }

    fn draw_until(&self, stopped: &mpsc::Receiver<()>, watch: &Watch, run: Option<&str>) {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut next = if self.style == Style::Bar {
            BAR_AFTER
        } else {
            self.style.period()
        };
        while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let (at, progress) = (start.elapsed(), watch.read());
            pace.note(at, &progress);
            if at < next {
                continue;
            }
            next = at + self.style.period();
            match self.style {
                Style::Bar => self.draw_bar(&progress, &pace, run),
                Style::Plain => remark(&plain_line(&progress, &pace, run)),
                Style::Json => progress_event(at, progress, &pace, run).emit_in_passing(),
                Style::None => {}
            }
        }
        // Whoever reads along learns how far it came, however short it was.
        if self.style == Style::Json {
            progress_event(start.elapsed(), watch.read(), &pace, run).emit_in_passing();
        }
        self.bar.finish_and_clear();
        // The next one to be followed begins as this one did.
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn draw_bar(&self, progress: &Progress, pace: &Pace, run: Option<&str>) {
        if self.bar.is_hidden() {
            let style = BarStyle::with_template("{wide_bar:.cyan/dim} {prefix}\n{msg}")
                .expect("the template is fixed")
                .progress_chars("━╸─");
            self.bar.set_style(style);
            self.bar.reset();
            self.bar.set_draw_target(terminal::target(10));
        }
        self.bar.set_length(progress.bytes_in_total.0.max(1));
        self.bar.set_position(progress.bytes_in.0);
        // A line that wraps is counted wrongly, and pieces of it stay behind.
        let width = terminal::width();
        self.bar
            .set_prefix(bar_line(progress, pace, width.saturating_sub(SHORTEST_BAR + 1)));
        self.bar.set_message(detail_line(progress, pace, run, width));
    }
}

/// Ends the drawing and cleans the screen when it is dropped.
#[derive(Debug)]
pub(crate) struct Following {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic there has been told by the hook; what was converted is not touched by it.
            let _ = thread.join();
        }
    }
}

fn percent(progress: &Progress) -> u64 {
    // 100 % only when it is all done.
    let done = u128::from(progress.bytes_in.0) * 100 / u128::from(progress.bytes_in_total.0.max(1));
    u64::try_from(done.min(100)).unwrap_or(100)
}

fn speed(pace: &Pace) -> Option<String> {
    pace.bytes_per_second().map(|rate| format!("{:.0} MB/s", rate / 1e6))
}

/// Parts of a line, each with its rank: as many of them as fit into `width` columns, those of the lowest rank first.
fn fitted(mut parts: Vec<(u8, String)>, between: &str, width: usize) -> String {
    loop {
        let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
        let line = texts.join(between);
        if measure_text_width(&line) <= width {
            return line;
        }
        let last = (0..parts.len()).max_by_key(|&at| parts[at].0);
        parts.remove(last.expect("no parts make no line, which fits"));
    }
}

/// Right of the bar.
fn bar_line(progress: &Progress, pace: &Pace, width: usize) -> String {
    if progress.bytes_in_total == Bytes(0) {
        return String::new();
    }
    let mut parts = vec![
        (0, format!("{:>3} %", percent(progress))),
        (2, format!("{} of {}", progress.bytes_in, progress.bytes_in_total)),
    ];
    if has_pace(progress.phase) {
        parts.extend(speed(pace).map(|speed| (3, speed)));
        parts.extend(pace.left(progress).map(|left| (1, format!("{} left", clock(left)))));
    }
    fitted(parts, "  ", width)
}

/// Below the bar.
fn detail_line(progress: &Progress, pace: &Pace, run: Option<&str>, width: usize) -> String {
    let doing = describe(progress.phase);
    let doing = run.map_or_else(|| doing.to_owned(), |run| format!("{run}: {doing}"));
    let mut parts = Vec::new();
    if progress.rows_total > 0 {
        let (rows, total) = (count(progress.rows), count(progress.rows_total));
        parts.push((1, format!("{rows} of {total} traces")));
        let rate = per_minute(pace).filter(|_| has_pace(progress.phase));
        parts.extend(rate.map(|rate| (2, rate)));
    }
    if progress.bad_rows > 0 {
        parts.push((0, format!("{} BAD", count(progress.bad_rows))));
    }
    if progress.memory > Bytes(0) {
        parts.push((3, format!("memory {}", progress.memory)));
    }
    let room = width.saturating_sub(measure_text_width(&doing) + 2);
    let parts = fitted(parts, ", ", room);
    if parts.is_empty() {
        truncate_str(&doing, width, "").into_owned()
    } else {
        format!("{doing}: {parts}")
    }
}

/// All in one line, for a log.
fn plain_line(progress: &Progress, pace: &Pace, run: Option<&str>) -> String {
    let bar = bar_line(progress, pace, usize::MAX);
    let detail = detail_line(progress, pace, run, usize::MAX);
    if bar.is_empty() {
        detail
    } else {
        format!("{}, {detail}", bar.trim_start().replace("  ", ", "))
    }
}

fn per_minute(pace: &Pace) -> Option<String> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people; `as` saturates"
    )]
    pace.rows_per_minute()
        .map(|rate| format!("{}/min", count(rate.round() as u64)))
}

/// Whether the speed of this phase says when it ends.
const fn has_pace(phase: Phase) -> bool {
    matches!(phase, Phase::Converting | Phase::Verifying)
}

const fn describe(phase: Phase) -> &'static str {
    match phase {
        Phase::Planning => "planning",
        Phase::Converting => "converting",
        Phase::Settling => "waiting for files",
        Phase::Syncing => "syncing to disk",
        Phase::Publishing => "naming the files",
        Phase::Done => "done",
        Phase::Verifying => "verifying",
    }
}

fn progress_event<'a>(at: Duration, counters: Progress, pace: &Pace, run: Option<&'a str>) -> Event<'a> {
    Event::Progress {
        run,
        seconds: at.as_secs_f64(),
        counters,
        bytes_per_second: pace.bytes_per_second(),
        rows_per_minute: pace.rows_per_minute(),
        seconds_left: pace.left(&counters).map(|left| left.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest() -> (Progress, Pace) {
        let before = Progress {
            bytes_in_total: Bytes(999_900_000_000_000),
            ..Progress::default()
        };
        let progress = Progress {
            phase: Phase::Converting,
            bytes_in: Bytes(888_800_000_000_000),
            bytes_out: Bytes(888_800_000_000_000),
            rows: 8_765_432,
            rows_total: 9_876_543,
            bad_rows: 98_765,
            memory: Bytes(63_900_000_000),
            ..before
        };
        let mut pace = Pace::default();
        pace.note(Duration::ZERO, &before);
        pace.note(Duration::from_hours(100), &progress);
        (progress, pace)
    }

    #[test]
    fn the_largest_run_fits_eighty_columns() {
        let (progress, pace) = largest();
        let (bar, detail) = (bar_line(&progress, &pace, 71), detail_line(&progress, &pace, None, 80));
        assert_eq!(bar, " 88 %  888.8 TB of 999.9 TB  2469 MB/s  12:30:00 left");
        assert_eq!(
            detail,
            "converting: 8,765,432 of 9,876,543 traces, 87,654/min, 98,765 BAD, memory 63.9 GB"
                .replace("87,654/min", &per_minute(&pace).unwrap())
        );
        assert!(bar.len() <= 60, "no room for the bar: {bar}");
        for phase in [Phase::Settling, Phase::Syncing, Phase::Publishing] {
            let detail = detail_line(&Progress { phase, ..progress }, &pace, None, usize::MAX);
            assert!(detail.len() <= 80, "{} columns: {detail}", detail.len());
        }
        assert!(detail.len() <= 80, "{} columns: {detail}", detail.len());
    }

    #[test]
    fn a_narrow_terminal_loses_what_matters_least() {
        let (progress, pace) = largest();
        let few = Progress {
            rows: 799,
            rows_total: 800,
            ..progress
        };
        assert_eq!(bar_line(&progress, &pace, 31), " 88 %  12:30:00 left");
        assert_eq!(
            detail_line(&few, &pace, None, 42),
            "converting: 799 of 800 traces, 98,765 BAD"
        );
        assert_eq!(detail_line(&progress, &pace, None, 40), "converting: 98,765 BAD");
        for width in 0..120 {
            let bar = bar_line(&progress, &pace, width);
            let detail = detail_line(&progress, &pace, Some("r005-été"), width);
            assert!(bar.len() <= width, "{width}: {bar}");
            assert!(measure_text_width(&detail) <= width, "{width}: {detail}");
        }
    }

    #[test]
    fn before_the_plan_exists_no_number_is_shown() {
        let (progress, pace) = (Progress::default(), Pace::default());
        assert_eq!(bar_line(&progress, &pace, 80), "");
        assert_eq!(plain_line(&progress, &pace, Some("r005")), "r005: planning");
    }

    #[test]
    fn a_plain_line_has_no_columns() {
        let (progress, pace) = largest();
        let line = plain_line(&progress, &pace, None);
        assert!(
            line.starts_with("88 %, 888.8 TB of 999.9 TB, 2469 MB/s, 12:30:00 left, converting: "),
            "{line}"
        );
    }

    #[test]
    fn json_lines_name_their_event() {
        let (progress, pace) = largest();
        let event = progress_event(Duration::from_millis(1500), progress, &pace, Some("r005"));
        let value = serde_json::to_value(event).unwrap();
        assert_eq!(value["event"], "progress");
        assert_eq!(value["phase"], "converting");
        assert_eq!(value["rows"], 8_765_432);
        assert_eq!(value["seconds"], 1.5);
        assert_eq!(
            serde_json::to_value(Event::Note { text: "x" }).unwrap(),
            serde_json::json!({"event": "note", "text": "x"})
        );
    }
}
