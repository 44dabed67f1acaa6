//! What one machine tells of what it converts by itself.

use std::collections::BTreeMap;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, must_equal, outputs, scratch, write_run};

use super::receiver::{Receiver, Told};

fn one<'t>(spans: &'t [Told], name: &str) -> &'t Told {
    let mut all = spans.iter().filter(|span| span.name() == name);
    let first = all.next().unwrap_or_else(|| panic!("no {name} among {spans:#?}"));
    assert!(all.next().is_none(), "several {name}");
    first
}

#[test]
fn a_conversion_is_one_trace_whose_ranges_are_all_rows() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    let spec = RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(60, 2000)
    };
    write_run(&spec, &at("run"));
    let receiver = Receiver::start();
    Convert::new([at("run")], at("alone")).run().must_succeed();
    Convert::new([at("run")], at("told"))
        .args(["--range-size", "80kB", "--otlp-endpoint", &receiver.endpoint()])
        .run()
        .must_succeed();
    must_equal(&at("told"), &outputs(&at("alone")));
    // All is sent before the process ends.
    let spans = receiver.spans();
    let root = one(&spans, "convert");
    assert!(root.span.parent_span_id.is_empty() && !root.has_failed());
    assert_eq!(root.number("trc2npy.rows.count"), 120);
    assert_eq!(root.resource["service.name"], "trc2npy-convert");
    assert!(root.resource["telemetry.sdk.language"] == "rust" && !root.resource["service.instance.id"].is_empty());
    for part in ["plan", "finish"] {
        assert!(one(&spans, part).is_below(root), "{part}");
    }
    let ranges: Vec<&Told> = spans.iter().filter(|span| span.name() == "range").collect();
    assert_eq!(ranges.len() as u64, root.number("trc2npy.ranges"));
    assert!(ranges.len() > 10, "{}", ranges.len());
    let mut rows: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for range in &ranges {
        assert!(range.is_below(root));
        let (first, count) = (range.number("trc2npy.rows.first"), range.number("trc2npy.rows.count"));
        rows.entry(range.text("trc2npy.channel"))
            .or_default()
            .extend(first..first + count);
        // Their stages are all of their time, and their bytes those of the files and of the rows.
        let stage = |name: &str| {
            let mut stages = spans.iter().filter(|span| span.name() == name && span.is_below(range));
            let stage = stages.next().unwrap_or_else(|| panic!("no {name}"));
            assert!(stages.next().is_none());
            stage
        };
        let [read, decode, write] = ["read", "decode", "write"].map(stage);
        assert_eq!(read.nanos() + decode.nanos() + write.nanos(), range.nanos());
        assert!(read.nanos() > 0 && decode.nanos() > 0 && write.nanos() > 0);
        assert_eq!(write.number("trc2npy.bytes"), count * (2000 * 4 + 72));
        assert!(read.number("trc2npy.bytes") > count * 2000);
    }
    for (channel, mut rows) in rows {
        rows.sort_unstable();
        assert!(rows.into_iter().eq(0..60), "{channel}");
    }
}

#[test]
fn a_conversion_that_fails_says_so_in_its_trace_and_the_variables_of_opentelemetry_are_heard() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    let spec = RunSpec {
        bad: vec!["garbage:1".parse().unwrap()],
        ..RunSpec::new(300, 200)
    };
    write_run(&spec, &at("run"));
    let receiver = Receiver::start();
    let call = |name: &str, value: &str| {
        trc2npy_tests::Call::of("convert")
            .args([at("run"), "--out".into(), at("out")])
            .args(["--settle", "0s", "--on-bad-file", "fail"])
            .env(name, value)
    };
    let endpoint = receiver.endpoint();
    call("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("OTEL_SERVICE_NAME", "tes")
        .run()
        .must_end_with(1);
    let spans = receiver.spans();
    let root = one(&spans, "convert");
    assert!(root.has_failed() && root.resource["service.name"] == "tes");
    assert!(
        root.span
            .status
            .as_ref()
            .unwrap()
            .message
            .contains("not a LeCroy waveform")
    );
    let failed: Vec<&Told> = spans
        .iter()
        .filter(|span| span.name() == "range" && span.has_failed())
        .collect();
    assert_eq!(failed.len(), 1);
    // Switched off, and an address that is none.
    call("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("OTEL_SDK_DISABLED", "true")
        .run()
        .must_end_with(1);
    assert_eq!(receiver.spans().len(), spans.len());
    assert!(spans.iter().any(|span| span.name() == "range"));
    call("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("OTEL_TRACES_EXPORTER", "none")
        .run()
        .must_end_with(1);
    assert_eq!(receiver.spans().len(), spans.len());
    // An address that is none: asked for it is a mistake, set for all programs of a site it is no reason to stop.
    for address in ["https://127.0.0.1:1", "127.0.0.1:4317", "http://"] {
        call("X", "")
            .args(["--otlp-endpoint", address])
            .run()
            .must_end_with(2)
            .must_say(&[
                &format!("--otlp-endpoint: \"{address}\" is no address"),
                "write http://HOST:4317",
            ]);
        let warned = call("OTEL_EXPORTER_OTLP_ENDPOINT", address).run();
        warned
            .must_end_with(1)
            .must_say(&["warning: nothing is sent to a collector: "]);
    }
    let nowhere = call("X", "").args(["--otlp-endpoint", ""]).run();
    nowhere.must_end_with(1);
    assert!(!nowhere.stderr.contains("collector"), "{}", nowhere.stderr);
}
