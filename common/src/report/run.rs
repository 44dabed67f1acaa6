//! What `report.json` says of the run, as far as it says it: one of another version, or a damaged one, tells less.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::convert::{BadFile, PacePoint};
use crate::plan::Findings;
use crate::units::{Bytes, count};

/// Bad files that are listed at most.
pub(super) const LISTED: usize = 1000;

/// The run.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// How it went: names and what is to say of them.
    pub(super) course: Vec<(String, String)>,
    /// The options and settings.
    pub(super) settings: Vec<(String, String)>,
    /// Where it was done, from which folders into which.
    pub(super) machine: Vec<(String, String)>,
    /// What someone should look at.
    pub(super) warnings: Vec<String>,
    /// What is as it should be.
    pub(super) notes: Vec<String>,
    pub(super) bad_files: Vec<BadFile>,
    pub(super) pace: Vec<PacePoint>,
    /// Whether other machines made the rows.
    pub(super) by_workers: bool,
}

impl Run {
    /// Of a report's text; none where it is no report.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let json: Json = serde_json::from_slice(text).ok()?;
        json.is_object().then(|| Self::told(&json))
    }

    fn told(json: &Json) -> Self {
        let mut run = Self {
            course: course(json),
            machine: machine(json),
            pace: part(json, "pace"),
            bad_files: part(json, "bad_files"),
            by_workers: json["workers"].as_array().is_some_and(|workers| !workers.is_empty()),
            ..Self::default()
        };
        run.bad_files.truncate(LISTED);
        for name in ["options", "settings"] {
            flatten("", &json[name], &mut run.settings);
        }
        let findings: Findings = part(json, "findings");
        let severe: Vec<&_> = findings
            .warnings()
            .filter(|finding| !finding.is_preliminary())
            .collect();
        run.warnings = severe.iter().map(ToString::to_string).collect();
        run.warnings.extend(part::<Vec<String>>(json, "notes"));
        let others = findings.all.iter().filter(|finding| !severe.contains(finding));
        run.notes = others
            .filter(|finding| !finding.is_preliminary())
            .map(ToString::to_string)
            .collect();
        run
    }
}

/// A part of the report; nothing where it is not there or has another form.
fn part<T: for<'de> Deserialize<'de> + Default>(json: &Json, name: &str) -> T {
    T::deserialize(&json[name]).unwrap_or_default()
}

fn course(json: &Json) -> Vec<(String, String)> {
    let speed = &json["speed"];
    let mut rows = Vec::new();
    let mut add = |name: &str, fact: Option<String>| {
        if let Some(fact) = fact {
            rows.push((name.to_owned(), fact));
        }
    };
    add("finished", text(&json["finished"]).map(moment));
    add("planning", speed["seconds_planning"].as_f64().map(seconds));
    add("converting", speed["seconds_converting"].as_f64().map(seconds));
    add(
        "of these waiting for the disk",
        speed["seconds_syncing"].as_f64().map(seconds),
    );
    add("rows made", speed["rows"].as_u64().map(count));
    add(
        "rows of an earlier, interrupted call",
        speed["rows_resumed"].as_u64().filter(|rows| *rows > 0).map(count),
    );
    add("bytes read", bytes(&speed["bytes_read"]));
    add("bytes written", bytes(&speed["bytes_written"]));
    let rate = |name: &str| speed[name].as_f64().filter(|rate| rate.is_finite());
    add(
        "speed of reading",
        rate("megabytes_read_per_second").map(|rate| format!("{rate:.1} MB/s")),
    );
    add("traces a minute", rate("traces_per_minute").map(whole));
    add("most memory", bytes(&speed["memory_peak"]));
    add(
        "made by",
        text(&json["version"]).map(|version| format!("trc2npy {version}")),
    );
    rows
}

fn machine(json: &Json) -> Vec<(String, String)> {
    let (machine, input) = (&json["machine"], &json["input"]);
    let mut rows = Vec::new();
    let mut add = |name: &str, fact: Option<String>| {
        if let Some(fact) = fact {
            rows.push((name.to_owned(), fact));
        }
    };
    add("machine", text(&machine["host"]));
    add("system", text(&machine["system"]));
    add("processor", text(&machine["cpu"]));
    add("cores", text(&machine["physical_cores"]));
    add("cores that may be used", text(&machine["usable_cores"]));
    add("memory", bytes(&machine["memory_total"]));
    for worker in json["workers"].as_array().into_iter().flatten() {
        add("worker", text(worker));
    }
    add("input files", input["files"].as_u64().map(count));
    add("input", bytes(&input["bytes"]));
    for folder in input["folders"].as_array().into_iter().flatten() {
        add("input folder", place(folder));
    }
    add("output folder", place(&json["output"]));
    rows
}

/// A number without a fraction.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    digits.parse().map_or(digits, count)
}

/// A time of day without the parts of a second that nobody needs.
fn moment(text: String) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => text,
    }
}

/// A folder, and the file system that it lies on.
fn place(json: &Json) -> Option<String> {
    let path = text(&json["path"])?;
    Some(match text(&json["file_system"]) {
        Some(system) => format!("{path} ({system})"),
        None => path,
    })
}

fn seconds(seconds: f64) -> String {
    match seconds {
        short if short < 99.95 => format!("{short:.1} s"),
        long if long < 5_400.0 => format!("{:.1} min", long / 60.0),
        hours => format!("{:.1} h", hours / 3_600.0),
    }
}

fn bytes(json: &Json) -> Option<String> {
    json.as_u64().map(|bytes| Bytes(bytes).to_string())
}

/// A value as it is typed.
fn text(json: &Json) -> Option<String> {
    match json {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Names of settings within settings are joined by a blank.
fn flatten(above: &str, json: &Json, into: &mut Vec<(String, String)>) {
    match json {
        Json::Object(fields) => {
            for (name, value) in fields {
                let joined = format!("{above} {}", name.replace('_', " "));
                flatten(joined.trim_start(), value, into);
            }
        }
        Json::Null => {}
        value => {
            let shown = text(value).unwrap_or_default();
            into.push((above.to_owned(), shown));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_of_another_form_tells_what_it_can() {
        let run = Run::told(&json!({
            "version": "9.9",
            "speed": {"seconds_converting": 7200.0, "rows_resumed": 0, "bytes_read": "many"},
            "settings": {"threads": 3, "memory_limit": null, "io": {"kind": "read"}},
            "findings": [{"kind": "of the future"}],
            "bad_files": [{"file": "r/a.trc", "status": "truncated", "why": "10 bytes expected"}],
        }));
        let course: Vec<&str> = run.course.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(course, ["converting", "made by"]);
        assert_eq!(run.course[0].1, "2.0 h");
        assert_eq!((whole(368_729.4).as_str(), whole(-1.0).as_str()), ("368,729", "-1"));
        assert_eq!(
            run.settings,
            [("threads", "3"), ("io kind", "read")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        assert_eq!(run.bad_files[0].file, "r/a.trc");
        assert!(run.warnings.is_empty() && run.pace.is_empty());
        assert!(Run::of(b"[]").is_none() && Run::of(b"{\"a").is_none());
    }
}
