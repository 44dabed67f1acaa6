//! A root with a run in it, and the same run converted by one machine.

use std::path::PathBuf;

#[cfg(unix)]
use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Cluster, Convert, Outputs, outputs, scratch, write_run};

/// A cluster on a folder that is removed at the end.
pub(crate) struct Lab {
    pub(crate) cluster: Cluster,
    folder: TempDir,
}

impl Lab {
    /// With the run `run` in the root.
    pub(crate) fn new(spec: &RunSpec) -> Self {
        Self::below(scratch(), spec)
    }

    /// With nothing in the root.
    #[cfg(target_os = "linux")]
    pub(crate) fn empty() -> Self {
        let folder = scratch();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        Self {
            cluster: Cluster::new(&root),
            folder,
        }
    }

    /// The same on a disk.
    #[cfg(target_os = "linux")]
    pub(crate) fn on_disk(spec: &RunSpec) -> Self {
        Self::below(tempfile::tempdir().unwrap(), spec)
    }

    /// The same in a folder of the test's own.
    pub(crate) fn below(folder: TempDir, spec: &RunSpec) -> Self {
        let root = folder.path().join("root");
        write_run(spec, &root.join("run"));
        Self {
            cluster: Cluster::new(&root),
            folder,
        }
    }

    /// Below the root.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.cluster.root().join(path)
    }

    /// What `convert` makes of the run with these options, in a folder outside of the root.
    pub(crate) fn reference(&self, name: &str, args: &[&str], code: i32) -> Outputs {
        let out = self.folder.path().join(name);
        Convert::new([self.path("run")], &out)
            .args(args)
            .run()
            .must_end_with(code);
        outputs(&out)
    }

    /// What a client's command tells programs; nothing where it cannot.
    #[cfg(unix)]
    pub(crate) fn told(&self, subcommand: &str, args: &[&str]) -> Option<Value> {
        let told = self.cluster.client(subcommand).args(args).args(["--json"]).run();
        serde_json::from_str(&told.stdout).ok()
    }

    /// Neither shards nor temporaries in the folder `out` below the root, and the coordinator's journal is sound.
    #[cfg(unix)]
    pub(crate) fn nothing_is_left(&self, out: &str) {
        let mut left = Vec::new();
        let mut folders = vec![self.path(out)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap().flatten() {
                let path = entry.path();
                let name = entry.file_name().to_string_lossy().into_owned();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let ending = path.extension().and_then(|ending| ending.to_str());
                if name.starts_with("job-") || matches!(ending, Some("part" | "tmp")) {
                    left.push(path);
                }
            }
        }
        assert!(left.is_empty(), "left behind: {left:?}");
        Call::of("coordinator")
            .args(["journal", "check", "--state"])
            .args([self.cluster.state()])
            .run()
            .must_succeed();
    }
}
