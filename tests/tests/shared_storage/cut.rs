//! A machine that is cut off in the middle of its work, from its storage too.

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{FileSystem, Gluster, Moose, poll};

use crate::Site;

#[test]
fn a_client_of_moosefs_that_is_cut_off_in_the_middle_of_a_write_comes_back() {
    comes_back(&Moose, |_| ());
}

/// Until its storage has failed all that it was asked for.
#[test]
fn a_client_of_glusterfs_that_is_cut_off_in_the_middle_of_a_write_comes_back() {
    comes_back(&Gluster, |site| {
        let seen = site.disk.mount(1).join("run");
        poll("the client to give up", || {
            std::fs::metadata(&seen).is_err().then_some(())
        });
    });
}

/// The one machine that works is cut off while it has rows in hand, until it counts as lost and `then`.
fn comes_back(file_system: &'static dyn FileSystem, then: impl Fn(&Site)) {
    let Some(site) = Site::new(file_system, &RunSpec::new(2_000, 20_000)) else {
        return;
    };
    let reference = site.reference(0);
    let coordinator = site.coordinator();
    let mut worker = site.worker(1);
    worker.says("connected to");
    site.asked("submit", &["data:run", "--out", "data:npy", "--settle", "0s"])
        .unwrap();
    poll("rows that are done", || {
        (site.job(1)?["rows_done"].as_u64()? > 0).then_some(())
    });
    assert!(!site.is_done(1), "it was over too soon");
    site.disk.lan().plug(1, false);
    poll("it to be missed", || {
        let workers: Value = serde_json::from_str(&site.asked("workers", &["--json"])?).ok()?;
        let works = workers.as_array()?.iter().any(|worker| worker["state"] == "working");
        (!works).then_some(())
    });
    then(&site);
    site.disk.lan().plug(1, true);
    poll("the end of the job", || site.is_done(1).then_some(()));
    site.is_right("npy", &reference);
    drop((worker, coordinator));
}
