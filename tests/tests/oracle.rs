//! The writer and the judge were made apart from one description: they must agree on every kind of file.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use trc2npy_synth::{Expected, catalog};
use trc2npy_tests::{python, workspace};

fn meant(expected: &Expected) -> Value {
    json!({
        "codes": expected.codes.chunks(expected.samples as usize).collect::<Vec<_>>(),
        "width": expected.bits.bytes(),
        "gain": f64::from(expected.gain),
        "offset": f64::from(expected.offset),
        "interval": f64::from(expected.horiz_interval),
        "times": expected.rows.iter().map(|row| row.time).collect::<Vec<_>>(),
        "offsets": expected.rows.iter().map(|row| row.offset).collect::<Vec<_>>(),
        "trigger_time": expected.trigger_time,
        "source": expected.source_channel,
    })
}

#[test]
fn the_oracle_reads_every_fixture_as_it_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<Value> = catalog()
        .iter()
        .enumerate()
        .map(|(number, fixture)| {
            let file = format!("{number}.trc");
            fs::write(folder.path().join(&file), &fixture.bytes).unwrap();
            let expected = match &fixture.expected {
                Ok(expected) => meant(expected),
                Err(refusal) => json!({ "refused": format!("{refusal:?}") }),
            };
            json!({ "name": fixture.name, "file": file, "expected": expected })
        })
        .collect();
    fs::write(folder.path().join("fixtures.json"), json!(list).to_string()).unwrap();
    let output = Command::new(python())
        .arg(workspace().join("tests/oracle/fixtures.py"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
