//! One fact changed at a time, and what is said of it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Verdict::{self, Bad, Note, Ok as Good};
use super::{Clock, Exchange, Facts, Finding, Folder, Need, Planned, judge};
use crate::fs::{FsKind, Space, StorageError};
use crate::resources::{Machine, OpenFiles, Scanning, WholeMemory, WindowsSettings};
use crate::units::Bytes;

/// A machine on which nothing is to be said.
fn sound() -> Facts {
    Facts {
        machine: Machine {
            cpu: "cpu".to_owned(),
            physical_cores: 4,
            usable_cores: 8,
            memory_total: Bytes::gib(16),
            memory_available: Bytes::gib(12),
        },
        whole: Some(WholeMemory {
            memory: Bytes::gib(16),
            swap: Bytes::gib(8),
        }),
        open_files: Some(OpenFiles {
            allowed: Some(1024),
            at_most: Some(1 << 20),
        }),
        folder: Folder {
            path: PathBuf::from("out"),
            made_in: None,
            kind: Some(kind("ext4", false, true)),
            space: Some(space(100)),
            writable: Ok(()),
            shares_blocks: Some(true),
        },
        planned: Planned::Nothing,
        clock: Clock::NotAsked,
        windows: None,
    }
}

fn kind(name: &str, network: bool, local: bool) -> FsKind {
    FsKind {
        name: name.to_owned(),
        network,
        local,
    }
}

fn space(gib: u64) -> Space {
    Space {
        available: Bytes::gib(gib),
        total: Bytes::gib(500),
    }
}

fn need(bytes: Bytes, largest: Bytes) -> Planned {
    Planned::Runs(Need {
        runs: 2,
        bytes,
        largest,
    })
}

/// What is found of `what` after `change`.
fn found(what: &str, change: impl FnOnce(&mut Facts)) -> Option<Finding> {
    let mut facts = sound();
    change(&mut facts);
    let findings = judge(&facts);
    for finding in &findings {
        // What is well needs nothing done, and all else does.
        assert_eq!(finding.advice.is_none(), finding.verdict == Good, "{finding:?}");
        let lines = finding.found.lines().count() + finding.advice.iter().flat_map(|advice| advice.lines()).count();
        assert!(lines <= 2, "{finding:?}");
    }
    findings.into_iter().find(|finding| finding.what == what)
}

#[track_caller]
fn says(what: &str, change: impl FnOnce(&mut Facts), verdict: Verdict, words: &str) {
    let finding = found(what, change).unwrap_or_else(|| panic!("nothing of {what}"));
    assert_eq!(finding.verdict, verdict, "{finding:?}");
    assert!(finding.found.contains(words), "{words:?} is not in {finding:?}");
}

#[test]
fn a_sound_machine_gives_no_advice() {
    let findings = judge(&sound());
    assert!(findings.iter().all(|finding| finding.verdict == Good), "{findings:?}");
    let what: Vec<&str> = findings.iter().map(|finding| finding.what).collect();
    let container = cfg!(target_os = "linux").then_some("container");
    let expected: Vec<&str> = [
        "folder",
        "file system",
        "free space",
        "shared blocks",
        "processor",
        "memory",
    ]
    .into_iter()
    .chain(container)
    .chain(["swap", "open files"])
    .collect();
    assert_eq!(what, expected);
}

#[test]
fn folders() {
    says("folder", |_| {}, Good, "out, writable");
    let made_in = |facts: &mut Facts| facts.folder.made_in = Some(PathBuf::from("/lab"));
    says(
        "folder",
        made_in,
        Good,
        "out, not there yet; /lab, where it would be made",
    );
    let refused = |facts: &mut Facts| {
        let source = io::Error::from(ErrorKind::ReadOnlyFilesystem);
        facts.folder.writable = Err(StorageError::new("write into", Path::new("out"), source));
    };
    says(
        "folder",
        refused,
        Bad,
        "could not write into out: the file system is read-only",
    );
    let advice = found("folder", refused).unwrap().advice;
    assert_eq!(advice.as_deref(), Some("choose another folder or mount it writable"));
}

