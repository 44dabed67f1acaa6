//! The whole program against its yardsticks, each in a process of its own, in interleaved pairs, in memory.
//!
//! ```text
//! cargo bench -p trc2npy-benches --bench end_to_end -- [small] [typical] [large] [memory] [--pairs 11]
//! ```
//! Yardsticks: `bare`, the least that a converter must do, is part of this program. Where `TRC2NPY_YARDSTICKS` names a
//! folder with `floor.c` (a limit in C: `floor DIR CHANNEL OUT DPBL THREADS`) and `numpy_peer.py` (a careful script in
//! numpy: `DIR CHANNEL OUT DPBL`), these join; they need a C compiler, and `TRC2NPY_PYTHON` or `target/venv`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use trc2npy_benches::pairs::Pairs;
use trc2npy_benches::{Arguments, Failure, bare, folder_in_memory, must, release_binary};
use trc2npy_synth::RunSpec;

const THREADS: &str = "2";
const BASELINE: &str = "500";
/// A Python script is so much slower that fewer pairs say enough.
const PEER_PAIRS: usize = 3;

struct Work {
    name: &'static str,
    files: u64,
    samples: usize,
    /// At most this ratio to the limit in C.
    mark: f64,
    /// At least so many times as fast as the script.
    peer_mark: Option<f64>,
}

const WORKS: [Work; 3] = [
    Work {
        name: "small",
        files: 100_000,
        samples: 2_502,
        mark: 1.3,
        peer_mark: Some(8.0),
    },
    Work {
        name: "typical",
        files: 2_000,
        samples: 400_000,
        mark: 1.1,
        peer_mark: None,
    },
    Work {
        name: "large",
        files: 8,
        samples: 50_000_000,
        mark: 1.1,
        peer_mark: None,
    },
];

fn main() -> Result<(), Failure> {
    let arguments = Arguments::new();
    if let [first, folder, out, baseline, threads] = arguments.words()
        && first == "--bare"
    {
        return Ok(bare::convert(
            Path::new(folder),
            Path::new(out),
            baseline.parse()?,
            threads.parse()?,
        )?);
    }
    let pairs = arguments.value("--pairs", 11)?;
    let asked = |name: &str| arguments.has(name);
    let names = ["memory"].into_iter().chain(WORKS.iter().map(|work| work.name));
    let all = !names.into_iter().any(asked);
    let folder = folder_in_memory()?;
    let bench = Bench::new(folder.path(), pairs)?;
    for work in &WORKS {
        if all || asked(work.name) || asked("memory") {
            bench.run(work, all || asked(work.name), all || asked("memory"))?;
        }
    }
    Ok(())
}

struct Bench {
    folder: PathBuf,
    trc2npy: PathBuf,
    floor: Option<PathBuf>,
    peer: Option<[PathBuf; 2]>,
    pairs: usize,
}

impl Bench {
    fn new(folder: &Path, pairs: usize) -> Result<Self, Failure> {
        let (trc2npy, target) = release_binary()?;
        let yardsticks = env::var_os("TRC2NPY_YARDSTICKS").map(PathBuf::from);
        let there = |name: &str| {
            yardsticks
                .as_ref()
                .map(|folder| folder.join(name))
                .filter(|path| path.exists())
        };
        let floor = there("floor.c").map(|source| -> Result<PathBuf, Failure> {
            let program = folder.join("floor");
            let options = ["-O3", "-march=native", "-pthread", "-w", "-o"];
            must(Command::new("cc").args(options).arg(&program).arg(source))?;
            Ok(program)
        });
        let python = env::var_os("TRC2NPY_PYTHON").map_or_else(|| target.join("venv/bin/python"), PathBuf::from);
        let peer = there("numpy_peer.py").filter(|_| python.exists());
        if floor.is_none() || peer.is_none() {
            println!(
                "left out: yardsticks that TRC2NPY_YARDSTICKS does not name, or that lack their Python with numpy"
            );
        }
        Ok(Self {
            folder: folder.to_owned(),
            trc2npy,
            floor: floor.transpose()?,
            peer: peer.map(|script| [python, script]),
            pairs,
        })
    }

