//! File systems whose files can have blocks in common: a shard's blocks become the array's, and no byte is copied twice.
//! Judged by what the file system says of itself: `filefrag` and `stat -f`.
#![expect(clippy::print_stderr, reason = "what is left out is told")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use trc2npy_common::convert::Pulse;
use trc2npy_common::shard::{Part, ShardName};
use trc2npy_synth::RunSpec;

use super::lab::{make, must_equal, options, outputs, tree};
use super::{Lab, Work};

/// A file system of its own in a file; gone when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None where this machine cannot have one, which is told.
    fn mount(maker: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (image, place) = (folder.path().join("image"), folder.path().join("disk"));
        File::create(&image).unwrap().set_len(600 << 20).unwrap();
        std::fs::create_dir(&place).unwrap();
        let (program, arguments) = maker.split_first().unwrap();
        let made = Command::new(program).args(arguments).arg(&image).output();
        let mounted = || {
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(&place)
                .output()
        };
        let why = match made.and_then(|made| if made.status.success() { mounted() } else { Ok(made) }) {
            Ok(done) if done.status.success() => return Some(Self(folder)),
            Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("left out: {program} cannot make a disk that can be mounted here: {why}");
        None
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("disk")
    }

    /// Bytes that nobody has.
    fn free(&self) -> u64 {
        must(Command::new("sync").arg("-f").arg(self.path()));
        let told = must(Command::new("stat").args(["-f", "-c", "%f %S"]).arg(self.path()));
        told.split_whitespace()
            .map(|number| number.parse::<u64>().unwrap())
            .product()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn must(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Blocks of a file that another one has as well, and all of its blocks.
fn shared_blocks(file: &Path) -> (u64, u64) {
    let told = must(Command::new("filefrag").args(["-b4096", "-v"]).arg(file));
    let (mut shared, mut all) = (0, 0);
    for line in told.lines() {
        // ext: logical_offset: physical_offset: length: expected: flags:
        let fields: Vec<&str> = line.split(':').map(str::trim).collect();
        if let [number, _, _, length, ..] = fields[..]
            && number.parse::<u64>().is_ok()
        {
            let length: u64 = length.parse().unwrap();
            all += length;
            if line.contains("shared") {
                shared += length;
            }
        }
    }
    assert!(all > 0, "{told}");
    (shared, all)
}

fn blocks_are_shared_on(disk: &Disk) {
    let lab = Lab::below(&disk.path());
    let mut spec = RunSpec::new(40, 200_000);
    spec.bad = vec!["truncated:2".parse().unwrap()];
    lab.write(&spec, "r005");
    let run = lab.command("out", |_| {});
    let expected = lab.reference(&run);
    let assembly = lab.open(&run);
    let plan = lab.sent(&assembly);
    let mut random = fastrand::Rng::with_seed(4);
    let shards: Vec<ShardName> = Work::open(&assembly, &mut random).leases;
    let pulse = Pulse::new();
    for name in &shards {
        make(&plan, assembly.job_folder(), *name, &options(&pulse));
    }
    let data_bytes = 40 * 200_000 * 4;
    let before = disk.free();
    let landed = shards.iter().map(|name| assembly.land(name).unwrap()).collect();
    let taken = before.saturating_sub(disk.free());
    assert!(
        taken < data_bytes / 10,
        "{taken} bytes were taken to stitch {data_bytes}"
    );
    let unfinished = tree(&lab.at("out"));
    let array = unfinished.iter().find(|name| name.ends_with("/C1.npy"));
    let array = array.unwrap_or_else(|| panic!("{unfinished:?}"));
    let (shared, all) = shared_blocks(&lab.at("out").join(array));
    assert!(shared * 10 > all * 9, "{shared} of {all} blocks");
    assembly.commit(landed).unwrap();
    for name in &shards {
        assert!(
            !name.path(assembly.job_folder(), Part::Data).exists(),
            "{name} is recorded"
        );
    }
    assembly.publish(&[]).unwrap();
    must_equal(&outputs(&lab.at("out")), &expected);
    assert_eq!(
        shared_blocks(&lab.at("out/C1--Trace.npy")).0,
        0,
        "nobody else has them now"
    );
}

#[test]
fn on_xfs_the_array_has_the_blocks_of_its_shards() {
    if let Some(disk) = Disk::mount(&["mkfs.xfs", "-q", "-m", "reflink=1"]) {
        blocks_are_shared_on(&disk);
    }
}

#[test]
fn on_btrfs_the_array_has_the_blocks_of_its_shards() {
    if let Some(disk) = Disk::mount(&["mkfs.btrfs", "-q"]) {
        blocks_are_shared_on(&disk);
    }
}