#[test]
fn file_systems() {
    for (known, verdict, words) in [
        (Some(kind("xfs", false, true)), Good, "xfs, a disk of this machine"),
        (Some(kind("NTFS", false, true)), Good, "NTFS, a disk of this machine"),
        (Some(kind("nfs", true, false)), Note, "nfs, over the network"),
        (Some(kind("fuse.sshfs", true, false)), Note, "over the network"),
        (Some(kind("fuseblk", false, false)), Note, "perhaps not a disk"),
        (Some(kind("tmpfs", false, true)), Note, "in memory"),
        (Some(kind("overlay", false, true)), Note, "the container's own"),
        (Some(kind("vfat", false, true)), Bad, "no file above 4.3 GB"),
        (Some(kind("FAT32", false, true)), Bad, "no file above 4.3 GB"),
        (Some(kind("exFAT", false, true)), Good, "exFAT"),
        (None, Note, "does not tell"),
    ] {
        says("file system", |facts| facts.folder.kind = known, verdict, words);
    }
}

#[test]
fn fat_holds_a_run_of_small_arrays() {
    let limit = Bytes((1 << 32) - 1);
    for (largest, verdict, words) in [
        (limit, Note, "no file above"),
        (limit + Bytes(1), Bad, "the largest array has 4.3 GB"),
    ] {
        let change = |facts: &mut Facts| {
            facts.folder.kind = Some(kind("vfat", false, true));
            facts.planned = need(Bytes::gib(5), largest);
        };
        says("file system", change, verdict, words);
    }
}

#[test]
fn room() {
    let left = |space| move |facts: &mut Facts| facts.folder.space = space;
    says("free space", left(Some(space(100))), Good, "107.4 GB of 536.9 GB");
    says("free space", left(Some(space(1))), Good, "1.1 GB");
    says("free space", left(Some(space(0))), Note, "0 bytes");
    says("free space", left(None), Note, "does not tell");
}

#[test]
fn runs() {
    assert_eq!(found("run", |_| {}), None);
    let asks = |bytes| move |facts: &mut Facts| facts.planned = need(bytes, Bytes(1));
    let all = Bytes::gib(100);
    says("run", asks(all), Good, "the arrays of 2 runs need 107.4 GB and fit");
    says("run", asks(all + Bytes(1)), Bad, "107.4 GB are free");
    let unknown = |facts: &mut Facts| {
        facts.planned = need(Bytes(1), Bytes(1));
        facts.folder.space = None;
    };
    says("run", unknown, Note, "not known");
    let refused = |facts: &mut Facts| facts.planned = Planned::Refused("no traces found".to_owned());
    says("run", refused, Bad, "no traces found");
    // How little is free, the run's own line says.
    let tight = |facts: &mut Facts| {
        facts.planned = need(Bytes(1), Bytes(1));
        facts.folder.space = Some(Space {
            available: Bytes::mib(1),
            total: Bytes::gib(1),
        });
    };
    says("free space", tight, Good, "1.0 MB");
}

#[test]
fn blocks_matter_to_a_coordinator() {
    let shares = |shares, clock: Clock| {
        move |facts: &mut Facts| {
            facts.folder.shares_blocks = shares;
            facts.clock = clock;
        }
    };
    says("shared blocks", shares(Some(true), Clock::Untold), Good, "yes");
    says("shared blocks", shares(Some(false), Clock::NotAsked), Good, "no");
    says("shared blocks", shares(Some(false), Clock::Untold), Note, "no");
    assert_eq!(found("shared blocks", shares(None, Clock::NotAsked)), None);
}

#[test]
fn memory() {
    let memory = |total, available| {
        move |facts: &mut Facts| {
            facts.machine.memory_total = total;
            facts.machine.memory_available = available;
        }
    };
    let gib = Bytes::gib(1);
    says("memory", memory(gib, Bytes::mib(512)), Good, "536.9 MB free of 1.1 GB");
    says("memory", memory(gib, Bytes::mib(511)), Bad, "536.9 MB are needed");
    says("memory", memory(Bytes::gib(100), Bytes::gib(14)), Note, "15.0 GB free");
    says("memory", memory(Bytes::gib(100), Bytes::gib(15)), Good, "16.1 GB free");
    says("memory", memory(Bytes(0), Bytes(0)), Note, "does not tell");
}

#[test]
fn containers() {
    let limit = |limit| move |facts: &mut Facts| facts.machine.memory_total = limit;
    says(
        "container",
        limit(Bytes::gib(4)),
        Good,
        "4.3 GB of the machine's 17.2 GB",
    );
    says(
        "container",
        limit(Bytes::gib(3)),
        Note,
        "3.2 GB of the machine's 17.2 GB",
    );
    assert_eq!(found("container", |facts| facts.whole = None), None);
}

