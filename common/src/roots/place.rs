//! A place as it is written: `data:run/r005`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a root: letters, digits, `-` and `_`, at least two of them, so that `C:` is a drive and no root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootName(String);

impl RootName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RootName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RootName {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.len() < 2 || !text.chars().all(allowed) {
            return Err(BadPlace::Name(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A file or folder below a root, or a pattern of such; the same on every machine that has the root mapped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    root: RootName,
    path: String,
}

/// A text that is no place, or one that some machine could not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    /// There is no root in it.
    #[error("{0:?} names no root: write ROOT:PATH, for example data:run/r005")]
    NoRoot(String),
    /// The root's name is none.
    #[error("{0:?} is no root's name: letters, digits, - and _, at least two of them (one letter is a drive)")]
    Name(String),
    /// Its path cannot be used.
    #[error("{place:?}: {why}")]
    Path {
        /// As written.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}

/// What Windows keeps for devices, whatever follows behind a dot.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

impl Place {
    /// What lies below a root by a relative path with `/` between its parts; the root itself where that is empty.
    pub fn new(root: RootName, path: &str) -> Result<Self, BadPlace> {
        let bad = |why: String| BadPlace::Path {
            place: format!("{root}:{path}"),
            why,
        };
        if path.starts_with('/') {
            return Err(bad(
                "the path must be relative to the root: begin it without /".to_owned()
            ));
        }
        if path.contains('\\') {
            return Err(bad("parts are separated by /, on every machine".to_owned()));
        }
        if !path.is_empty() {
            path.split('/').try_for_each(check_part).map_err(bad)?;
        }
        let path = path.to_owned();
        Ok(Self { root, path })
    }

    /// The root.
    pub const fn root(&self) -> &RootName {
        &self.root
    }

    /// The path below it, `/` between its parts; empty for the root itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The parts of the path.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|part| !part.is_empty())
    }
}

/// Whether a text can be the name of a file on this machine and leads nowhere else.
pub fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

/// Whether Windows keeps a name for a device, whatever follows behind a dot: what is written there is gone.
pub fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    is_device(stem)
}

fn check_part(part: &str) -> Result<(), String> {
    if part.is_empty() {
        return Err("a part of the path is empty: write one / between two parts, and none at the end".to_owned());
    }
    if part == "." || part == ".." {
        return Err(format!("{part:?} is not allowed in it: name the folder itself"));
    }
    if part.contains(':') {
        return Err(format!("{part:?} holds a colon, which is a drive on Windows"));
    }
    if let Some(c) = part.chars().find(|c| c.is_control() || "<>\"|".contains(*c)) {
        return Err(format!("{part:?} holds {c:?}, which Windows does not allow in a name"));
    }
    if part.ends_with(['.', ' ']) {
        return Err(format!("{part:?} ends in a dot or blank, which Windows drops"));
    }
    if is_device_name(part) {
        return Err(format!("{part:?} is a device on Windows"));
    }
    Ok(())
}

fn is_device(stem: &str) -> bool {
    // The superscripts count as digits there.
    let is_number =
        |text: &str| matches!(text.as_bytes(), [b'0'..=b'9']) || matches!(text, "\u{b9}" | "\u{b2}" | "\u{b3}");
    let is = |device: &&str| stem.eq_ignore_ascii_case(device);
    let is_numbered = |device: &&str| {
        let parts = stem.split_at_checked(device.len());
        parts.is_some_and(|(name, number)| name.eq_ignore_ascii_case(device) && is_number(number))
    };
    DEVICES.iter().any(is) || NUMBERED_DEVICES.iter().any(is_numbered)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.root, self.path))
    }
}

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let (root, path) = text.split_once(':').ok_or_else(|| BadPlace::NoRoot(text.to_owned()))?;
        // As a shell completes a folder, and as people name the one they are in.
        let path = match path.strip_suffix('/') {
            Some(folder) if !folder.is_empty() => folder,
            _ => path,
        };
        let path = if path == "." { "" } else { path };
        Self::new(root.parse()?, path)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
