//! `tes-ana`: a run of the detector test stand, from the folders where its analysis looks for everything to the arrays and
//! the JSON of settings that its scripts read.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fmt, io};

use serde_json::json;
use trc2npy_common::channel::Channel;
use trc2npy_common::convert::{NameTemplate, Overwrite};
use trc2npy_common::plan::{Finding, LongBaseline, Probe};
use trc2npy_common::resources::Machine;
use trc2npy_common::teststand::{Measurement, Metadata, MetadataError, Sources, SourcesError, Written};

use super::convert::{self, Job, stop_on_ctrl_c};
use crate::failure::Failure;
use crate::options::{self, ConvertOptions, ProgressStyle, TesAnaOptions};
use crate::screen::{self, Display};

/// Writes the settings first, which takes a moment and can be refused, then the arrays.
pub(crate) fn run(options: &TesAnaOptions, argv: &[OsString]) -> Result<ExitCode, Failure> {
    if options.dtype.is_some() {
        return Err(Failure::Options(
            "--dtype: what reads the arrays of tes-ana takes them for float32; for stored codes use trc2npy convert --dtype"
                .to_owned(),
        ));
    }
    let measurement = Measurement::new(options.base.clone(), &options.period, &options.run)
        .map_err(|error| Failure::Options(error.to_string()))?;
    let sources = Sources::find(&measurement)?;
    // The dry run's own page tells of them.
    if !options.dry_run || options.what.metadata_only {
        for oddity in sources.oddities() {
            warn(&oddity);
        }
    }
    // What can be refused is refused before the first file is written.
    let machine = Machine::detect();
    let asked = convert_options(options, &measurement, &sources)?;
    let mut job = Job::into_folder(&asked, &machine, &measurement.arrays())?;
    if !options.what.waveform_only {
        let told = write_metadata(&measurement, &sources, options)?;
        if options.what.metadata_only {
            told.show(options.json)?;
            return Ok(ExitCode::SUCCESS);
        }
        screen::chat(&told.to_string());
    }
    job.request.long_baseline = LongBaseline::Leave;
    if !options.again.overwrite {
        job.settings.overwrite = Overwrite::Stale;
    }
    if options.dry_run {
        return super::dry_run::run(&job, options.json || options.progress == ProgressStyle::Json);
    }
    let display = Display::new(options.progress);
    if !display.is_json() {
        screen::chat(&job.start(&asked, &machine));
        screen::chat("");
    }
    let awake = asked.comfort.stay_awake("converts .trc files");
    let mut converted = job.convert(&display, None, &stop_on_ctrl_c(&display))?;
    drop(awake);
    if !display.is_json() {
        // Told above, before hours of work.
        let told = |finding: &Finding| matches!(finding, Finding::MissingFolders { .. } | Finding::EmptyFolder { .. });
        for outcome in &mut converted.outcomes {
            outcome.findings.all.retain(|finding| !told(finding));
        }
    }
    convert::tell(&converted, &job.settings, &display, argv).map(ExitCode::from)
}

/// What is asked of the converter, in its own options.
fn convert_options(
    options: &TesAnaOptions,
    measurement: &Measurement,
    sources: &Sources,
) -> Result<ConvertOptions, Failure> {
    let mut asked = options::convert_defaults()?;
    let inputs = sources.inputs()?;
    asked.input.inputs = inputs.paths;
    asked.input.reading.stem = inputs.stem;
    // All are one run, also where it begins with a later folder.
    asked.input.join = true;
    asked.input.reading.channels = channels(options, sources)?;
    asked.input.reading.events = options.events;
    asked.input.reading.probe = Probe::All;
    asked.input.reading.trust_size = options.again.trust_size;
    asked.output.out = Some(measurement.arrays());
    asked.output.name = NameTemplate::folder_each();
    asked.output.overwrite = options.again.overwrite;
    asked.values.baseline = baseline(options.dpbl);
    asked.bad.on_bad_file = options.on_bad_file;
    asked.bad.ragged = options.ragged;
    asked.bad.mixed = options.mixed;
    asked.bad.settle = options.settle;
    asked.resources = options.resources.clone();
    Ok(asked)
}

/// The wanted channels: of what lies in the folders those of the instrument's inputs, no math or memory traces.
fn channels(options: &TesAnaOptions, sources: &Sources) -> Result<Vec<Channel>, Failure> {
    let there = sources.channels();
    let Some(unknown) = options.channels.iter().find(|channel| !there.contains(channel)) else {
        let all = options.channels.is_empty();
        return Ok(if all { there } else { options.channels.clone() });
    };
    let names: Vec<String> = there.iter().map(ToString::to_string).collect();
    Err(Failure::Options(format!(
        "--channels {unknown}: no files of this channel; there are files of {}",
        names.join(", ")
    )))
}

/// How many samples the baseline has; 0 where it has none.
fn baseline(dpbl: i64) -> u32 {
    if dpbl <= 0 {
        warn(&format!("--dpbl {dpbl}: no baseline is taken off"));
        return 0;
    }
    u32::try_from(dpbl).unwrap_or_else(|_| {
        warn(&format!(
            "--dpbl {dpbl}: no row has as many samples; no baseline is taken off"
        ));
        0
    })
}

/// Says what was done, or would be.
fn write_metadata(measurement: &Measurement, sources: &Sources, options: &TesAnaOptions) -> Result<Told, Failure> {
    let metadata = Metadata::read(sources)?;
    for left_out in &metadata.left_out {
        warn(&format!("metadata: {left_out}"));
    }
    let path = measurement.metadata();
    let done = if options.dry_run {
        metadata.changed(&path)?.map_or("as they were", |_| "to be written")
    } else {
        match metadata.write(&path)? {
            Written::Anew => "written",
            Written::AsItWas => "as they were",
        }
    };
    let channels: Vec<String> = metadata.channels().map(|channel| channel.to_string()).collect();
    Ok(Told { channels, done, path })
}

/// What became of the metadata.
struct Told {
    channels: Vec<String>,
    done: &'static str,
    path: PathBuf,
}

impl Told {
    fn show(&self, as_json: bool) -> io::Result<()> {
        if as_json {
            let Self { channels, done, path } = self;
            return screen::show_json(&json!({"metadata": path, "channels": channels, "done": done}));
        }
        screen::show(&self.to_string())
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channels, done, path } = self;
        write!(f, "metadata of {} {done}: {}", channels.join(", "), path.display())
    }
}

fn warn(what: &str) {
    screen::remark(&format!("warning: {what}"));
}

impl From<SourcesError> for Failure {
    fn from(error: SourcesError) -> Self {
        Self::work(if error.is_usage() { 2 } else { 1 }, &error)
    }
}

impl From<MetadataError> for Failure {
    fn from(error: MetadataError) -> Self {
        Self::work(1, &error)
    }
}
