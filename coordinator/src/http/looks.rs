//! What can be seen of a channel's rows: read in bounded pieces on a thread that may wait, one picture at a time, and kept
//! for whoever asks next.
//!
//! Of an unfinished array only rows are read that are committed, and nothing is shown of them if they no longer are by
//! the time they were read.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use trc2npy_common::outputs::{ChannelOutput, Paths, Rows};
use trc2npy_common::panics;
use trc2npy_common::preview::Decimator;
use trc2npy_common::report::Clipping;
use trc2npy_common::roots::{Place, Roots};
use trc2npy_common::status::Status;
use trc2npy_common::units::RowRange;
use trc2npy_coordinator_core::JobId;

use super::Page;
use super::facts::{self, Numbers};
use super::pictures::{self, Axis, Panel, Points, Style};
use crate::owner::Look;

/// Pictures that are kept.
const KEPT: usize = 48;
/// Those that may wait to be made.
const WAITING: usize = 16;
/// Bytes of samples that one picture reads at most.
const BUDGET: u64 = 64 << 20;
/// Samples read at a time.
const BLOCK: u32 = 1 << 18;
/// Traces of the first rows, and of an overlay.
const FIRST: u64 = 6;
const OVERLAY: u64 = 100;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The first traces.
    First { dark: bool },
    /// The last traces of those that are there.
    Last { dark: bool },
    /// About a hundred traces from all over the channel.
    Overlay { dark: bool },
    /// How the baselines are spread.
    Baselines { dark: bool },
    /// The trigger rate over the run.
    Rate { dark: bool },
    /// The baseline over the run.
    Drift { dark: bool },
    /// Both in numbers, and more.
    Facts,
}

impl Wanted {
    pub(super) fn of(name: &str, dark: bool) -> Option<Self> {
        Some(match name {
            "first.svg" => Self::First { dark },
            "last.svg" => Self::Last { dark },
            "overlay.svg" => Self::Overlay { dark },
            "baselines.svg" => Self::Baselines { dark },
            "rate.svg" => Self::Rate { dark },
            "drift.svg" => Self::Drift { dark },
            "glance.json" => Self::Facts,
            _ => return None,
        })
    }

    pub(super) fn is_picture(self) -> bool {
        self != Self::Facts
    }
}

/// Why there is nothing to see.
pub(super) enum NoLook {
    /// For people.
    None(String),
    /// Too many are being made.
    Busy,
}

/// Of which rows of which channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    job: JobId,
    channel: usize,
    rows: RowRange,
    wanted: Wanted,
}

/// What was made, and where it is made.
pub(super) struct Looks {
    roots: Roots,
    kept: Mutex<VecDeque<(Key, Arc<str>)>>,
    waiting: tokio::sync::Semaphore,
    bench: tokio::sync::Mutex<()>,
}

impl Looks {
    pub(super) fn new(roots: Roots) -> Self {
        Self {
            roots,
            kept: Mutex::default(),
            waiting: tokio::sync::Semaphore::new(WAITING),
            bench: tokio::sync::Mutex::new(()),
        }
    }

    fn kept(&self, key: &Key) -> Option<Arc<str>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(of, _)| of == key).map(|(_, made)| Arc::clone(made))
    }

    fn keep(&self, key: Key, made: Arc<str>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Earlier rows of the same are not asked for again.
        let is_old = |of: &Key| (of.job, of.channel, of.wanted) == (key.job, key.channel, key.wanted);
        kept.retain(|(of, _)| !is_old(of));
        kept.truncate(KEPT - 1);
        kept.push_front((key, made));
    }
}