    fn run(&self, work: &Work, speed: bool, memory: bool) -> Result<(), Failure> {
        let input = self.folder.join(work.name);
        RunSpec::new(work.files, work.samples).write(&input, &|_| ControlFlow::Continue(()))?;
        println!(
            "\n{} files of {} 16-bit samples, {THREADS} threads",
            work.files, work.samples
        );
        if speed {
            self.speed(work, &input)?;
        }
        if memory {
            for limit in ["128MiB", "1GiB"] {
                self.clear()?;
                self.convert(&input, &["--memory-limit", limit])?;
                let peak = self.report("memory_peak")? / f64::from(1 << 20);
                println!("  peak memory at --memory-limit {limit}: {peak:.0} MiB (mark: the limit + 64 MiB)");
            }
        }
        fs::remove_dir_all(input)?;
        Ok(())
    }

    fn speed(&self, work: &Work, input: &Path) -> Result<(), Failure> {
        let array = self.array();
        let this = env::current_exe()?;
        let [one, baseline, threads]: [&OsStr; 3] = ["1", BASELINE, THREADS].map(OsStr::new);
        let against = |program: &Path, arguments: &[&OsStr]| {
            Pairs::run(
                self.pairs,
                || self.clear(),
                || self.convert(input, &[]),
                || must(Command::new(program).args(arguments)),
            )
        };

        let arguments = [
            "--bare".as_ref(),
            input.as_os_str(),
            array.as_os_str(),
            baseline,
            threads,
        ];
        println!("  to bare:  {}", against(&this, &arguments)?);
        if let Some(floor) = &self.floor {
            let arguments = [input.as_os_str(), one, array.as_os_str(), baseline, threads];
            let pairs = against(floor, &arguments)?;
            println!("  to floor: {pairs} (mark: at most {:.1})", work.mark);
        }
        if let (Some([python, script]), Some(mark)) = (&self.peer, work.peer_mark) {
            let arguments = [script.as_os_str(), input.as_os_str(), one, array.as_os_str(), baseline];
            let pairs = Pairs::run(
                PEER_PAIRS.min(self.pairs),
                || self.clear(),
                || must(Command::new(python).args(arguments)),
                || self.convert(input, &[]),
            )?;
            println!("  numpy to this: {pairs} (mark: at least {mark:.0})");
        }
        self.clear()?;
        self.convert(input, &[])?;
        println!(
            "  of the last run: planning {:.3} s, syncing {:.3} s, all {:.3} s",
            self.report("seconds_planning")?,
            self.report("seconds_syncing")?,
            self.report("seconds_converting")?
        );
        Ok(())
    }

    fn out(&self) -> PathBuf {
        self.folder.join("out")
    }

    fn array(&self) -> PathBuf {
        self.folder.join("yardstick.npy")
    }

    /// Removes what the run before has written.
    fn clear(&self) -> Result<(), Failure> {
        if self.out().exists() {
            fs::remove_dir_all(self.out())?;
        }
        if self.array().exists() {
            fs::remove_file(self.array())?;
        }
        Ok(())
    }

    fn convert(&self, input: &Path, options: &[&str]) -> Result<(), Failure> {
        let common = ["--baseline", BASELINE, "--threads", THREADS, "--progress", "none"];
        must(
            Command::new(&self.trc2npy)
                .arg("convert")
                .arg(input)
                .arg("--out")
                .arg(self.out())
                .args(common)
                .args(options),
        )
    }

    /// A number of the last conversion's report.
    fn report(&self, name: &str) -> Result<f64, Failure> {
        let report: serde_json::Value = serde_json::from_slice(&fs::read(self.out().join("report.json"))?)?;
        Ok(report["speed"][name]
            .as_f64()
            .ok_or(format!("the report has no {name}"))?)
    }
}
