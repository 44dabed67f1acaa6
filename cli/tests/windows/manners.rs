//! How the program behaves beside others, and what people see of it.
#![allow(
    unsafe_code,
    reason = "the priority of another process is asked through Windows' C interface; the handle is that of a child that lives"
)]

use std::fs::{self, File};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::process::Stdio;

use windows_sys::Win32::System::Threading::{BELOW_NORMAL_PRIORITY_CLASS, GetPriorityClass};

use crate::bench::{Bench, Running, must_end, poll, program};

#[test]
fn a_conversion_gives_way_to_whoever_sits_at_the_pc() {
    for (nice, expected) in [
        (None, BELOW_NORMAL_PRIORITY_CLASS),
        (Some("--nice"), BELOW_NORMAL_PRIORITY_CLASS),
    ] {
        let bench = Bench::new(5);
        // The conversion waits for this file, and is looked at meanwhile.
        let path = bench.path("r005/C1--Trace--00003.trc");
        let held = File::options().read(true).write(true).share_mode(0).open(path).unwrap();
        let mut command = bench.command("convert");
        command.args(["r005", "--out", "out", "--settle", "10m"]).args(nice);
        let running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let out = bench.path("out").join(".trc2npy");
        poll("the state's folder", || {
            fs::read_dir(&out).ok()?.flatten().find(|entry| entry.path().is_dir())
        });
        // SAFETY: the child lives as long as `running`, and its handle with it.
        assert_eq!(
            unsafe { GetPriorityClass(running.0.as_raw_handle()) },
            expected,
            "{nice:?}"
        );
        drop((running, held));
    }
}

#[test]
fn folders_that_are_dragged_onto_the_icon_are_converted() {
    let bench = Bench::new(5);
    let lab = bench.path("lab");
    fs::create_dir(&lab).unwrap();
    for run in ["r005", "r006"] {
        bench.synth(&lab.join(run), 5);
    }
    let other = bench.path("r005");
    let mut command = program(bench.folder.path());
    // What was recorded just now would be left for the next time.
    let output = command.args([&lab, &other]).env("TRC2NPY_IDLE", "0s").output().unwrap();
    let said = must_end(&output, 0);
    for array in ["lab-npy/r005", "lab-npy/r006", "r005-npy/r005"] {
        assert!(bench.path(array).join("C1--Trace.npy").exists(), "{array}: {said}");
    }
    // This console is none of its own.
    assert!(!said.contains("Press Enter"), "{said}");
}

#[test]
fn what_is_said_is_utf_8_whatever_the_code_page() {
    let bench = Bench::new(3);
    let name = "Läufe µ 測定";
    fs::rename(bench.path("r005"), bench.path(name)).unwrap();
    let said = bench.convert(&[name, "--out", "npy {run}"], 0);
    let shown = bench.command("inspect").arg(name).output().unwrap();
    assert!(must_end(&shown, 0).contains(name) && said.contains(name), "{said}");
    let list = fs::read_to_string(bench.path(&format!("npy {name}")).join("C1--Trace.files.txt")).unwrap();
    assert!(list.starts_with(&format!("{name}/C1--Trace--00000.trc\n")), "{list}");
    assert!(!said.contains('\u{1b}'), "no terminal, no colours: {said:?}");
}
