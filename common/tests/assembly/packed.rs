//! Shards of codes: what they hold, by a slow reading of their bytes, and that nothing else gets into the array.

use std::fs::File;

use ndarray::Array2;
use ndarray_npy::ReadNpyExt;
use trc2npy_common::convert::{Assembly, ConvertError, Form, Pulse, RangeConverter, Watch};
use trc2npy_common::fs;
use trc2npy_common::options::Dtype;
use trc2npy_common::shard::{Lease, Part, ShardName, ShardWriter};
use trc2npy_common::stitch::StitchError;
use trc2npy_common::units::RowRange;
use trc2npy_synth::{Bits, RunSpec};

use super::Lab;
use super::lab::{SIZES, codes_of, make_as, must_equal, options, outputs};

const ROWS: u64 = 10;
const SAMPLES: usize = 700;

fn name(start: u64, end: u64, attempt: u64) -> ShardName {
    ShardName {
        channel: "C1".parse().unwrap(),
        rows: RowRange::new(start, end),
        lease: Lease { epoch: 1, attempt },
    }
}

fn made(lab: &Lab, assembly: &Assembly, name: ShardName) -> Form {
    let plan = lab.sent(assembly);
    let form = codes_of(&plan.channels[0], name.rows);
    let record = make_as(form, &plan, assembly.job_folder(), name, &options(&Pulse::new()));
    assert_eq!(record.form, form);
    form
}

/// The values of a row, by one number after the other.
fn values(row: &[u8], form: Form) -> Vec<f32> {
    let level = f64::from_le_bytes(row[..8].try_into().unwrap());
    let gain = f32::from_le_bytes(row[8..12].try_into().unwrap());
    let offset = f32::from_le_bytes(row[12..16].try_into().unwrap());
    let samples = u32::from_le_bytes(row[16..20].try_into().unwrap());
    let value = |code: i16| {
        if level.is_nan() {
            gain * f32::from(code) - offset
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "the rule's rounding")]
            let value = (f64::from(gain) * (f64::from(code) - level)) as f32;
            value
        }
    };
    let codes = &row[24..];
    (0..SAMPLES)
        .map(|at| match form {
            _ if at >= samples as usize => f32::NAN,
            Form::Octets => value(codes[at].cast_signed().into()),
            _ => value(i16::from_le_bytes([codes[2 * at], codes[2 * at + 1]])),
        })
        .collect()
}

#[test]
fn a_shard_of_codes_holds_what_the_values_are_made_of() {
    for (bits, points) in [
        (Bits::Eight, 0),
        (Bits::Eight, 50),
        (Bits::Sixteen, 0),
        (Bits::Sixteen, 50),
    ] {
        let lab = Lab::new();
        let mut spec = RunSpec::new(ROWS, SAMPLES);
        spec.bits = bits;
        spec.bad = vec!["truncated:1".parse().unwrap()];
        lab.write(&spec, "r005");
        let run = lab.command("out", |run| run.request.options.baseline.points = points);
        lab.reference(&run);
        let whole = Array2::<f32>::read_npy(File::open(lab.at("reference/C1--Trace.npy")).unwrap()).unwrap();
        let assembly = lab.open(&run);
        let shard = name(0, ROWS, 1);
        let form = made(&lab, &assembly, shard);
        assert_eq!(form, if bits == Bits::Eight { Form::Octets } else { Form::Words });
        assert_eq!(form, Form::smallest(&assembly.plan().channels[0], RowRange::new(0, 2)));
        let bytes = std::fs::read(shard.path(assembly.job_folder(), Part::Data)).unwrap();
        let row_bytes = if bits == Bits::Eight { 24 + 704 } else { 24 + 1400 };
        assert_eq!(bytes.len(), 4096 + 10 * row_bytes);
        let bits_of = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let mut without = 0;
        for (row, expected) in bytes[4096..].chunks(row_bytes).zip(whole.rows()) {
            let found = values(row, form);
            assert_eq!(bits_of(&found), bits_of(expected.as_slice().unwrap()));
            without += usize::from(found.iter().all(|value| value.is_nan()));
        }
        assert_eq!(without, 1, "the truncated file's row");
    }
}

#[test]
fn one_flipped_bit_in_codes_is_found_and_made_good() {
    let lab = Lab::new();
    let mut spec = RunSpec::new(ROWS, SAMPLES);
    spec.bits = Bits::Eight;
    lab.write(&spec, "r005");
    let run = lab.command("out", |run| run.request.options.baseline.points = 50);
    let expected = lab.reference(&run);
    let assembly = lab.open(&run);
    let whole = name(0, ROWS, 1);
    let path = whole.path(assembly.job_folder(), Part::Data);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..40 {
        made(&lab, &assembly, whole);
        let mut bytes = std::fs::read(&path).unwrap();
        let bits = bytes.len() * 8;
        let bit = match round {
            // The form's name in the header, the level, the number of samples, the padding behind the codes.
            0 => 100,
            1 => 4096 * 8,
            2 => (4096 + 19) * 8 + 7,
            3 => bits - 1,
            _ => random.usize(..bits),
        };
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, bytes).unwrap();
        let error = assembly.land(&whole).unwrap_err();
        assert!(error.is_of_the_shard(), "{error}");
        let told = matches!(error, StitchError::WrongChecksum { .. } | StitchError::Damaged { .. });
        assert!(
            told && error.to_string().contains(path.to_str().unwrap()),
            "bit {bit}: {error}"
        );
    }
    // A shorter one, too.
    made(&lab, &assembly, whole);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 8).unwrap();
    drop(file);
    assert!(matches!(assembly.land(&whole), Err(StitchError::WrongLength { .. })));
    // Whatever came into the array of it is written over.
    let again = name(0, ROWS, 2);
    made(&lab, &assembly, again);
    let landed = assembly.land(&again).unwrap();
    assert_eq!(landed.range().data_len, ROWS * SAMPLES as u64 * 4, "of the values");
    assembly.commit(vec![landed]).unwrap();
    assembly.publish(&[]).unwrap();
    must_equal(&outputs(&lab.at("out")), &expected);
}

