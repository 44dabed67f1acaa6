//! The jobs of a seed: their rows, which of them end processes, cannot be read or are still being written, and what may
//! become of them.

use std::collections::BTreeMap;

use fastrand::Rng;
use trc2npy_common::plan::Stretch;
use trc2npy_common::units::{Bytes, RowRange};
use trc2npy_coordinator_core::{ChannelIndex, ChannelSpec, Ending, JobId, JobSpec, LeaseId, Millis, Region};

/// A file of a channel.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) rows: RowRange,
    /// It ends each process that opens it; where that is not the worker's own, the worker tells.
    pub(crate) deadly: bool,
    /// It can be read nowhere.
    pub(crate) unreadable: bool,
    /// It is being written until then, by the world's time.
    pub(crate) written: Millis,
    /// Crashes that were told of, of leases that had nothing else.
    pub(crate) crashed_alone: Vec<LeaseId>,
    /// Leases that came back since it could not be read.
    pub(crate) input_faults: u32,
}

/// A job as the world knows it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that was done to it")]
pub(crate) struct Job {
    pub(crate) spec: JobSpec,
    pub(crate) files: Vec<Vec<File>>,
    /// How it ended, once its end is recorded.
    pub(crate) ending: Option<Ending>,
    /// Closed in the present life of the coordinator.
    pub(crate) closed: bool,
    pub(crate) cancelled: bool,
    /// Why it may fail: what was done to it.
    pub(crate) outputs_failed: u32,
    pub(crate) landings_failed: u32,
    pub(crate) hopeless: bool,
    pub(crate) publish_failed: bool,
}

impl Job {
    pub(crate) fn random(random: &mut Rng, now: Millis) -> Self {
        let mut channels = Vec::new();
        let mut files = Vec::new();
        for _ in 0..random.usize(1..=2) {
            let (mut stretches, mut these, mut at) = (Vec::new(), Vec::new(), 0);
            for _ in 0..random.usize(0..=2) {
                let rows_a_file = if random.f32() < 0.7 { 1 } else { random.u64(2..6) };
                let count = random.u64(1..12);
                stretches.push(Stretch {
                    rows: rows_a_file * count,
                    row_bytes: Bytes::kib(random.u64(100..4000)),
                    rows_a_file,
                });
                for _ in 0..count {
                    let rows = RowRange::new(at, at + rows_a_file);
                    these.push(File::random(random, rows, now));
                    at = rows.end;
                }
            }
            // Some of the rows lie where only some workers see them.
            let regions = if random.f32() < 0.3 {
                vec![Region {
                    end: random.u64(..=at),
                    roots: vec!["more".to_owned()],
                }]
            } else {
                Vec::new()
            };
            channels.push(ChannelSpec {
                stretches,
                committed: Vec::new(),
                regions,
            });
            files.push(these);
        }
        let all = files.iter().flatten();
        let unreadable = all.filter(|file| file.unreadable).count() as u64;
        Self {
            spec: JobSpec {
                roots: if random.bool() {
                    vec!["data".to_owned()]
                } else {
                    vec!["data".to_owned(), "more".to_owned()]
                },
                channels,
                settle: Millis(random.u64(100..5000)),
                unreadable_allowed: if random.f32() < 0.95 {
                    unreadable
                } else {
                    unreadable.saturating_sub(1)
                },
                lease_bytes: (random.f32() < 0.1).then(|| Bytes::kib(random.u64(1..9000))),
            },
            files,
            ending: None,
            closed: false,
            cancelled: false,
            outputs_failed: 0,
            landings_failed: 0,
            hopeless: false,
            publish_failed: false,
        }
    }

    pub(crate) fn files_of(&mut self, channel: ChannelIndex, rows: RowRange) -> impl Iterator<Item = &mut File> {
        let files = self.files.get_mut(usize::from(channel.0));
        files
            .into_iter()
            .flatten()
            .filter(move |file| !file.rows.intersection(rows).is_empty())
    }

    /// Files of it that can be read nowhere, on whole rows.
    fn unreadable(&self) -> u64 {
        self.files.iter().flatten().filter(|file| file.unreadable).count() as u64
    }

    pub(crate) fn bytes(&self, channel: ChannelIndex, rows: RowRange) -> Bytes {
        let (mut at, mut bytes) = (0, 0);
        for stretch in &self.spec.channels[usize::from(channel.0)].stretches {
            let all = RowRange::new(at, at + stretch.rows);
            bytes += all.intersection(rows).len() * stretch.row_bytes.0;
            at = all.end;
        }
        Bytes(bytes)
    }

    /// Whether it may end like this, after what was done to it.
    pub(crate) fn may_end(&self, ending: &Ending) -> bool {
        match ending {
            Ending::Done => true,
            Ending::Cancelled => self.cancelled,
            Ending::Hopeless(_) => self.hopeless,
            Ending::Failed(_) => {
                self.publish_failed
                    || self.outputs_failed >= 6
                    || self.landings_failed >= 6
                    || self.unreadable() > self.spec.unreadable_allowed
            }
        }
    }
}

impl File {
    fn random(random: &mut Rng, rows: RowRange, now: Millis) -> Self {
        Self {
            rows,
            deadly: random.f32() < 0.02,
            unreadable: random.f32() < 0.03,
            written: if random.f32() < 0.05 {
                now + Millis(random.u64(..60_000))
            } else {
                now
            },
            crashed_alone: Vec::new(),
            input_faults: 0,
        }
    }

    /// A worker told of a crash with rows of no other file.
    pub(crate) fn crash(&mut self, rows: RowRange, lease: LeaseId) {
        if rows.start >= self.rows.start && rows.end <= self.rows.end && !self.crashed_alone.contains(&lease) {
            self.crashed_alone.push(lease);
        }
    }
}

pub(crate) type Jobs = BTreeMap<JobId, Job>;
