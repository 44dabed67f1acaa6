//! Processes are killed, stopped and started again all the time; not a byte of the result changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Running, must_equal, poll};

use crate::common::Lab;

const WORKERS: [&str; 3] = ["pc1", "pc2", "pc3"];
/// Schedules side by side.
const AT_ONCE: usize = 3;
/// Least disturbances of a schedule, on average: else the work is over before it was disturbed, and nothing is shown.
const LEAST: usize = 3;
/// Between two disturbances, in ms.
const CALM: std::ops::Range<u64> = 200..800;

/// How many seeds are tried: few in the ordinary tests, many in the long ones.
fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    if let Some(seed) = number("TRC2NPY_CHAOS_SEED") {
        return vec![seed];
    }
    let first = fastrand::u64(..u64::from(u32::MAX));
    let count = number("TRC2NPY_CHAOS_SEEDS").unwrap_or(10);
    (0..count).map(|k| first + k).collect()
}

#[test]
fn chaos_leaves_the_bytes_of_convert() {
    let spec = RunSpec {
        channels: vec![1, 2],
        bad: ["truncated:3", "garbage:2", "missing:2"]
            .map(|bad| bad.parse().unwrap())
            .to_vec(),
        ..RunSpec::new(1_500, 1_500)
    };
    let seeds = seeds();
    let (next, all) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Most of a schedule is waiting: several go on side by side, each with a root and a coordinator of its own.
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(seeds.len()) {
            scope.spawn(|| {
                let lab = Lab::new(&spec);
                let reference = lab.reference("alone", &["--baseline", "300", "--settle", "0s"], 3);
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    eprintln!("chaos: to try this schedule again, set TRC2NPY_CHAOS_SEED={seed}");
                    let out = format!("npy{seed}");
                    let disturbances = disturbed(&lab, &out, seed);
                    all.fetch_add(disturbances, Ordering::Relaxed);
                    eprintln!("chaos: {disturbances} disturbances of seed {seed}");
                    must_equal(&lab.path(&out), &reference);
                    lab.nothing_is_left(&out);
                }
            });
        }
    });
    let all = all.into_inner();
    assert!(
        all >= LEAST * seeds.len(),
        "only {all} disturbances: give it more to do"
    );
}

/// The processes of the cluster. None: about to be started again.
struct Machines<'l> {
    lab: &'l Lab,
    coordinator: Running,
    workers: Vec<Running>,
    stopped: [bool; WORKERS.len()],
}

impl Machines<'_> {
    fn disturb(&mut self, random: &mut fastrand::Rng) {
        let which = random.usize(..WORKERS.len());
        match random.u8(..10) {
            0 | 1 => {
                let coordinator = self.lab.cluster.coordinator();
                replace(&mut self.coordinator, coordinator, None);
                // Not waited for: workers and clients must bear that nobody listens yet.
            }
            2 => {
                let coordinator = self.lab.cluster.coordinator();
                replace(&mut self.coordinator, coordinator, Some(Signal::TERM));
            }
            3 | 4 if !self.stopped[which] => self.stopped[which] = self.workers[which].stop(),
            3 | 4 => self.go_on(which),
            5 => {
                self.go_on(which);
                let worker = self.lab.cluster.worker(WORKERS[which]);
                replace(&mut self.workers[which], worker, Some(Signal::TERM));
            }
            _ => {
                self.stopped[which] = false;
                let worker = self.lab.cluster.worker(WORKERS[which]);
                replace(&mut self.workers[which], worker, None);
            }
        }
    }

    fn go_on(&mut self, which: usize) {
        if std::mem::take(&mut self.stopped[which]) {
            self.workers[which].signal(Signal::CONT);
        }
    }

    /// A process that ended by itself would leave the work to the others: it is started again, as a service would be.
    fn revive(&mut self) {
        for (worker, name) in self.workers.iter_mut().zip(WORKERS) {
            if !worker.runs() {
                *worker = self.lab.cluster.worker(name).start();
            }
        }
        assert!(
            self.coordinator.runs(),
            "the coordinator has ended:\n{}",
            self.coordinator.stderr()
        );
    }
}

/// Ends a process, by a signal or at once, and starts it anew.
fn replace(running: &mut Running, call: Call, signal: Option<Signal>) {
    if let Some(signal) = signal {
        running.signal(signal);
        poll("the end of a process that was asked to end", || {
            (!running.runs()).then_some(())
        });
    }
    running.kill_now();
    *running = call.start();
}

/// Returns how often something was disturbed.
fn disturbed(lab: &Lab, out: &str, seed: u64) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut machines = Machines {
        lab,
        coordinator: lab.cluster.start_coordinator(),
        workers: WORKERS.iter().map(|name| lab.cluster.start_worker(name)).collect(),
        stopped: [false; WORKERS.len()],
    };
    let (input, place) = ("data:run", format!("data:{out}"));
    let options = [
        "--baseline",
        "300",
        "--settle",
        "0s",
        // A lease for each file.
        "--range-size",
        "1B",
        "--sync-every",
        "2MB",
    ];
    let submitted = lab
        .cluster
        .client("submit")
        .args([input, "--out", &place])
        .args(options)
        .run();
    submitted.must_succeed();
    let job = submitted.stdout.trim().to_owned();
    let mut disturbances = 0;
    loop {
        let pause = Duration::from_millis(random.u64(CALM));
        let state = state_after(lab, &job, pause);
        match state.as_deref() {
            Some("done") => break,
            Some("failed" | "cancelled") => panic!("job {job} ended: {state:?}"),
            _ => {}
        }
        machines.disturb(&mut random);
        disturbances += 1;
        machines.revive();
        assert!(disturbances < 400, "job {job} comes to no end");
    }
    // All that stood still goes on, and finds that it is too late.
    for which in 0..WORKERS.len() {
        machines.go_on(which);
    }
    poll("all workers to be idle", || {
        machines.revive();
        let workers = lab.cluster.client("workers").args(["--json"]).run();
        let workers: serde_json::Value = serde_json::from_str(&workers.stdout).ok()?;
        let workers = workers.as_array()?;
        let idle = workers.iter().all(|worker| worker["leases"] == 0);
        (workers.len() == WORKERS.len() && idle).then_some(())
    });
    for worker in machines.workers {
        worker.signal(Signal::TERM);
        worker.wait().must_succeed();
    }
    machines.coordinator.signal(Signal::TERM);
    machines.coordinator.wait().must_succeed();
    disturbances
}

/// What the coordinator says of the job, asked again and again for `pause`; none where it does not answer.
fn state_after(lab: &Lab, job: &str, pause: Duration) -> Option<String> {
    let end = std::time::Instant::now() + pause;
    loop {
        let told = lab.cluster.client("job").args([job, "--json"]).run();
        let state = serde_json::from_str::<serde_json::Value>(&told.stdout).ok();
        let state = state.and_then(|job| job["state"].as_str().map(str::to_owned));
        if std::time::Instant::now() >= end || state.as_deref() == Some("done") {
            return state;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
