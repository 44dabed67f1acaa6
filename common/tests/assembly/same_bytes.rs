//! Whatever the run and the options: the outputs are those of `convert`.

use trc2npy_common::convert::{ConvertRun, Outcome, State};
use trc2npy_common::options::{Dtype, Ragged};
use trc2npy_synth::{Bits, ByteOrder, RunSpec};

use super::lab::{converted, must_equal, outputs, tree};
use super::{Lab, Work};

/// Two folders of two channels: sequences, both widths and orders, whole, broken and missing files.
fn mixed(lab: &Lab) {
    let mut spec = RunSpec::new(14, 301);
    spec.channels = vec![1, 2];
    spec.segments = 3;
    spec.bad = ["truncated:3", "garbage:2", "missing:2"]
        .map(|bad| bad.parse().unwrap())
        .to_vec();
    lab.write(&spec, "r005");
    spec.seed = 2;
    spec.bits = Bits::Eight;
    spec.order = ByteOrder::Big;
    lab.write(&spec, "r005-2");
}

fn assembled(lab: &Lab, run: &ConvertRun, seed: u64) -> Outcome {
    let mut random = fastrand::Rng::with_seed(seed);
    let assembly = lab.open(run);
    let work = Work::open(&assembly, &mut random);
    work.finish(lab, &assembly, &mut random)
}

#[test]
fn shards_of_any_cut_in_any_order_give_the_bytes_of_convert() {
    let lab = Lab::new();
    mixed(&lab);
    let run = lab.command("out", |run| run.request.options.baseline.points = 100);
    let expected = lab.reference(&run);
    assert_eq!(expected.len(), 8);
    for _ in 0..4 {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let outcome = assembled(&lab, &run, seed);
        assert_eq!(outcome.state, State::Finished);
        assert!(outcome.channels.iter().all(|channel| !channel.bad.is_empty()));
        must_equal(&outputs(&lab.at("out")), &expected);
        // The same command has nothing to do any more, here nor there.
        let again = converted(&run);
        assert_eq!(again.outcomes[0].state, State::AlreadyDone);
        std::fs::remove_dir_all(lab.at("out")).unwrap();
    }
}

#[test]
fn codes_padded_rows_and_chosen_samples_too() {
    let lab = Lab::new();
    let mut spec = RunSpec::new(9, 120);
    spec.adc_bits = 8;
    lab.write(&spec, "r005");
    spec.samples = 250;
    lab.write(&spec, "r005-2");
    let expected_of = |run: &ConvertRun| {
        let expected = lab.reference(run);
        std::fs::remove_dir_all(lab.at("reference")).unwrap();
        expected
    };
    let runs = [
        lab.command("pad", |run| run.request.options.ragged = Ragged::Pad),
        lab.command("bad", |run| run.request.options.ragged = Ragged::Bad),
        lab.command("int8", |run| {
            run.request.options.ragged = Ragged::Truncate;
            run.request.options.dtype = Dtype::Int8;
        }),
        lab.command("native", |run| {
            run.request.options.ragged = Ragged::Pad;
            run.request.options.dtype = Dtype::Native;
            run.request.options.selection.rows.start = 3;
        }),
    ];
    for run in runs {
        let expected = expected_of(&run);
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        assembled(&lab, &run, seed);
        must_equal(&outputs(run.out.text().as_ref()), &expected);
    }
}

#[test]
fn nothing_else_is_left_and_the_report_names_the_workers() {
    let lab = Lab::new();
    lab.write(&RunSpec::new(20, 50), "r005");
    let run = lab.command("out", |_| {});
    assembled(&lab, &run, 1);
    let left = tree(&lab.at("out"));
    let folders = left.iter().filter(|path| lab.at("out").join(path).is_dir());
    assert_eq!(folders.count(), 2, "the state and its one folder: {left:?}");
    assert!(
        !left.iter().any(|path| path.ends_with("part") || path.contains(".e")),
        "{left:?}"
    );
    let report = std::fs::read(lab.at("out/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["workers"], serde_json::json!(["pc1", "pc2"]));
    assert_eq!(report["speed"]["rows"], 20);
}
