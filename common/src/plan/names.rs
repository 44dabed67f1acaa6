//! From the name of a file to its channel, its stem and its index. Pure: sees names, never files.
//!
//! Every name is first split into `prefix` + run of digits + `suffix`, where the prefix does not end in a digit. All
//! names of a folder that share prefix, suffix and number of digits are one [`Class`], so that a million names cost
//! a handful of allocations. Which of the digits are the index is decided for whole classes, in [`super::readings`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;

/// Digits the instrument writes at least; what stands before them in a run of digits is the operator's text.
pub(super) const INDEX_DIGITS: u8 = 5;

/// 10 to the power of [`INDEX_DIGITS`].
pub(super) const INDEX_LIMIT: u64 = 100_000;

/// Longest run of digits that a `u64` holds whatever the digits are.
const MAX_DIGITS: usize = 19;

/// Why a file is not part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmatched {
    /// `C1--Trace--00001 (1).trc`, `C1--Trace--00001 - Copy.trc`
    Copy,
    /// `C1--Trace--final.trc`
    NoIndex,
    /// More digits than an index can have.
    IndexTooLong,
    /// Another extension.
    OtherKind,
    /// Bytes that are no text.
    NotUnicode,
    /// Neither the name nor the header says which channel it is.
    NoChannel,
    /// Neither a file nor a folder, or a link that leads nowhere.
    NoFile,
}

impl Unmatched {
    /// How people are told, behind a number of files.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Copy => "with the name of a copy (\" (1)\" or \" - Copy\" in it)",
            Self::NoIndex => {
                "with no index at the end of the name (C1--Trace--00000.trc, or five digits: C1Trace00000.trc)"
            }
            Self::IndexTooLong => "with an index of more than 19 digits",
            Self::OtherKind => "of another kind than .trc",
            Self::NotUnicode => "with a name that is not Unicode",
            Self::NoChannel => "with no channel in the name, nor a known one in the header",
            Self::NoFile => "by name alone (a folder, or a link that leads nowhere)",
        }
    }
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())
    }
}

/// How a name carries its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Form {
    /// `C1--Trace--00000.trc`: all digits behind the last `--`.
    Dashed,
    /// `C1Trace00000.trc`: the last five digits, or more.
    Plain,
    /// `trace1.000`: the extension.
    Extension,
    /// A file that the user named and that has no index (`pulse.trc`): it is index 0 of its own.
    Literal,
}

/// A name cut at its run of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// Bytes before the digits.
    pub(super) prefix: usize,
    /// How many digits.
    pub(super) digits: usize,
    /// All of them as a number.
    pub(super) number: u64,
    /// What they are.
    pub(super) form: Form,
}

/// Whether the file belongs to the operating system, and is passed over in silence.
pub(crate) fn is_hidden(name: &[u8]) -> bool {
    name.first() == Some(&b'.')
        || [&b"Thumbs.db"[..], b"desktop.ini"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a name is a trace's, also one that is left out (a copy, no index).
pub(crate) fn is_trace(name: &str) -> bool {
    !matches!(split(name), Err(Unmatched::OtherKind))
}

/// Cuts a name at its digits, or says why it is no trace's.
pub(super) fn split(name: &str) -> Result<Split, Unmatched> {
    let (base, extension) = name.rsplit_once('.').ok_or(Unmatched::OtherKind)?;
    if extension.eq_ignore_ascii_case("trc") {
        split_trc(base)
    } else if extension.len() >= 3 && all_digits(extension) && is_trace_number(base) {
        Ok(Split {
            prefix: base.len() + 1,
            digits: extension.len(),
            number: number(extension)?,
            form: Form::Extension,
        })
    } else {
        Err(Unmatched::OtherKind)
    }
}

fn split_trc(base: &str) -> Result<Split, Unmatched> {
    if is_copy(base) {
        return Err(Unmatched::Copy);
    }
    let digits = base.bytes().rev().take_while(u8::is_ascii_digit).count();
    let prefix = base.len() - digits;
    let form = if digits > 0 && base[..prefix].ends_with("--") {
        Form::Dashed
    } else if digits >= usize::from(INDEX_DIGITS) {
        Form::Plain
    } else {
        return Err(Unmatched::NoIndex);
    };
    Ok(Split {
        prefix,
        digits,
        number: number(&base[prefix..])?,
        form,
    })
}

fn number(digits: &str) -> Result<u64, Unmatched> {
    if digits.len() > MAX_DIGITS {
        return Err(Unmatched::IndexTooLong);
    }
    digits.parse().map_err(|_| Unmatched::IndexTooLong)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// `trace1` in front of `.000`.
fn is_trace_number(base: &str) -> bool {
    base.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("trace")) && base.len() <= 7 && all_digits(&base[5..])
}

/// What Windows, macOS and Linux desktops append (and once prepended) to a second copy.
fn is_copy(base: &str) -> bool {
    let counted = base
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once(" ("))
        .and_then(|(rest, count)| (!count.is_empty() && all_digits(count)).then_some(rest));
    let rest = counted.unwrap_or(base);
    let ends = [" - Copy", " copy", " (copy)", " - Kopie", " - Copie", " - Copia"];
    counted.is_some() || base.starts_with("Copy of ") || ends.iter().any(|end| rest.ends_with(end))
}

/// The channel in front of a name, and where the name goes on behind it.
///
/// The letter is upper case, or one of the instrument's own in lower case (some file systems fold case).
pub(super) fn channel_tag(name: &str) -> Option<(Channel, usize)> {
    let letter = *name.as_bytes().first()?;
    if !(letter.is_ascii_uppercase() || b"cfmz".contains(&letter)) {
        return None;
    }
    let digits = name.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 2 || name.as_bytes()[1] == b'0' {
        return None;
    }
    let number = name[1..=digits].parse().ok()?;
    let channel = Channel::new(letter.to_ascii_uppercase() as char, number)?;
    Some((channel, 1 + digits))
}

/// All names of one folder that share everything but the value of their digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) prefix: String,
    pub(super) digits: u8,
    pub(super) suffix: String,
    pub(super) form: Form,
    /// The channel in the name, if there is one.
    pub(super) channel: Option<Channel>,
    /// What the operator typed: between channel and index, without the `--` around it.
    pub(super) stem: String,
}

