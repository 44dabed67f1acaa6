//! `demo`: a small run from nothing to arrays that are checked, in a folder that stays for trying things. A coordinator
//! and two workers make them, in this process and over the network's loopback: what a lab's machines do.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use ndarray::Array2;
use trc2npy_common::convert::{Io, Watch};
use trc2npy_common::roots::Roots;
use trc2npy_common::trc::Header;
use trc2npy_common::units::Bytes;
use trc2npy_coordinator::{Coordinator, CoordinatorConfig};
use trc2npy_proto::Submission;
use trc2npy_proto::link::{Address, Destination};
use trc2npy_proto::v1::{self, JobState};
use trc2npy_synth::RunSpec;
use trc2npy_telemetry::{Spans, Tell};
use trc2npy_worker::{Control, Ended, WorkerConfig, WorkerError};

use super::client::Client;
use super::coordinator::STITCH_THREADS;
use super::{jobs, submit};
use crate::failure::{Failure, INTERRUPTED};
use crate::options::{self, DemoOptions, ProgressStyle};
use crate::screen::{self, Display, Talk, count, counted, python_text};

const FILES: u64 = 500;
const SAMPLES: usize = 5_000;
/// The pulses begin behind a fifth of the record.
const BASELINE: usize = 500;
const CHANNELS: [u8; 2] = [1, 2];

