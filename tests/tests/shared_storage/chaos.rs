//! Processes killed and stopped, cables pulled, until the jobs are done.

#![expect(clippy::print_stderr, reason = "a seed and what was done are told")]

use std::time::{Duration, Instant};

use rustix::process::Signal;
use trc2npy_tests::{Call, FileSystem, Gluster, Moose, Running, poll};

use crate::{MACHINES, Site, spec};

/// How long there are disturbances, in seconds, where nobody wants them longer.
const SHORT: u64 = 40;
/// Least disturbances: else nothing is shown.
const LEAST: usize = 15;

/// What a schedule has done to the machines.
struct Disturbed<'s> {
    site: &'s Site,
    running: Vec<Running>,
    cut: [bool; MACHINES],
    random: fastrand::Rng,
}

impl Disturbed<'_> {
    fn once(&mut self) {
        let machine = self.random.usize(..MACHINES);
        match self.random.u8(..4) {
            // One that is cut off from its storage does not even die before that gives up, after minutes.
            0 if !self.cut[machine] => {
                self.running[machine].kill_now();
                self.running[machine] = if machine == 0 {
                    self.site.coordinator()
                } else {
                    self.site.worker(machine)
                };
            }
            1 => {
                let running = &self.running[machine];
                running.signal(Signal::STOP);
                std::thread::sleep(Duration::from_millis(self.random.u64(100..1_500)));
                running.signal(Signal::CONT);
            }
            // The cable of a machine that works: coordinator and storage are gone for it, in the middle of whatever it
            // writes.
            _ if machine > 0 => {
                self.cut[machine] = !self.cut[machine];
                self.site.disk.lan().plug(machine, !self.cut[machine]);
            }
            _ => {}
        }
    }

    fn calm(&mut self) {
        for machine in 1..MACHINES {
            self.site.disk.lan().plug(machine, true);
        }
        // One that ended without a connection comes again.
        for machine in 1..MACHINES {
            if !self.running[machine].runs() {
                self.running[machine] = self.site.worker(machine);
            }
        }
    }
}

#[test]
fn chaos_on_moosefs_leaves_the_bytes_of_convert() {
    chaos(&Moose);
}

#[test]
fn chaos_on_glusterfs_leaves_the_bytes_of_convert() {
    chaos(&Gluster);
}

fn chaos(file_system: &'static dyn FileSystem) {
    let Some(site) = Site::new(file_system, &spec()) else {
        return;
    };
    let reference = site.reference(3);
    let seed = std::env::var("TRC2NPY_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("TRC2NPY_TEST_SEED={seed}");
    let mut disturbed = Disturbed {
        site: &site,
        running: Vec::new(),
        cut: [false; MACHINES],
        random: fastrand::Rng::with_seed(seed),
    };
    disturbed.running.push(site.coordinator());
    for machine in 1..MACHINES {
        let mut worker = site.worker(machine);
        worker.says("connected to");
        disturbed.running.push(worker);
    }
    let asked = std::env::var("TRC2NPY_SHARED_SECONDS").ok();
    let seconds = asked.as_ref().map_or(SHORT, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut jobs, mut disturbances) = (1, 0);
    site.submit("npy1");
    while Instant::now() < end {
        if site.is_done(jobs) {
            if asked.is_none() && disturbances >= LEAST {
                break;
            }
            jobs += 1;
            site.submit(&format!("npy{jobs}"));
        }
        disturbed.once();
        disturbances += 1;
        std::thread::sleep(Duration::from_millis(disturbed.random.u64(100..500)));
    }
    disturbed.calm();
    eprintln!("{disturbances} disturbances, {jobs} jobs");
    assert!(disturbances >= LEAST, "only {disturbances} disturbances");
    poll("the end of the job", || site.is_done(jobs).then_some(()));
    for job in 1..=jobs {
        site.is_right(&format!("npy{job}"), &reference);
    }
    let mut running = std::mem::take(&mut disturbed.running);
    running.iter_mut().for_each(Running::kill_now);
    drop(running);
    let check = Call::of("coordinator").args(["journal", "check", "--state"]);
    check.args([site.folder.path().join("state")]).run().must_succeed();
}