/// What is wanted of a channel: as it was made before, or made now.
pub(super) async fn get(page: &Arc<Page>, of: (JobId, usize), wanted: Wanted) -> Result<Arc<str>, NoLook> {
    let (job, channel) = of;
    let away = |why: tonic::Status| NoLook::None(why.message().to_owned());
    let looked = page.inbox.ask(move |owner| owner.look(job, channel)).await;
    let look = looked.map_err(away)?.map_err(NoLook::None)?;
    let (rows, is_unfinished) = match &look {
        Look::Unfinished { rows, .. } => (*rows, true),
        Look::Finished { rows, .. } => (RowRange::new(0, *rows), false),
    };
    let key = Key {
        job,
        channel,
        rows,
        wanted,
    };
    let looks = &page.looks;
    if let Some(made) = looks.kept(&key) {
        return Ok(made);
    }
    let _waiting = looks.waiting.try_acquire().map_err(|_| NoLook::Busy)?;
    let _bench = looks.bench.lock().await;
    if let Some(made) = looks.kept(&key) {
        return Ok(made);
    }
    let roots = looks.roots.clone();
    let made = tokio::task::spawn_blocking(move || {
        let made = panics::caught(|| make(&look, wanted, &roots));
        made.unwrap_or_else(|why| Err(format!("drawing it crashed: {why} (please report this)")))
    });
    let made: Arc<str> = match made.await {
        Ok(made) => made.map_err(NoLook::None)?.into(),
        Err(error) => return Err(NoLook::None(error.to_string())),
    };
    if is_unfinished {
        let asked = page
            .inbox
            .ask(move |owner| owner.are_committed(job, channel, rows))
            .await;
        if !asked.map_err(away)? {
            return Err(NoLook::None("these rows are being made again".to_owned()));
        }
    }
    looks.keep(key, Arc::clone(&made));
    Ok(made)
}

const NO_BASELINES: &str = "No baselines: the job was submitted without --baseline.";

fn panel_or(panel: Option<Panel<'_>>, otherwise: &str, dark: bool) -> String {
    panel.map_or_else(
        || pictures::sentence(otherwise, dark),
        |panel| pictures::drawn(&panel, dark),
    )
}

fn make(look: &Look, wanted: Wanted, roots: &Roots) -> Result<String, String> {
    let told = |error: &dyn std::error::Error| error.to_string();
    match look {
        Look::Unfinished { of, rows } => {
            let files = of.open().map_err(|error| told(&error))?;
            View {
                rows: files.rows(),
                range: *rows,
                fields: &of.fields,
                name: of.channel.to_string(),
            }
            .make(wanted)
        }
        Look::Finished { out, array, rows } => {
            let place: Place = out.parse().map_err(|error| format!("{out}: {error}"))?;
            let path: PathBuf = roots.resolve(&place).map_err(|error| told(&error))?.join(array);
            let paths = Paths::of_any(&path).ok_or_else(|| format!("{array} is no array's name"))?;
            let output = ChannelOutput::open(&paths).map_err(|error| told(&error))?;
            let found = output.description.rows();
            if found != *rows {
                return Err(format!("{array} has {found} rows now, the job made {rows}"));
            }
            View {
                rows: output.rows(),
                range: RowRange::new(0, *rows),
                fields: &output.description.fields,
                name: output.description.channel.to_string(),
            }
            .make(wanted)
        }
    }
}

/// Which traces are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    First,
    /// Of those that are there.
    Last,
    /// At equal distances.
    Spread,
}

/// Rows of a channel that are there.
struct View<'a> {
    rows: Rows<'a>,
    range: RowRange,
    fields: &'a serde_json::Map<String, serde_json::Value>,
    name: String,
}