#[test]
fn swap() {
    let none = |facts: &mut Facts| {
        if let Some(whole) = &mut facts.whole {
            whole.swap = Bytes(0);
        }
    };
    says("swap", none, Note, "none");
    let on_windows = |facts: &mut Facts| {
        none(facts);
        facts.windows = Some(windows(true, Scanning::Excluded));
    };
    says("page file", on_windows, Note, "none");
    assert_eq!(found("swap", |facts| facts.whole = None), None);
}

#[test]
fn open_files() {
    for (allowed, at_most, verdict, words) in [
        (Some(255), Some(1 << 20), Bad, "at most 255, 256 are needed"),
        (Some(256), Some(256), Good, "at most 256"),
        (
            Some(1024),
            Some(4096),
            Good,
            "at most 1,024; a coordinator raises that to 4,096",
        ),
        (Some(1024), None, Good, "lifts that limit"),
        (None, None, Good, "as many"),
    ] {
        let limit = OpenFiles { allowed, at_most };
        says("open files", |facts| facts.open_files = Some(limit), verdict, words);
    }
    assert_eq!(found("open files", |facts| facts.open_files = None), None);
}

#[test]
fn clocks() {
    assert_eq!(found("clock", |_| {}), None);
    let noon = 1_700_000_000_000;
    for (theirs, trip, verdict, words) in [
        (noon + 5, 10, Good, "0.00 s ahead of this one (to 0.01 s)"),
        // Half of the way may be none of theirs.
        (noon + 2_010, 10, Good, "2.00 s ahead of this one"),
        (noon + 2_011, 10, Note, "2.01 s ahead of this one"),
        (noon - 30_000, 10, Note, "30.00 s behind this one"),
        (noon + 60_000, 0, Note, "60.00 s ahead of this one"),
        (noon + 60_001, 0, Bad, "60.00 s ahead of this one"),
        (noon - 3_600_000, 10, Bad, "behind this one"),
        // The answer took so long that they may agree.
        (noon + 9_000, 10_000, Good, "4.00 s ahead of this one (to 5.00 s)"),
    ] {
        let clock = Clock::Compared(Exchange {
            asked: noon,
            answered: noon + trip,
            theirs,
        });
        says("clock", |facts| facts.clock = clock, verdict, words);
    }
    says("clock", |facts| facts.clock = Clock::Untold, Note, "does not tell");
    let away = Clock::Away("no coordinator answers".to_owned());
    says("coordinator", |facts| facts.clock = away, Bad, "no coordinator answers");
}

#[test]
fn the_middle_of_the_way_is_when_they_said_it() {
    let exchange = |asked, answered, theirs| Exchange {
        asked,
        answered,
        theirs,
    };
    assert_eq!(exchange(1_000, 1_100, 1_050).ahead(), 0);
    assert_eq!(exchange(1_000, 1_100, 3_050).ahead(), 2_000);
    assert_eq!(exchange(1_000, 1_100, 50).ahead(), -1_000);
    // A clock that was set back meanwhile.
    assert_eq!(exchange(1_000, 900, 1_000).ahead(), 0);
    assert_eq!(exchange(0, 0, u64::MAX).ahead(), i64::MAX);
}

fn windows(long_paths: bool, scanning: Scanning) -> WindowsSettings {
    WindowsSettings { long_paths, scanning }
}

#[test]
fn settings_of_windows() {
    let set = |settings| move |facts: &mut Facts| facts.windows = Some(settings);
    for (scanning, verdict, words) in [
        (Scanning::Excluded, Good, "is excluded"),
        (Scanning::Scanned, Note, "not excluded"),
        (Scanning::Secret, Note, "administrators"),
    ] {
        says("Defender", set(windows(true, scanning)), verdict, words);
    }
    assert_eq!(found("Defender", set(windows(true, Scanning::Absent))), None);
    says("long paths", set(windows(true, Scanning::Absent)), Good, "allowed");
    says("long paths", set(windows(false, Scanning::Absent)), Note, "260");
}

#[test]
fn looking_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let facts = Facts::look(&out);
    assert!(facts.folder.writable.is_ok());
    assert_eq!(facts.folder.made_in.as_deref(), Some(folder.path()));
    assert!(facts.folder.shares_blocks.is_some());
    assert!(!out.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
