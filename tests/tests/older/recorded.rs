//! What a worker of an earlier version brought to the storage: files that it made, as it made them.

use std::fs;
use std::path::{Path, PathBuf};

use crc_fast::{CrcAlgorithm, checksum};
use tempfile::TempDir;
use trc2npy_tests::{Cluster, scratch, workspace};

use crate::v0_1::{Grant, JobHead};

/// Bytes of each of the recorded run's files.
pub(crate) const FILE_BYTES: u64 = 378;
const CHANNELS: [&str; 2] = ["C1", "C2"];

/// A cluster whose root has the recorded run, and the shards of that.
pub(crate) struct Recorded {
    pub(crate) cluster: Cluster,
    from: PathBuf,
    folder: TempDir,
}

impl Recorded {
    pub(crate) fn new(version: &str) -> Self {
        let from = workspace().join("tests/recordings").join(version);
        let folder = scratch();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("run")).unwrap();
        for entry in fs::read_dir(from.join("run")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, root.join("run").join(path.file_name().unwrap())).unwrap();
        }
        Self {
            cluster: Cluster::new(&root),
            from,
            folder,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The checksum of the first 4 KiB of a planned file.
    pub(crate) fn crc_of_file(&self, channel: u32, file: u64) -> u32 {
        let name = format!("{}--Trace--{file:05}.trc", CHANNELS[channel as usize]);
        crc(&fs::read(self.from.join("run").join(name)).unwrap())
    }

    /// Puts the shard of a lease where that version puts it, its record last.
    pub(crate) fn deliver(&self, grant: &Grant, head: &JobHead) {
        let lease = grant.lease.unwrap();
        let lease = format!("e{}.a{}", lease.epoch, lease.attempt);
        let channel = CHANNELS[grant.channel as usize];
        let shards = self.from.join("shards").join(channel);
        let folder = self.cluster.root().join(&head.folder_path).join(channel);
        // The folder of a channel is the worker's to make, that of the job is not.
        let _ = fs::create_dir(&folder);
        let name = format!("{:012}-{:012}.{lease}", grant.row_start, grant.row_end);
        for part in ["npy", "index.npy"] {
            let made = shards.join(format!("{}.{part}", grant.row_start));
            fs::copy(made, folder.join(format!("{name}.{part}"))).unwrap();
        }
        let record = fs::read_to_string(shards.join(format!("{}.json", grant.row_start))).unwrap();
        let record = sealed_for(&record, &head.plan_id, &lease);
        fs::write(folder.join(format!("{name}.json")), record).unwrap();
    }
}

/// The record with another plan and lease: what must differ from one job to the next.
fn sealed_for(record: &str, plan: &str, lease: &str) -> String {
    let record = with_value(record, "plan", plan);
    let record = with_value(&record, "lease", lease);
    let open = with_value(&record, "crc32c", "00000000");
    with_value(&open, "crc32c", &format!("{:08x}", crc(open.as_bytes())))
}

fn with_value(record: &str, key: &str, value: &str) -> String {
    let opening = format!("\"{key}\": \"");
    let (before, rest) = record.split_once(&opening).unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}{opening}{value}\"{after}")
}

fn crc(bytes: &[u8]) -> u32 {
    u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, bytes)).unwrap()
}

#[test]
fn a_record_that_changes_nothing_is_the_recorded_one() {
    let path = workspace().join("tests/recordings/0.1/shards/C1/0.json");
    let record = fs::read_to_string(path).unwrap();
    let plan = "6249f467b5cf543c6f8588b597c3949be91eddd2b8d9829da052dfe91cf1ff06";
    assert_eq!(sealed_for(&record, plan, "e1.a1"), record);
    assert_ne!(sealed_for(&record, plan, "e1.a2"), record);
}
