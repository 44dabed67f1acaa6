//! Collectors that are away, or never answer: the work is done all the same, and ends.

use std::net::TcpListener;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, must_equal, outputs, scratch, write_run};

#[test]
fn a_collector_that_is_away_or_silent_costs_nothing_but_the_trace() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    write_run(&RunSpec::new(40, 500), &at("run"));
    Convert::new([at("run")], at("alone")).run().must_succeed();
    let expected = outputs(&at("alone"));
    // Takes connections, and says nothing on them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (name, address) in [("silent", silent.local_addr().unwrap()), ("closed", closed)] {
        let endpoint = format!("http://{address}");
        let ended = Convert::new([at("run")], at(name))
            .args(["--otlp-endpoint", &endpoint, "--range-size", "4kB"])
            .run();
        ended.must_succeed();
        must_equal(&at(name), &expected);
        if name == "closed" {
            ended.must_say(&["warning: the collector does not take spans", "the work goes on without"]);
        }
    }
}
