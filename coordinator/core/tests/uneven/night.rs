//! The core among workers that do what they are told, each at its own speed.

use std::collections::{BTreeMap, VecDeque};

use trc2npy_common::plan::Stretch;
use trc2npy_common::units::Bytes;
use trc2npy_coordinator_core::{
    Beat, ChannelSpec, Core, Effect, Epoch, Event, Found, Grant, Hello, JobId, JobSpec, LeaseId, LeaseProgress, Loss,
    Millis, SessionId, Shard, Step, Work,
};

use crate::mix::{EACH, LANDING, Mix, Worker};

const TICK: Millis = Millis(50);
const BEAT: Millis = Millis(1000);
const SWEEP: Millis = Millis(250);
const JOB: JobId = JobId(1);

struct Task {
    grant: Grant,
    bytes: f64,
    done: f64,
    began: Millis,
}

struct Machine {
    is: Worker,
    session: Option<SessionId>,
    gone: bool,
    tasks: BTreeMap<LeaseId, Task>,
    next_beat: Millis,
}

pub(crate) struct Night<'m> {
    mix: &'m Mix,
    talks: bool,
    now: Millis,
    core: Core,
    machines: Vec<Machine>,
    /// Shards that wait to be checked, and when the one before is.
    landing: VecDeque<(Millis, Shard)>,
    stitcher_free: Millis,
    ended: bool,
}

impl<'m> Night<'m> {
    pub(crate) fn new(mix: &'m Mix, talks: bool) -> Self {
        let machine = |worker: &Worker| Machine {
            is: *worker,
            session: None,
            gone: false,
            tasks: BTreeMap::new(),
            next_beat: Millis(0),
        };
        Self {
            mix,
            talks,
            now: Millis(0),
            core: Core::new(Epoch(1), Millis(0)),
            machines: mix.workers.iter().map(machine).collect(),
            landing: VecDeque::new(),
            stitcher_free: Millis(0),
            ended: false,
        }
    }

    /// Seconds until all rows are there.
    pub(crate) fn run(mut self) -> f64 {
        let channels = self.mix.channels.iter().map(|&(rows, row, a_file)| ChannelSpec {
            stretches: vec![Stretch {
                rows,
                row_bytes: Bytes(row),
                rows_a_file: a_file,
            }],
            committed: Vec::new(),
            regions: Vec::new(),
        });
        let spec = JobSpec {
            roots: vec!["data".to_owned()],
            channels: channels.collect(),
            settle: Millis::seconds(10),
            unreadable_allowed: 0,
            lease_bytes: None,
        };
        self.tell(Event::Opened {
            job: JOB,
            spec,
            shards: Vec::new(),
            restored: false,
        });
        while !self.ended {
            assert!(self.now < Millis::seconds(100_000), "it does not end");
            for at in 0..self.machines.len() {
                self.come_or_go(at);
                self.work(at);
            }
            while self.landing.front().is_some_and(|(due, _)| *due <= self.now) {
                if let Some((_, shard)) = self.landing.pop_front() {
                    let found = Found::default();
                    self.tell(Event::Landed { shard, found });
                }
            }
            if self.now.0.is_multiple_of(SWEEP.0) {
                self.tell(Event::Tick);
            }
            self.now = self.now + TICK;
        }
        seconds(self.now)
    }

    fn come_or_go(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let now = seconds(self.now);
        if machine.session.is_none() && !machine.gone && machine.is.joins <= now {
            let session = SessionId(at as u64 + 1);
            machine.session = Some(session);
            let hello = Hello {
                name: format!("pc{at}"),
                slots: machine.is.slots,
                roots: vec!["data".to_owned()],
                in_hand: Vec::new(),
            };
            self.tell(Event::Joined { session, hello });
        }
        let machine = &mut self.machines[at];
        let (Some(session), Some(leaving)) = (machine.session, machine.is.leaves) else {
            return;
        };
        if leaving.at > now {
            return;
        }
        machine.is.leaves = None;
        if leaving.drained {
            self.tell(Event::DrainAsked(session));
        } else {
            (machine.session, machine.gone) = (None, true);
            machine.tasks.clear();
            let loss = Loss::StreamBroken;
            self.tell(Event::Lost { session, loss });
        }
    }

