//! `report.html`: the page of a finished run, with Python's XML parser and numpy as its judges.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use trc2npy_synth::{Bits, RunSpec, TraceFile};
use trc2npy_tests::{Call, Cluster, Convert, Ended, run_python, scratch, write_run};

/// What would do something in a browser if it were not escaped.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";

/// Parses the page as XML, and fails where it is not what a reader alone, without network and scripts, can use.
const JUDGE: &str = r##"
import re, sys
import xml.etree.ElementTree as ET

text = open(sys.argv[1], encoding="utf-8").read()
assert text.startswith("<!DOCTYPE html>"), text[:40]
assert "http://" not in text and "https://" not in text, "an address outside of the page"
root = ET.fromstring(text.split("\n", 1)[1])
assert root.tag == "html" and root.get("lang")
parents = {child: parent for parent in root.iter() for child in parent}
ids = [element.get("id") for element in root.iter() if element.get("id")]
assert len(ids) == len(set(ids)), "an id twice"
for element in root.iter():
    assert element.tag not in ("script", "img", "link", "iframe", "object", "embed", "base", "image", "use"), element.tag
    for name, value in element.attrib.items():
        assert not name.startswith("on") and name not in ("src", "style", "action", "data"), name
        assert name != "href" or (value[0] == "#" and value[1:] in ids), value
for style in root.iter("style"):
    assert "url(" not in style.text and "@import" not in style.text
    assert "prefers-color-scheme:dark" in style.text
assert [meta.get("content") for meta in root.iter("meta") if meta.get("name") == "viewport"]
# A screen reader's way through it: headings that skip no level, named tables and pictures.
levels = [int(element.tag[1]) for element in root.iter() if re.fullmatch("h[1-6]", element.tag)]
assert levels[0] == 1 and levels.count(1) == 1
assert all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels
for table in root.iter("table"):
    assert table[0].tag == "caption" and table[0].text
    for cell in table.iter("th"):
        assert cell.get("scope") in ("row", "col")
    widths = {len(row) for row in table.iter("tr")}
    assert len(widths) <= 1, (table[0].text, widths)
for svg in root.iter("svg"):
    assert svg.get("role") == "img" and svg.get("viewBox") and not svg.get("width")
    assert svg[0].tag == "title" and svg[0].text and svg[1].tag == "desc" and svg[1].text
    assert svg.get("aria-labelledby").split() == [svg[0].get("id"), svg[1].get("id")]
    for path in svg.iter("path"):
        assert re.fullmatch(r"[MHVlhz0-9 .-]*", path.get("d")), path.get("d")[:80]
sections = {section.find("h2").text.split(":")[0]: section for section in root.iter("section")}

def told(element):
    return " ".join("".join(element.itertext()).split())

def table(within, caption):
    found = [t for t in within.iter("table") if t[0].text.startswith(caption)]
    assert len(found) == 1, (caption, len(found))
    return [[told(cell) for cell in row] for row in found[0].find("tbody")]

def pictures(within):
    return [svg[0].text for svg in within.iter("svg")]
"##;

/// Runs a piece of Python behind [`JUDGE`].
fn judge(page: &Path, script: &str) {
    run_python(&format!("{JUDGE}\n{script}"), [page]);
}

fn report(out: &Path) -> Ended {
    Call::of("report").args([out]).run()
}

/// A run of two channels with bad files, in a folder whose name is markup where the system allows such names.
fn hostile_run(root: &Path) -> PathBuf {
    let name = if cfg!(windows) { "r & 'b'" } else { HOSTILE };
    let run = root.join(name);
    let mut spec = RunSpec::new(80, 700);
    spec.channels = vec![1, 2];
    spec.bad = ["truncated:3", "garbage:2", "missing:2"]
        .map(|bad| bad.parse().unwrap())
        .into();
    write_run(&spec, &run);
    run
}

fn converted(root: &Path) -> PathBuf {
    let (run, out) = (hostile_run(root), root.join("out"));
    Convert::new([&run], &out)
        .args(["--baseline", "50", "--settle", "0s"])
        .run()
        .must_end_with(3);
    out
}

