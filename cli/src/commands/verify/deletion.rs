//! What is said of sources that could be deleted, and of those that are to be kept.

use trc2npy_common::verify::{Deletion, Kept};

use crate::screen::{count, counted, paragraph};

/// Folders named in a sentence.
const NAMED: usize = 3;

/// The sentences.
pub(super) fn told(found: &Deletion) -> String {
    let folders = folders(&found.folders);
    let Deletion {
        files, bytes, of_files, ..
    } = found;
    let sources = counted(*of_files, "source file");
    let mut text = paragraph(&match *files {
        0 => format!("None of the {sources} in {folders} is safe to delete. Nothing was deleted."),
        _ if files == of_files => {
            let all = if *of_files == 1 { "The" } else { "All" };
            let are = if *of_files == 1 { "is" } else { "are" };
            format!(
                "{all} {sources} in {folders} ({bytes}) {are} safe to delete: every sample is in the arrays. Nothing \
                 was deleted."
            )
        }
        _ => {
            let are = if *files == 1 { "is" } else { "are" };
            format!(
                "{} of the {sources} in {folders} ({bytes}) {are} safe to delete: every sample of them is in the \
                 arrays. Nothing was deleted.",
                count(*files)
            )
        }
    });
    for (kept, of_kind) in &found.kept {
        if let Some(example) = of_kind.examples.first() {
            let first = if of_kind.count == 1 { "" } else { "the first is " };
            text += &paragraph(&format!(
                "Keep {} {} ({first}{example}).",
                counted(
                    of_kind.count,
                    if *kept == Kept::NoTrace { "file" } else { "source file" }
                ),
                kept.describe()
            ));
        }
    }
    let lost: Vec<String> = found.only_in_headers.iter().map(|field| field.to_string()).collect();
    if !lost.is_empty() {
        text += &paragraph(&format!(
            "Only in the files' headers, and in no index: how {} from file to file.",
            match &lost[..] {
                [one] => format!("{one} varies"),
                [before @ .., end] => format!("{} and {end} vary", before.join(", ")),
                [] => String::new(),
            }
        ));
    }
    text
}

fn folders(names: &[String]) -> String {
    match names {
        [] => "no folder".to_owned(),
        [one] => one.clone(),
        [before @ .., last] if names.len() <= NAMED => format!("{} and {last}", before.join(", ")),
        _ => format!(
            "{} and {} more folders",
            names[..NAMED].join(", "),
            count((names.len() - NAMED) as u64)
        ),
    }
}