/// Rows longer than everything that is read or written at a time.
#[test]
fn long_rows_are_unpacked_piece_by_piece() {
    let lab = Lab::new();
    let mut spec = RunSpec::new(2, 1_300_001);
    spec.bits = Bits::Eight;
    lab.write(&spec, "r005");
    let run = lab.command("out", |run| run.request.options.baseline.points = 1000);
    let expected = lab.reference(&run);
    let assembly = lab.open(&run);
    let whole = name(0, 2, 1);
    made(&lab, &assembly, whole);
    let landed = assembly.land(&whole).unwrap();
    assembly.commit(vec![landed]).unwrap();
    assembly.publish(&[]).unwrap();
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn rows_are_packed_where_their_blocks_cannot_be_shared_and_where_that_spares_much() {
    let lab = Lab::new();
    let form_of = |samples: usize, bits: Bits, folder: &str, dtype: Dtype| {
        let mut spec = RunSpec::new(2, samples);
        spec.bits = bits;
        lab.write(&spec, folder);
        let run = lab.command("out", |run| {
            run.request.inputs = vec![lab.at(folder)];
            run.request.options.dtype = dtype;
        });
        let assembly = lab.open(&run);
        let shares = fs::can_share_blocks(&lab.at("out")).unwrap();
        assert_eq!(assembly.packs(), !shares);
        let form = Form::smallest(&assembly.plan().channels[0], RowRange::new(0, 2));
        drop(assembly);
        std::fs::remove_dir_all(lab.at("out")).unwrap();
        form
    };
    assert_eq!(form_of(300, Bits::Eight, "a", Dtype::Float32), Form::Octets);
    assert_eq!(form_of(300, Bits::Sixteen, "b", Dtype::Float32), Form::Words);
    assert_eq!(form_of(300, Bits::Sixteen, "c", Dtype::Int16), Form::Values);
    assert_eq!(
        form_of(10, Bits::Eight, "d", Dtype::Float32),
        Form::Values,
        "heads of 24 bytes"
    );
}

/// What is not known to have 8 bits gets room for 16.
#[test]
fn the_form_suits_all_files_of_the_rows() {
    let lab = Lab::new();
    let mut spec = RunSpec::new(6, 400);
    // Low bytes that are all zero would be lost without a word.
    spec.adc_bits = 8;
    lab.write(&spec, "r005");
    spec.bits = Bits::Eight;
    spec.bad = vec!["garbage:1".parse().unwrap()];
    lab.write(&spec, "r005-2");
    let assembly = lab.open(&lab.command("out", |_| {}));
    let plan = lab.sent(&assembly);
    let channel = &plan.channels[0];
    assert_eq!(channel.rows, 12);
    let form = |start, end| Form::smallest(channel, RowRange::new(start, end));
    let forms: Vec<Form> = (0..12).map(|row| form(row, row + 1)).collect();
    let octets: Vec<usize> = (0..12).filter(|&row| forms[row] == Form::Octets).collect();
    assert_eq!(
        octets.len(),
        5,
        "of the second folder all but the one without a header: {forms:?}"
    );
    assert!(octets[0] >= 6, "{forms:?}");
    assert_eq!(form(0, 12), Form::Words);
    assert_eq!(form(5, 7), Form::Words);

    let writer = ShardWriter::create(assembly.job_folder(), plan.id, channel, name(0, 3, 1), Form::Octets).unwrap();
    let pulse = Pulse::new();
    let error = RangeConverter::new(&plan, &SIZES)
        .convert(
            channel,
            RowRange::new(0, 3),
            writer.target(),
            &options(&pulse),
            &Watch::new(),
        )
        .unwrap_err();
    assert!(matches!(error, ConvertError::OtherLayout { .. }), "{error}");
}

#[test]
fn codes_are_refused_where_the_array_holds_no_volts() {
    let lab = Lab::new();
    let mut spec = RunSpec::new(4, 300);
    spec.bits = Bits::Eight;
    lab.write(&spec, "r005");
    let assembly = lab.open(&lab.command("out", |run| run.request.options.dtype = Dtype::Int16));
    let whole = name(0, 4, 1);
    let plan = lab.sent(&assembly);
    make_as(
        Form::Octets,
        &plan,
        assembly.job_folder(),
        whole,
        &options(&Pulse::new()),
    );
    let error = assembly.land(&whole).unwrap_err();
    assert!(matches!(error, StitchError::Foreign { .. }), "{error}");
    assert!(error.to_string().ends_with("Values expected, Octets found"), "{error}");
}
