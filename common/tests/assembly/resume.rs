//! Interruptions: what is committed is never made again, whoever goes on.

use trc2npy_common::convert::{ConvertRun, Opened, Overwrite, State, Stop, Watch, convert};
use trc2npy_common::units::RowRange;
use trc2npy_synth::RunSpec;

use super::lab::{converted, must_equal, outputs, planned, tree};
use super::{Lab, Work};

fn committed(assembly: &trc2npy_common::convert::Assembly) -> Vec<RowRange> {
    let channels = &assembly.plan().channels;
    channels
        .iter()
        .flat_map(|channel| assembly.committed_rows(channel.channel))
        .collect()
}

fn rows(ranges: &[RowRange]) -> u64 {
    ranges.iter().map(|range| range.len()).sum()
}

fn two_channels(lab: &Lab) -> ConvertRun {
    let mut spec = RunSpec::new(40, 60);
    spec.channels = vec![1, 2];
    spec.bad = vec!["truncated:4".parse().unwrap()];
    lab.write(&spec, "r005");
    lab.command("out", |_| {})
}

#[test]
fn an_assembly_that_ended_anywhere_is_gone_on_with() {
    let lab = Lab::new();
    let run = two_channels(&lab);
    let expected = lab.reference(&run);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut before = Vec::new();
    for _ in 0..4 {
        let assembly = lab.open(&run);
        assert_eq!(committed(&assembly), before);
        let mut work = Work::open(&assembly, &mut random);
        let count = random.usize(..work.leases.len() / 2);
        work.run(&lab, &assembly, count, &mut random);
        before = committed(&assembly);
    }
    let assembly = lab.open(&run);
    Work::open(&assembly, &mut random).finish(&lab, &assembly, &mut random);
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn convert_goes_on_with_what_workers_have_done() {
    let lab = Lab::new();
    let run = two_channels(&lab);
    let expected = lab.reference(&run);
    let mut random = fastrand::Rng::with_seed(7);
    let assembly = lab.open(&run);
    let mut work = Work::open(&assembly, &mut random);
    work.run(&lab, &assembly, 5, &mut random);
    let done = rows(&committed(&assembly));
    assert!(done > 0);
    // Its process ends: the shards stay behind.
    drop(assembly);
    assert!(tree(&lab.at("out")).iter().any(|path| path.contains("/job-1/C")));
    let watch = Watch::new();
    convert(&run, &watch, &Stop::new()).unwrap();
    assert_eq!(watch.read().rows_before, done);
    must_equal(&outputs(&lab.at("out")), &expected);
    assert!(!tree(&lab.at("out")).iter().any(|path| path.contains("job-1")));
}

#[test]
fn workers_go_on_with_what_convert_has_done() {
    let lab = Lab::new();
    let mut spec = RunSpec::new(300, 400);
    spec.channels = vec![1, 2];
    lab.write(&spec, "r005");
    let run = lab.command("out", |run| {
        run.settings.threads = 1;
        run.settings.range_size = Some(trc2npy_common::units::Bytes(1));
    });
    let expected = lab.reference(&run);
    let (watch, stop) = (Watch::new(), Stop::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while watch.read().rows < 5 {
                std::thread::yield_now();
            }
            stop.request();
        });
        convert(&run, &watch, &stop).unwrap();
    });
    let mut random = fastrand::Rng::with_seed(8);
    match lab.try_open(&run, "job-1", false).unwrap() {
        Opened::Begun(assembly) => {
            let done = rows(&committed(&assembly));
            println!("convert had done {done} rows");
            assert!(done >= 5);
            Work::open(&assembly, &mut random).finish(&lab, &assembly, &mut random);
        }
        Opened::AlreadyDone(_) => println!("convert was faster than its end: nothing was left to go on with"),
    }
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn a_run_with_all_its_rows_is_only_published() {
    let lab = Lab::new();
    let run = two_channels(&lab);
    let expected = lab.reference(&run);
    let mut random = fastrand::Rng::with_seed(9);
    let assembly = lab.open(&run);
    let mut work = Work::open(&assembly, &mut random);
    work.run(&lab, &assembly, usize::MAX, &mut random);
    drop(assembly);
    let assembly = lab.open(&run);
    assert!(Work::open(&assembly, &mut random).leases.is_empty());
    // In the middle of publishing something is in the way.
    std::fs::create_dir(lab.at("out/C2--Trace.npy")).unwrap();
    assembly.publish(&[]).unwrap_err();
    assert!(lab.at("out/C1--Trace.json").exists());
    drop(assembly);
    std::fs::remove_dir(lab.at("out/C2--Trace.npy")).unwrap();
    let assembly = lab.open(&run);
    assert!(Work::open(&assembly, &mut random).leases.is_empty());
    assembly.publish(&[]).unwrap();
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn a_job_that_is_opened_again_does_not_begin_anew() {
    let lab = Lab::new();
    let mut run = two_channels(&lab);
    run.settings.overwrite = Overwrite::Always;
    let mut random = fastrand::Rng::with_seed(10);
    let assembly = lab.open(&run);
    Work::open(&assembly, &mut random).finish(&lab, &assembly, &mut random);
    drop(assembly);
    let again = lab.try_open(&run, "job-1", true).unwrap();
    assert!(matches!(again, Opened::AlreadyDone(outcome) if outcome.state == State::AlreadyDone));
    // As a job of its own it does.
    let assembly = lab.open(&run);
    assert_eq!(committed(&assembly), []);
}

/// Listing millions of files takes minutes, and storage that is just coming up may not have them yet.
#[test]
fn a_job_that_is_opened_again_does_not_look_for_its_inputs() {
    let lab = Lab::new();
    let run = two_channels(&lab);
    let expected = lab.reference(&run);
    let mut random = fastrand::Rng::with_seed(14);
    let plan = planned(&run).unwrap();
    let open = |reopened| match lab.open_planned(plan.clone(), &run, "job-1", reopened) {
        Ok(Opened::Begun(assembly)) => assembly,
        other => panic!("{other:?}"),
    };
    let assembly = open(false);
    Work::open(&assembly, &mut random).run(&lab, &assembly, 5, &mut random);
    let done = committed(&assembly);
    assert!(!done.is_empty());
    drop(assembly);
    std::fs::rename(lab.at("r005"), lab.at("away")).unwrap();
    let assembly = open(true);
    assert_eq!(committed(&assembly), done);
    std::fs::rename(lab.at("away"), lab.at("r005")).unwrap();
    Work::open(&assembly, &mut random).finish(&lab, &assembly, &mut random);
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn a_job_that_took_over_the_work_of_a_command_in_other_words_is_opened_again() {
    let lab = Lab::new();
    let run = two_channels(&lab);
    let expected = lab.reference(&run);
    let mut random = fastrand::Rng::with_seed(15);
    let assembly = lab.open(&run);
    Work::open(&assembly, &mut random).run(&lab, &assembly, 5, &mut random);
    let done = committed(&assembly);
    assert_eq!(assembly.abandon(false), None);
    drop(assembly);
    let mut same = run.clone();
    same.request.inputs = vec![lab.at("r005")];
    for reopened in [false, true] {
        let Ok(Opened::Begun(assembly)) = lab.try_open(&same, "job-2", reopened) else {
            panic!("{:?}", lab.try_open(&same, "job-2", reopened));
        };
        assert_eq!(committed(&assembly), done);
        if reopened {
            Work::open(&assembly, &mut random).finish(&lab, &assembly, &mut random);
        }
    }
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn a_cancelled_job_leaves_no_shard_and_nobody_waiting() {
    let lab = Lab::new();
    let run = two_channels(&lab);
    let expected = lab.reference(&run);
    let mut random = fastrand::Rng::with_seed(11);
    let assembly = lab.open(&run);
    let mut work = Work::open(&assembly, &mut random);
    work.run(&lab, &assembly, 5, &mut random);
    let done = rows(&committed(&assembly));
    let folder = assembly.job_folder().to_owned();
    let name = work.leases[0];
    let landing = assembly.land(&name);
    assert!(landing.is_err(), "nobody has made it");
    assert_eq!(assembly.abandon(false), None);
    assert!(!folder.exists());
    let error = assembly.land(&name).unwrap_err();
    assert!(matches!(error, trc2npy_common::stitch::StitchError::Over), "{error}");
    // The output folder is free though the assembly is still there, and what was committed counts.
    let watch = Watch::new();
    convert(&run, &watch, &Stop::new()).unwrap();
    assert_eq!(watch.read().rows_before, done);
    must_equal(&outputs(&lab.at("out")), &expected);
}

#[test]
fn a_hopeless_job_makes_way_for_another_command() {
    let lab = Lab::new();
    let run = two_channels(&lab);
    let other = lab.command("out", |run| run.request.options.baseline.points = 10);
    for hopeless in [false, true] {
        let assembly = lab.open(&run);
        let mut random = fastrand::Rng::with_seed(12);
        Work::open(&assembly, &mut random).run(&lab, &assembly, 3, &mut random);
        assembly.abandon(hopeless);
        // Not every file system of Windows gives up the name of what is open.
        drop(assembly);
        assert_eq!(lab.try_open(&other, "job-2", false).is_ok(), hopeless);
    }
    assert_eq!(converted(&other).outcomes[0].state, State::Finished);
}
