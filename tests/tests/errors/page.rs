//! A lab folder in which commands are given, and the page of what they answer.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use trc2npy_synth::{RunSpec, TraceFile};
use trc2npy_tests::{Cluster, binary, scratch, write_run};

/// Commands and answers, one below the other.
pub(crate) struct Page {
    root: TempDir,
    text: String,
    /// Variables of every command that the page does not show.
    hidden: Vec<(&'static str, String)>,
    /// Texts that differ from one lab to another, and what stands for them.
    replaced: Vec<(String, &'static str)>,
}

impl Page {
    pub(crate) fn new() -> Self {
        Self {
            root: scratch(),
            text: String::new(),
            hidden: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// A path in the lab's folder.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A run of so many files of 300 samples, an hour old.
    pub(crate) fn run(&self, folder: &str, files: u64, change: impl FnOnce(&mut RunSpec)) {
        let mut spec = RunSpec::new(files, 300);
        change(&mut spec);
        write_run(&spec, &self.at(folder));
        self.age(folder);
    }

    /// A file of its own, an hour old.
    pub(crate) fn file(&self, path: &str, file: &TraceFile) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        self.bytes(path, &file.to_bytes());
    }

    /// Any bytes, an hour old.
    pub(crate) fn bytes(&self, path: &str, bytes: &[u8]) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), bytes).unwrap();
        set_age(&self.at(path), Duration::from_hours(1));
    }

    /// Replaces bytes of a descriptor, counted from WAVEDESC.
    pub(crate) fn patch(&self, path: &str, at: usize, bytes: &[u8]) {
        let mut file = fs::read(self.at(path)).unwrap();
        let start = file.windows(8).position(|window| window == b"WAVEDESC").unwrap() + at;
        file[start..start + bytes.len()].copy_from_slice(bytes);
        self.bytes(path, &file);
    }

    /// Files are as old as on the day after: nothing is taken for still being written.
    fn age(&self, folder: &str) {
        for entry in fs::read_dir(self.at(folder)).unwrap() {
            set_age(&entry.unwrap().path(), Duration::from_hours(1));
        }
    }

    /// Has every command speak with this coordinator; the page has another address for it.
    pub(crate) fn speak_with(&mut self, cluster: &Cluster) {
        let address = cluster.address();
        let port = address.rsplit(':').next().unwrap_or_default().to_owned();
        self.hidden.push(("TRC2NPY_COORDINATOR", address));
        self.replaced.push((port, "7070"));
    }

    /// Gives a command, and notes what is said and how it ends.
    pub(crate) fn says(&mut self, title: &str, words: &[&str]) {
        self.says_with(title, &[], words);
    }

    /// The same with variables in the environment.
    pub(crate) fn says_with(&mut self, title: &str, variables: &[(&str, &OsStr)], words: &[&str]) {
        let mut command = Command::new(binary());
        command.args(words).current_dir(self.root.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRC2NPY_")) {
            command.env_remove(name);
        }
        command.envs(self.hidden.iter().map(|(name, value)| (name, value)));
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        // The block at the start tells of the machine.
        let said = stderr.lines().skip_while(|line| {
            !["error", "warning", "note", "nothing"]
                .iter()
                .any(|word| line.starts_with(word))
        });
        let _ = writeln!(self.text, "# {title}");
        for (name, value) in variables {
            let _ = write!(self.text, "{name}={} ", value.display());
        }
        let _ = writeln!(self.text, "$ trc2npy {}", shown(words));
        for line in said {
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        // Of a result only what is wrong with it; of a coordinator's answer all.
        let is_answer = !self.hidden.is_empty();
        let told = stdout
            .lines()
            .skip_while(|line| !is_answer && !line.starts_with("BAD ROWS"));
        for line in told {
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
        let _ = writeln!(self.text, "exit code {}\n", output.status.code().unwrap_or(-1));
    }

    /// The page, without what differs from one lab to another.
    pub(crate) fn text(self) -> String {
        let root = self.root.path().display().to_string();
        let mut text = self.text.replace(&root, "/lab");
        for (differs, stands_for) in &self.replaced {
            text = text.replace(differs, stands_for);
        }
        while text.ends_with("\n\n") {
            text.pop();
        }
        text
    }
}

fn set_age(path: &Path, age: Duration) {
    let file = fs::File::options().read(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

fn shown(words: &[&str]) -> String {
    let quoted = words.iter().map(|word| {
        if word.is_empty() || word.contains([' ', '*', '?', '[', '{', '"']) {
            format!("'{word}'")
        } else {
            (*word).to_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
