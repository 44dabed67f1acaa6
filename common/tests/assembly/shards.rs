//! What a worker does with a lease, and what it leaves.

use std::fs::File;

use ndarray::{Array2, s};
use ndarray_npy::ReadNpyExt;
use trc2npy_common::convert::{ConvertError, Form, Pulse, RangeConverter, RangeDone, RangeOptions, Reading, Watch};
use trc2npy_common::plan::Plan;
use trc2npy_common::shard::{Lease, Part, ShardError, ShardName, ShardWriter};
use trc2npy_common::status::Status;
use trc2npy_common::units::{Bytes, RowRange};
use trc2npy_synth::RunSpec;

use super::Lab;
use super::lab::{SIZES, make, options, tree};

fn name(start: u64, end: u64) -> ShardName {
    ShardName {
        channel: "C1".parse().unwrap(),
        rows: RowRange::new(start, end),
        lease: Lease { epoch: 1, attempt: 7 },
    }
}

#[test]
fn a_shard_is_an_array_whose_rows_lie_as_in_the_whole_one() {
    let lab = Lab::new();
    lab.write(&RunSpec::new(10, 701), "r005");
    let run = lab.command("out", |_| {});
    lab.reference(&run);
    let whole = Array2::<f32>::read_npy(File::open(lab.at("reference/C1--Trace.npy")).unwrap()).unwrap();
    let assembly = lab.open(&run);
    let plan = lab.sent(&assembly);
    for (start, end) in [(0, 3), (3, 4), (4, 10)] {
        let name = name(start, end);
        make(&plan, assembly.job_folder(), name, &options(&Pulse::new()));
        let path = name.path(assembly.job_folder(), Part::Data);
        let found = Array2::<f32>::read_npy(File::open(&path).unwrap()).unwrap();
        let rows = |row: u64| usize::try_from(row).unwrap();
        assert_eq!(found, whole.slice(s![rows(start)..rows(end), ..]));
        for (part, row_bytes) in [(Part::Data, 701 * 4), (Part::Index, 72)] {
            let length = std::fs::metadata(name.path(assembly.job_folder(), part)).unwrap().len();
            let payload = (end - start) * row_bytes;
            let header = length - payload;
            assert!((4096..8192).contains(&header));
            assert_eq!(header % 4096, (4096 + start * row_bytes) % 4096);
        }
    }
    assert_eq!(
        tree(assembly.job_folder()).len(),
        1 + 9,
        "nothing but the folder and three shards"
    );
}

/// What becomes of a range that is not finished.
fn attempt(
    plan: &Plan,
    job: &std::path::Path,
    name: ShardName,
    options: &RangeOptions<'_>,
) -> Result<RangeDone, ConvertError> {
    let channel = &plan.channels[0];
    let writer = ShardWriter::create(job, plan.id, channel, name, Form::Values).unwrap();
    RangeConverter::new(plan, &SIZES).convert(channel, name.rows, writer.target(), options, &Watch::new())
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let lab = Lab::new();
    lab.write(&RunSpec::new(10, 30), "r005");
    let assembly = lab.open(&lab.command("out", |_| {}));
    let plan = lab.sent(&assembly);
    let job = assembly.job_folder();
    let pulse = Pulse::new();

    // Ended by whoever granted it.
    attempt(&plan, job, name(0, 10), &options(&pulse)).unwrap();
    assert!(pulse.bytes() >= Bytes(10 * 30 * 2));
    pulse.revoke();
    let error = attempt(&plan, job, name(0, 10), &options(&pulse)).unwrap_err();
    assert!(matches!(error, ConvertError::Revoked), "{error}");

    // A file that only this machine does not see.
    std::fs::rename(lab.at("r005/C1--Trace--00004.trc"), lab.at("aside")).unwrap();
    let pulse = Pulse::new();
    let error = attempt(&plan, job, name(0, 10), &options(&pulse)).unwrap_err();
    assert!(
        matches!(&error, ConvertError::Input { file, .. } if file == "r005/C1--Trace--00004.trc"),
        "{error}"
    );
    let insisting = RangeOptions {
        reading: Reading::MayFail,
        ..options(&pulse)
    };
    let error = attempt(&plan, job, name(0, 10), &insisting).unwrap_err();
    assert!(matches!(error, ConvertError::Changed { .. }), "{error}");
    assert_eq!(tree(job), ["C1"]);
}

