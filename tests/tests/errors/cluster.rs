//! What is said by a lab's machines when one of them is asked something that cannot be.

use trc2npy_tests::{Call, Cluster};

use crate::page::Page;

#[test]
fn starting() {
    let mut page = Page::new();
    page.run("files/run", 3, |_| {});
    page.bytes("a-file", b"x");
    page.bytes("folder/notes.txt", b"x");
    let lead = |words: &[&'static str]| [&["coordinator", "--listen", "127.0.0.1:0"], words].concat();
    for (title, words) in [
        ("no root", &["--state", "state"][..]),
        ("no state", &["--root", "data=files"]),
        ("a root without a path", &["--root", "data", "--state", "state"]),
        ("a root that is a drive", &["--root", "D=files", "--state", "state"]),
        (
            "a root that is not there",
            &["--root", "data=nowhere", "--state", "state"],
        ),
        ("a root that is a file", &["--root", "data=a-file", "--state", "state"]),
        ("a state that is a file", &["--root", "data=files", "--state", "a-file"]),
        (
            "a state in a file",
            &["--root", "data=files", "--state", "a-file/state"],
        ),
        ("a state that is none", &["--root", "data=files", "--state", "folder"]),
    ] {
        page.says(title, &lead(words));
    }
    for (title, words) in [
        (
            "open to the network",
            &[
                "coordinator",
                "--listen",
                "0.0.0.0",
                "--root",
                "data=files",
                "--state",
                "state",
            ][..],
        ),
        (
            "an address that is none",
            &[
                "coordinator",
                "--listen",
                "http://pc1",
                "--root",
                "data=files",
                "--state",
                "state",
            ],
        ),
        ("no journal", &["coordinator", "journal", "check", "--state", "folder"]),
        (
            "a journal in a file",
            &["coordinator", "journal", "check", "--state", "a-file"],
        ),
        (
            "a misspelt option",
            &["coordinator", "journal", "check", "--stat", "folder"],
        ),
    ] {
        page.says(title, words);
    }
    let work = |words: &[&'static str]| [&["worker", "--root", "data=files"], words].concat();
    page.says("no root", &["worker"]);
    let endless = "on-and-".repeat(15).leak();
    for (title, words) in [
        ("a coordinator elsewhere", &["--coordinator", "192.0.2.1"][..]),
        ("a coordinator that is none", &["--coordinator", "pc1:port"]),
        ("no memory", &["--memory", "0"]),
        ("next to no memory", &["--memory", "1KiB"]),
        ("a memory that is none", &["--memory", "much"]),
        ("no processor", &["--cpus", "0"]),
        ("no name", &["--name", ""]),
        ("a name with a line's end", &["--name", "pc1\n"]),
        ("a name with a colour", &["--name", "\u{1b}[31mpc1"]),
        ("an endless name", &["--name", endless]),
    ] {
        page.says(title, &work(words));
    }
    page.says(
        "a misspelt option of probe",
        &["worker", "probe", "--root", "data=files", "--coordinatr", "pc1"],
    );
    insta::assert_snapshot!("starting", page.text());
}

#[test]
fn nobody_answers() {
    let mut page = Page::new();
    page.speak_with(&Cluster::new(&page.at("files")));
    page.says("no coordinator", &["jobs"]);
    page.says("a coordinator elsewhere", &["jobs", "--coordinator", "192.0.2.1"]);
    insta::assert_snapshot!("nobody_answers", page.text());
}

#[test]
fn asking() {
    let mut page = Page::new();
    page.run("files/run", 3, |_| {});
    let cluster = Cluster::new(&page.at("files"));
    page.speak_with(&cluster);
    let coordinator = cluster.start_coordinator();
    let submit = |words: &[&'static str]| [&["submit", "data:run", "--out", "data:npy"], words].concat();
    for (title, words) in [
        ("no job yet", &["jobs"][..]),
        ("no worker yet", &["workers"]),
        ("no input", &["submit"]),
        ("no output", &["submit", "data:run"]),
        ("a path without a root", &["submit", "run", "--out", "data:npy"]),
        ("an output without a root", &["submit", "data:run", "--out", "npy"]),
        ("a root that nobody has", &["submit", "tape:run", "--out", "data:npy"]),
        ("out of the root", &["submit", "data:../run", "--out", "data:npy"]),
        ("a Windows path", &["submit", "data:run\\r005", "--out", "data:npy"]),
        ("a run that is not there", &["submit", "data:r999", "--out", "data:npy"]),
        ("channels that are not there", &submit(&["--channels", "4"])),
        ("a dry run", &submit(&["--dry-run"])),
        ("watched and not", &submit(&["--watch", "--detach"])),
        ("an option of the workers", &submit(&["--threads", "4"])),
        ("a run", &submit(&[])),
        ("the same again", &submit(&[])),
        ("another into the same folder", &submit(&["--baseline", "20"])),
        ("not a job's number", &["job", "abc"]),
        ("a number that is no job's", &["job", "0"]),
        ("a number below", &["cancel", "-1"]),
        ("an array's name for a job's number", &["explain", "data:npy"]),
        ("a job that is not there", &["job", "99"]),
        ("the same, watched", &["job", "99", "--watch"]),
        ("the same, cancelled", &["cancel", "99"]),
        ("the same, explained", &["explain", "99"]),
        ("a job that nobody works on", &["explain", "1"]),
        ("a worker that is not there", &["drain", "pc9"]),
        ("a job", &["cancel", "1"]),
        ("the same again", &["cancel", "1"]),
        ("a cancelled job", &["explain", "1"]),
        ("the same, waited for", &["job", "1", "--wait"]),
    ] {
        page.says(title, words);
    }
    let worker = cluster.start_worker("pc1");
    for (title, words) in [
        (
            "a worker of that name",
            &["worker", "--root", "data=files", "--name", "pc1"][..],
        ),
        (
            "a root that the coordinator lacks",
            &["worker", "--root", "tape=files", "--name", "pc2"],
        ),
        ("a worker that is not there", &["drain", "pc9"]),
    ] {
        page.says(title, words);
    }
    let submitted = Call::of("submit").args(["--coordinator", &cluster.address()]);
    submitted.args(&submit(&["--wait"])[1..]).run().must_succeed();
    page.says("a job that is done", &["cancel", "2"]);
    page.says("the same, explained", &["explain", "2"]);
    page.says("a worker", &["drain", "pc1"]);
    worker.wait().must_succeed();
    drop(coordinator);
    insta::assert_snapshot!("asking", page.text());
}
