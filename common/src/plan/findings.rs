//! What planning noticed and went on with: for the terminal, `--dry-run --json` and `report.json`.

mod baseline;
mod examples;
mod selected;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::options::Ragged;
use crate::units::{count, counted};

use super::error::LengthSeen;
use super::names::Unmatched;
pub use baseline::NoBaseline;
pub use examples::Examples;
pub use selected::{SelectedRows, SelectedSamples};

/// A setting that changes between two files of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsChange {
    /// The header's name of it (HORIZ_INTERVAL).
    pub setting: String,
    /// How often it changes from one opened file to the next.
    pub changes: u64,
    /// The first changes.
    pub examples: Vec<ChangedAt>,
}

/// Where a setting changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedAt {
    /// The last opened file with the old value.
    pub last_before: String,
    /// The old value.
    pub before: String,
    /// The first opened file with the new value.
    pub first_after: String,
    /// The new value.
    pub after: String,
}

/// Changes that are named in a sentence.
const SHOWN: usize = 3;

impl fmt::Display for SettingsChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} changes", self.setting)?;
        match self.changes {
            0 | 1 => {}
            2 => f.write_str(" twice,")?,
            more => write!(f, " {} times,", count(more))?,
        }
        let shown = self.examples.len().min(SHOWN);
        for (i, at) in self.examples[..shown].iter().enumerate() {
            let and = if i > 0 { ", then" } else { "" };
            write!(
                f,
                "{and} from {} ({}) to {} ({})",
                at.before, at.last_before, at.after, at.first_after
            )?;
        }
        if self.changes > shown as u64 {
            f.write_str(", ...")?;
        }
        Ok(())
    }
}

/// A file and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileNote {
    /// As the file list shows it (`r005/C1--Trace--00417.trc`).
    pub file: String,
    /// What was found.
    pub note: String,
}

impl fmt::Display for FileNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.note)
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be; said so that nobody wonders.
    Note,
    /// Someone should look.
    Warning,
}

/// One thing that planning noticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// `r005`, `r005-3` without `r005-2`.
    MissingFolders {
        /// Their names.
        folders: Examples<String>,
    },
    /// An input folder without any trace.
    EmptyFolder {
        /// As opened.
        folder: String,
    },
    /// Files that are no part of the run.
    LeftOut {
        /// Why.
        reason: Unmatched,
        /// Their names.
        files: Examples<String>,
    },
    /// `--channels` left others out.
    OtherChannels {
        /// Those left out, with their files.
        channels: Vec<(Channel, u64)>,
    },
    /// `--stem` left others out.
    OtherStems {
        /// Those left out, with their files.
        stems: Vec<(String, u64)>,
    },
    /// Events of other channels that this one lacks.
    MissingEvents {
        /// The channel.
        channel: Channel,
        /// Its rows.
        of: u64,
        /// The events (`r005 index 17, segment 0`); counted as rows.
        events: Examples<String>,
    },
    /// `--events complete` left rows out.
    IncompleteEvents {
        /// Events of any channel.
        of: u64,
        /// Those that are not in all; counted as rows.
        events: Examples<String>,
    },
    /// `--rows`, `--every` left rows out.
    SelectedRows(SelectedRows),
    /// `--samples`, `--time` left samples out.
    SelectedSamples(SelectedSamples),
    /// Rows of other lengths, and what becomes of them.
    OtherLengths {
        /// The channel.
        channel: Channel,
        /// Samples a row of the array.
        samples: u32,
        /// As chosen.
        ragged: Ragged,
        /// All lengths, commonest first.
        lengths: Vec<LengthSeen>,
    },
    /// Sample interval, units or record type change inside a channel (`--mixed warn`).
    MixedSettings {
        /// The channel.
        channel: Channel,
        /// What changes, and where.
        change: SettingsChange,
    },
    /// Gain, offset, coupling, bandwidth or probe change inside a channel.
    ChangedSettings {
        /// The channel.
        channel: Channel,
        /// What changes, and where.
        change: SettingsChange,
    },
    /// Headers that no waveform has, or blocks past the file's end.
    BadFiles {
        /// The channel.
        channel: Channel,
        /// Whether they get no row (`--on-bad-file skip`).
        skipped: bool,
        /// The files; without `--probe all` only of those opened.
        files: Examples<FileNote>,
    },
    /// Cut short and changed a moment ago.
    StillWriting {
        /// The channel.
        channel: Channel,
        /// The files.
        files: Examples<FileNote>,
    },
    /// Files that could not be opened; conversion tries again.
    Unopened {
        /// The channel.
        channel: Channel,
        /// The files.
        files: Examples<FileNote>,
    },
    /// WAVE_ARRAY_COUNT disagrees with the bytes; the bytes rule.
    CountMismatch {
        /// The channel.
        channel: Channel,
        /// The files, with both numbers.
        files: Examples<FileNote>,
    },
    /// Files with two arrays, of which the first is converted.
    SecondArray {
        /// The channel.
        channel: Channel,
        /// The files.
        files: Examples<FileNote>,
    },
    /// 8-bit and 16-bit files in one channel.
    MixedWidths {
        /// The channel.
        channel: Channel,
        /// Files of 8 bits a sample.
        eight: u64,
        /// Files of 16 bits a sample.
        sixteen: u64,
    },
    /// Rows that are not longer than the baseline, which is therefore not taken off.
    NoBaseline(NoBaseline),
    /// Channels of one event that were not triggered together.
    TriggerTimes {
        /// Events looked at.
        of: u64,
        /// Those whose channels differ by more than 1 ms.
        events: Examples<FileNote>,
    },
}

