//! The choices that change what a run puts into its output files.
//!
//! They travel with the plan, so that a resumed run, or another machine, makes the same bytes.
//! What only changes how fast or how carefully the work is done is in [`crate::convert::Settings`].

use serde::{Deserialize, Serialize};

use crate::selection::Selection;

/// `--dtype`: what the array holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// `<f4`, volts.
    #[default]
    Float32,
    /// `<i2`, the codes as stored (8-bit codes widened).
    Int16,
    /// `|i1`, the codes as stored; 16-bit codes must have a zero low byte and give their high byte.
    Int8,
    /// The channel's stored width; `int16` where a channel mixes both.
    Native,
}

/// `--baseline-method`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaselineMethod {
    /// Sum of the codes in i64, divided in f64.
    #[default]
    Mean,
    /// The middle code, or the mean of the two middle ones.
    Median,
}

/// `--baseline N`: the first samples of each row whose level is taken off (float32) or noted (integers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Samples at the start of each row; 0: no baseline.
    pub points: u32,
    /// How the level is found.
    pub method: BaselineMethod,
}

/// `--events`: how the channels' rows are brought together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Events {
    /// Every event of any channel is a row in all of them; what a channel lacks is a bad row there.
    #[default]
    Union,
    /// Only events that all channels have.
    Complete,
    /// Each channel for itself: row numbers do not correspond.
    Separate,
}

/// `--ragged`: what to do where the files of a channel differ in samples a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ragged {
    /// Refuse, with the sizes, their counts and examples.
    #[default]
    Error,
    /// Files of the rarer lengths are bad files.
    Bad,
    /// The longest rules; shorter rows end in NaN (integers: the smallest code).
    Pad,
    /// The shortest rules; longer rows lose their end.
    Truncate,
}

/// `--mixed`: what to do where sample interval, units or record type change inside a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mixed {
    /// Refuse, with the files where they change.
    #[default]
    Error,
    /// Say so and go on; the index holds each row's own interval.
    Warn,
}

/// `--on-bad-file`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadFile {
    /// Its rows are NaN (integers: the smallest code), their status says why.
    #[default]
    Nan,
    /// Found while planning (every header is opened) and given no row.
    Skip,
    /// Stop at once.
    Fail,
}

/// All of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteOptions {
    /// What the array holds.
    pub dtype: Dtype,
    /// What is taken off each row.
    pub baseline: Baseline,
    /// How the channels' rows are brought together.
    pub events: Events,
    /// Rows of different lengths.
    pub ragged: Ragged,
    /// Settings that change inside a channel.
    pub mixed: Mixed,
    /// Files that cannot be decoded.
    pub on_bad_file: OnBadFile,
    /// Which rows and samples of all that are there. Version 0.1.0 wrote none, and took all.
    #[serde(default)]
    pub selection: Selection,
}

impl ByteOptions {
    /// The options that are not as they are by default, as one would type them.
    pub fn flags(&self) -> Vec<String> {
        let usual = Self::default();
        let mut flags = Vec::new();
        let mut add = |differs: bool, flag: &str, value: String| {
            if differs {
                flags.push(format!("--{flag} {value}"));
            }
        };
        add(self.dtype != usual.dtype, "dtype", word(self.dtype));
        let (baseline, usual_baseline) = (self.baseline, usual.baseline);
        add(
            baseline.points != usual_baseline.points,
            "baseline",
            baseline.points.to_string(),
        );
        add(
            baseline.method != usual_baseline.method,
            "baseline-method",
            word(baseline.method),
        );
        add(self.events != usual.events, "events", word(self.events));
        add(self.ragged != usual.ragged, "ragged", word(self.ragged));
        add(self.mixed != usual.mixed, "mixed", word(self.mixed));
        add(
            self.on_bad_file != usual.on_bad_file,
            "on-bad-file",
            word(self.on_bad_file),
        );
        flags.extend(self.selection.flags());
        flags
    }
}

/// A choice as it is typed, which is as it is stored.
fn word(choice: impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
