//! Looking at files for the coordinator, which does not see them itself: what inputs hold, and the first bytes of files.

use std::fs::File;
use std::io::Read as _;
use std::sync::atomic::AtomicU64;

use trc2npy_common::panics;
use trc2npy_common::plan::survey;
use trc2npy_common::resources::Machine;
use trc2npy_common::roots::{Place, Roots, is_file_name};
use trc2npy_proto::PLAN_PIECE;
use trc2npy_proto::v1::{Answer, Ask, ListFiles, ReadHead, Trouble, answer, ask};

/// More of a file than any question needs.
const MOST: u32 = 64 << 10;

/// The pieces of an answer. Waits for the disk.
pub(crate) fn answer(ask: &Ask, roots: &Roots) -> Vec<Answer> {
    let found = panics::caught(|| match &ask.question {
        Some(ask::Question::List(list)) => list_files(list, roots),
        Some(ask::Question::Read(read)) => read_head(read, roots),
        None => Err(trouble(
            &"this worker is too old for what the coordinator asks: install the same version on both",
        )),
    });
    let found = found.unwrap_or_else(|why| {
        Err(trouble(&format!(
            "looking at the files crashed: {why} (please report this)"
        )))
    });
    let of = |answer| Answer {
        id: ask.id,
        answer: Some(answer),
    };
    match found {
        Err(trouble) => vec![of(answer::Answer::Trouble(trouble))],
        Ok(bytes) => {
            let mut pieces: Vec<Answer> = bytes
                .chunks(PLAN_PIECE)
                .map(|piece| of(answer::Answer::Piece(piece.to_vec())))
                .collect();
            pieces.push(of(answer::Answer::Last(Vec::new())));
            pieces
        }
    }
}

fn list_files(list: &ListFiles, roots: &Roots) -> Result<Vec<u8>, Trouble> {
    let mut inputs = Vec::with_capacity(list.inputs.len());
    for input in &list.inputs {
        let place: Place = input.parse().map_err(|error| usage(&error))?;
        inputs.push(roots.contains(&place).map_err(|error| usage(&error))?);
    }
    let threads = Machine::detect().usable_cores;
    let survey = survey(&inputs, list.recursive, threads, &AtomicU64::new(0)).map_err(|error| Trouble {
        why: error.to_string(),
        usage: error.is_usage(),
    })?;
    survey.encode(roots).map_err(|error| usage(&error))
}

fn read_head(read: &ReadHead, roots: &Roots) -> Result<Vec<u8>, Trouble> {
    let place: Place = read.folder.parse().map_err(|error| usage(&error))?;
    let folder = roots.contains(&place).map_err(|error| usage(&error))?;
    if !is_file_name(&read.name) {
        return Err(usage(&format!("{:?} is no file's name", read.name)));
    }
    let mut head = Vec::new();
    let file = File::open(folder.join(&read.name)).map_err(|error| trouble(&error))?;
    file.take(read.bytes.min(MOST).into())
        .read_to_end(&mut head)
        .map_err(|error| trouble(&error))?;
    Ok(head)
}

fn trouble(why: &impl ToString) -> Trouble {
    Trouble {
        why: why.to_string(),
        usage: false,
    }
}

fn usage(why: &impl ToString) -> Trouble {
    Trouble {
        why: why.to_string(),
        usage: true,
    }
}
