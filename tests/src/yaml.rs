//! Files of YAML, read by whichever Python can.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{python, usable};

const READ: &str = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin.buffer))))";

/// The documents of a text of YAML; none where no Python here can read it, which is said.
///
/// # Panics
/// Where it is no YAML.
#[expect(clippy::print_stderr, reason = "what a test leaves out it says")]
pub fn yaml(text: &str) -> Option<Vec<Value>> {
    let pythons = [PathBuf::from("python3"), python()];
    let Some(python) = pythons
        .iter()
        .find(|python| usable(&python.to_string_lossy(), ["-c", "import yaml"]))
    else {
        eprintln!("LEFT OUT: files of YAML are not read (Debian: apt install python3-yaml)");
        return None;
    };
    let mut reader = Command::new(python)
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python can be started");
    let mut pipe = reader.stdin.take().expect("stdin is piped");
    pipe.write_all(text.as_bytes())
        .expect("Python reads all before it writes");
    drop(pipe);
    let output = reader.wait_with_output().expect("Python ends");
    assert!(
        output.status.success(),
        "{}\nof\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}
