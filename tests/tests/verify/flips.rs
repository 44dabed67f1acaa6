//! One flipped bit, anywhere.

use std::fs;
use std::path::PathBuf;

use super::common::{every_kind, flip, random, slow_crc32c};

/// Bits that are flipped in each file, one after the other.
const FLIPS: usize = 6;

#[test]
fn every_kind_of_output_agrees_with_what_was_written_and_with_its_sources() {
    for made in every_kind() {
        eprintln!("{}", made.name);
        made.verify(&[]).must_succeed().must_say(&["Everything agrees"]);
        made.verify(&["--sources"]).must_succeed().must_say(&[
            "Everything agrees",
            "safe to delete",
            "Nothing was deleted.",
        ]);
    }
}

#[test]
fn one_flipped_bit_in_any_output_file_is_found_without_the_sources() {
    let mut random = random();
    for made in every_kind() {
        let files: Vec<PathBuf> = fs::read_dir(&made.out)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            // The page is made of the others, and has no checksum.
            .filter(|path| path.is_file() && !path.ends_with("report.html"))
            .collect();
        assert_eq!(files.len(), 9, "four files a channel, and the report: {files:?}");
        for path in files {
            let bits = fs::metadata(&path).unwrap().len() * 8;
            let is_npy = path.extension().is_some_and(|extension| extension == "npy");
            for turn in 0..FLIPS {
                // The headers are small: they get their share.
                let bit = if is_npy && turn % 3 == 0 {
                    random.u64(..1000)
                } else {
                    random.u64(..bits)
                };
                flip(&path, bit);
                let name = path.file_name().unwrap().to_string_lossy();
                eprintln!("{}: bit {bit} of {name}", made.name);
                made.verify(&[]).must_end_with(3).must_say(&["DIFFERS", &name]);
                flip(&path, bit);
            }
        }
        made.verify(&[]).must_succeed();
    }
}

#[test]
fn every_bit_of_a_json_is_vouched_for() {
    let made = every_kind().remove(0);
    let path = made.out.join("C1--Trace.json");
    let whole = fs::read(&path).unwrap();
    // The seal, as README defines it.
    let at = whole.len() - 12;
    let mut blank = whole.clone();
    blank[at..at + 8].fill(b'0');
    let digits = format!("{:08x}", slow_crc32c(&blank));
    assert_eq!(whole[at..at + 8], *digits.as_bytes());
    // All bits would take minutes: those of the first and the last lines, where the format and the seal stand.
    let bits = (0..60 * 8).chain(((whole.len() - 40) as u64) * 8..(whole.len() as u64) * 8);
    for bit in bits {
        flip(&path, bit);
        made.verify(&[]).must_end_with(3);
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_file_that_is_gone_or_of_another_length_is_named() {
    let made = every_kind().remove(1);
    for name in [
        "C1--Trace.npy",
        "C1--Trace.index.npy",
        "C1--Trace.json",
        "C1--Trace.files.txt",
    ] {
        let path = made.out.join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        made.verify(&[]).must_end_with(3).must_say(&[name, "missing"]);
        for changed in [&whole[..whole.len() - 1], &[&whole[..], b"\n"].concat(), b""] {
            fs::write(&path, changed).unwrap();
            made.verify(&[]).must_end_with(3).must_say(&["DIFFERS", name]);
            made.verify(&["--sources"])
                .must_end_with(3)
                .must_say(&["DIFFERS", name]);
        }
        fs::write(&path, whole).unwrap();
    }
    made.verify(&[]).must_succeed();
}

#[test]
fn outputs_of_the_first_form_are_read_and_what_nobody_knows_is_said() {
    let made = every_kind().remove(0);
    for channel in ["C1", "C2"] {
        let path = made.out.join(format!("{channel}--Trace.json"));
        let text = fs::read_to_string(&path).unwrap();
        // As text: a number that is read and written again may lose its last bit.
        let (before, rest) = text.split_once("  \"files\": {").unwrap();
        let (_, behind) = rest.split_once("},\n").unwrap();
        let (behind, _) = behind.rsplit_once(",\n  \"crc32c\"").unwrap();
        let first_form = format!("{before}{behind}\n}}\n").replace("trc2npy channel 2", "trc2npy channel 1");
        fs::write(&path, first_form).unwrap();
    }
    made.verify(&["--sources"])
        .must_succeed()
        .must_say(&["have no checksums", "safe to delete"]);
}