/// Makes the run, converts it, checks it, and says how to load it.
pub(crate) fn run(options: &DemoOptions) -> Result<ExitCode, Failure> {
    let (run, out) = (options.dir.join("run"), options.dir.join("npy"));
    let spec = RunSpec {
        channels: CHANNELS.to_vec(),
        overwrite: true,
        ..RunSpec::new(FILES, SAMPLES)
    };
    // Files that are there already stay as they are: a second demo finds its arrays finished.
    if !is_written(&spec, &run) {
        spec.write(&run, &|_| ControlFlow::Continue(()))?;
    }
    screen::tell(&format!(
        "A run of two channels, {} .trc files, {}: {}\n\n\
         A coordinator and two workers in this process convert it, as a lab's machines would together:\n\n{}",
        count(spec.file_count()),
        Bytes(spec.total_bytes()),
        run.display(),
        commands(&options.dir)
    ))?;

    let cluster = Cluster::start(&options.dir)?;
    let client = Client::connect_to(&cluster.destination)?;
    let request = v1::SubmitRequest::from(submission()?);
    let reply = client.jobs(async |mut jobs| jobs.submit(request).await.map(tonic::Response::into_inner))?;
    let display = Display::new(ProgressStyle::Auto);
    let stop = jobs::end_on_ctrl_c(&display);
    let watch = Arc::new(Watch::new());
    let following = display.follow(Arc::clone(&watch), None);
    let submitted = reply.jobs.into_iter().next().unwrap_or_default();
    let job = client.follow(&submitted, &watch, &stop, &|text| display.note(text));
    drop(following);
    let job = job?;
    cluster.end()?;
    let Some(job) = job else {
        screen::remark("interrupted; the same command goes on");
        return Ok(INTERRUPTED.into());
    };
    if job.state() != JobState::Done {
        return Err(Failure::Work {
            code: 1,
            message: job.error,
        });
    }
    let arrays = CHANNELS.map(|number| out.join(format!("C{number}--Trace.npy")));
    screen::tell(&format!("{}\n{}", jobs::summary(&job), screen::loading(&arrays[0])))?;

    for (array, number) in arrays.iter().zip(CHANNELS) {
        check(&spec, &run, number, array)?;
    }
    let rows = counted(spec.file_count(), "row");
    screen::tell(&format!(
        "\nChecked: all {rows}, decoded once more from the .trc files, agree bit for bit with the arrays.\n\n{}",
        plotting(&arrays[0], &arrays[0].with_extension("index.npy"))
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A coordinator and two workers in this process.
struct Cluster {
    destination: Destination,
    coordinator: Coordinator,
    workers: Vec<(Control, JoinHandle<Result<Ended, WorkerError>>)>,
}

impl Cluster {
    /// With the demo's folder as the root `data`.
    fn start(dir: &Path) -> Result<Self, Failure> {
        let roots = || {
            let mapping = format!("data={}", dir.display());
            Roots::parse([mapping]).map_err(|error| Failure::work(1, &error))
        };
        let quiet = Tell::new(|line| {
            if screen::talk() == Talk::Much {
                screen::line(line);
            }
        });
        let coordinator = Coordinator::start(CoordinatorConfig {
            http: None,
            certs: None,
            authority: None,
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            roots: roots()?,
            state: dir.join("state"),
            stitch_threads: STITCH_THREADS,
            spans: Spans::default(),
            tell: quiet.clone(),
        })
        .map_err(|error| Failure::work(1, &error))?;
        let destination = Destination::open(Address::from(coordinator.addresses()[0]));
        let mut workers = Vec::new();
        for name in ["worker-1", "worker-2"] {
            let config = WorkerConfig {
                coordinator: destination.clone(),
                name: name.to_owned(),
                roots: roots()?,
                threads: 1,
                memory_limit: Bytes::mib(256),
                memory_threshold: 1.0,
                io: Io::Auto,
                apart: super::worker::apart()?,
                spans: Spans::default(),
                tell: quiet.clone(),
            };
            let control = Control::new();
            let asked = control.clone();
            let thread = thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || trc2npy_worker::run(&config, &asked))?;
            workers.push((control, thread));
        }
        Ok(Self {
            destination,
            coordinator,
            workers,
        })
    }

    fn end(self) -> Result<(), Failure> {
        for (control, thread) in self.workers {
            control.stop();
            // What it has to say is no news for a demo.
            let _ = thread.join();
        }
        self.coordinator.stopper()();
        self.coordinator.wait().map_err(|error| Failure::work(1, &error))
    }
}

/// What would be typed on three machines.
fn commands(dir: &Path) -> String {
    let root = format!("data={}", dir.display());
    let state = dir.join("state");
    let words: [Vec<OsString>; 3] = [
        ["coordinator", "--root", &root, "--state", &state.to_string_lossy()]
            .map(OsString::from)
            .to_vec(),
        ["worker", "--root", &root].map(OsString::from).to_vec(),
        [
            "submit",
            "data:run",
            "--out",
            "data:npy",
            "--baseline",
            &BASELINE.to_string(),
            "--watch",
        ]
        .map(OsString::from)
        .to_vec(),
    ];
    let mut text = String::new();
    for words in words {
        let words: Vec<OsString> = std::iter::once("trc2npy".into()).chain(words).collect();
        let _ = writeln!(text, "$ {}", screen::command_line(&words));
    }
    text
}

/// `submit data:run --out data:npy --baseline 500`; an earlier demo's arrays are this one's own.
fn submission() -> Result<Submission, Failure> {
    let baseline = BASELINE.to_string();
    let arguments = ["data:run", "--out", "data:npy", "--baseline", &baseline, "--overwrite"].map(OsString::from);
    submit::submission(&options::submit_defaults(&arguments)?)
}

/// Whether every file of the run is there, byte for byte.
fn is_written(spec: &RunSpec, folder: &Path) -> bool {
    spec.channels.iter().all(|&channel| {
        (0..spec.files).all(|position| {
            let path = spec.path(folder, channel, position);
            fs::read(path).is_ok_and(|bytes| bytes == spec.file(channel, position).to_bytes())
        })
    })
}

/// Compares an array with the files, by the formula as the README states it and by none of the converter's kernels.
fn check(spec: &RunSpec, folder: &Path, channel: u8, array: &Path) -> Result<(), Failure> {
    let traces: Array2<f32> = ndarray_npy::read_npy(array).map_err(|error| wrong(array, &error.to_string()))?;
    if traces.dim() != (usize::try_from(spec.files).unwrap_or(usize::MAX), spec.samples) {
        return Err(wrong(array, &format!("its shape is {:?}", traces.dim())));
    }
    for (position, row) in (0..).zip(traces.rows()) {
        let file = spec.path(folder, channel, position);
        let expected = decode(&file).map_err(|why| wrong(&file, &why))?;
        if !row
            .iter()
            .map(|value| value.to_bits())
            .eq(expected.iter().map(|value| value.to_bits()))
        {
            return Err(wrong(
                array,
                &format!("row {position} is not what {} holds", file.display()),
            ));
        }
    }
    Ok(())
}

/// The volts of a file with one segment of little-endian words, its baseline taken off.
fn decode(path: &Path) -> Result<Vec<f32>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let header = Header::parse(&bytes).map_err(|error| error.to_string())?;
    let layout = header
        .layout(Bytes::from(bytes.len()))
        .map_err(|error| error.to_string())?;
    let data = Bytes(layout.data.start).as_usize()..Bytes(layout.data.end).as_usize();
    let codes: Vec<f64> = bytes[data]
        .as_chunks()
        .0
        .iter()
        .map(|&word| f64::from(i16::from_le_bytes(word)))
        .collect();
    // Sums of so few integers are exact in f64.
    let level = codes[..BASELINE].iter().sum::<f64>() / BASELINE as f64;
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what the array holds")]
    let volts = codes
        .iter()
        .map(|code| (f64::from(header.gain()) * (code - level)) as f32)
        .collect();
    Ok(volts)
}

fn wrong(path: &Path, why: &str) -> Failure {
    Failure::Work {
        code: 1,
        message: format!(
            "{}: the demo's check failed: {why} (please report this)",
            path.display()
        ),
    }
}

fn plotting(array: &Path, index: &Path) -> String {
    format!(
        "Plot the first pulses in Python:

  import numpy as np, matplotlib.pyplot as plt
  traces = np.load({}, mmap_mode=\"r\")
  index = np.load({})
  for row in range(10):
      time = index[\"horiz_offset\"][row] + index[\"horiz_interval\"][row] * np.arange(traces.shape[1])
      plt.plot(time * 1e9, traces[row])
  plt.xlabel(\"ns\"); plt.ylabel(\"V\"); plt.show()
",
        python_text(array),
        python_text(index)
    )
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A small run with the arrays that belong to it, made from the writer's own codes.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what the array holds")]
    fn made() -> (TempDir, RunSpec, Array2<f32>) {
        let folder = TempDir::new().unwrap();
        let spec = RunSpec::new(3, 600);
        spec.write(folder.path(), &|_| ControlFlow::Continue(())).unwrap();
        let array = Array2::from_shape_fn((3, 600), |(row, sample)| {
            let file = spec.file(1, row as u64);
            let codes = &file.segments[0].codes;
            let level = codes[..BASELINE].iter().map(|&code| i64::from(code)).sum::<i64>() as f64 / BASELINE as f64;
            (f64::from(file.gain) * (f64::from(codes[sample]) - level)) as f32
        });
        (folder, spec, array)
    }

    #[test]
    fn the_check_passes_right_arrays_and_finds_one_wrong_bit() {
        let (folder, spec, mut array) = made();
        let path = folder.path().join("C1--Trace.npy");
        ndarray_npy::write_npy(&path, &array).unwrap();
        check(&spec, folder.path(), 1, &path).unwrap();

        let value = &mut array[(2, 599)];
        *value = f32::from_bits(value.to_bits() ^ 1);
        ndarray_npy::write_npy(&path, &array).unwrap();
        let failure = check(&spec, folder.path(), 1, &path).unwrap_err().to_string();
        assert!(
            failure.contains("row 2 is not what") && failure.contains("C1--Trace--00002.trc"),
            "{failure}"
        );

        ndarray_npy::write_npy(&path, &array.slice(ndarray::s![..2, ..])).unwrap();
        let failure = check(&spec, folder.path(), 1, &path).unwrap_err().to_string();
        assert!(failure.contains("its shape is (2, 600)"), "{failure}");
    }

    #[test]
    fn a_run_is_written_anew_only_where_a_byte_differs() {
        let (folder, spec, _) = made();
        assert!(is_written(&spec, folder.path()));
        let path = spec.path(folder.path(), 1, 1);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(!is_written(&spec, folder.path()));
        fs::remove_file(&path).unwrap();
        assert!(!is_written(&spec, folder.path()));
    }
}