/// More missing rows than this share are a warning.
const MANY_MISSING: f64 = 0.01;

impl Finding {
    /// Whether the rows' statuses tell it better once the run is converted: then all files have been looked at.
    pub const fn is_preliminary(&self) -> bool {
        matches!(
            self,
            Self::BadFiles { skipped: false, .. } | Self::StillWriting { .. } | Self::Unopened { .. }
        )
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::MissingEvents { of, events, .. } | Self::IncompleteEvents { of, events }
                if events.count as f64 <= MANY_MISSING * *of as f64 =>
            {
                Severity::Note
            }
            Self::OtherChannels { .. }
            | Self::OtherStems { .. }
            | Self::SelectedRows(SelectedRows { beyond: false, .. })
            | Self::SelectedSamples(_)
            | Self::LeftOut {
                reason: Unmatched::OtherKind,
                ..
            } => Severity::Note,
            _ => Severity::Warning,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingFolders { folders } => {
                let count = counted(folders.count, "folder");
                write!(f, "missing between the folders of the run: {count} {folders}")
            }
            Self::EmptyFolder { folder } => write!(f, "{folder}: no traces in this folder"),
            Self::LeftOut { reason, files } => write!(f, "left out: {} {reason} {files}", counted(files.count, "file")),
            Self::OtherChannels { channels } => {
                let left_out = with_files(channels, Channel::to_string);
                write!(f, "not converted, by --channels: {left_out}")
            }
            Self::OtherStems { stems } => {
                let left_out = with_files(stems, |stem| format!("{stem:?}"));
                write!(f, "not converted, by --stem: {left_out}")
            }
            Self::MissingEvents { channel, of, events } => write!(
                f,
                "channel {channel} lacks {} of {}; their rows are marked missing {events}",
                count(events.count),
                counted(*of, "event")
            ),
            Self::IncompleteEvents { of, events } => write!(
                f,
                "not in all channels, and left out: {} of {} {events}",
                count(events.count),
                counted(*of, "event")
            ),
            Self::SelectedRows(selected) => selected.fmt(f),
            Self::SelectedSamples(selected) => selected.fmt(f),
            Self::OtherLengths {
                channel,
                samples,
                ragged,
                lengths,
            } => write!(
                f,
                "channel {channel}: rows have {samples} samples, {}",
                other_lengths(*ragged, lengths)
            ),
            Self::MixedSettings { channel, change } | Self::ChangedSettings { channel, change } => {
                write!(f, "channel {channel}: {change}")
            }
            Self::BadFiles {
                channel,
                skipped,
                files,
            } => {
                let what = if *skipped {
                    "left out"
                } else {
                    "among those opened; their rows are marked"
                };
                write!(
                    f,
                    "channel {channel}: {}, {what} {files}",
                    counted(files.count, "bad file")
                )
            }
            Self::StillWriting { channel, files } => write!(
                f,
                "channel {channel}: cut short, perhaps still being written: {} {files}",
                counted(files.count, "file")
            ),
            Self::Unopened { channel, files } => write!(
                f,
                "channel {channel}: could not be opened, and will be tried again: {} {files}",
                counted(files.count, "file")
            ),
            Self::CountMismatch { channel, files } => write!(
                f,
                "channel {channel}: another number of samples named than held, which is what counts: {} {files}",
                counted(files.count, "file")
            ),
            Self::SecondArray { channel, files } => write!(
                f,
                "channel {channel}: a second array, which is not converted (--array 2 does), in {} {files}",
                counted(files.count, "file")
            ),
            Self::MixedWidths {
                channel,
                eight,
                sixteen,
            } => write!(
                f,
                "channel {channel}: 8 bits a sample in {}, 16 bits in {}",
                counted(*eight, "file"),
                counted(*sixteen, "file")
            ),
            Self::NoBaseline(none) => none.fmt(f),
            Self::TriggerTimes { of, events } => write!(
                f,
                "the channels' trigger times differ by more than 1 ms in {} of {} looked at {events}",
                count(events.count),
                counted(*of, "event")
            ),
        }
    }
}

