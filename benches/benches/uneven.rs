//! How far from the ideal a job ends whose workers differ: two quick ones, of which one comes late, one at a tenth of their
//! speed, and one that leaves. Each is held to its share of a processor by a control group (Linux, as root); the speed of
//! each is measured by a job of its own before, so that the ideal is that of what they can really do.
//!
//! ```text
//! cargo bench -p trc2npy-benches --bench uneven -- [--files 4000] [--rounds 3]
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use trc2npy_benches::{Arguments, Failure, folder_in_memory, must, release_binary};
use trc2npy_synth::RunSpec;

/// Name, share of a processor: so little that the job takes many times as long as its begin and its end, with the data in
/// memory.
const WORKERS: [(&str, f64); 4] = [("steady", 0.05), ("late", 0.05), ("slow", 0.005), ("leaving", 0.04)];
/// Of the ideal time, when the late one comes and the leaving one goes.
const COMES: f64 = 0.3;
const LEAVES: f64 = 0.6;
const SAMPLES: usize = 200_000;
/// The kernel takes no quota below a millisecond.
const PERIOD_US: f64 = 200_000.0;
const LOOK: Duration = Duration::from_millis(20);

fn main() -> Result<(), Failure> {
    let arguments = Arguments::new();
    let files = arguments.value("--files", 4_000)?;
    let rounds = arguments.value("--rounds", 3)?;
    let bench = Bench::new(files)?;
    for _ in 0..rounds {
        bench.round()?;
    }
    Ok(())
}

/// Processes that together may use a share of one processor.
struct Group(PathBuf);

impl Group {
    fn new(name: &str, share: f64) -> Result<Self, Failure> {
        let path = Path::new("/sys/fs/cgroup/cpu").join(format!("trc2npy-{}-{name}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error} (it needs root, and version 1)", path.display()))?;
        fs::write(path.join("cpu.cfs_period_us"), format!("{PERIOD_US}"))?;
        fs::write(path.join("cpu.cfs_quota_us"), format!("{:.0}", PERIOD_US * share))?;
        Ok(Self(path))
    }

    fn enter(&self, child: &Child) -> Result<(), Failure> {
        Ok(fs::write(self.0.join("cgroup.procs"), child.id().to_string())?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that was just killed may still be in it.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            sleep(LOOK);
        }
    }
}

/// A process that ends with the benchmark.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Bench {
    folder: TempDir,
    trc2npy: PathBuf,
    files: u64,
}

impl Bench {
    fn new(files: u64) -> Result<Self, Failure> {
        let (trc2npy, _) = release_binary()?;
        let folder = folder_in_memory()?;
        for (name, count) in [("run", files), ("part", files / 8), ("one", 1)] {
            RunSpec::new(count, SAMPLES).write(&folder.path().join(name), &|_| ControlFlow::Continue(()))?;
        }
        Ok(Self { folder, trc2npy, files })
    }

    fn mapping(&self) -> String {
        format!("data={}", self.folder.path().display())
    }

    /// Starts a subcommand and waits for what it says.
    fn start(&self, args: &[&str], says: &str, group: Option<&Group>) -> Result<(Running, String), Failure> {
        let mut child = Command::new(&self.trc2npy)
            .args(args)
            .stderr(Stdio::piped())
            .spawn()
            .map(Running)?;
        if let Some(group) = group {
            group.enter(&child.0)?;
        }
        let mut told = BufReader::new(child.0.stderr.take().ok_or("stderr is piped")?);
        let mut line = String::new();
        loop {
            line.clear();
            if told.read_line(&mut line)? == 0 {
                return Err(format!("{args:?} ended before it said {says:?}").into());
            }
            if let Some((_, rest)) = line.split_once(says) {
                let rest = rest.trim().to_owned();
                // What it says later must not make it wait.
                std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
                return Ok((child, rest));
            }
        }
    }

    fn coordinator(&self) -> Result<(Running, String), Failure> {
        let state = self.folder.path().join("state");
        let state = state.to_str().ok_or("a path that is text")?;
        let mapping = self.mapping();
        let args = [
            "coordinator",
            "--listen",
            "127.0.0.1:0",
            "--root",
            &mapping,
            "--state",
            state,
        ];
        self.start(&args, "listening on ", None)
    }

