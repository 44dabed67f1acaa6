//! A real collector, which prints what it gets.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, poll, python, scratch, write_run};

const WHERE: &str = "import rotel, os; print(os.path.join(os.path.dirname(rotel.__file__), 'rotel-agent'))";

/// Ends with the test.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The value of each line `key : value`, in order.
fn values<'t>(text: &'t str, key: &'static str) -> impl Iterator<Item = &'t str> {
    let pairs = text.lines().filter_map(|line| line.split_once(" : "));
    pairs
        .filter(move |(found, _)| found.trim() == key)
        .map(|(_, value)| value.trim())
}

#[test]
fn a_real_collector_understands_what_it_gets() {
    let told = Command::new(python()).args(["-c", WHERE]).output().unwrap();
    let agent = String::from_utf8(told.stdout).unwrap().trim().to_owned();
    if agent.is_empty() {
        eprintln!("left out: this Python has no rotel (pip install rotel), a collector");
        return;
    }
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    write_run(&RunSpec::new(30, 500), &at("run"));
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (port, other) = (free(), free());
    let collector = Command::new(agent)
        .args(["start", "--exporter", "blackhole"])
        .args(["--debug-log", "traces", "--debug-log-verbosity", "detailed"])
        .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{port}")])
        .args(["--otlp-http-endpoint", &format!("127.0.0.1:{other}")])
        .stdout(File::create(at("printed")).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .map(Collector)
        .unwrap();
    poll("the collector", || TcpStream::connect(("127.0.0.1", port)).ok());
    Convert::new([at("run")], at("out"))
        .args(["--otlp-endpoint", &format!("http://127.0.0.1:{port}")])
        .run()
        .must_succeed();
    let printed = poll("the whole trace", || {
        let printed = fs::read_to_string(at("printed")).ok()?;
        // The root is told last; its last line is that of an attribute.
        printed.contains("trc2npy.ranges: Int(").then_some(printed)
    });
    drop(collector);
    assert!(printed.contains("service.name: Str(trc2npy-convert)"), "{printed}");
    let names = values(&printed, "Name");
    let ids = values(&printed, "ID").zip(values(&printed, "Parent ID"));
    let spans: BTreeMap<&str, (&str, &str)> = names.zip(ids).collect();
    assert!(
        spans
            .keys()
            .eq(&["convert", "decode", "finish", "plan", "range", "read", "sync", "write"]),
        "{printed}"
    );
    let (root, parent) = spans["convert"];
    assert!(
        parent.is_empty() || parent.bytes().all(|digit| digit == b'0'),
        "{parent}"
    );
    for part in ["finish", "plan", "range"] {
        assert_eq!(spans[part].1, root, "{part}");
    }
    assert_eq!(spans["read"].1, spans["range"].0);
}
