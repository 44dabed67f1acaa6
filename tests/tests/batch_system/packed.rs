//! What shards hold where an array cannot have their blocks, as numpy reads it.

use std::process::Command;

use trc2npy_synth::{Bits, RunSpec};
use trc2npy_tests::python;

use crate::common::Site;

/// Rows of all shards in the folder against those of the array, bit by bit; says how many, and how wide the codes are.
const COMPARE: &str = r#"
import pathlib, sys
import numpy as np
array = np.load(sys.argv[1], mmap_mode="r")
rows = 0
for path in sorted(pathlib.Path(sys.argv[2]).glob("*.npy")):
    if path.name.endswith(".index.npy"):
        continue
    first, end = map(int, path.name.split(".")[0].split("-"))
    shard = np.load(path)
    assert shard.shape == (end - first,), shard.shape
    for row, expected in zip(shard, array[first:end]):
        codes = row["codes"]
        if np.isnan(row["level"]):
            found = row["gain"] * codes.astype(np.float32) - row["offset"]
        else:
            found = (np.float64(row["gain"]) * (codes - row["level"])).astype(np.float32)
        found[row["samples"]:] = np.nan
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected.tobytes(), path
        rows += 1
print(rows, shard.dtype["codes"].base)
"#;

#[test]
fn numpy_makes_the_rows_of_the_array_of_a_shard_of_codes() {
    for (bits, options, told) in [
        (Bits::Eight, &["--settle", "0s", "--baseline", "100"][..], "300 int8"),
        (Bits::Sixteen, &["--settle", "0s"], "300 int16"),
    ] {
        let site = Site::new(&RunSpec {
            bits,
            bad: vec!["truncated:2".parse().unwrap()],
            ..RunSpec::new(300, 501)
        });
        site.reference(options, 3);
        site.plan(options).run().must_succeed();
        for index in 0..3 {
            site.task(index, 3).run().must_succeed();
        }
        let shards = site.shard_files("C1", ".json");
        let folder = shards[0].parent().unwrap();
        let kind = Command::new("stat")
            .args(["-f", "-c", "%T"])
            .arg(folder)
            .output()
            .unwrap();
        let kind = String::from_utf8_lossy(&kind.stdout);
        if ["xfs", "btrfs"].contains(&kind.trim()) {
            eprintln!("left out: {kind} shares blocks, so that shards hold values");
            return;
        }
        let output = Command::new(python())
            .args(["-c", COMPARE])
            .arg(site.path("reference/C1--Trace.npy"))
            .arg(folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.trim(), told);
    }
}
