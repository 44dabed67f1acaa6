//! SVG and PNG.

use std::fs;
use std::path::Path;

use trc2npy_tests::run_python;

use crate::{Lab, ROWS};

/// Finds the axes by their grid and numbers, puts every sample of the float32 arrays to its pixel, and compares.
const JUDGE: &str = r##"
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
import numpy as np

svg, out, (start, end), (first, last) = sys.argv[1], Path(sys.argv[2]), *(
    [int(part) for part in text.split(":")] for text in sys.argv[3:5])
NEAR = 1.6
PREFIXES = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0}
root = ET.parse(svg).getroot()
size = [int(root.get(name)) for name in ("width", "height")]
parts = [(element.tag.rsplit("}")[-1], element) for element in root]

def points(element):
    return np.array([pair.split(",") for pair in element.get("points").split()], float)

def number(text):
    try:
        return float(text)
    except ValueError:
        return None

panels, foot = [], []
for tag, element in parts:
    text = (element.text or "").strip()
    if tag == "text" and " each" in text or tag == "text" and " sample" in text:
        panels.append({"title": text, "grid": [], "numbers": [], "traces": [], "unit": None, "rows": []})
    elif tag == "text" and element.get("transform"):
        panels[-1]["unit"] = text
    elif tag == "text" and element.get("text-anchor") == "end":
        panels[-1]["numbers"].append(float(text))
    elif tag == "text" and text.startswith("row "):
        panels[-1]["rows"].append(text)
    elif tag == "text":
        foot.append(text)
    elif tag == "polyline" and element.get("stroke") == "#DEDEDE":
        panels[-1]["grid"].append(points(element))
    elif tag == "polyline":
        panels[-1]["traces"].append((points(element), element.get("stroke")))
times = [number(text) for text in foot[:-1]]
name, unit = foot[-1].rstrip(")").split(" (")
assert name == "time" and unit.endswith("s"), foot
second = PREFIXES[unit[:-1]]
arrays = sorted(path for path in out.glob("*.npy") if "index" not in path.name)
assert len(panels) == len(arrays), (panels, arrays)
everywhere = []
for panel, path in zip(panels, arrays):
    values, index = np.load(path), np.load(path.with_suffix(".index.npy"))
    rows = [row for row in range(start, min(end, len(values))) if index["status"][row] == 0]
    assert panel["title"].startswith(f"r005, {path.name[:2]}: "), panel["title"]
    assert f"{last - first:,} samples each" in panel["title"], panel["title"]
    across = sorted(grid[0][1] for grid in panel["grid"] if grid[0][1] == grid[-1][1])
    down = sorted(grid[0][0] for grid in panel["grid"] if grid[0][0] == grid[-1][0])
    assert len(across) == len(panel["numbers"]) >= 2 and len(down) == len(times) >= 2, panel
    assert panel["unit"].endswith("V"), panel
    volt = PREFIXES[panel["unit"][:-1]]
    fit_y = np.polyfit(np.array(sorted(panel["numbers"], reverse=True)) * volt, across, 1)
    fit_x = np.polyfit(np.array(times) * second, down, 1)
    assert len(panel["traces"]) == len(rows), (len(panel["traces"]), rows)
    assert len({stroke for _, stroke in panel["traces"]}) == len(rows), "every row has its own colour"
    assert panel["rows"][0] == f"row {rows[0]}" and panel["rows"][-1] == f"row {rows[-1]}", panel["rows"]
    for (drawn, _), row in zip(panel["traces"], rows):
        record = index[row]
        time = record["horiz_offset"] + np.arange(first, last) * np.float64(record["horiz_interval"])
        x, y = np.polyval(fit_x, time), np.polyval(fit_y, values[row, first:last].astype("f8"))
        everywhere.append(x)
        # Every corner is a sample.
        begin, stop = np.searchsorted(x, drawn[:, 0] - NEAR), np.searchsorted(x, drawn[:, 0] + NEAR)
        for (_, at), a, b in zip(drawn, begin, stop):
            assert a < b and abs(y[a:b] - at).min() <= NEAR, (path.name, row, at)
        # In every column of pixels the line reaches as far up and down as the samples.
        columns = np.round(x).astype(int)
        for column in np.unique(columns):
            there = y[columns == column]
            near = drawn[abs(drawn[:, 0] - column) <= 2][:, 1]
            assert len(near) and near.min() <= there.min() + NEAR and near.max() >= there.max() - NEAR, (row, column)
        assert len(drawn) <= 2100, len(drawn)