impl Class {
    /// The class of a name that was split.
    pub(super) fn new(name: &str, split: Split) -> Self {
        let prefix = &name[..split.prefix];
        let (channel, stem) = match split.form {
            Form::Extension => {
                let number = prefix[5..prefix.len() - 1].parse().unwrap_or(0);
                (Channel::new('C', number), &prefix[..5])
            }
            Form::Dashed | Form::Plain | Form::Literal => {
                let (channel, text) = match channel_tag(prefix) {
                    Some((channel, end)) => (Some(channel), &prefix[end..]),
                    None => (None, prefix),
                };
                (channel, trim_dashes(text, split.form, channel.is_some()))
            }
        };
        let (prefix_end, suffix) = match split.form {
            Form::Literal => (split.prefix, ""),
            _ => (split.prefix, &name[split.prefix + split.digits..]),
        };
        Self {
            stem: stem.to_owned(),
            channel,
            prefix: name[..prefix_end].to_owned(),
            digits: u8::try_from(split.digits).expect("split refuses more than 19 digits"),
            suffix: suffix.to_owned(),
            form: split.form,
        }
    }

    /// The class of a file that the user named and whose name has no index.
    pub(super) fn literal(name: &str) -> Self {
        let base = name.rsplit_once('.').map_or(name, |(base, _)| base);
        let (channel, text) = match channel_tag(base) {
            Some((channel, end)) => (Some(channel), &base[end..]),
            None => (None, base),
        };
        Self {
            prefix: name.to_owned(),
            digits: 0,
            suffix: String::new(),
            form: Form::Literal,
            stem: trim_dashes(text, Form::Literal, channel.is_some()).to_owned(),
            channel,
        }
    }

    /// Whether it is that of one file without an index.
    pub(super) fn is_literal(&self) -> bool {
        self.form == Form::Literal
    }

    /// If `name` is of this class: its number. Much cheaper than [`split`], and agrees with it.
    pub(super) fn number_of(&self, name: &[u8]) -> Option<u64> {
        let digits = usize::from(self.digits);
        if name.len() != self.prefix.len() + digits + self.suffix.len() {
            return None;
        }
        let (prefix, rest) = name.split_at(self.prefix.len());
        let (digits, suffix) = rest.split_at(digits);
        if prefix != self.prefix.as_bytes() || suffix != self.suffix.as_bytes() {
            return None;
        }
        digits.iter().try_fold(0_u64, |number, &b| {
            b.is_ascii_digit().then(|| number * 10 + u64::from(b - b'0'))
        })
    }

    /// The name that has `number`.
    pub(super) fn name(&self, number: u64) -> String {
        let width = usize::from(self.digits);
        match self.form {
            Form::Literal => self.prefix.clone(),
            _ => format!("{}{number:0width$}{}", self.prefix, self.suffix),
        }
    }
}

fn trim_dashes(text: &str, form: Form, behind_channel: bool) -> &str {
    // `C1--00000`: one pair of dashes stands before the index and behind the channel at once.
    let text = match form {
        Form::Dashed => text.strip_suffix("--").unwrap_or(text),
        _ => text,
    };
    if behind_channel {
        text.strip_prefix("--").unwrap_or(text)
    } else {
        text
    }
}

#[cfg(test)]
mod tests;