#[test]
fn the_page_of_a_run_is_sound_and_complete() {
    let root = scratch();
    let out = converted(root.path());
    judge(
        &out.join("report.html"),
        r#"
assert set(sections) == {"C1", "C2"}
for section in sections.values():
    expected = ["Traces", "Mean trace", "First and last trace", "Baselines", "Amplitudes", "Baseline drift", "Trigger rate"]
    assert pictures(section) == expected, pictures(section)
bad = table(root, "Bad files")
assert len(bad) == 5 and all(len(row) == 3 and row[0] for row in bad), bad
words = {row[1] for row in bad}
assert words == {"cut short", "not a LeCroy waveform"}, words
verdicts = {(row[0], row[1]): int(row[2]) for row in table(root, "Bad rows by verdict")}
assert verdicts == {
    ("C1", "missing"): 1, ("C2", "missing"): 1, ("C2", "not a LeCroy waveform"): 2, ("C2", "cut short"): 3,
}, verdicts
assert [row[0] for row in table(root, "Arrays")] == ["C1", "C2"]
assert ["threads"] == [row[0] for row in table(root, "Settings") if row[0] == "threads"]
assert any(row[0] == "processor" for row in table(root, "Machine"))
"#,
    );
}

#[test]
fn what_is_counted_is_what_the_index_holds() {
    let root = scratch();
    let out = converted(root.path());
    judge(
        &out.join("report.html"),
        r#"
import numpy as np
number = {"aV": 1e-18, "fV": 1e-15, "pV": 1e-12, "nV": 1e-9, "µV": 1e-6, "mV": 1e-3, "V": 1.0}
def volts(text):
    value, unit = text.split()
    return float(value) * number[unit]
for channel, section in sections.items():
    index = np.load(sys.argv[1].replace("report.html", channel + "--Trace.index.npy"))
    good = index[index["status"] == 0]
    assert len(good) == {"C1": 79, "C2": 74}[channel] and len(index) == 80
    for caption, values in [
        ("Baselines", good["baseline"]),
        ("Amplitudes", good["max"].astype("f8") - good["min"].astype("f8")),
    ]:
        rows = table(section, caption)
        counts = [int(row[2].replace(",", "")) for row in rows]
        assert sum(counts) == len(good), (caption, sum(counts), len(good))
        # The same bins by another program; a value at an edge may be counted on either side.
        expected, edges = np.histogram(values, bins=len(rows))
        assert (np.abs(expected - counts) <= 1).all() and sum(expected) == len(good), (caption, counts, expected)
        for k, row in enumerate(rows):
            assert abs(volts(row[0]) - edges[k]) <= 1e-3 * np.abs(edges).max(), (row, edges[k])
    facts = dict((row[0], row[1]) for row in table(section, "What it is"))
    assert facts["good rows"] == f"{len(good)} of {len(index)}", facts
"#,
    );
}

#[test]
fn what_stands_in_names_and_headers_is_shown_and_never_obeyed() {
    let root = scratch();
    let run = root.path().join(if cfg!(windows) { "r" } else { HOSTILE });
    fs::create_dir(&run).unwrap();
    for i in 0_i16..5 {
        let mut file = TraceFile::single((0..90).map(|k| k * 7 + i).collect());
        file.instrument = b"<b>&\"'\x01".to_vec();
        file.vert_unit = HOSTILE.into();
        file.hor_unit = b"<svg onload=x>".to_vec();
        file.trigger_time.minutes = i8::try_from(i).unwrap();
        if i > 2 {
            file.gain *= 2.0;
        }
        fs::write(run.join(format!("C1--<i>&--{i:05}.trc")), file.to_bytes()).unwrap();
    }
    let out = root.path().join("out");
    Convert::new([&run], &out).run().must_succeed();
    let page = out.join("report.html");
    let text = fs::read_to_string(&page).unwrap();
    for tag in ["<img", "<b>", "<i>", "<svg onload"] {
        assert!(!text.contains(tag), "{tag}");
    }
    judge(
        &page,
        r#"
section = sections["C1"]
assert "<svg onload=x>" in told(section) and "<b>&\"'" in told(section)
assert "<img src=x onerror=alert(1)>" in told(section)
changed = table(section, "Changes of VERTICAL_GAIN")
assert len(changed) == 1 and changed[0][1] == "3" and "C1--<i>&--00003" in changed[0][0], changed
"#,
    );
}