#[test]
fn rows_that_are_given_up_are_marked_without_opening_their_files() {
    let lab = Lab::new();
    let mut spec = RunSpec::new(10, 30);
    spec.channels = vec![1, 2];
    spec.bad = vec!["missing".parse().unwrap()];
    lab.write(&spec, "r005");
    let assembly = lab.open(&lab.command("out", |_| {}));
    let plan = lab.sent(&assembly);
    std::fs::remove_dir_all(lab.at("r005")).unwrap();
    let pulse = Pulse::new();
    let options = RangeOptions {
        reading: Reading::GivenUp,
        ..options(&pulse)
    };
    let mut counts = Vec::new();
    for channel in plan.channels.iter() {
        let name = ShardName {
            channel: channel.channel,
            ..name(0, 10)
        };
        let record = make(&plan, assembly.job_folder(), name, &options);
        counts.extend(record.range.statuses.all());
        assembly.land(&name).unwrap();
    }
    counts.sort_unstable();
    assert_eq!(
        counts,
        [
            (Status::Missing, 1),
            (Status::Quarantined, 9),
            (Status::Quarantined, 10)
        ]
    );
}

#[test]
fn files_that_are_still_being_written_are_told_and_leave_nothing() {
    let lab = Lab::new();
    let mut spec = RunSpec::new(10, 30);
    spec.bad = vec!["truncated".parse().unwrap()];
    lab.write(&spec, "r005");
    let assembly = lab.open(&lab.command("out", |_| {}));
    let plan = lab.sent(&assembly);
    let pulse = Pulse::new();
    let young = RangeOptions {
        settle: std::time::Duration::from_hours(1),
        last_try: false,
        ..options(&pulse)
    };
    let channel = &plan.channels[0];
    let writer = ShardWriter::create(assembly.job_folder(), plan.id, channel, name(0, 10), Form::Values).unwrap();
    let done = RangeConverter::new(&plan, &SIZES)
        .convert(channel, RowRange::new(0, 10), writer.target(), &young, &Watch::new())
        .unwrap();
    let deferred = done.deferred.clone();
    assert_eq!(deferred.len(), 1);
    let error = writer.finish(done).unwrap_err();
    assert!(matches!(error, ShardError::StillWriting(rows) if rows == deferred));
    assert_eq!(tree(assembly.job_folder()), ["C1"]);
}

/// On unix systems alone: Windows keeps the folder as long as a worker has a file of it open.
#[cfg(unix)]
#[test]
fn a_job_whose_folder_is_gone_is_over() {
    let lab = Lab::new();
    lab.write(&RunSpec::new(10, 30), "r005");
    let assembly = lab.open(&lab.command("out", |_| {}));
    let plan = lab.sent(&assembly);
    let channel = &plan.channels[0];
    let job = assembly.job_folder().to_owned();
    let begun = ShardWriter::create(&job, plan.id, channel, name(0, 10), Form::Values).unwrap();
    let pulse = Pulse::new();
    let done = RangeConverter::new(&plan, &SIZES)
        .convert(
            channel,
            RowRange::new(0, 10),
            begun.target(),
            &options(&pulse),
            &Watch::new(),
        )
        .unwrap();
    assembly.abandon(false);
    assert!(!job.exists());
    let error = begun.finish(done).unwrap_err();
    assert!(
        matches!(&error, ShardError::JobOver { folder } if *folder == job),
        "{error}"
    );
    let error = ShardWriter::create(&job, plan.id, channel, name(0, 10), Form::Values).unwrap_err();
    assert!(matches!(error, ShardError::JobOver { .. }), "{error}");
    assert!(!job.exists(), "a worker never makes the folder");
}
