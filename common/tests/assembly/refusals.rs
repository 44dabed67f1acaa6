//! What must not get into an array.

use std::path::Path;

use trc2npy_common::convert::{Assembly, ConvertError, Opened, Pulse};
use trc2npy_common::roots::RootError;
use trc2npy_common::shard::{Lease, Part, ShardName, discard};
use trc2npy_common::stitch::StitchError;
use trc2npy_common::units::RowRange;
use trc2npy_synth::RunSpec;

use super::Lab;
use super::lab::{make, must_equal, options, outputs};

fn name(start: u64, end: u64, attempt: u64) -> ShardName {
    ShardName {
        channel: "C1".parse().unwrap(),
        rows: RowRange::new(start, end),
        lease: Lease { epoch: 1, attempt },
    }
}

fn made(lab: &Lab, assembly: &Assembly, name: ShardName) {
    make(
        &lab.sent(assembly),
        assembly.job_folder(),
        name,
        &options(&Pulse::new()),
    );
}

fn flip(path: &Path, bit: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let bit = bit % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn one_flipped_bit_anywhere_in_a_shard_is_found() {
    let lab = Lab::new();
    lab.write(&RunSpec::new(10, 700), "r005");
    let run = lab.command("out", |_| {});
    let expected = lab.reference(&run);
    let assembly = lab.open(&run);
    let whole = name(3, 10, 1);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for part in Part::ALL {
        for round in 0..20 {
            made(&lab, &assembly, whole);
            let path = whole.path(assembly.job_folder(), part);
            // The header, the first and the last bytes for sure.
            let bits = std::fs::metadata(&path).unwrap().len() * 8;
            let bit = match round {
                0 => 0,
                1 => bits - 1,
                2 => 4096 * 8 % bits,
                _ => random.u64(..bits),
            };
            flip(&path, usize::try_from(bit).unwrap());
            let error = assembly.land(&whole).unwrap_err();
            assert!(error.is_of_the_shard(), "{error}");
            let told = matches!(error, StitchError::WrongChecksum { .. } | StitchError::Damaged { .. });
            assert!(
                told && error.to_string().contains(path.to_str().unwrap()),
                "bit {bit} of {part:?}: {error}"
            );
        }
    }
    // Made again, by someone else, it does.
    let again = name(3, 10, 2);
    made(&lab, &assembly, again);
    made(&lab, &assembly, name(0, 3, 3));
    let landed = [again, name(0, 3, 3)].map(|name| assembly.land(&name).unwrap());
    assembly.commit(landed.into()).unwrap();
    assembly.publish(&[]).unwrap();
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn a_shard_that_is_short_missing_or_of_something_else_is_told_apart() {
    let lab = Lab::new();
    lab.write(&RunSpec::new(10, 700), "r005");
    let assembly = lab.open(&lab.command("out", |_| {}));
    let job = assembly.job_folder();
    let whole = name(2, 6, 1);

    assert!(matches!(assembly.land(&whole), Err(StitchError::Missing { .. })));
    made(&lab, &assembly, whole);
    assembly.land(&whole).unwrap();

    let data = std::fs::OpenOptions::new()
        .write(true)
        .open(whole.path(job, Part::Data))
        .unwrap();
    let length = data.metadata().unwrap().len();
    data.set_len(length - 1).unwrap();
    assert!(matches!(
        assembly.land(&whole),
        Err(StitchError::WrongLength { expected, found, .. }) if (expected, found) == (length, length - 1)
    ));
    data.set_len(length + 1).unwrap();
    assert!(matches!(assembly.land(&whole), Err(StitchError::WrongLength { .. })));

    // Windows replaces no file that is open, on all of its file systems.
    drop(data);

    // Files under the name of other rows, or of another lease.
    made(&lab, &assembly, whole);
    for other in [name(2, 5, 1), name(3, 7, 1), name(2, 6, 2)] {
        for part in Part::ALL {
            std::fs::copy(whole.path(job, part), other.path(job, part)).unwrap();
        }
        let error = assembly.land(&other).unwrap_err();
        assert!(
            matches!(
                error,
                StitchError::Foreign {
                    what: "another shard",
                    ..
                }
            ),
            "{error}"
        );
    }
    for impossible in [
        name(5, 11, 1),
        name(4, 4, 1),
        ShardName {
            channel: "C2".parse().unwrap(),
            ..whole
        },
    ] {
        assert!(
            matches!(assembly.land(&impossible), Err(StitchError::Unplanned { .. })),
            "{impossible}"
        );
    }

    // A plan of the same rows with another baseline.
    let other = lab.open(&lab.command("other", |run| run.request.options.baseline.points = 10));
    make(&lab.sent(&other), job, whole, &options(&Pulse::new()));
    let error = assembly.land(&whole).unwrap_err();
    assert!(
        matches!(
            error,
            StitchError::Foreign {
                what: "made by another plan",
                ..
            }
        ),
        "{error}"
    );
    discard(job, &whole).unwrap();
    assert!(matches!(assembly.land(&whole), Err(StitchError::Missing { .. })));
}

#[test]
fn rows_count_once_and_all_of_them_must_be_there() {
    let lab = Lab::new();
    lab.write(&RunSpec::new(10, 30), "r005");
    let run = lab.command("out", |_| {});
    let expected = lab.reference(&run);
    let assembly = lab.open(&run);
    let c1 = "C1".parse().unwrap();
    let land = |names: &[ShardName]| {
        let landed = names.iter().map(|&name| {
            made(&lab, &assembly, name);
            assembly.land(&name).unwrap()
        });
        assembly.commit(landed.collect()).unwrap();
        assembly.committed_rows(c1)
    };
    let first = RowRange::new(0, 4);
    assert_eq!(land(&[name(0, 4, 1)]), [first]);
    // Once more, partly, and twice at a time.
    assert_eq!(land(&[name(0, 4, 2)]), [first]);
    assert_eq!(land(&[name(3, 6, 3)]), [first]);
    let error = assembly.publish(&[]).unwrap_err();
    assert!(matches!(error, ConvertError::Incomplete { missing: 6, .. }), "{error}");
    let second = RowRange::new(4, 6);
    assert_eq!(land(&[name(4, 6, 4), name(4, 6, 5)]), [first, second]);
    assert_eq!(land(&[name(6, 10, 6)]), [first, second, RowRange::new(6, 10)]);
    assembly.publish(&[]).unwrap();
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn what_convert_refuses_is_refused_and_so_are_inputs_below_no_root() {
    let lab = Lab::new();
    lab.write(&RunSpec::new(5, 30), "r005");
    let run = lab.command("out", |_| {});
    let assembly = lab.open(&run);
    // One at a time.
    assert!(matches!(lab.try_open(&run, "job-2", false), Err(ConvertError::Lock(_))));
    drop(assembly);
    // Outputs of something else.
    std::fs::create_dir(lab.at("taken")).unwrap();
    std::fs::write(lab.at("taken/C1--Trace.npy"), b"x").unwrap();
    let taken = lab.command("taken", |_| {});
    assert!(matches!(
        lab.try_open(&taken, "job-1", false),
        Err(ConvertError::Exists { .. })
    ));

    let outside = Lab::new();
    outside.write(&RunSpec::new(5, 30), "r005");
    let run = outside.command("out", |_| {});
    let error = lab.try_open(&run, "job-1", false).unwrap_err();
    assert!(
        matches!(error, ConvertError::Root(RootError::NotBelow { .. })),
        "{error}"
    );
    assert!(!outside.at("out").exists(), "nothing was written");
    assert!(matches!(outside.try_open(&run, "job-1", false), Ok(Opened::Begun(_))));
}
