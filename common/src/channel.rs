//! Which trace of the instrument a file holds: `C1`..`C8`, `F1`, `M1`, `Z1`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A source as the instrument names it in front of a file's name: a letter (`C` channel, `F` math, `M` memory,
/// `Z` zoom; others occur) and a number. Ordered as users list them: `C1`, `C2`, ..., `F1`, `M1`, `Z1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    letter: u8,
    number: u8,
}

impl Channel {
    /// The channel of an upper-case letter and a number from 1 to 99.
    pub const fn new(letter: char, number: u8) -> Option<Self> {
        if letter.is_ascii_uppercase() && number >= 1 && number <= 99 {
            Some(Self {
                letter: letter as u8,
                number,
            })
        } else {
            None
        }
    }

    /// The letter in front.
    pub const fn letter(self) -> char {
        self.letter as char
    }

    /// The number behind it.
    pub const fn number(self) -> u8 {
        self.number
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.letter(), self.number))
    }
}

/// A channel name that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a channel: {0:?} (write C1, F2, M1, Z1, or 1 for C1)")]
pub struct BadChannel(String);

impl FromStr for Channel {
    type Err = BadChannel;

    /// Reads `C1`, `c1` and, as the lab's script has it, `1`.
    fn from_str(text: &str) -> Result<Self, BadChannel> {
        let text = text.trim();
        let bad = || BadChannel(text.to_owned());
        let first = text.chars().next().ok_or_else(bad)?;
        let (letter, digits) = if first.is_ascii_digit() {
            ('C', text)
        } else {
            (first.to_ascii_uppercase(), &text[first.len_utf8()..])
        };
        if digits.starts_with(['+', '0']) {
            return Err(bad());
        }
        digits
            .parse()
            .ok()
            .and_then(|number| Self::new(letter, number))
            .ok_or_else(bad)
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_read_as_people_write_them() {
        for (text, name) in [("C1", "C1"), ("c3", "C3"), ("2", "C2"), (" F1 ", "F1"), ("Z12", "Z12")] {
            assert_eq!(
                text.parse::<Channel>().map(|c| c.to_string()),
                Ok(name.to_owned()),
                "{text}"
            );
        }
        for text in ["", "C", "C0", "C01", "CC1", "C1x", "+1", "C+1", "é1", "C100", "C256"] {
            assert!(text.parse::<Channel>().is_err(), "{text}");
        }
    }

    #[test]
    fn channels_sort_as_users_list_them() {
        let mut all: Vec<Channel> = ["Z1", "C10", "M1", "C2"].iter().map(|c| c.parse().unwrap()).collect();
        all.sort();
        assert_eq!(
            all.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["C2", "C10", "M1", "Z1"]
        );
    }
}
