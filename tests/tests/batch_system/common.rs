//! A run, what `convert` makes of it, and the three commands.

use std::fs;
use std::path::{Path, PathBuf};

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Convert, Outputs, outputs, scratch, state, write_run};

/// A folder with the run `lab/run`.
pub(crate) struct Site {
    dir: tempfile::TempDir,
    /// Where the run, the plan and the arrays are.
    pub(crate) lab: PathBuf,
}

impl Site {
    pub(crate) fn new(spec: &RunSpec) -> Self {
        let dir = scratch();
        let lab = dir.path().join("lab");
        let site = Self { dir, lab };
        write_run(spec, &site.path("run"));
        site
    }

    /// Below the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.lab.join(name)
    }

    /// Outside of it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What `convert` makes of the run with these options.
    pub(crate) fn reference(&self, args: &[&str], code: i32) -> Outputs {
        let out = self.path("reference");
        let convert = Convert::new([self.path("run")], &out).args(args);
        convert.run().must_end_with(code);
        outputs(&out)
    }

    /// Plans `run` into `npy`, as `run.plan`.
    pub(crate) fn plan(&self, args: &[&str]) -> Call {
        let call = Call::of("plan")
            .args([self.path("run")])
            .args(["--out"])
            .args([self.path("npy")]);
        call.args(["-o"]).args([self.path("run.plan")]).args(args)
    }

    /// A task.
    pub(crate) fn task(&self, index: u64, count: u64) -> Call {
        let (index, count) = (index.to_string(), count.to_string());
        let call = Call::of("run-range").args([self.path("run.plan")]);
        call.args([
            "--progress",
            "none",
            "--threads",
            "1",
            "--index",
            &index,
            "--count",
            &count,
        ])
    }

    pub(crate) fn stitch(&self, args: &[&str]) -> Call {
        let call = Call::of("stitch").args([self.path("run.plan")]);
        call.args(["--progress", "none"]).args(args)
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.path("npy")
    }

    /// The folder for shards; none once all is published.
    pub(crate) fn shards(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(state(&self.out())).unwrap();
        let folders = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        let found: Vec<PathBuf> = folders.collect();
        assert!(found.len() <= 1, "{found:?}");
        found.into_iter().next()
    }

    /// Files of shards whose names end so, in order.
    pub(crate) fn shard_files(&self, channel: &str, ending: &str) -> Vec<PathBuf> {
        let Some(folder) = self.shards() else { return Vec::new() };
        let entries = fs::read_dir(folder.join(channel)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        found.sort();
        found
    }

    /// Nothing is left of tasks.
    #[track_caller]
    pub(crate) fn must_be_tidy(&self) {
        assert_eq!(self.shards(), None);
        let names = fs::read_dir(self.out())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let odd: Vec<_> = names
            .filter(|name| name.to_string_lossy().ends_with("part") || name.to_string_lossy().ends_with("tmp"))
            .collect();
        assert!(odd.is_empty(), "{odd:?}");
    }
}

/// Flips a bit in the middle of a file.
pub(crate) fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}
