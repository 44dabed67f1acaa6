//! `submit.sh`: an array and the job that depends on it.

use trc2npy_tests::{Slurm, must_equal, poll};

use crate::{Lab, files, logs, script};

#[test]
fn an_array_of_eight_one_of_them_requeued_makes_what_convert_makes() {
    let Some(slurm) = Slurm::start() else { return };
    let lab = Lab::new();
    let out = lab.path("npy");
    let mut submit = slurm.command(script("submit.sh"));
    let submitted = submit
        .args([lab.path("run"), out.clone()])
        .args(["8", "--baseline", "500"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&submitted.stdout).into_owned();
    assert!(
        submitted.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&submitted.stderr)
    );
    let (array, stitch) = said.trim().split_once(' ').unwrap();

    // A task is requeued as soon as one is at work and shards appear: Slurm kills it, and begins it anew.
    let task = poll("a task at work", || {
        let running = slurm.call("squeue", &["-h", "-r", "-t", "R", "-j", array, "-o", "%K"]);
        let first = running.lines().next().map(str::to_owned);
        first.filter(|_| !files(&out, ".made").is_empty())
    });
    let task = format!("{array}_{task}");
    slurm.call("scontrol", &["requeue", &task]);
    slurm.begin_again(&task);
    slurm.drained();
    let logs = logs(&lab.root(), "npy.");
    eprintln!("{logs}");
    assert_eq!(slurm.of_job(stitch, "JobState"), "COMPLETED", "{logs}");
    must_equal(&out, &lab.reference);
    assert!(files(&out, ".made").is_empty() && files(&out, ".part").is_empty());
}

#[test]
fn a_task_that_fails_for_good_keeps_the_arrays_from_being_put_together() {
    let Some(slurm) = Slurm::start() else { return };
    let lab = Lab::new();
    let out = lab.path("npy");
    let plan = lab.path("npy.plan");
    let mut call = slurm.command("trc2npy");
    let planned = call
        .arg("plan")
        .arg(lab.path("run"))
        .arg("--out")
        .arg(&out)
        .arg("-o")
        .arg(&plan)
        .output()
        .unwrap();
    assert!(planned.status.success());
    // Another one than was planned.
    std::fs::write(lab.path("run/C1--Trace--03999.trc"), "short").unwrap();
    let [plan, log] = [plan, lab.path("npy.%A_%a.log")].map(|path| path.display().to_string());
    let output = format!("--output={log}");
    let array = slurm.submit(&script("array.sbatch"), &["--array=0-3", &output], &[&plan, "4"]);
    let after = format!("--dependency=afterok:{array}");
    let stitch = slurm.submit(
        &script("stitch.sbatch"),
        &[&after, "--kill-on-invalid-dep=yes", &output],
        &[&plan],
    );
    slurm.drained();
    let said = logs(&lab.root(), "npy.");
    assert_eq!(slurm.of_job(&format!("{array}_3"), "JobState"), "FAILED", "{said}");
    assert_eq!(slurm.of_job(&format!("{array}_0"), "JobState"), "COMPLETED", "{said}");
    assert_eq!(slurm.of_job(&stitch, "JobState"), "CANCELLED", "{said}");
    assert!(said.contains("since the conversion was planned"), "{said}");
    assert!(!out.join("C1--Trace.npy").exists());
}

#[test]
fn a_task_that_is_out_of_time_goes_on_as_the_same_task_later() {
    let Some(slurm) = Slurm::start() else { return };
    let lab = Lab::new();
    let (out, plan) = (lab.path("npy"), lab.path("npy.plan"));
    let mut call = slurm.command("trc2npy");
    call.arg("plan").arg(lab.path("run")).args(["--baseline", "500"]);
    let planned = call.arg("--out").arg(&out).arg("-o").arg(&plan).output().unwrap();
    assert!(planned.status.success());
    let [plan, log] = [plan, lab.path("npy.%A_%a.log")].map(|path| path.display().to_string());
    let output = format!("--output={log}");
    let array = slurm.submit(
        &script("array.sbatch"),
        &["--array=0-0", "--cpus-per-task=1", &output],
        &[&plan, "1"],
    );
    let task = format!("{array}_0");
    poll("a shard", || (!files(&out, ".made").is_empty()).then_some(()));
    // As Slurm does a minute before the time limit.
    slurm.call("scancel", &["--batch", "--signal=USR1", &task]);
    poll("the task to be requeued", || {
        (slurm.of_job(&task, "Restarts") == "1").then_some(())
    });
    assert!(
        files(&out, ".part").is_empty(),
        "a task that is asked to end leaves nothing unfinished"
    );
    slurm.begin_again(&task);
    slurm.drained();
    let said = logs(&lab.root(), "npy.");
    assert!(
        said.contains("interrupted") && said.contains("were made before"),
        "{said}"
    );
    slurm.submit(&script("stitch.sbatch"), &["--wait", &output], &[&plan]);
    must_equal(&out, &lab.reference);
}
