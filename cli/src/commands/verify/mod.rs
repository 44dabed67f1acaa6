//! `verify`: whether outputs are what was written, and what their sources hold. Here what is asked, and what is said of
//! rows and files; `deletion`: what is said of sources that could be deleted; `lists`: these in files of their own.

mod deletion;
mod lists;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use trc2npy_common::convert::Watch;
use trc2npy_common::fs::StorageError;
use trc2npy_common::outputs::{self, Description, OutputError};
use trc2npy_common::resources::Machine;
use trc2npy_common::verify::{self, Request, Share, Tally, Verdict, Verification, VerifyError};

use lists::Lists;

use super::convert::stop_on_ctrl_c;
use crate::failure::{DIFFERS, Failure, INTERRUPTED};
use crate::options::{self, VerifyOptions};
use crate::screen::{self, Display, Event, count, counted, indented, paragraph};

/// Verifies, and says what was found.
pub(crate) fn run(options: &VerifyOptions) -> Result<ExitCode, Failure> {
    let request = request(options)?;
    let mut lists = Lists::open(options)?;
    let display = Display::new(options.progress);
    if let (Share::Some { share, seed }, false) = (request.share, display.is_json()) {
        screen::chat(&format!(
            "comparing {} % of the rows with their sources; --seed {seed} chooses the same again",
            percent(share)
        ));
    }
    let stop = stop_on_ctrl_c(&display);
    let watch = Arc::new(Watch::new());
    let following = display.follow(Arc::clone(&watch), None);
    let found = verify::verify(&request, &watch, &stop, &mut |path, kept| lists.add(path, kept));
    drop(following);
    let found = found?;
    let listed = match &found.deletion {
        Some(_) => lists.finish()?,
        None => lists.drop_all(),
    };
    if display.is_json() {
        Event::End(&as_json(&request, &found)).emit()?;
    } else if options.json {
        screen::show_json(&as_json(&request, &found))?;
    } else if found.agrees() && !found.interrupted {
        screen::tell(&(told(&request, &found) + &listed))?;
    } else {
        screen::show(&(told(&request, &found) + &listed))?;
    }
    Ok(match (found.interrupted, found.agrees()) {
        (true, _) => INTERRUPTED.into(),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => DIFFERS.into(),
    })
}

/// A share in per cent, with the digits that were typed.
fn percent(share: f64) -> String {
    // Times 100, and without the last digits, in which that can show.
    format!("{:.10e}", share * 100.0)
        .parse()
        .map_or_else(|_| String::new(), |percent: f64| percent.to_string())
}

fn request(options: &VerifyOptions) -> Result<Request, Failure> {
    let mut paths = Vec::new();
    for named in &options.outputs {
        let found = outputs::find(named)?;
        for begun in &found.unfinished {
            screen::remark(&format!(
                "warning: {}: a conversion into it was begun, and no array of it is there: it is not verified",
                begun.display()
            ));
        }
        paths.extend(found.outputs);
    }
    let mut known = std::collections::BTreeSet::new();
    paths.retain(|paths| known.insert(paths.clone()));
    let share = match options.sample {
        None => Share::All,
        Some(share) => Share::Some {
            share,
            // Short enough to be typed again.
            seed: options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
        },
    };
    Ok(Request {
        outputs: paths,
        sources: options.sources.clone(),
        share,
        threads: options
            .threads
            .map_or_else(|| options::threads(&Machine::detect()), Into::into),
        digest: options.digest,
    })
}

/// The table, what differs, and what follows from it.
fn told(request: &Request, found: &Verification) -> String {
    let heads = [
        "channel",
        ">rows",
        ">samples",
        ">bad rows",
        ">compared",
        ">differ",
        "file",
    ];
    let mut text = screen::table(&heads, found.channels.iter().map(row));
    text.push('\n');
    for (path, digest) in &found.digests {
        let _ = writeln!(text, "{digest}  {}", path.display());
    }
    if !found.digests.is_empty() {
        text.push('\n');
    }
    if found.interrupted {
        text += &paragraph("Interrupted: the table tells of what was seen until then.");
    }
    if found.agrees() {
        if !found.interrupted {
            text += &agreement(request, found);
        }
    } else {
        text += &differences(found);
    }
    text
}

fn row(verdict: &Verdict) -> Vec<String> {
    let path = verdict.path.display().to_string();
    let differ = count(verdict.differences.count);
    let Some(what) = &verdict.description else {
        let unknown = ["-"; 5].map(ToOwned::to_owned);
        return unknown.into_iter().chain([differ, path]).collect();
    };
    vec![
        what.channel.to_string(),
        count(what.rows()),
        count(what.samples().into()),
        count(verdict.statuses.bad_rows()),
        verdict
            .sources
            .as_ref()
            .map_or_else(|| "-".to_owned(), |_| count(verdict.compared)),
        differ,
        path,
    ]
}

