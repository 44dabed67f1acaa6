//! Folders of `.trc` files as the planner sees them: channels, numbers, settings, and whatever is odd.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::gaps::{Numbers, numbers};
use crate::channel::Channel;
use crate::options::{ByteOptions, Mixed, Ragged};
use crate::plan::{self, ChannelPlan, Findings, Plan, PlanError, PlanProgress, PlanRequest, PlannedRun};
use crate::trc::{Field, HEAD_BYTES, Header, SampleWidth, Shape, Value};
use crate::units::Bytes;

/// All runs of some folders.
#[derive(Clone, Debug, Serialize)]
pub struct StemReport {
    /// The text between channel and index, where the folders hold several measurements.
    pub stem: Option<String>,
    /// The runs.
    pub runs: Vec<RunReport>,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Its name.
    pub run: String,
    /// Its folders.
    pub folders: Vec<PathBuf>,
    /// Files of all channels.
    pub files: u64,
    /// Their bytes.
    pub bytes: Bytes,
    /// Headers that were opened; the others are taken to be like them.
    pub opened: u64,
    /// Its channels.
    pub channels: Vec<ChannelReport>,
    /// The numbers of each channel's files in each folder.
    pub numbers: Vec<Numbers>,
    /// What is left out, missing, changing or broken.
    pub findings: Findings,
}

/// A channel of a run.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelReport {
    /// Which.
    pub channel: Channel,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: Bytes,
    /// Rows that convert makes, those of missing events included.
    pub rows: u64,
    /// Samples of each.
    pub samples: u32,
    /// Segments of a file like its first good one.
    pub segments: u32,
    /// Bits of a stored sample.
    pub bits: u8,
    /// INSTRUMENT_NAME.
    pub instrument: String,
    /// INSTRUMENT_NUMBER.
    pub instrument_number: i32,
    /// TEMPLATE_NAME.
    pub template: String,
    /// FIXED_VERT_GAIN.
    pub range: Option<Value>,
    /// VERT_COUPLING.
    pub coupling: Option<Value>,
    /// BANDWIDTH_LIMIT.
    pub bandwidth_limit: Option<Value>,
    /// HORIZ_INTERVAL.
    pub interval: f32,
    /// HORUNIT.
    pub interval_unit: String,
    /// VERTUNIT.
    pub unit: String,
    /// Trigger times of its first and last file.
    pub recorded: Recorded,
}

/// Trigger times in ns since 1970 of the instrument's local time; none where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// The first.
    pub first_ns: Option<i64>,
    /// The last.
    pub last_ns: Option<i64>,
}

/// Looks at what a request names, as convert would. Where a folder holds several measurements each is looked at by itself;
/// rows of several lengths and settings that change are findings here.
pub fn runs(request: &PlanRequest) -> Result<Vec<StemReport>, PlanError> {
    let each = stem_by_stem(request, look)?;
    Ok(each.into_iter().map(|(stem, runs)| StemReport { stem, runs }).collect())
}

/// Shows `see` every file of every run that a request names, channel by channel, in the order of the rows; ends early
/// where it fails.
pub fn each_file<E: From<PlanError>>(
    request: &PlanRequest,
    mut see: impl FnMut(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let all = stem_by_stem(request, |request| plan::plan(request, &PlanProgress::default()))?;
    let mut path = PathBuf::new();
    for planned in all.into_iter().flat_map(|(_, planned)| planned) {
        for channel in planned.plan.channels.iter() {
            for position in 0..channel.files.len() {
                planned.plan.file_path(channel, position, &mut path);
                see(&path)?;
            }
        }
    }
    Ok(())
}

/// Does something for a request that lets pass whatever can be looked at; once for each stem where there are several.
fn stem_by_stem<T>(
    request: &PlanRequest,
    work: impl Fn(&PlanRequest) -> Result<T, PlanError>,
) -> Result<Vec<(Option<String>, T)>, PlanError> {
    let request = PlanRequest {
        options: ByteOptions {
            ragged: Ragged::Bad,
            mixed: Mixed::Warn,
            ..request.options.clone()
        },
        ..request.clone()
    };
    let stems = match work(&request) {
        Err(PlanError::Stems { stems, .. }) => stems,
        done => return Ok(vec![(None, done?)]),
    };
    let each = stems.into_iter().map(|(stem, _)| {
        let of_stem = PlanRequest {
            stem: Some(stem.clone()),
            ..request.clone()
        };
        Ok((Some(stem), work(&of_stem)?))
    });
    each.collect()
}

fn look(request: &PlanRequest) -> Result<Vec<RunReport>, PlanError> {
    let progress = PlanProgress::default();
    let planned = plan::plan(request, &progress)?;
    let opened = progress.headers.load(std::sync::atomic::Ordering::Relaxed);
    Ok(planned.into_iter().map(|planned| report(planned, opened)).collect())
}

fn report(planned: PlannedRun, opened: u64) -> RunReport {
    let PlannedRun { plan, findings } = planned;
    RunReport {
        run: plan.run.clone(),
        folders: plan.folders.iter().map(|folder| folder.path.clone()).collect(),
        files: plan.files(),
        bytes: plan.input_bytes(),
        opened,
        channels: plan.channels.iter().map(|channel| describe(&plan, channel)).collect(),
        numbers: plan
            .channels
            .iter()
            .flat_map(|channel| numbers(&plan, channel))
            .collect(),
        findings,
    }
}

fn describe(plan: &Plan, channel: &ChannelPlan) -> ChannelReport {
    let reference = Header::parse(&channel.reference.head).expect("the planner parsed the reference header");
    let header = |at: usize| header_of(plan, channel, at);
    let last = channel.files.len() - 1;
    let shape = reference.shape().unwrap_or_else(|_| {
        let folder = plan.patterns[channel.reference.pattern.0 as usize].folder;
        let at = channel.files.find(&plan.patterns, folder, channel.reference.index);
        let planned = at.map(|at| channel.layout(channel.files.get(at).layout));
        Shape {
            segments: planned.map_or(1, |layout| layout.segments),
            samples: planned.map_or(channel.samples, |layout| layout.samples),
        }
    });
    ChannelReport {
        channel: channel.channel,
        files: channel.files.len() as u64,
        bytes: channel.files.total_size(),
        rows: channel.rows,
        samples: channel.samples,
        segments: shape.segments,
        bits: match reference.width() {
            SampleWidth::Eight => 8,
            SampleWidth::Sixteen => 16,
        },
        instrument: reference.instrument(),
        instrument_number: reference.instrument_number(),
        template: reference.template(),
        range: reference.value(Field::FixedVertGain),
        coupling: reference.value(Field::VertCoupling),
        bandwidth_limit: reference.value(Field::BandwidthLimit),
        interval: reference.horiz_interval(),
        interval_unit: reference.hor_unit(),
        unit: reference.vert_unit(),
        recorded: Recorded {
            first_ns: header(0).unwrap_or_else(|| reference.clone()).trigger_time(),
            last_ns: header(last).and_then(|header| header.trigger_time()),
        },
    }
}

/// The header of a channel's `at`-th file, where it can be read.
fn header_of(plan: &Plan, channel: &ChannelPlan, at: usize) -> Option<Header> {
    let mut path = PathBuf::new();
    plan.file_path(channel, at, &mut path);
    let file = std::fs::File::open(path).ok()?;
    let mut head = [0; HEAD_BYTES];
    let found = crate::fs::read_at(&file, &mut head, 0).ok()?;
    Header::parse(&head[..found]).ok()
}