/// `C2 (5 files), C3 (1 file)`
fn with_files<T>(counts: &[(T, u64)], name: impl Fn(&T) -> String) -> String {
    let one = |(what, files): &(T, u64)| format!("{} ({})", name(what), counted(*files, "file"));
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn other_lengths(ragged: Ragged, lengths: &[LengthSeen]) -> String {
    let what = match ragged {
        Ragged::Error | Ragged::Bad => "others are bad files",
        Ragged::Pad => "shorter ones are padded",
        Ragged::Truncate => "longer ones lose their end",
    };
    let list: Vec<String> = lengths
        .iter()
        .map(|seen| format!("{} in {}", seen.samples, counted(seen.files, "file")))
        .collect();
    format!("{what}; found: {}", list.join(", "))
}

/// All of them, in the order they were noticed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Findings {
    /// One after the other.
    pub all: Vec<Finding>,
}

impl Findings {
    /// Those that someone should look at.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.all
            .iter()
            .filter(|finding| finding.severity() == Severity::Warning)
    }

    /// Files, events and settings that are counted are noted only where there are any.
    pub(super) fn add_some<T>(&mut self, examples: Examples<T>, make: impl FnOnce(Examples<T>) -> Finding) {
        if !examples.is_empty() {
            self.all.push(make(examples));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_are_not_named_are_hinted_at() {
        let at = |i: u64| ChangedAt {
            before: i.to_string(),
            after: (i + 1).to_string(),
            last_before: format!("f{i}"),
            first_after: format!("f{}", i + 1),
        };
        let told = |changes: u64| {
            let examples = (0..changes).map(at).collect();
            let setting = "VERTICAL_GAIN".to_owned();
            let change = SettingsChange {
                setting,
                changes,
                examples,
            };
            change.to_string()
        };
        assert_eq!(told(1), "VERTICAL_GAIN changes from 0 (f0) to 1 (f1)");
        assert!(
            told(2).starts_with("VERTICAL_GAIN changes twice, from 0 "),
            "{}",
            told(2)
        );
        assert!(told(3).ends_with("to 3 (f3)"), "{}", told(3));
        assert!(
            told(5).contains("5 times,") && told(5).ends_with("to 3 (f3), ..."),
            "{}",
            told(5)
        );
    }

    #[test]
    fn one_missing_event_in_a_hundred_is_no_warning_but_two_are() {
        let missing = |count| Finding::MissingEvents {
            channel: "C2".parse().unwrap(),
            of: 100,
            events: Examples {
                count,
                examples: vec!["r005 index 17".to_owned()],
            },
        };
        assert_eq!(missing(1).severity(), Severity::Note);
        assert_eq!(missing(2).severity(), Severity::Warning);
        assert_eq!(
            missing(1).to_string(),
            "channel C2 lacks 1 of 100 events; their rows are marked missing (r005 index 17)"
        );
        let json = serde_json::to_value(missing(2)).unwrap();
        assert_eq!(json["kind"], "missing-events");
        assert_eq!(json["events"]["count"], 2);
    }
}
