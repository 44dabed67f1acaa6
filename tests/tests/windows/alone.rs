//! One machine: the arrays are the same bytes as here.

use std::fs;
use std::path::Path;

use trc2npy_synth::{Bits, RunSpec};
use trc2npy_tests::{
    Call, Convert, Ended, Oracle, must_equal, outputs, run_python, samples, scratch, windows_binary, windows_path,
    write_run,
};

/// Converts folders by the program for Windows, which knows them by its own paths.
fn convert(program: &Path, folders: &[impl AsRef<Path>], out: &str, args: &[&str]) -> Ended {
    Call::of_program(program, "convert")
        .args(folders.iter().map(|folder| windows_path(folder.as_ref())))
        .args(["--progress", "none", "--out", out])
        .args(args)
        .run()
}

#[test]
fn two_thousand_files_give_the_bytes_that_they_give_here() {
    let Some(program) = windows_binary() else { return };
    let root = scratch();
    let run = root.path().join("r005");
    let mut spec = RunSpec::new(1_000, 502);
    spec.channels = vec![1, 2];
    spec.segments = 2;
    spec.bits = Bits::Sixteen;
    spec.bad = ["truncated:3", "garbage:2", "missing:2"]
        .map(|bad| bad.parse().unwrap())
        .into();
    write_run(&spec, &run);
    let (here, there) = (root.path().join("here"), root.path().join("there"));
    let args = ["--baseline", "100", "--settle", "0s"];
    Convert::new([&run], &here).args(args).run().must_end_with(3);
    convert(&program, &[&run], &windows_path(&there), &args).must_end_with(3);
    must_equal(&there, &outputs(&here));
    Oracle::new(&there, [&run]).args(["--baseline", "100"]).must_agree();

    // What one system has left, the other knows as done.
    let again = convert(&program, &[&run], &windows_path(&there), &args);
    again.must_end_with(3).must_say(&["nothing to do"]);
    Call::of_program(&program, "verify")
        .args([windows_path(&here), "--sources".to_owned()])
        .run()
        .must_say(&["Everything agrees"]);
}

#[test]
fn real_files_give_the_bytes_that_they_give_here() {
    let Some(program) = windows_binary() else { return };
    let Some(samples) = samples() else {
        eprintln!("left out: there is no folder of real files (TRC2NPY_REAL_FILES names one)");
        return;
    };
    let root = scratch();
    let known = fs::read_to_string(samples.join("expected.jsonl")).unwrap();
    let known = known
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut folders = Vec::new();
    for (i, sample) in known.filter(|sample| sample.get("error").is_none()).enumerate() {
        let folder = root.path().join(format!("s{i:02}"));
        fs::create_dir(&folder).unwrap();
        fs::copy(
            samples.join(sample["file"].as_str().unwrap()),
            folder.join("C1--Trace--00000.trc"),
        )
        .unwrap();
        folders.push(folder);
    }
    assert!(folders.len() >= 5);
    let (here, there) = (root.path().join("here"), root.path().join("there"));
    Convert::new(&folders, here.join("{run}")).run().must_succeed();
    convert(&program, &folders, &windows_path(&there.join("{run}")), &[]).must_succeed();
    Oracle::new(&there.join("{run}"), &folders).must_agree();
    for folder in &folders {
        let name = folder.file_name().unwrap();
        must_equal(&there.join(name), &outputs(&here.join(name)));
    }
}

#[test]
fn the_demo_makes_arrays_that_numpy_maps() {
    let Some(program) = windows_binary() else { return };
    let root = scratch();
    Call::of_program(&program, "demo")
        .from(root.path())
        .run()
        .must_succeed();
    let array = root.path().join("trc2npy-demo/npy/C1--Trace.npy");
    let script = "import numpy, sys\na = numpy.load(sys.argv[1], mmap_mode='r')\nprint(a.shape, a.dtype, numpy.isfinite(a).all())";
    let told = run_python(script, [&array]);
    assert!(told.contains("float32 True"), "{told}");
}
