//! Which command a conversion belongs to: the same one, given again, goes on with it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::convert::{ConvertRun, NameTemplate, Settings};
use crate::fs;
use crate::plan::PlanRequest;
use crate::roots::is_elsewhere;

/// Names a command by all that decides about its bytes: its inputs, its choices, and what the arrays are called. How a
/// path is written does not matter, nor in which order inputs and channels are named where it changes nothing.
pub(in crate::convert) fn key(request: &PlanRequest, settings: &Settings) -> String {
    let mut inputs: Vec<PathBuf> = request.inputs.iter().map(|input| place(input)).collect();
    if !request.join {
        inputs.sort_unstable();
    }
    inputs.dedup();
    let mut channels = request.channels.clone();
    if let Some(channels) = &mut channels {
        channels.sort_unstable();
        channels.dedup();
    }
    let text = format!(
        "{inputs:?} {channels:?} {:?} {} {} {:?} {}",
        request.stem, request.recursive, request.join, request.options, settings.name
    );
    let digest = Sha256::digest(text.as_bytes());
    format!(
        "{:016x}",
        u64::from_be_bytes(*digest.first_chunk().expect("a SHA-256 has 32 bytes"))
    )
}

/// One path for every way to write it; of a pattern as far as its folders are there.
fn place(input: &Path) -> PathBuf {
    if is_elsewhere(input) {
        return input.to_owned();
    }
    let absolute = std::path::absolute(input).unwrap_or_else(|_| input.to_owned());
    for folder in absolute.ancestors() {
        if let Ok(real) = fs::real(folder) {
            let rest = absolute.strip_prefix(folder).unwrap_or(Path::new(""));
            // Joining nothing would leave a separator at the end.
            return if rest.as_os_str().is_empty() {
                real
            } else {
                real.join(rest)
            };
        }
    }
    absolute
}

/// The command in words, without what does not decide about bytes and without the output folder.
pub(in crate::convert) fn words(run: &ConvertRun) -> Vec<String> {
    let ConvertRun { request, out, settings } = run;
    let mut words = vec!["trc2npy".to_owned(), "convert".to_owned()];
    words.extend(request.inputs.iter().map(|input| input.display().to_string()));
    let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
    if let Some(channels) = &request.channels {
        let names: Vec<String> = channels.iter().map(ToString::to_string).collect();
        add("--channels", names.join(","));
    }
    if let Some(stem) = &request.stem {
        add("--stem", stem.clone());
    }
    if settings.name != NameTemplate::default() {
        add("--name", settings.name.to_string());
    }
    let switches = [(request.recursive, "--recursive"), (request.join, "--join")];
    words.extend(
        switches
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| (*word).to_owned()),
    );
    let flags = request.options.flags();
    words.extend(flags.iter().flat_map(|flag| flag.split(' ')).map(str::to_owned));
    words.extend(["--out".to_owned(), out.to_string()]);
    words
}

/// The same in a line for people, to be given again. Double quotes are what every shell understands.
pub(super) fn describe(run: &ConvertRun) -> String {
    let quoted = |word: String| {
        if word.contains(char::is_whitespace) {
            format!("\"{word}\"")
        } else {
            word
        }
    };
    words(run).into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{BaselineMethod, Dtype};
    use crate::plan::Out;
    use crate::trc::WaveArray;

    #[test]
    fn a_command_is_the_same_however_its_paths_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["r005", "r005-2"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        let settings = Settings::for_tests();
        let named = |inputs: &[&str], change: &dyn Fn(&mut PlanRequest)| {
            let mut request = PlanRequest::new(inputs.iter().map(|name| at(name)).collect(), 1);
            change(&mut request);
            key(&request, &settings)
        };
        let as_it_is = |_: &mut PlanRequest| {};
        let both = named(&["r005", "r005-2"], &as_it_is);
        for same in [
            &["r005/", "r005-2"][..],
            &["r005-2", "r005"],
            &["r005-2/../r005", "r005-2", "r005"],
        ] {
            assert_eq!(named(same, &as_it_is), both, "{same:?}");
        }
        assert_eq!(named(&["r005*"], &as_it_is), named(&["r005/../r005*"], &as_it_is));
        let channels = |list: &'static [&str]| {
            move |request: &mut PlanRequest| {
                request.channels = Some(list.iter().map(|name| name.parse().unwrap()).collect());
            }
        };
        let two = named(&["r005"], &channels(&["C1", "C2"]));
        assert_eq!(named(&["r005"], &channels(&["C2", "C1", "C2"])), two);

        let joined = |request: &mut PlanRequest| request.join = true;
        let mut all = vec![
            both,
            two,
            named(&["r005"], &as_it_is),
            named(&["r005*"], &as_it_is),
            named(&["r005"], &channels(&["C1"])),
            named(&["r005"], &|request| request.options.baseline.points = 3),
            named(&["r005"], &|request| request.options.selection.rows.start = 3),
            named(&["r005"], &|request| request.stem = Some("Trace".to_owned())),
            named(&["r005", "r005-2"], &joined),
            named(&["r005-2", "r005"], &joined),
        ];
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count, "two commands that do not do the same have one name");
    }

    #[test]
    fn a_command_is_told_as_one_would_type_it() {
        let mut run = ConvertRun {
            request: PlanRequest::new(vec!["run/r005".into(), "run/r006".into()], 1),
            out: Out::Template("my arrays/{run}".to_owned()),
            settings: Settings::for_tests(),
        };
        assert_eq!(
            describe(&run),
            "trc2npy convert run/r005 run/r006 --out \"my arrays/{run}\""
        );
        let request = &mut run.request;
        request.join = true;
        request.options.dtype = Dtype::Int8;
        request.options.baseline.points = 500;
        request.options.baseline.method = BaselineMethod::Median;
        request.options.selection.rows.start = 7;
        request.options.selection.array = WaveArray::Second;
        assert_eq!(
            describe(&run),
            "trc2npy convert run/r005 run/r006 --join --dtype int8 --baseline 500 --baseline-method median --rows 7: \
             --array 2 --out \"my arrays/{run}\""
        );
    }
}
