//! A root with a run in it, and the same run converted by one machine.

use std::path::PathBuf;

use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Cluster, Convert, Outputs, outputs, scratch, write_run};

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

    /// The same on a disk.
    #[cfg(target_os = "linux")]
    pub(crate) fn on_disk(spec: &RunSpec) -> Self {
        Self::below(tempfile::tempdir().unwrap(), spec)
    }

    fn below(folder: TempDir, spec: &RunSpec) -> Self {
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
}
