//! How the work is done: nothing here changes a byte of the result.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::channel::Channel;
use crate::units::Bytes;

/// `--io`: how input bytes reach the decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Io {
    /// Mapped windows for files from [`Io::MAP_FROM`] up on a local disk of a unix system, reads elsewhere.
    #[default]
    Auto,
    /// Mapped windows wherever the system can map the file.
    Mmap,
    /// Reads only.
    Read,
}

impl Io {
    /// Below this size a `read` beats the page faults of a mapping.
    pub const MAP_FROM: Bytes = Bytes(50_000_000);

    /// Whether a file of this size is mapped. `local`: its file system is this machine's own.
    pub fn maps(self, size: Bytes, local: bool) -> bool {
        match self {
            // On Windows a mapped file cannot be replaced by its owner, and on a network file system a lost
            // connection would surface as a memory fault.
            Self::Auto => cfg!(unix) && local && size >= Self::MAP_FROM,
            Self::Mmap => true,
            Self::Read => false,
        }
    }
}

/// What becomes of outputs that are there already. They stay until the new ones are whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Overwrite {
    /// Those of another conversion are in the way: an error.
    #[default]
    Never,
    /// Those of another conversion, or of inputs that have changed or grown in number since, are replaced. What the
    /// same command made of the same inputs is kept, and gone on with where it is unfinished.
    Stale,
    /// All are replaced, by a conversion from the beginning.
    Always,
}

impl Overwrite {
    /// Whether what another conversion made may be replaced.
    pub const fn others(self) -> bool {
        !matches!(self, Self::Never)
    }
}

/// `--name`: the name of each channel's array, with `{channel}` in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameTemplate(String);

impl NameTemplate {
    /// `C1/C1--Trace.npy`: a folder for each channel inside the output folder. What users write names no folder.
    pub fn folder_each() -> Self {
        Self("{channel}/{channel}--Trace.npy".to_owned())
    }

    /// The array's name, `C1--Trace.npy`.
    pub fn array(&self, channel: Channel) -> String {
        self.0.replace("{channel}", &channel.to_string())
    }

    /// The name of what belongs to the array: `C1--Trace` + `suffix`.
    pub fn sibling(&self, channel: Channel, suffix: &str) -> String {
        let array = self.array(channel);
        let stem = array.strip_suffix(".npy").unwrap_or(&array);
        format!("{stem}{suffix}")
    }
}

impl Default for NameTemplate {
    fn default() -> Self {
        Self("{channel}--Trace.npy".to_owned())
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A name template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Two channels would get one name.
    #[error(
        "{0:?} does not hold {{channel}}: all channels would get one name (write for example {{channel}}--Trace.npy)"
    )]
    NoChannel(String),
    /// Readers go by the ending.
    #[error("{0:?} does not end in .npy (write for example {{channel}}--Trace.npy)")]
    NoNpy(String),
    /// The outputs of a run lie in one folder.
    #[error(
        "{0:?} is not a plain file name: no / \\ : * ? \" < > | and no control character can be in it (choose the folder by --out)"
    )]
    NotPlain(String),
}

impl FromStr for NameTemplate {
    type Err = BadName;

    #[expect(
        clippy::case_sensitive_file_extension_comparisons,
        reason = "the siblings' names are made from this ending"
    )]
    fn from_str(text: &str) -> Result<Self, BadName> {
        let name = text.to_owned();
        if !text.contains("{channel}") {
            return Err(BadName::NoChannel(name));
        }
        if !text.ends_with(".npy") || text.ends_with(".index.npy") {
            return Err(BadName::NoNpy(name));
        }
        // What Windows refuses is refused everywhere: the result is to be copied there.
        if text.starts_with('.') || text.contains(|c: char| c.is_control() || "/\\:*?\"<>|".contains(c)) {
            return Err(BadName::NotPlain(name));
        }
        Ok(Self(name))
    }
}

/// The settings of a conversion, chosen and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that read, decode and write.
    pub threads: usize,
    /// Bytes that plan, buffers and mapped windows may take together.
    pub memory_limit: Bytes,
    /// Share of the system's memory in use above which the buffers shrink, 0 to 1.
    pub memory_threshold: f64,
    /// How input is read.
    pub io: Io,
    /// Output bytes of one unit of work; chosen from the plan where it is not given.
    pub range_size: Option<Bytes>,
    /// Output bytes that a power cut may cost.
    pub sync_every: Bytes,
    /// A bad file younger than this may still be written by the instrument.
    pub settle: Duration,
    /// What becomes of outputs that are there already.
    pub overwrite: Overwrite,
    /// Whether an input of the planned size but another modification time is still the same.
    pub trust_size: bool,
    /// What the arrays are called.
    pub name: NameTemplate,
}

#[cfg(test)]
impl Settings {
    /// As good as any, for the unit tests of this folder.
    pub(super) fn for_tests() -> Self {
        Self {
            threads: 1,
            memory_limit: Bytes::gib(1),
            memory_threshold: 1.0,
            io: Io::Read,
            range_size: None,
            sync_every: Bytes::gib(1),
            settle: Duration::ZERO,
            overwrite: Overwrite::Never,
            trust_size: false,
            name: NameTemplate::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_lose_data_are_refused() {
        for (text, good) in [
            ("{channel}--Trace.npy", true),
            ("run5_{channel}.npy", true),
            ("Trace.npy", false),
            ("{channel}", false),
            ("{channel}.index.npy", false),
            ("../{channel}.npy", false),
            ("C:{channel}.npy", false),
            (".{channel}.npy", false),
        ] {
            assert_eq!(text.parse::<NameTemplate>().is_ok(), good, "{text}");
        }
        let name: NameTemplate = "x{channel}.npy".parse().unwrap();
        let c2 = "C2".parse().unwrap();
        assert_eq!(name.array(c2), "xC2.npy");
        assert_eq!(name.sibling(c2, ".index.npy"), "xC2.index.npy");
        let folders = NameTemplate::folder_each();
        assert_eq!(folders.sibling(c2, ".index.npy"), "C2/C2--Trace.index.npy");
    }

    #[test]
    fn only_large_local_files_are_mapped_by_default() {
        assert_eq!(Io::Auto.maps(Bytes(50_000_000), true), cfg!(unix));
        assert!(!Io::Auto.maps(Bytes(49_999_999), true));
        assert!(!Io::Auto.maps(Bytes::gib(1), false));
        assert!(Io::Mmap.maps(Bytes(1), false));
        assert!(!Io::Read.maps(Bytes::gib(1), true));
    }
}
