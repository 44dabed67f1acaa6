//! A lab with a run, a machine that puts arrays together, and workers that know the same files by other paths.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use trc2npy_common::convert::{
    Assembly, AssemblyJob, BlockSizes, ConvertError, ConvertRun, Converted, Form, Io, Landed, NameTemplate, Opened,
    Outcome, Overwrite, Pulse, RangeConverter, RangeOptions, Reading, Settings, Stop, Watch, convert,
};
use trc2npy_common::plan::{self, ChannelPlan, Element, Out, Plan, PlanProgress, PlanRequest, PlannedRun};
use trc2npy_common::roots::Roots;
use trc2npy_common::shard::{Lease, ShardName, ShardRecord, ShardWriter};
use trc2npy_common::trc::SampleWidth;
use trc2npy_common::units::{Bytes, RowRange};
use trc2npy_synth::RunSpec;

/// Output files by name.
pub(crate) type Outputs = BTreeMap<String, Vec<u8>>;

/// Its folders are gone when it is dropped.
pub(crate) struct Lab {
    dir: tempfile::TempDir,
    /// The roots as this machine has them.
    pub(crate) here: Roots,
    /// The roots as the workers have them.
    pub(crate) there: Roots,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// On the disk of this folder.
    pub(crate) fn below(folder: &Path) -> Self {
        let dir = tempfile::tempdir_in(folder).unwrap();
        let (lab, other) = (dir.path().join("lab"), dir.path().join("mnt"));
        std::fs::create_dir(&lab).unwrap();
        // Where links need rights, the workers have the same paths.
        #[cfg(unix)]
        std::os::unix::fs::symlink(&lab, &other).unwrap();
        #[cfg(not(unix))]
        let other = {
            drop(other);
            lab.clone()
        };
        let roots = |path: &Path| Roots::parse([format!("data={}", path.display())]).unwrap();
        let (here, there) = (roots(&lab), roots(&other));
        Self { dir, here, there }
    }

    /// A path below this machine's root.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("lab").join(path)
    }

    pub(crate) fn write(&self, spec: &RunSpec, folder: &str) {
        spec.write(&self.at(folder), &|_| ControlFlow::Continue(())).unwrap();
    }

    /// The command that converts `r*`.
    pub(crate) fn command(&self, out: &str, change: impl FnOnce(&mut ConvertRun)) -> ConvertRun {
        let mut request = PlanRequest::new(vec![self.at("r*")], 2);
        request.settle = Duration::ZERO;
        let mut run = ConvertRun {
            request,
            out: Out::Folder(self.at(out).to_str().unwrap().to_owned()),
            settings: Settings {
                threads: 2,
                memory_limit: Bytes::mib(64),
                memory_threshold: 1.0,
                io: Io::Auto,
                range_size: None,
                sync_every: Bytes::gib(1),
                settle: Duration::ZERO,
                overwrite: Overwrite::Never,
                trust_size: false,
                name: NameTemplate::default(),
            },
        };
        change(&mut run);
        run
    }

    /// What `convert` makes of the command in another folder.
    pub(crate) fn reference(&self, run: &ConvertRun) -> Outputs {
        let out = self.at("reference");
        let run = ConvertRun {
            out: Out::Folder(out.to_str().unwrap().to_owned()),
            ..run.clone()
        };
        let converted = converted(&run);
        assert!(converted.failures.is_empty(), "{:?}", converted.failures);
        outputs(&out)
    }

    pub(crate) fn try_open(&self, run: &ConvertRun, job: &str, reopened: bool) -> Result<Opened, ConvertError> {
        self.open_planned(planned(run)?, run, job, reopened)
    }

    pub(crate) fn open_planned(
        &self,
        planned: PlannedRun,
        run: &ConvertRun,
        job: &str,
        reopened: bool,
    ) -> Result<Opened, ConvertError> {
        let job = AssemblyJob {
            run: run.clone(),
            out: Path::new(run.out.text()),
            folder: job,
            roots: &self.here,
            reopened,
            planning: Duration::ZERO,
            watch: Arc::new(Watch::new()),
        };
        Assembly::open(planned, job)
    }

    pub(crate) fn open(&self, run: &ConvertRun) -> Box<Assembly> {
        match self.try_open(run, "job-1", false) {
            Ok(Opened::Begun(assembly)) => assembly,
            other => panic!("{other:?}"),
        }
    }

    /// The plan as the workers have it: sent, and with their own paths.
    pub(crate) fn sent(&self, assembly: &Assembly) -> Plan {
        let portable = assembly.plan().portable(&self.here).unwrap();
        assert_eq!(portable.id, assembly.portable().id);
        Plan::decode(&portable.encode())
            .unwrap()
            .localised(&self.there)
            .unwrap()
    }
}

/// The plan of a command that has one run.
pub(crate) fn planned(run: &ConvertRun) -> Result<PlannedRun, ConvertError> {
    let mut planned = plan::plan(&run.request, &PlanProgress::default())?;
    assert_eq!(planned.len(), 1, "one run");
    Ok(planned.remove(0))
}

pub(crate) fn converted(run: &ConvertRun) -> Converted {
    convert(run, &Watch::new(), &Stop::new()).unwrap()
}

/// The finished outputs of a folder, without the reports.
pub(crate) fn outputs(out: &Path) -> Outputs {
    let files = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.is_file() && !path.file_name().unwrap().to_string_lossy().starts_with("report."))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect()
}