x = np.concatenate(everywhere)
assert 20 < x.min() < 120 and size[0] - 140 < x.max() < size[0], (x.min(), x.max(), size)
print(len(everywhere), "traces")
"##;

fn judge(svg: &Path, arrays: &Path, rows: &str, samples: &str) {
    let [svg, arrays] = [svg, arrays].map(Path::as_os_str);
    let told = run_python(JUDGE, [svg, arrays, rows.as_ref(), samples.as_ref()]);
    eprintln!("{rows} {samples}: {told}");
}

#[test]
fn the_lines_of_an_svg_lie_where_numpy_puts_the_samples() {
    let lab = Lab::new();
    let arrays = lab.convert("float32", &[]);
    let mut texts = Vec::new();
    let draw = |from: &str, words: &[&str], rows: &str, samples: &str| {
        let svg = lab.path(&format!("{from}.svg"));
        let ended = lab.preview([&[from, "-o", svg.to_str().unwrap(), "--overwrite"], words].concat());
        ended
            .must_end_with(3)
            .must_say(&["channel C2: 1 of ", "left out: row 2 (", "cut short"]);
        judge(&svg, &arrays, rows, samples);
        fs::read_to_string(svg).unwrap()
    };
    draw("r005", &["--rows", "1:4"], "1:4", "0:9001");
    draw("float32", &["--rows", "2:"], "2:5", "0:9001");
    for from in ["r005", "float32"] {
        draw(from, &["--samples", "500:700"], "0:5", "500:700");
        draw(from, &["--samples", "1:8000"], "0:5", "1:8000");
    }
    texts.push(draw("r005", &[], "0:5", "0:9001"));
    texts.push(draw("float32", &[], "0:5", "0:9001"));
    for dtype in ["int16", "int8", "native"] {
        lab.convert(dtype, &["--dtype", dtype]);
        texts.push(draw(dtype, &[], "0:5", "0:9001"));
    }
    // Titles, axes and legends are the same whatever they were drawn from; the lines are judged above.
    let words = |svg: &str| -> Vec<String> {
        svg.lines()
            .filter(|line| !line.starts_with('<'))
            .map(Into::into)
            .collect()
    };
    assert!(words(&texts[0]).len() > 20, "{}", texts[0].len());
    for text in &texts[1..] {
        assert_eq!(words(text), words(&texts[0]));
    }
}

#[test]
fn times_choose_the_samples_and_each_row_keeps_its_own_place() {
    let lab = Lab::new();
    let arrays = lab.convert("float32", &["--baseline", "0"]);
    let one = |from: &str| {
        let svg = lab.path(&format!("{from}.svg"));
        lab.preview([
            from,
            "--channels",
            "C1",
            "--time",
            "100ns:300ns",
            "-o",
            svg.to_str().unwrap(),
        ])
        .must_succeed();
        fs::read_to_string(&svg).unwrap()
    };
    let (from_files, from_arrays) = (one("r005"), one("float32"));
    assert_eq!(from_files, from_arrays);
    assert!(from_files.contains("1,000 samples each"), "200 ns of 0.2 ns each");
    let reference = run_python(
        "import json, sys; print(json.load(open(sys.argv[1]))['fields']['HORIZ_OFFSET'])",
        [arrays.join("C1--Trace.json")],
    );
    let first = ((1e-7 - reference.trim().parse::<f64>().unwrap()) / 2e-10).round();
    // C1 alone, as the judge takes all arrays of a folder.
    for ending in ["npy", "index.npy"] {
        fs::create_dir_all(lab.path("c1")).unwrap();
        let name = format!("C1--Trace.{ending}");
        fs::copy(arrays.join(&name), lab.path("c1").join(&name)).unwrap();
    }
    judge(
        &lab.path("r005.svg"),
        &lab.path("c1"),
        "0:5",
        &format!("{first}:{}", first + 1000.0),
    );
}