impl View<'_> {
    fn make(&self, wanted: Wanted) -> Result<String, String> {
        let failed = |error: trc2npy_common::fs::StorageError| error.to_string();
        match wanted {
            Wanted::First { dark } => self.traces(FIRST, Which::First, dark).map_err(failed),
            Wanted::Last { dark } => self.traces(FIRST, Which::Last, dark).map_err(failed),
            Wanted::Overlay { dark } => self.traces(OVERLAY, Which::Spread, dark).map_err(failed),
            Wanted::Baselines { dark } => {
                let numbers = self.numbers(facts::Which::All).map_err(failed)?;
                Ok(panel_or(numbers.spread(self.unit()), NO_BASELINES, dark))
            }
            Wanted::Drift { dark } => {
                let numbers = self.numbers(facts::Which::First).map_err(failed)?;
                Ok(panel_or(numbers.drift(self.unit()), NO_BASELINES, dark))
            }
            Wanted::Rate { dark } => {
                let numbers = self.numbers(facts::Which::First).map_err(failed)?;
                Ok(panel_or(numbers.rates(), "Too few rows with times for a rate.", dark))
            }
            Wanted::Facts => {
                let numbers = self.numbers(facts::Which::First).map_err(failed)?;
                serde_json::to_string(&numbers.facts(self.unit())).map_err(|error| error.to_string())
            }
        }
    }

    fn unit(&self) -> &str {
        self.field("VERTUNIT").and_then(|unit| unit.as_str()).unwrap_or("V")
    }

    fn field(&self, name: &str) -> Option<&serde_json::Value> {
        self.fields.get(name)
    }

    fn numbers(&self, which: facts::Which) -> Result<Numbers, trc2npy_common::fs::StorageError> {
        let clipping = Clipping::of(self.fields, self.rows.element());
        Numbers::read(&self.rows, self.range, which, clipping)
    }

    /// Some rows; bad ones are left out.
    fn traces(&self, wanted: u64, which: Which, dark: bool) -> Result<String, trc2npy_common::fs::StorageError> {
        let row_bytes = self.rows.row_bytes().max(1);
        let most = (BUDGET / row_bytes).clamp(1, wanted);
        // Of rows of gigabytes only the beginning.
        let share = (u128::from(BUDGET) * u128::from(self.rows.samples()) / u128::from(row_bytes)).max(1);
        let samples = self.rows.samples().min(u32::try_from(share).unwrap_or(u32::MAX));
        let all = self.range.len();
        let (every, parts, style) = match which {
            Which::Spread => ((all / most).max(1), 150, Style::Overlay),
            Which::First | Which::Last => (1, 400, Style::Lines),
        };
        let mut curves: Vec<Points> = Vec::new();
        let mut asked = 0;
        // Where many are bad, not all are asked for.
        while asked < all.div_ceil(every).min(4 * most) && (curves.len() as u64) < most {
            let row = match which {
                Which::Last => self.range.end - 1 - asked,
                Which::First | Which::Spread => self.range.start + asked * every,
            };
            asked += 1;
            curves.extend(self.trace(row, samples, parts)?);
        }
        if curves.is_empty() {
            return Ok(pictures::sentence(
                "None of the rows that were looked at is good.",
                dark,
            ));
        }
        let cut = if samples < self.rows.samples() {
            format!(", the first {samples} samples")
        } else {
            String::new()
        };
        let shown = curves.len();
        let title = match which {
            Which::Spread => format!("{}: {shown} of {all} traces{cut}", self.name),
            Which::First => format!("{}: the first {shown} traces{cut}", self.name),
            Which::Last => format!("{}: the last {shown} traces{cut}", self.name),
        };
        let panel = Panel {
            title,
            x: Axis {
                name: "time from the trigger",
                unit: "s",
            },
            y: Axis {
                name: "level",
                unit: self.unit(),
            },
            style,
            curves,
        };
        Ok(pictures::drawn(&panel, dark))
    }

    /// What can be seen of one row, where it is good.
    fn trace(&self, row: u64, samples: u32, parts: u32) -> Result<Option<Points>, trc2npy_common::fs::StorageError> {
        let mut record = None;
        self.rows
            .each_record::<trc2npy_common::fs::StorageError>(RowRange::new(row, row + 1), |_, found| {
                record = Some(*found);
                Ok(())
            })?;
        let good = |code| Status::from_code(code).is_some_and(Status::is_good);
        let Some(record) = record.filter(|record| good(record.status)) else {
            return Ok(None);
        };
        let end = record.samples.get().min(samples);
        let mut thinned = Decimator::new(end, parts);
        let mut block = Vec::new();
        let mut next = 0;
        while next < end {
            let until = end.min(next.saturating_add(BLOCK));
            self.rows.volts(row, &record, next..until, &mut block)?;
            thinned.push(&block);
            next = until;
        }
        let (offset, interval) = (record.horiz_offset.get(), f64::from(record.horiz_interval.get()));
        let points = thinned.finish().into_iter();
        let points: Points = points
            .map(|point| (offset + f64::from(point.sample) * interval, f64::from(point.value)))
            .collect();
        Ok((!points.is_empty()).then_some(points))
    }
}
