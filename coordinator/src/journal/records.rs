//! What is kept of a job.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use trc2npy_common::convert::BadFile;
use trc2npy_common::plan::Findings;
use trc2npy_coordinator_core::{Ending, JobId, Shard};
use trc2npy_proto::Submission;
use trc2npy_telemetry::{Kind, Place, Span};

/// A job, as it was accepted and as it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// What was asked; all jobs of one call have the same.
    pub submission: Submission,
    /// Its run.
    pub run: String,
    /// The output folder of the run, as `data:npy/r005`.
    pub out: String,
    /// The id of its plan.
    pub plan: String,
    /// The folder of its shards, inside of the state in the output folder; its plan lies beside the journal under this
    /// name.
    pub folder: String,
    /// Milliseconds since 1970.
    pub submitted_ms: u64,
    /// Nothing while it is worked on.
    pub end: Option<JobEnd>,
    /// What planning found, for people.
    pub warnings: Vec<String>,
    /// The rows of each channel and the like, for people who look at it after its end.
    pub channels: Vec<ChannelSummary>,
    /// What planning found, for the report.
    #[serde(default)]
    pub findings: Findings,
    /// The first of the bad files of a finished job; all are in its report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_files: Vec<BadFile>,
    /// Roots of its inputs that the coordinator did not have when it planned it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
    /// Of files in them, by what workers know them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// Its place in a trace, as a traceparent, and that of whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<JobTrace>,
}

/// Where a job belongs in the traces: kept, so that one trace goes on over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTrace {
    /// Its own place.
    pub place: String,
    /// Of the call that asked for it, where that said one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When the call came, in milliseconds since 1970.
    pub began_ms: u64,
}

/// What a worker that lists files for the coordinator saw of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Position in the plan's channels.
    pub channel: u32,
    /// Position in the channel's files.
    pub file: u64,
    /// CRC32C of its first 4 KiB.
    pub crc: u32,
}

impl JobRecord {
    /// Its place in the traces.
    pub(crate) fn place(&self) -> Option<Place> {
        self.trace.as_ref()?.place.parse().ok()
    }

    /// The whole job, which has ended.
    pub(crate) fn span(&self, id: JobId) -> Option<Span> {
        let trace = self.trace.as_ref()?;
        let parent = trace.parent.as_ref().and_then(|parent| parent.parse().ok());
        let began = UNIX_EPOCH + Duration::from_millis(trace.began_ms);
        let (state, why) = match self.end.as_ref().map(|end| &end.ending) {
            Some(Ended::Failed { why }) => ("failed", Some(why.clone())),
            Some(Ended::Cancelled) => ("cancelled", None),
            _ => ("done", None),
        };
        let rows = self.channels.iter().map(|channel| channel.rows).sum();
        let span = Span::new("job", self.place()?, parent, began)
            .kind(Kind::Server)
            .count("trc2npy.job", id.0)
            .with("trc2npy.run", self.run.clone())
            .with("trc2npy.out", self.out.clone())
            .with("trc2npy.state", state)
            .count("trc2npy.channels", self.channels.len() as u64)
            .count("trc2npy.rows.count", rows);
        Some(span.failed(why))
    }

    /// Notes the rows of recorded shards in a job that nobody works on: nothing else is known of how far it came.
    pub(crate) fn note_unfinished(&mut self, shards: &[Shard]) {
        for (position, channel) in self.channels.iter_mut().enumerate() {
            let its = shards.iter().filter(|shard| usize::from(shard.channel.0) == position);
            channel.unfinished = Some(Unfinished {
                rows: its.map(|shard| shard.rows.len()).sum(),
                bad_rows: 0,
            });
        }
    }
}

/// What is known of a channel without its plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSummary {
    /// `C1`
    pub name: String,
    /// Rows of its array.
    pub rows: u64,
    /// Samples of each.
    pub samples: u32,
    /// `float32`
    pub dtype: String,
    /// Below the output folder.
    pub array: String,
    /// Of the array's file.
    pub bytes: u64,
    /// Bad rows by the number of their verdict.
    pub bad: Vec<(u8, u64)>,
    /// What there was of it when its job ended without being done, or could not be gone on with.
    #[serde(default)]
    pub unfinished: Option<Unfinished>,
}

/// How far a channel came whose job was cancelled or has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Rows that were committed.
    pub rows: u64,
    /// Those of them that are bad.
    pub bad_rows: u64,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEnd {
    /// How.
    #[serde(flatten)]
    pub ending: Ended,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// How a job ended, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "lowercase")]
pub enum Ended {
    /// All files are there.
    Done {
        /// They were there before.
        already: bool,
    },
    /// Someone cancelled it.
    Cancelled,
    /// It could not be done.
    Failed {
        /// For people.
        why: String,
    },
}

impl From<&Ending> for Ended {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Done => Self::Done { already: false },
            Ending::Cancelled => Self::Cancelled,
            Ending::Failed(why) | Ending::Hopeless(why) => Self::Failed { why: why.clone() },
        }
    }
}
