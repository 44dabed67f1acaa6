//! A limit on the memory of some processes, as a container has it.
#![expect(clippy::print_stderr, reason = "what is left out is told")]

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::call::Call;
use crate::process::poll;
use crate::tools::python;

/// A control group of its own; gone when dropped, for which its processes must have ended.
#[derive(Debug)]
pub struct MemoryGroup(PathBuf);

impl MemoryGroup {
    /// That may have so many bytes; none where this machine does not allow it, which is told.
    pub fn of(bytes: u64) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "trc2npy-{}-{}",
            std::process::id(),
            MADE.fetch_add(1, Ordering::Relaxed)
        );
        // Version 1, then version 2.
        let places = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        let mut told = None;
        for (place, limit) in places {
            match limited(&Path::new(place).join(&name), limit, bytes) {
                Ok(group) => return Some(group),
                Err(error) => told = told.or(Some(error)),
            }
        }
        let why = told.map_or_else(String::new, |error| error.to_string());
        eprintln!("left out: no group of processes with a memory limit can be made here: {why}");
        None
    }

    /// Another program takes so many bytes of what the group may have; returns once it has them.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn hold(&self, bytes: u64) -> Held {
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.0.display());
        let mut child = Command::new("sh")
            .args(["-c", &enter, "sh"])
            .arg(python())
            .args(["-c", HOLD, &bytes.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut told = [0];
        let said = child.stdout.as_mut().expect("stdout is piped").read_exact(&mut told);
        said.expect("it says that it has them");
        Held(child)
    }

    /// A call whose process is in the group from its start.
    pub fn call(&self, subcommand: &str) -> Call {
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.0.display());
        Call::launched_by("sh", &["-c", &enter, "sh"], subcommand)
    }
}

/// Every page is written to, and kept until the input ends.
const HOLD: &str = "
import sys
held = b'1' * int(sys.argv[1])
print('h', end='', flush=True)
sys.stdin.read()
";

/// A program that holds memory; ended when dropped.
#[derive(Debug)]
pub struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn limited(folder: &Path, limit: &str, bytes: u64) -> io::Result<MemoryGroup> {
    fs::create_dir(folder)?;
    let group = MemoryGroup(folder.to_owned());
    // A folder that is none of a memory controller's has no such file.
    if !folder.join(limit).exists() {
        return Err(io::Error::other(format!("{} has no {limit}", folder.display())));
    }
    fs::write(folder.join(limit), bytes.to_string())?;
    Ok(group)
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            poll("the processes of the group to be gone", || fs::remove_dir(&self.0).ok());
        }
    }
}