#[test]
fn the_command_makes_the_same_page_again() {
    let root = scratch();
    let out = converted(root.path());
    let page = out.join("report.html");
    let first = fs::read(&page).unwrap();
    fs::remove_file(&page).unwrap();
    report(&out).must_succeed().must_say(&["report.html"]);
    assert_eq!(fs::read(&page).unwrap(), first);
    // Over one that is there, and of the folder above as of the folder itself.
    fs::write(&page, "an older page").unwrap();
    report(root.path()).must_succeed();
    assert_eq!(fs::read(&page).unwrap(), first);
    let left: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 11, "{left:?}");
}

#[test]
fn arrays_of_any_kind_have_a_page() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(30, 400);
    spec.segments = 4;
    write_run(&spec, &run);
    let eight = root.path().join("r2");
    spec.bits = Bits::Eight;
    write_run(&spec, &eight);
    let cases: [(&PathBuf, &[&str], u64); 6] = [
        (&run, &["--dtype", "int16", "--baseline", "40"], 7),
        (&run, &["--dtype", "native"], 5),
        (&eight, &["--dtype", "int8", "--baseline", "40"], 7),
        (&run, &["--samples", "100:101"], 5),
        (&run, &["--rows", "3:4"], 3),
        // No baseline, and one row: neither drift nor a last trace, nor a rate.
        (&run, &["--rows", "0:2", "--time", "-10ns:20ns"], 5),
    ];
    for (k, (run, args, pictures)) in cases.into_iter().enumerate() {
        let out = root.path().join(format!("out{k}"));
        Convert::new([run], &out).args(args).run().must_succeed();
        judge(
            &out.join("report.html"),
            &format!("assert len(pictures(sections['C1'])) == {pictures}, pictures(sections['C1'])"),
        );
    }
}

#[test]
fn codes_and_volts_make_the_same_pictures() {
    let root = scratch();
    let run = root.path().join("r1");
    write_run(&RunSpec::new(40, 500), &run);
    let paths = |name: &str, args: &[&str]| {
        let out = root.path().join(name);
        Convert::new([&run], &out)
            .args(["--baseline", "40"])
            .args(args)
            .run()
            .must_succeed();
        let text = fs::read_to_string(out.join("report.html")).unwrap();
        let traces: Vec<String> = text
            .lines()
            .filter(|line| line.contains("class=\"many\""))
            .map(str::to_owned)
            .collect();
        assert_eq!(traces.len(), 40);
        traces
    };
    let (volts, codes) = (paths("volts", &[]), paths("codes", &["--dtype", "int16"]));
    // Rounding to f32 may move a point by the width of a hair.
    let same = volts.iter().zip(&codes).filter(|(a, b)| a == b).count();
    assert!(same >= 30, "{same} of 40");
}

#[test]
fn a_run_without_a_good_row_has_a_page() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(4, 300);
    spec.channels = vec![1, 2];
    write_run(&spec, &run);
    for i in 0..4 {
        let path = run.join(format!("C2--Trace--{i:05}.trc"));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..400]).unwrap();
    }
    let out = root.path().join("out");
    Convert::new([&run], &out)
        .args(["--settle", "0s"])
        .run()
        .must_end_with(3);
    judge(
        &out.join("report.html"),
        "assert not pictures(sections['C2']) and pictures(sections['C1'])\nassert 'No row is good' in told(sections['C2'])",
    );
}

#[test]
fn a_page_that_cannot_be_written_fails_no_run() {
    let root = scratch();
    let run = root.path().join("r1");
    write_run(&RunSpec::new(5, 100), &run);
    let out = root.path().join("out");
    fs::create_dir_all(out.join("report.html/in-the-way")).unwrap();
    let ended = Convert::new([&run], &out).run();
    ended
        .must_succeed()
        .must_say(&["warning: ", "report.html", "trc2npy report "]);
    assert!(out.join("C1--Trace.json").is_file() && out.join("report.json").is_file());
    report(&out).must_end_with(1).must_say(&["report.html"]);
}