    fn work(&mut self, at: usize) {
        let now = self.now;
        let machine = &mut self.machines[at];
        let Some(session) = machine.session else { return };
        let step = machine.is.speed * seconds(TICK);
        let mut done = Vec::new();
        for (lease, task) in &mut machine.tasks {
            if seconds(Millis(now.0 - task.began.0)) > EACH {
                task.done += step;
            }
            if task.done >= task.bytes {
                done.push(*lease);
            }
        }
        let done: Vec<Task> = done
            .into_iter()
            .filter_map(|lease| machine.tasks.remove(&lease))
            .collect();
        let beat = (machine.next_beat <= now).then(|| {
            machine.next_beat = now + BEAT;
            machine.beat()
        });
        for Task {
            grant, bytes, began, ..
        } in done
        {
            let shard = Shard {
                lease: grant.lease,
                job: grant.job,
                channel: grant.channel,
                rows: grant.rows,
            };
            let work = Work {
                bytes: whole(bytes),
                took: Millis(now.0 - began.0),
                ..Work::default()
            };
            self.tell(Event::Delivered { session, shard, work });
        }
        if let Some(beat) = beat {
            self.tell(Event::Beat { session, beat });
        }
    }

    fn tell(&mut self, event: Event) {
        if self.talks && !matches!(event, Event::Tick | Event::Beat { .. }) {
            println!("{:>7.2} > {event:?}", seconds(self.now));
        }
        for effect in self.core.step(self.now, event) {
            self.perform(&effect);
        }
    }

    fn perform(&mut self, effect: &Effect) {
        if self.talks && !matches!(effect, Effect::Record(_) | Effect::Settle { .. }) {
            println!("{:>7.2} < {effect:?}", seconds(self.now));
        }
        match *effect {
            Effect::Grant { session, grant } => {
                let task = Task {
                    grant,
                    bytes: (self.mix.channels[usize::from(grant.channel.0)].1 * grant.rows.len()) as f64,
                    done: 0.0,
                    began: self.now,
                };
                self.machine(session).tasks.insert(grant.lease, task);
            }
            Effect::Revoke { session, lease } => {
                self.machine(session).tasks.remove(&lease);
            }
            Effect::Land(shard) => {
                let bytes = self.mix.channels[usize::from(shard.channel.0)].1 * shard.rows.len();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
                let takes = Millis((bytes as f64 / LANDING * 1000.0) as u64);
                self.stitcher_free = self.stitcher_free.max(self.now) + takes;
                self.landing.push_back((self.stitcher_free, shard));
            }
            Effect::Publish(_) => self.ended = true,
            Effect::Dismiss(session) => {
                let machine = self.machine(session);
                (machine.session, machine.gone) = (None, true);
                let loss = Loss::Goodbye;
                self.tell(Event::Lost { session, loss });
            }
            _ => {}
        }
    }

    fn machine(&mut self, session: SessionId) -> &mut Machine {
        let at = usize::try_from(session.0 - 1).expect("one of a few");
        &mut self.machines[at]
    }
}

impl Machine {
    fn beat(&self) -> Beat {
        let progress = self.tasks.values().map(|task| LeaseProgress {
            lease: task.grant.lease,
            bytes: whole(task.done),
            step: Step::Converting,
        });
        Beat {
            slots: self.is.slots,
            memory_pressure: false,
            disk_free: None,
            draining: false,
            progress: progress.collect(),
        }
    }
}

fn seconds(time: Millis) -> f64 {
    time.0 as f64 / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and far from the end of u64"
)]
fn whole(bytes: f64) -> Bytes {
    Bytes(bytes as u64)
}
