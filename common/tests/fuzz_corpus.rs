//! The fuzzer's inputs as ordinary tests: its seeds, all that it ever broke something with, and changes of both.

#[path = "../../fuzz/fuzz_targets/exercise.rs"]
mod exercise;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// In the order of their names, so that a seed of proptest means the same everywhere.
static INPUTS: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let mut paths: Vec<PathBuf> = ["corpus/header", "regressions/header"]
        .iter()
        // The second folder is there only once something was found.
        .filter_map(|folder| fuzz.join(folder).read_dir().ok())
        .flatten()
        .map(|entry| entry.expect("a folder of ours").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 20, "the seeds are gone: {} inputs", paths.len());
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).expect("an input of ours")))
        .collect()
});

#[test]
fn every_input_of_the_fuzzer_is_survived() {
    for (path, bytes) in INPUTS.iter() {
        println!("{}", path.display());
        exercise::header(bytes);
    }
}

/// A number of any width that is likely to break something, for any place in a file.
fn change() -> impl Strategy<Value = (Index, Vec<u8>)> {
    let number = prop_oneof![
        any::<u8>().prop_map(|n| vec![n]),
        select(vec![-1_i16, 0, 1, 2, 256, i16::MIN, i16::MAX]).prop_map(|n| n.to_le_bytes().to_vec()),
        select(vec![-1_i32, 0, 1, 3, 7, 320, 345, 346, i32::MIN, i32::MAX]).prop_map(|n| n.to_le_bytes().to_vec()),
        any::<i32>().prop_map(|n| (n >> (n & 31)).to_be_bytes().to_vec()),
        select(vec![f64::NAN, f64::INFINITY, f64::MAX, -1e19, 60.0]).prop_map(|n| n.to_le_bytes().to_vec()),
    ];
    (any::<Index>(), number)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..700), at in 0..80_usize, known: bool) {
        if known {
            // Random bytes do not spell the word by themselves, nor an order that exists.
            bytes.resize(bytes.len().max(at + 36), 0);
            bytes[at..at + 8].copy_from_slice(b"WAVEDESC");
            let little = u8::from(bytes[at + 34] & 1 == 0);
            bytes[at + 32..at + 36].copy_from_slice(&[little, 0, little, 0]);
        }
        exercise::header(&bytes);
    }

    #[test]
    fn changed_files_are_survived(
        which: Index,
        changes in prop::collection::vec(change(), 1..6),
        cut in prop::option::of(any::<Index>()),
    ) {
        let (_, mut bytes) = which.get(&INPUTS).clone();
        for (at, number) in changes {
            if bytes.len() >= number.len() {
                let at = at.index(bytes.len() - number.len() + 1);
                bytes[at..at + number.len()].copy_from_slice(&number);
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        exercise::header(&bytes);
    }
}