#[test]
fn the_pixels_of_a_png_are_coloured_where_the_lines_of_the_svg_are() {
    let lab = Lab::new();
    for name in ["x.svg", "x.PNG"] {
        lab.preview(["r005", "-o", name, "--channels", "1"]).must_succeed();
    }
    let svg = fs::read_to_string(lab.path("x.svg")).unwrap();
    let decoder = png::Decoder::new(std::io::Cursor::new(fs::read(lab.path("x.PNG")).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(
        (info.color_type, info.bit_depth),
        (png::ColorType::Rgb, png::BitDepth::Eight)
    );
    let (width, height) = (info.width as usize, info.height as usize);
    assert!(svg.contains(&format!("width=\"{width}\" height=\"{height}\"")));
    // Neither paper, nor grid, nor black letters.
    let coloured = |x: usize, y: usize| {
        let rgb = &pixels[(y * width + x) * 3..][..3];
        rgb.iter().max().unwrap() - rgb.iter().min().unwrap() > 40
    };
    let is_trace = |line: &&str| line.starts_with("<polyline") && !line.contains("#DEDEDE");
    let mut corners = Vec::new();
    for trace in svg.lines().filter(is_trace) {
        let points = trace.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        corners.extend(points.split_whitespace().map(|point| {
            let (x, y) = point.split_once(',').unwrap();
            (x.parse::<usize>().unwrap(), y.parse::<usize>().unwrap())
        }));
    }
    assert!(
        corners.len() > 500 * usize::try_from(ROWS).unwrap(),
        "{}",
        corners.len()
    );
    let uncoloured = corners.iter().filter(|&&(x, y)| {
        let mut near = (x - 1..=x + 1).flat_map(|x| (y - 1..=y + 1).map(move |y| (x, y)));
        !near.any(|(x, y)| coloured(x, y))
    });
    let uncoloured: Vec<_> = uncoloured.collect();
    // Where lines of several colours cross, they can mix to grey.
    assert!(uncoloured.len() * 200 < corners.len(), "nothing at {uncoloured:?}");
    let left = corners.iter().map(|corner| corner.0).min().unwrap();
    let beside = (0..height).flat_map(|y| (0..left - 2).map(move |x| (x, y)));
    assert_eq!(beside.filter(|&(x, y)| coloured(x, y)).count(), 0, "left of the axis");
    let dark = |x: usize, y: usize| pixels[(y * width + x) * 3..][..3].iter().all(|part| *part < 80);
    let letters = (0..height).flat_map(|y| (0..left - 10).map(move |x| (x, y)));
    assert!(
        letters.filter(|&(x, y)| dark(x, y)).count() > 100,
        "no numbers beside the axis"
    );
}

#[test]
fn a_picture_that_is_there_stays_unless_it_may_be_replaced() {
    let lab = Lab::new();
    let svg = lab.path("x.svg");
    fs::write(&svg, "mine").unwrap();
    let words = ["r005", "--channels", "1", "-o", "x.svg"];
    lab.preview(words)
        .must_end_with(2)
        .must_say(&["x.svg is there already", "--overwrite"]);
    assert_eq!(fs::read(&svg).unwrap(), b"mine");
    lab.preview([&words[..], &["--overwrite"]].concat()).must_succeed();
    assert!(fs::read_to_string(&svg).unwrap().starts_with("<svg"));
    lab.preview(["r005", "-o", "x.pdf"])
        .must_end_with(2)
        .must_say(&[".svg or .png"]);
    assert!(!lab.path("x.pdf").exists());
}