#[test]
fn where_there_are_no_arrays_it_is_said() {
    let root = scratch();
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    report(&empty)
        .must_end_with(2)
        .must_say(&["empty", "no finished conversion"]);
    report(&root.path().join("nowhere"))
        .must_end_with(2)
        .must_say(&["nowhere"]);
}

#[test]
fn what_is_damaged_is_told_on_the_page() {
    let root = scratch();
    let out = converted(root.path());
    let cut = out.join("C2--Trace.npy");
    let length = fs::metadata(&cut).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&cut)
        .unwrap()
        .set_len(length - 1)
        .unwrap();
    fs::write(out.join("report.json"), "{").unwrap();
    report(&out)
        .must_end_with(3)
        .must_say(&["warning: ", "C2--Trace.npy: ", "bytes expected", "trc2npy verify"]);
    judge(
        &out.join("report.html"),
        r#"
assert set(sections) == {"C1"}
assert "C2--Trace.npy cannot be read" in told(root) and "bytes expected" in told(root)
assert "There is no report.json that can be read" in told(root)
assert "All rows are good" not in told(root)
"#,
    );
    // Of an index that is not what was written nothing is made up.
    let index = out.join("C1--Trace.index.npy");
    let mut bytes = fs::read(&index).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&index, bytes).unwrap();
    report(&out)
        .must_end_with(3)
        .must_say(&["C1--Trace.index.npy: CRC32C ", "its bytes have changed"]);
    judge(
        &out.join("report.html"),
        "assert set(sections) == set(), sections.keys()",
    );
}

#[test]
fn a_folder_that_fails_keeps_no_other_from_its_page() {
    let root = scratch();
    let all = root.path().join("all");
    for name in ["a", "b", "c"] {
        let run = root.path().join(name);
        write_run(&RunSpec::new(4, 200), &run);
        Convert::new([run], all.join(name)).run().must_succeed();
        fs::remove_file(all.join(name).join("report.html")).unwrap();
    }
    // What cannot be replaced by a file.
    fs::create_dir(all.join("b/report.html")).unwrap();
    report(&all).must_end_with(1).must_say(&["b/report.html"]);
    assert!(all.join("a/report.html").is_file() && all.join("c/report.html").is_file());
}

#[test]
fn the_page_shows_speed_and_memory_of_a_run_that_took_seconds() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(5, 100);
    spec.bad = vec!["truncated:1".parse().unwrap()];
    write_run(&spec, &run);
    let out = root.path().join("out");
    // It waits for the file that may be still being written.
    Convert::new([&run], &out)
        .args(["--settle", "3s"])
        .run()
        .must_end_with(3);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    let pace = report["pace"].as_array().unwrap();
    assert!((3..=8).contains(&pace.len()), "{pace:?}");
    assert_eq!((pace[0]["s"].as_f64(), pace[0]["bytes"].as_u64()), (Some(0.0), Some(0)));
    let last = &pace[pace.len() - 1];
    assert_eq!(
        (&last["rows"], &last["bytes"]),
        (&5.into(), &report["speed"]["bytes_read"])
    );
    assert!(
        pace.iter().all(|point| point["memory"].as_u64().unwrap() > 1_000_000),
        "{pace:?}"
    );
    judge(
        &out.join("report.html"),
        "assert pictures(root)[:2] == ['Speed over time', 'Memory over time'], pictures(root)",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_clusters_job_has_the_page_too() {
    let folder = scratch();
    let root = folder.path().join("root");
    write_run(&RunSpec::new(40, 300), &root.join("run"));
    let cluster = Cluster::new(&root);
    let (_coordinator, _worker) = (cluster.start_coordinator(), cluster.start_worker("a"));
    cluster
        .submit("run", "npy")
        .args(["--baseline", "20"])
        .run()
        .must_succeed();
    let page = root.join("npy/report.html");
    judge(
        &page,
        "assert len(pictures(sections['C1'])) == 7\nassert any(row[0] == 'worker' for row in table(root, 'Machine'))",
    );
    let report: serde_json::Value = serde_json::from_slice(&fs::read(page.with_extension("json")).unwrap()).unwrap();
    let points = report["pace"].as_array().unwrap();
    assert!(points.iter().all(|point| point.get("memory").is_none()), "{points:?}");
    assert_eq!(points[points.len() - 1]["rows"], 40);
}
