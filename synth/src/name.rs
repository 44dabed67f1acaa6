//! How the files of a run are called.

use std::fmt::Write as _;
use std::str::FromStr;

/// `C{c}--Trace--{i:05}.trc`: text with the channel's number `{c}` and the file's index `{i}`, both with an optional
/// zero-padded width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Channel { width: usize },
    Index { width: usize },
}

/// A name template that names no file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a file name template: {text:?}: {why} (write for example 'C{{c}}--Trace--{{i:05}}.trc')")]
pub struct BadName {
    text: String,
    why: &'static str,
}

impl FromStr for NameTemplate {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = |why| BadName {
            text: text.to_owned(),
            why,
        };
        if text.contains(['/', '\\', '\0']) {
            return Err(bad("it is a name, not a path"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').ok_or_else(|| bad("a { without its }"))? + open;
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            let (what, width) = rest[open + 1..close]
                .split_once(':')
                .unwrap_or((&rest[open + 1..close], "0"));
            let width: usize = width
                .parse()
                .ok()
                .filter(|&width| width <= 20)
                .ok_or_else(|| bad("a width is a number of at most 20 digits"))?;
            parts.push(match what {
                "c" => Part::Channel { width },
                "i" => Part::Index { width },
                _ => return Err(bad("only {c} and {i} are known")),
            });
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let template = Self { parts };
        if template.has(|part| matches!(part, Part::Index { .. })) {
            Ok(template)
        } else {
            Err(bad("without {i} all files would have one name"))
        }
    }
}

impl NameTemplate {
    /// The usual name: `C1--Trace--00000.trc`.
    pub fn trace() -> Self {
        Self::known("C{c}--Trace--{i:05}.trc")
    }

    /// The name that LECROY_1_0 instruments give: `trace1.000`.
    pub fn numbered_extension() -> Self {
        Self::known("trace{c}.{i:03}")
    }

    fn known(text: &str) -> Self {
        text.parse().expect("a template of this crate's own")
    }

    fn has(&self, what: impl Fn(&Part) -> bool) -> bool {
        self.parts.iter().any(what)
    }

    /// Whether files of different channels get different names.
    pub fn names_channel(&self) -> bool {
        self.has(|part| matches!(part, Part::Channel { .. }))
    }

    /// The name of a file.
    pub fn name(&self, channel: u8, index: u64) -> String {
        let mut name = String::new();
        for part in &self.parts {
            match *part {
                Part::Text(ref text) => name.push_str(text),
                Part::Channel { width } => write!(name, "{channel:0width$}").expect("a String takes any text"),
                Part::Index { width } => write!(name, "{index:0width$}").expect("a String takes any text"),
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_from_their_parts() {
        assert_eq!(NameTemplate::trace().name(2, 7), "C2--Trace--00007.trc");
        assert_eq!(NameTemplate::trace().name(2, 100_000), "C2--Trace--100000.trc");
        assert_eq!(NameTemplate::numbered_extension().name(1, 12), "trace1.012");
        let name: NameTemplate = "F{c}bias 50{i}.TRC".parse().unwrap();
        assert_eq!(name.name(1, 3), "F1bias 503.TRC");
        assert!(name.names_channel());
        assert!(!"x{i}".parse::<NameTemplate>().unwrap().names_channel());
    }

    #[test]
    fn templates_that_name_no_file_are_refused() {
        for text in ["", "C{c}.trc", "C{c}{i", "{n}{i}", "a/{i}", "{i:x}", "{i:21}", "{i:}"] {
            assert!(text.parse::<NameTemplate>().is_err(), "{text}");
        }
    }
}