fn differences(found: &Verification) -> String {
    let all: u64 = found.channels.iter().map(|channel| channel.differences.count).sum();
    let all = all + found.reports.len() as u64;
    let absent: u64 = tallies(found).map(|tally| tally.missing.count).sum();
    let mut text = if absent == all {
        let (are, they) = if all == 1 { ("is", "it") } else { ("are", "they") };
        paragraph(&format!(
            "INCOMPLETE: {} {are} missing or cannot be read. All else agrees; put {they} back, or say where {they} {are}: \
             --sources=DIR.",
            counted(absent, "source file")
        ))
    } else {
        format!("DIFFERS: {}\n", counted(all, "difference"))
    };
    for channel in found.channels.iter().filter(|channel| !channel.differences.is_empty()) {
        let _ = writeln!(text, "\n{}", channel.path.with_extension("").display());
        for difference in &channel.differences.examples {
            let _ = writeln!(text, "  {}", difference.place());
            text += &indented(&difference.what.to_string(), 4);
        }
        let shown = channel.differences.examples.len() as u64;
        if channel.differences.count > shown {
            let _ = writeln!(text, "  and {} more", count(channel.differences.count - shown));
        }
    }
    for (path, problem) in &found.reports {
        let _ = writeln!(text, "\n{}", path.display());
        text += &indented(&problem.to_string(), 4);
    }
    text
}

fn tallies(found: &Verification) -> impl Iterator<Item = &Tally> + Clone {
    found.channels.iter().filter_map(|channel| channel.sources.as_ref())
}

fn agreement(request: &Request, found: &Verification) -> String {
    let mut sentence = "Everything agrees: arrays, indices, lists and JSONs are as they were written".to_owned();
    let compared: u64 = found.channels.iter().map(|channel| channel.compared).sum();
    match (&request.sources, request.share) {
        (None, _) => sentence += ". (--sources compares them with the .trc files too.)",
        (Some(_), Share::All) => {
            let _ = write!(
                sentence,
                ", and all {} are what their sources hold.",
                counted(compared, "row")
            );
        }
        (Some(_), Share::Some { .. }) => {
            let _ = write!(
                sentence,
                ", and {} are what their sources hold.",
                counted(compared, "row")
            );
        }
    }
    let mut text = paragraph(&sentence);
    if unsealed(found) {
        text += &paragraph(
            "Lists and JSONs of an earlier version have no checksums: of these it is not known whether they are as they \
             were written.",
        );
    }
    if let Some(found) = &found.deletion {
        text.push('\n');
        text += &deletion::told(found);
    }
    text
}

fn unsealed(found: &Verification) -> bool {
    let mut described = found.channels.iter().filter_map(|channel| channel.description.as_ref());
    described.any(|what| !what.is_sealed())
}

fn as_json(request: &Request, found: &Verification) -> Value {
    let channels: Vec<Value> = found
        .channels
        .iter()
        .map(|verdict| {
            let what = verdict.description.as_ref();
            let bad: Vec<Value> = verdict
                .statuses
                .bad()
                .map(|(status, rows)| json!({"status": status, "rows": rows}))
                .collect();
            json!({
                "path": verdict.path,
                "channel": what.map(|what| what.channel),
                "rows": what.map(Description::rows),
                "samples": what.map(Description::samples),
                "dtype": what.map(|what| what.element),
                "bad_rows": bad,
                "compared": verdict.compared,
                "differences": verdict.differences,
                "sources": verdict.sources,
            })
        })
        .collect();
    let reports = found
        .reports
        .iter()
        .map(|(path, problem)| json!({"path": path, "problem": problem.to_string()}));
    let digests = found
        .digests
        .iter()
        .map(|(path, digest)| json!({"path": path, "blake3": digest}));
    json!({
        "agrees": found.agrees() && !found.interrupted,
        "interrupted": found.interrupted,
        "share": (request.sources.is_some()).then_some(match request.share {
            Share::All => json!("all"),
            some @ Share::Some { .. } => json!(some),
        }),
        "channels": channels,
        "reports": reports.collect::<Vec<_>>(),
        "digests": digests.collect::<Vec<_>>(),
        "safe_to_delete": found.deletion,
    })
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::work(1, &error)
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        let usage = match &error {
            OutputError::None { .. } => true,
            OutputError::Storage(error) => error.source_kind() == std::io::ErrorKind::NotFound,
            OutputError::Damaged { .. } => false,
        };
        Self::work(if usage { 2 } else { 1 }, &error)
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self::work(1, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_share_is_shown_as_it_was_typed() {
        for (share, text) in [
            (0.05, "5"),
            (0.07, "7"),
            (1e-9, "0.0000001"),
            (0.123, "12.3"),
            (1.0, "100"),
        ] {
            assert_eq!(percent(share), text);
        }
    }
}
