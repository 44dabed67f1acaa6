//! What working together costs: a coordinator and two workers of one thread each against `convert --threads 2`, every one a
//! process of its own, in interleaved pairs; and what a coordinator with many idle workers takes.
//!
//! ```text
//! cargo bench -p trc2npy-benches --bench cluster -- [large] [small] [one] [idle] [--pairs 5] [--in FOLDER]
//! ```
//! `--in`: on the file system of this folder instead of in memory.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use trc2npy_benches::pairs::Pairs;
use trc2npy_benches::{Arguments, Failure, folder_in_memory, must, release_binary};
use trc2npy_synth::RunSpec;

const BASELINE: &str = "500";
/// Connected workers of the idle coordinator.
const IDLE_WORKERS: usize = 50;
const IDLE_FOR: Duration = Duration::from_secs(20);

/// Name, files, samples, and how many times as long as `convert` it may take.
const WORKS: [(&str, u64, usize, f64); 2] = [("large", 8, 50_000_000, 2.1), ("small", 200_000, 2_502, 1.3)];

fn main() -> Result<(), Failure> {
    let arguments = Arguments::new();
    let pairs = arguments.value("--pairs", 5)?;
    let folder = match arguments.text("--in")? {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => folder_in_memory()?,
    };
    let names = ["large", "small", "one", "idle"];
    let all = !names.iter().any(|name| arguments.has(name));
    let asked = |name: &str| all || arguments.has(name);
    let bench = Bench::new(folder)?;
    for (name, files, samples, mark) in WORKS {
        if asked(name) {
            let told = bench.against_convert(files, samples, pairs)?;
            println!("{name}, {files} files of {samples} samples: {told} (mark: at most {mark})");
        }
    }
    if asked("one") {
        bench.one_file()?;
    }
    if asked("idle") {
        bench.idle()?;
    }
    Ok(())
}

struct Bench {
    folder: TempDir,
    trc2npy: PathBuf,
}

/// A process that ends with the benchmark.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A coordinator and its workers.
struct Cluster {
    address: String,
    coordinator: Running,
    _workers: Vec<Running>,
}

impl Bench {
    fn new(folder: TempDir) -> Result<Self, Failure> {
        let (trc2npy, _) = release_binary()?;
        Ok(Self { folder, trc2npy })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, files: u64, samples: usize) -> Result<(), Failure> {
        Ok(RunSpec::new(files, samples).write(&self.path("run"), &|_| ControlFlow::Continue(()))?)
    }

    fn clear(&self, names: &[&str]) -> Result<(), Failure> {
        for name in names {
            if self.path(name).exists() {
                fs::remove_dir_all(self.path(name))?;
            }
        }
        Ok(())
    }

    fn mapping(&self) -> String {
        format!("data={}", self.folder.path().display())
    }

    fn start(&self, workers: usize) -> Result<Cluster, Failure> {
        let mapping = self.mapping();
        let mut coordinator = Command::new(&self.trc2npy)
            .args(["coordinator", "--listen", "127.0.0.1:0", "--root", &mapping, "--state"])
            .arg(self.path("state"))
            .stderr(Stdio::piped())
            .spawn()
            .map(Running)?;
        let said = coordinator.0.stderr.take().ok_or("stderr is piped")?;
        let address = said_after(said, "listening on ")?;
        let mut all = Vec::new();
        for number in 0..workers {
            let name = format!("worker-{number}");
            let mut worker = Command::new(&self.trc2npy)
                .args(["worker", "--coordinator", &address, "--root", &mapping, "--name", &name])
                .args(["--cpus", "1"])
                .stderr(Stdio::piped())
                .spawn()
                .map(Running)?;
            let said = worker.0.stderr.take().ok_or("stderr is piped")?;
            said_after(said, "connected to ")?;
            all.push(worker);
        }
        Ok(Cluster {
            address,
            coordinator,
            _workers: all,
        })
    }

    fn submit(&self, cluster: &Cluster) -> Result<(), Failure> {
        must(Command::new(&self.trc2npy).args([
            "submit",
            "data:run",
            "--out",
            "data:npy",
            "--baseline",
            BASELINE,
            "--wait",
            "--coordinator",
            &cluster.address,
        ]))
    }

    fn convert(&self) -> Result<(), Failure> {
        must(
            Command::new(&self.trc2npy)
                .arg("convert")
                .arg(self.path("run"))
                .arg("--out")
                .arg(self.path("alone"))
                .args(["--baseline", BASELINE, "--threads", "2", "--progress", "none"]),
        )
    }

    fn against_convert(&self, files: u64, samples: usize, pairs: usize) -> Result<Pairs, Failure> {
        self.write(files, samples)?;
        let cluster = self.start(2)?;
        let pairs = Pairs::run(
            pairs,
            || self.clear(&["npy", "alone"]),
            || self.submit(&cluster),
            || self.convert(),
        )?;
        drop(cluster);
        self.clear(&["run", "npy", "alone", "state"])?;
        Ok(pairs)
    }

    fn one_file(&self) -> Result<(), Failure> {
        self.write(1, 2_502)?;
        let cluster = self.start(2)?;
        let mut longest = Duration::ZERO;
        for _ in 0..10 {
            self.clear(&["npy"])?;
            let began = Instant::now();
            self.submit(&cluster)?;
            longest = longest.max(began.elapsed());
        }
        println!("a job of one file: {longest:.2?} at most of ten (mark: under 0.5 s)");
        drop(cluster);
        self.clear(&["run", "npy", "state"])
    }

    fn idle(&self) -> Result<(), Failure> {
        let cluster = self.start(IDLE_WORKERS)?;
        let pid = cluster.coordinator.0.id();
        let Some(before) = processor_ticks(pid) else {
            println!("left out: what an idle coordinator takes can be read from /proc alone");
            return Ok(());
        };
        std::thread::sleep(IDLE_FOR);
        let ticks = processor_ticks(pid).unwrap_or(before) - before;
        // Linux counts 100 a second.
        let share = ticks as f64 / 100.0 / IDLE_FOR.as_secs_f64();
        let memory = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = memory
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or_default();
        println!(
            "idle, {IDLE_WORKERS} workers: {:.2} % of a core (mark: under 1 %), {resident} (mark: 64 MiB)",
            share * 100.0
        );
        drop(cluster);
        self.clear(&["state"])
    }
}

/// Processor time that a process has used, in ticks.
fn processor_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold blanks.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// What follows `text` on the line that has it. The rest is read, too, so that the writer never waits.
fn said_after(said: impl std::io::Read + Send + 'static, text: &str) -> Result<String, Failure> {
    let mut lines = BufReader::new(said).lines();
    for line in lines.by_ref() {
        let line = line?;
        if let Some((_, rest)) = line.split_once(text) {
            let rest = rest.to_owned();
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(rest);
        }
    }
    Err(format!("a process ended without having said {text:?}").into())
}