    fn worker(&self, address: &str, name: &str, group: &Group) -> Result<Running, Failure> {
        let mapping = self.mapping();
        let args = [
            "worker",
            "--coordinator",
            address,
            "--root",
            &mapping,
            "--name",
            name,
            "--cpus",
            "1",
        ];
        Ok(self.start(&args, "connected to ", Some(group))?.0)
    }

    fn submit(&self, address: &str, run: &str) -> Command {
        let mut command = Command::new(&self.trc2npy);
        let input = format!("data:{run}");
        command.args([
            "submit",
            &input,
            "--out",
            "data:npy",
            "--baseline",
            "500",
            "--wait",
            "--overwrite",
        ]);
        command.args(["--coordinator", address]);
        command
    }

    fn timed(&self, address: &str, run: &str) -> Result<f64, Failure> {
        let begin = Instant::now();
        must(&mut self.submit(address, run))?;
        Ok(begin.elapsed().as_secs_f64())
    }

    /// Files a second of each worker alone, and the seconds of a job that are none of theirs.
    fn speeds(&self, groups: &[Group]) -> Result<([f64; 4], f64), Failure> {
        let mut speeds = [0.0; 4];
        let mut fixed = f64::INFINITY;
        for (index, ((name, share), group)) in WORKERS.iter().zip(groups).enumerate() {
            let (_coordinator, address) = self.coordinator()?;
            let _worker = self.worker(&address, name, group)?;
            let run = if *share < 0.1 { "part" } else { "run" };
            let count = if *share < 0.1 { self.files / 8 } else { self.files };
            // What it needs before it is at full speed is no part of its speed.
            self.timed(&address, "one")?;
            let one = self.timed(&address, "one")?;
            fixed = fixed.min(one);
            #[expect(clippy::cast_precision_loss, reason = "some thousand files")]
            let files = count as f64;
            speeds[index] = files / (self.timed(&address, run)? - one).max(0.001);
        }
        Ok((speeds, fixed))
    }

    fn round(&self) -> Result<(), Failure> {
        let groups = WORKERS.map(|(name, share)| Group::new(name, share));
        let groups: Vec<Group> = groups.into_iter().collect::<Result<_, _>>()?;
        let (speeds, fixed) = self.speeds(&groups)?;
        let [steady, late, slow, leaving] = speeds;
        #[expect(clippy::cast_precision_loss, reason = "some thousand files")]
        let files = self.files as f64;
        // About when it would end; the moments at which one comes and one leaves are measured anew below.
        let about = files / (steady + 0.7 * late + slow + 0.6 * leaving);
        let (coordinator, address) = self.coordinator()?;
        let mut running = Vec::new();
        for (index, (name, _)) in WORKERS.iter().enumerate() {
            if *name != "late" {
                running.push(self.worker(&address, name, &groups[index])?);
            }
        }
        self.timed(&address, "one")?;
        let mut job = self.submit(&address, "run").spawn()?;
        let begin = Instant::now();
        let passed = || begin.elapsed().as_secs_f64();
        let (mut came, mut left) = (None, None);
        let took = loop {
            if let Some(status) = job.try_wait()? {
                if !status.success() {
                    return Err(format!("the job ended with {status}").into());
                }
                break passed();
            }
            if came.is_none() && passed() > COMES * about {
                running.push(self.worker(&address, "late", &groups[1])?);
                came = Some(passed());
            }
            if left.is_none() && passed() > LEAVES * about {
                let mut drain = Command::new(&self.trc2npy);
                must(drain.args(["drain", "leaving", "--coordinator", &address]))?;
                left = Some(passed());
            }
            sleep(LOOK);
        };
        let (came, left) = (came.ok_or("it ended before the late one came")?, left.unwrap_or(took));
        // Until T: all that each could have made in its time is the whole run.
        let ideal = (files + late * came - leaving * left) / (steady + late + slow) + fixed;
        println!(
            "files a second: steady {steady:.1}, late {late:.1} (from {came:.1} s), slow {slow:.2}, leaving {leaving:.1} (until \
             {left:.1} s); ideal {ideal:.1} s, took {took:.1} s: {:.3}",
            took / ideal
        );
        drop((running, coordinator));
        Ok(())
    }
}
