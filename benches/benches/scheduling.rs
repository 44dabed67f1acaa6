//! The coordinator's core alone: 1,000 workers, 1,000,000 leases of one job to its end.
//!
//! ```text
//! cargo bench -p trc2npy-benches --bench scheduling -- [LEASES] [WORKERS]
//! ```
//! Each lease takes its worker about a second, in which the worker says once how far it is; its shard lands 50 ms later.
//! The time of this program's own queue is counted with the core's.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Instant;

use trc2npy_common::plan::Stretch;
use trc2npy_common::resources::peak_resident;
use trc2npy_common::units::Bytes;
use trc2npy_coordinator_core::{
    Beat, ChannelSpec, Core, Effect, Epoch, Event, Found, Grant, Hello, JobId, JobSpec, LeaseProgress, Millis,
    SessionId, Shard, Step, Work,
};

const ROUNDS: usize = 5;
const ROW: Bytes = Bytes::mib(16);
const LANDING: Millis = Millis(50);
const TICK: Millis = Millis(250);

/// What comes next at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Tick,
    Beat(SessionId),
    Deliver(SessionId),
    Land(u64),
}

struct Run {
    core: Core,
    queue: BinaryHeap<Reverse<(Millis, Next)>>,
    has: BTreeMap<SessionId, Grant>,
    landing: BTreeMap<u64, Shard>,
    delivered: u64,
    events: u64,
    over: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse::<u64>().ok());
    let leases = numbers.next().unwrap_or(1_000_000);
    let workers = numbers.next().unwrap_or(1000);
    let before = peak_resident();
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let run = Run::new(leases, workers).finish();
        if run.delivered < leases {
            return Err(format!("{leases} leases expected, {} delivered", run.delivered).into());
        }
        rates.push(run.events as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_unstable_by(f64::total_cmp);
    println!("{workers} workers, {leases} leases, {ROUNDS} rounds:");
    println!(
        "events a second: {:.0} (median; {:.0} to {:.0}; mark: at least 300,000)",
        rates[ROUNDS / 2],
        rates[0],
        rates[ROUNDS - 1]
    );
    match (before, peak_resident()) {
        (Some(before), Some(after)) => {
            let more = after.saturating_sub(before).0 as f64;
            println!("memory, bytes a lease: {:.1} (mark: at most 150)", more / leases as f64);
        }
        _ => println!("memory: this system does not tell"),
    }
    Ok(())
}

impl Run {
    fn new(leases: u64, workers: u64) -> Self {
        let mut run = Self {
            core: Core::new(Epoch(1), Millis(0)),
            queue: BinaryHeap::new(),
            has: BTreeMap::new(),
            landing: BTreeMap::new(),
            delivered: 0,
            events: 0,
            over: false,
        };
        let stretch = Stretch {
            rows: leases,
            row_bytes: ROW,
            rows_a_file: 1,
        };
        let spec = JobSpec {
            roots: vec!["data".to_owned()],
            channels: vec![ChannelSpec {
                stretches: vec![stretch],
                committed: Vec::new(),
                regions: Vec::new(),
            }],
            settle: Millis(0),
            unreadable_allowed: 0,
            lease_bytes: None,
        };
        let opened = Event::Opened {
            job: JobId(1),
            spec,
            shards: Vec::new(),
            restored: false,
        };
        run.tell(Millis(0), opened);
        for number in 1..=workers {
            let session = SessionId(number);
            let hello = Hello {
                name: format!("pc{number}"),
                slots: 1,
                roots: vec!["data".to_owned()],
                in_hand: Vec::new(),
            };
            run.tell(Millis(0), Event::Joined { session, hello });
            run.queue.push(Reverse((Millis(number % 1000), Next::Beat(session))));
        }
        run.queue.push(Reverse((TICK, Next::Tick)));
        run
    }

    fn finish(mut self) -> Self {
        while !self.over
            && let Some(Reverse((now, next))) = self.queue.pop()
        {
            match next {
                Next::Tick => {
                    self.queue.push(Reverse((now + TICK, next)));
                    self.tell(now, Event::Tick);
                }
                Next::Beat(session) => {
                    self.queue.push(Reverse((now + Millis(1000), next)));
                    let progress = self.has.get(&session).map(|grant| LeaseProgress {
                        lease: grant.lease,
                        bytes: Bytes(ROW.0 / 2),
                        step: Step::Converting,
                    });
                    let beat = Beat {
                        slots: 1,
                        memory_pressure: false,
                        disk_free: Some(Bytes::gib(1000)),
                        draining: false,
                        progress: progress.into_iter().collect(),
                    };
                    self.tell(now, Event::Beat { session, beat });
                }
                Next::Deliver(session) => self.deliver(now, session),
                Next::Land(attempt) => {
                    if let Some(shard) = self.landing.remove(&attempt) {
                        let found = Found::default();
                        self.tell(now, Event::Landed { shard, found });
                    }
                }
            }
        }
        self
    }

    fn deliver(&mut self, now: Millis, session: SessionId) {
        // A second attempt may have won.
        let Some(grant) = self.has.remove(&session) else { return };
        self.delivered += 1;
        let shard = Shard {
            lease: grant.lease,
            job: grant.job,
            channel: grant.channel,
            rows: grant.rows,
        };
        let work = Work {
            bytes: ROW,
            // So slow that a lease is one file; the time that passes here is shorter.
            took: Millis::seconds(16),
            ..Work::default()
        };
        self.tell(now, Event::Delivered { session, shard, work });
    }

    fn tell(&mut self, now: Millis, event: Event) {
        self.events += 1;
        for effect in self.core.step(now, event) {
            match effect {
                Effect::Grant { session, grant } => {
                    // Between 0.9 and 1.1 s, scattered: shards do not come in the order of their rows.
                    let took = Millis(900 + grant.lease.attempt * 7919 % 200);
                    self.has.insert(session, grant);
                    self.queue.push(Reverse((now + took, Next::Deliver(session))));
                }
                Effect::Revoke { session, .. } => {
                    self.has.remove(&session);
                }
                Effect::Land(shard) => {
                    self.landing.insert(shard.lease.attempt, shard);
                    self.queue
                        .push(Reverse((now + LANDING, Next::Land(shard.lease.attempt))));
                }
                Effect::Publish(_) => self.over = true,
                _ => {}
            }
        }
    }
}