pub(crate) fn must_equal(found: &Outputs, expected: &Outputs) {
    assert!(!expected.is_empty());
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in expected {
        let at = found[name].iter().zip(bytes).position(|(a, b)| a != b);
        assert_eq!(
            (at, found[name].len()),
            (None, bytes.len()),
            "{name}: the first other byte, the length"
        );
    }
}

/// Everything below a folder, relative to it.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    let mut waiting = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path.clone());
            }
            found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
    found.sort_unstable();
    found
}

pub(crate) const SIZES: BlockSizes = BlockSizes {
    input: Bytes::kib(16),
    output: Bytes::kib(16),
    index: Bytes(72 * 56),
    window: Bytes::kib(16),
};

pub(crate) fn options(pulse: &Pulse) -> RangeOptions<'_> {
    RangeOptions {
        io: Io::Auto,
        trust_size: false,
        settle: Duration::ZERO,
        last_try: true,
        waited_for: &[],
        reading: Reading::MustSucceed,
        pulse,
    }
}

/// What a worker does with a lease.
pub(crate) fn make(plan: &Plan, job: &Path, name: ShardName, options: &RangeOptions<'_>) -> ShardRecord {
    make_as(Form::Values, plan, job, name, options)
}

/// Codes for some rows, however short these are; values where the array holds no volts.
pub(crate) fn codes_of(channel: &ChannelPlan, rows: RowRange) -> Form {
    let mut layouts = (0..channel.files.len())
        .map(|at| channel.files.get(at))
        .filter(|file| file.first_row < rows.end && rows.start < file.first_row + u64::from(file.rows))
        .map(|file| channel.layout(file.layout));
    match channel.element {
        Element::Float32 if layouts.all(|layout| layout.width == Some(SampleWidth::Eight)) => Form::Octets,
        Element::Float32 => Form::Words,
        Element::Int16 | Element::Int8 => Form::Values,
    }
}

pub(crate) fn make_as(form: Form, plan: &Plan, job: &Path, name: ShardName, options: &RangeOptions<'_>) -> ShardRecord {
    let channel = plan
        .channels
        .iter()
        .find(|channel| channel.channel == name.channel)
        .unwrap();
    let writer = ShardWriter::create(job, plan.id, channel, name, form).unwrap();
    let mut converter = RangeConverter::new(plan, &SIZES);
    let done = converter
        .convert(channel, name.rows, writer.target(), options, &Watch::new())
        .unwrap();
    let record = writer.finish(done).unwrap();
    assert_eq!(record.name(), name);
    record
}

/// Rows that are to be made, and who makes them.
pub(crate) struct Work {
    pub(crate) leases: Vec<ShardName>,
}

impl Work {
    /// All open rows, cut at random and in random order.
    pub(crate) fn open(assembly: &Assembly, random: &mut Rng) -> Self {
        let mut leases = Vec::new();
        let mut attempt = 0;
        for channel in assembly.plan().channels.iter() {
            let committed = assembly.committed_rows(channel.channel);
            let ends = committed.into_iter().chain([RowRange::new(channel.rows, channel.rows)]);
            let mut next = 0;
            for done in ends {
                while next < done.start {
                    let end = (next + random.u64(1..=7)).min(done.start);
                    attempt += 1;
                    leases.push(ShardName {
                        channel: channel.channel,
                        rows: RowRange::new(next, end),
                        lease: Lease {
                            epoch: random.u32(..9),
                            attempt,
                        },
                    });
                    next = end;
                }
                next = done.end;
            }
        }
        random.shuffle(&mut leases);
        Self { leases }
    }

    /// Lets workers make `count` of the shards, lands them meanwhile, and commits now and then.
    pub(crate) fn run(&mut self, lab: &Lab, assembly: &Assembly, count: usize, random: &mut Rng) {
        let plan = lab.sent(assembly);
        let rest = self.leases.split_off(count.min(self.leases.len()));
        let queue = Mutex::new(std::mem::replace(&mut self.leases, rest));
        let (landed, inbox) = std::sync::mpsc::channel::<Landed>();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let (queue, plan, landed) = (&queue, &plan, landed.clone());
                scope.spawn(move || {
                    let pulse = Pulse::new();
                    loop {
                        let Some(name) = queue.lock().unwrap().pop() else { break };
                        // Shards of both forms lie side by side.
                        let channel = plan.channels.iter().find(|channel| channel.channel == name.channel);
                        let form = if name.lease.attempt % 2 == 0 {
                            Form::Values
                        } else {
                            codes_of(channel.unwrap(), name.rows)
                        };
                        make_as(form, plan, assembly.job_folder(), name, &options(&pulse));
                        landed.send(assembly.land(&name).unwrap()).unwrap();
                    }
                });
            }
            drop(landed);
            let mut batch = Vec::new();
            for landed in inbox {
                batch.push(landed);
                if random.u8(..4) == 0 {
                    assembly.commit(std::mem::take(&mut batch)).unwrap();
                }
            }
            assembly.commit(batch).unwrap();
        });
    }

    /// Makes all that is left, and publishes.
    pub(crate) fn finish(mut self, lab: &Lab, assembly: &Assembly, random: &mut Rng) -> Outcome {
        self.run(lab, assembly, usize::MAX, random);
        assembly.publish(&["pc1".to_owned(), "pc2".to_owned()]).unwrap()
    }
}
