//! For tests alone: a decoder that crashes on a file of a given name. Compiled with debug assertions only: never
//! into a program that is given away.
//!
//! `TRC2NPY_TEST_CRASH=panic:NAME` makes decoding that file panic, `abort:NAME` ends the process.

use std::sync::LazyLock;

const VARIABLE: &str = "TRC2NPY_TEST_CRASH";

static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(VARIABLE).ok());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    Panic,
    Abort,
}

/// Crashes where the environment asks for it on files of this name.
pub(super) fn maybe_crash(name: &str) {
    match WANTED.as_deref().and_then(|wanted| asked(wanted, name)) {
        Some(Crash::Panic) => panic!("{VARIABLE} asks for a panic on {name}"),
        Some(Crash::Abort) => std::process::abort(),
        None => {}
    }
}

fn asked(wanted: &str, name: &str) -> Option<Crash> {
    let (how, on) = wanted.split_once(':')?;
    let how = match how {
        "panic" => Crash::Panic,
        "abort" => Crash::Abort,
        _ => return None,
    };
    (on == name).then_some(how)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_file_crashes() {
        let name = "C1--Trace--00007.trc";
        assert_eq!(asked("panic:C1--Trace--00007.trc", name), Some(Crash::Panic));
        assert_eq!(asked("abort:C1--Trace--00007.trc", name), Some(Crash::Abort));
        for other in [
            "panic:C1--Trace--00008.trc",
            "C1--Trace--00007.trc",
            "stop:C1--Trace--00007.trc",
            "",
        ] {
            assert_eq!(asked(other, name), None, "{other}");
        }
        maybe_crash(name);
    }
}
