//! What is said where there is nothing to draw, or not all of it.

use std::fs;

use trc2npy_synth::TraceFile;

use crate::page::Page;

#[test]
fn pictures() {
    let mut page = Page::new();
    page.run("r005", 30, |spec| spec.channels = vec![1, 2]);
    page.says("a run", &["convert", "r005", "--out", "out", "--progress", "none"]);
    let preview = |words: &[&'static str]| [&["preview"], words].concat();
    for (title, words) in [
        ("no path", &[][..]),
        ("a path that is not there", &["r006"]),
        ("an array that is not there", &["out/C3--Trace.npy"]),
        ("a span that is none", &["r005", "--rows", "7"]),
        ("rows that are not there, of a run", &["r005", "--rows", "400:410"]),
        ("rows that are not there, of an array", &["out", "--rows", "400:410"]),
        (
            "samples that are not there, of a run",
            &["r005", "--samples", "200:400"],
        ),
        (
            "samples that are not there, of an array",
            &["out", "--samples", "200:400"],
        ),
        ("times that are not there", &["out", "--time", "1s:2s"]),
        ("samples and times", &["out", "--samples", "0:5", "--time", "0:1us"]),
        ("a channel that is not there, of a run", &["r005", "--channels", "C3"]),
        ("a channel that is not there, of arrays", &["out", "--channels", "C3"]),
        ("another kind of picture", &["r005", "-o", "r005.pdf"]),
        ("no kind of picture", &["r005", "-o", "r005"]),
        ("a folder that is not there", &["r005", "-o", "pictures/r005.svg"]),
        ("overwriting nothing", &["r005", "--overwrite"]),
        ("arrays and files", &["out", "r005"]),
    ] {
        page.says(title, &preview(words));
    }
    page.bytes("r005.svg", b"mine");
    page.says("a picture that is there", &preview(&["r005", "-o", "r005.svg"]));
    page.run("many", 1100, |_| {});
    page.says("too many rows", &preview(&["many", "--rows", "0:"]));
    page.run("all", 1, |spec| spec.channels = (1..=9).collect());
    page.says("too many channels", &preview(&["all"]));
    page.file("axes/C1--Trace--00000.trc", &TraceFile::single(vec![1; 300]));
    let mut spectrum = TraceFile::single(vec![1; 300]);
    spectrum.hor_unit = b"Hz".to_vec();
    page.file("axes/F1--Trace--00000.trc", &spectrum);
    page.says("two kinds of axes", &preview(&["axes"]));

    page.bytes("r005/C1--Trace--00002.trc", b"WAVEDESC");
    page.says("a bad file", &preview(&["r005", "-o", "bad.svg"]));
    page.says(
        "a bad row",
        &["convert", "r005", "--out", "bad", "--settle", "0", "--progress", "none"],
    );
    page.says("an array with a bad row", &preview(&["bad", "-o", "rows.svg"]));
    page.says(
        "nothing but a bad row",
        &preview(&["bad", "--channels", "1", "--rows", "2:3"]),
    );
    let array = page.at("out/C1--Trace.npy");
    let bytes = fs::read(&array).unwrap();
    fs::write(&array, &bytes[..5000]).unwrap();
    page.says("a damaged array", &preview(&["out"]));
    insta::assert_snapshot!("pictures", page.text());
}
