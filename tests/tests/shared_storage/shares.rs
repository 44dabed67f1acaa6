//! The commands of a batch system, each on a machine of its own.

use trc2npy_tests::{FileSystem, Gluster, Moose, Running};

use crate::{MACHINES, Site, spec};

#[test]
fn shares_of_a_batch_system_on_moosefs() {
    shares(&Moose);
}

#[test]
fn shares_of_a_batch_system_on_glusterfs() {
    shares(&Gluster);
}

/// `plan` on one machine, the shares on others, one of them killed, `stitch` on a third.
fn shares(file_system: &'static dyn FileSystem) {
    const SHARES: usize = 6;
    let Some(site) = Site::new(file_system, &spec()) else {
        return;
    };
    let reference = site.reference(3);
    let at = |machine: usize, path: &str| site.disk.mount(machine).join(path);
    let plan = site.disk.lan().call(1, "plan").args([at(1, "run")]);
    let plan = plan
        .args(["--settle", "0s", "--out"])
        .args([at(1, "npy")])
        .args(["-o"])
        .args([at(1, "run.plan")]);
    plan.run().must_succeed();
    // What it sees of the plan is another machine's.
    let share = |index: usize| {
        let machine = 1 + index % (MACHINES - 1);
        let call = site
            .disk
            .lan()
            .call(machine, "run-range")
            .args([at(machine, "run.plan")]);
        call.args(["--index", &index.to_string(), "--count", &SHARES.to_string()])
    };
    let stitch = site
        .disk
        .lan()
        .call(0, "stitch")
        .args([at(0, "run.plan")])
        .args(["--wait"]);
    let stitching = stitch.start();
    let mut running: Vec<Running> = (0..SHARES).map(|index| share(index).start()).collect();
    running[2].kill_now();
    running.push(share(2).start());
    running.push(share(0).start());
    for (index, running) in running.into_iter().enumerate() {
        if index != 2 {
            running.wait().must_succeed();
        }
    }
    stitching.wait().must_end_with(3);
    site.is_right("npy", &reference);
}
