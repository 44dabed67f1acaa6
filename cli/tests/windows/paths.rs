//! Paths as Windows writes them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::{Bench, must_end, outputs};

#[test]
fn paths_of_more_than_260_characters_are_paths() {
    let bench = Bench::new(5);
    bench.convert(&["r005", "--out", "reference"], 0);
    let deep: PathBuf = (0..6).map(|level| format!("{level}{}", "x".repeat(60))).collect();
    let run = deep.join("r005");
    fs::create_dir_all(bench.path("").join(&deep)).unwrap();
    assert!(bench.path("").join(&run).as_os_str().len() > 360);
    bench.synth(&run, 5);
    let out = deep.join("npy").join("r005");
    let args = [run.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let said = bench.convert(&args, 0);
    assert!(!said.contains("warning"), "{said}");
    assert!(outputs(&bench.path("").join(&out)) == outputs(&bench.path("reference")));
    let said = bench.convert(&args, 0);
    assert!(said.contains("nothing to do"), "{said}");
    let verified = bench.command("verify").arg(&out).arg("--sources").output().unwrap();
    must_end(&verified, 0);
    let doctor = bench.command("doctor").arg(&out).output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("free"), "{said}");
}

#[test]
fn names_are_the_same_in_whatever_case() {
    let bench = Bench::new(5);
    bench.convert(&["r005", "--out", "npy"], 0);
    let said = bench.convert(&["R005", "--out", "NPY"], 0);
    assert!(said.contains("nothing to do"), "{said}");
    // One folder under two names is one folder.
    bench.convert(&["r005", "R005", "--out", "twice"], 0);
    assert!(fs::read(bench.path("twice/C1--Trace.npy")).unwrap() == fs::read(bench.path("npy/C1--Trace.npy")).unwrap());
    let said = bench.convert(&["R00?", "--out", "pattern"], 0);
    assert!(bench.path("pattern/C1--Trace.npy").exists(), "{said}");
}

#[test]
fn drives_are_no_roots_and_roots_are_found_whatever_their_case() {
    let bench = Bench::new(5);
    let root = bench.path("").display().to_string();
    let upper = root.to_uppercase();
    let probe = |mapping: &str| {
        let mut command = bench.command("worker");
        command
            .args(["probe", "--coordinator", "127.0.0.1:9", "--root", mapping])
            .output()
            .unwrap()
    };
    for path in [&root, &upper, &root.replace('\\', "/")] {
        let said = must_end(&probe(&format!("data={path}")), 0);
        assert!(said.contains("root data"), "{said}");
    }
    let said = must_end(&probe(&format!("D={root}")), 2);
    assert!(said.contains("one letter is a drive"), "{said}");
}

#[test]
fn names_that_are_devices_are_no_folders() {
    let bench = Bench::new(3);
    for device in ["NUL", "nul", "CON", "COM1.npy", "AUX\\r005"] {
        let mut command = bench.command("convert");
        let output = command
            .args(["r005", "--progress", "none", "--out", device])
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(0), "{device}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("device"), "{device}: {said}");
    }
    assert_eq!(fs::read_dir(bench.path("")).unwrap().count(), 1, "nothing was made");
}

/// `TRC2NPY_TEST_SHARE` names a share of a file server that may be written to.
#[test]
fn shares_of_file_servers_are_named_as_they_are() {
    let Some(share) = std::env::var_os("TRC2NPY_TEST_SHARE") else {
        eprintln!("left out: there is no share (TRC2NPY_TEST_SHARE names one, as \\\\nas\\lab)");
        return;
    };
    let on_share = tempfile::tempdir_in(&share).unwrap();
    let share = Path::new(&share);
    assert!(
        on_share.path().to_str().unwrap().starts_with(r"\\"),
        "{}",
        on_share.path().display()
    );
    let bench = Bench::new(5);
    bench.convert(&["r005", "--out", "reference"], 0);
    let run = on_share.path().join("r005");
    bench.synth(&run, 5);
    let out = on_share.path().join("npy").join("r005");
    bench.convert(
        &[run.to_str().unwrap(), "--out", out.to_str().unwrap(), "--io", "mmap"],
        0,
    );
    assert!(outputs(&out) == outputs(&bench.path("reference")));
    let mapping = format!("data={}", share.display());
    let mut command = bench.command("worker");
    let said = must_end(
        &command
            .args(["probe", "--coordinator", "127.0.0.1:9", "--root", &mapping])
            .output()
            .unwrap(),
        0,
    );
    assert!(said.contains(share.to_str().unwrap()), "{said}");
}
