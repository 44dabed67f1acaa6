//! The same storage by another path, and links on the way.

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, must_equal};

use crate::common::Site;

#[test]
fn storage_that_is_mounted_elsewhere_is_found_beside_the_plan() {
    let mut site = Site::new(&RunSpec::new(300, 2_000));
    let reference = site.reference(&[], 0);
    site.plan(&[]).run().must_succeed();
    site.task(0, 3).run().must_succeed();
    let elsewhere = site.beside("mnt");
    std::fs::rename(&site.lab, &elsewhere).unwrap();
    // The plan alone is of no use.
    let copy = site.beside("copy.plan");
    std::fs::copy(elsewhere.join("run.plan"), &copy).unwrap();
    let call = Call::of("run-range")
        .args([copy])
        .args(["--index", "1", "--count", "3"]);
    call.run()
        .must_end_with(1)
        .must_say(&["nothing that was planned is where this plan says"]);
    site.lab = elsewhere;
    for index in [1, 2] {
        site.task(index, 3).run().must_succeed();
    }
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
    site.must_be_tidy();
}

#[cfg(unix)] // Links need rights on Windows.
#[test]
fn links_to_other_storage_are_followed_as_by_convert() {
    let site = Site::new(&RunSpec::new(300, 2_000));
    let archive = site.beside("archive");
    std::fs::create_dir(&archive).unwrap();
    std::fs::rename(site.path("run"), archive.join("r")).unwrap();
    std::os::unix::fs::symlink(archive.join("r"), site.path("run")).unwrap();
    let reference = site.reference(&[], 0);
    site.plan(&[]).run().must_succeed();
    for index in 0..2 {
        site.task(index, 2).run().must_succeed();
    }
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
}

#[test]
fn relative_paths_are_meant_from_where_they_were_typed() {
    let site = Site::new(&RunSpec::new(200, 2_000));
    let reference = site.reference(&[], 0);
    std::fs::create_dir(site.path("here")).unwrap();
    let call = Call::of("plan").args(["../run", "--out", "../npy", "-o", "../run.plan"]);
    call.from(&site.path("here")).run().must_succeed();
    site.task(0, 1).from(&site.beside(".")).run().must_succeed();
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
}
