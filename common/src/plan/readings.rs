//! Which digits of a name without `--` are its index. Pure.
//!
//! The instrument writes the operator's text and the index without anything between them, so `C1bias5000000.trc` is
//! `bias50` and 00000. The index is the last five digits, unless the folder shows that its indices are wider; where
//! its names disagree, both readings are shown and `--stem` chooses.

use std::collections::BTreeSet;

use super::error::{Ambiguity, ReadAs};
use super::names::{Class, Form, INDEX_DIGITS, INDEX_LIMIT};

/// How the digits of a class are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// All digits are the index.
    All,
    /// The last five are; those before them belong to the text.
    LastFive,
}

/// What a folder holds of one class.
#[derive(Clone, Debug)]
pub(super) struct Seen<'a> {
    pub(super) class: &'a Class,
    pub(super) count: u64,
    pub(super) smallest: u64,
    pub(super) largest: u64,
    /// What stands before the last five digits, as numbers; empty for classes that cannot be read two ways.
    pub(super) leads: BTreeSet<u64>,
}

/// Whether the digits of this class might hold more than the index.
pub(super) fn may_hold_text(class: &Class) -> bool {
    class.form == Form::Plain && class.digits > INDEX_DIGITS
}

/// Whether the digits follow the channel's letter, as in `C100000.trc`: then they begin with the channel's number.
fn follows_letter(class: &Class) -> bool {
    class.form == Form::Plain && class.channel.is_none() && class.prefix.len() == 1
}

/// The reading of each class of a folder, in the order of `seen`.
pub(super) fn decide(seen: &[Seen<'_>], stem: Option<&str>) -> Result<Vec<Reading>, Ambiguity> {
    seen.iter()
        .map(|one| {
            if one.class.form != Form::Plain || one.count == 0 {
                return Ok(Reading::All);
            }
            // Channels of one text count their files alike, so they are judged together.
            let alike: Vec<&Seen<'_>> = seen
                .iter()
                .filter(|other| {
                    other.class.form == Form::Plain
                        && other.count > 0
                        && other.class.stem == one.class.stem
                        && follows_letter(other.class) == follows_letter(one.class)
                })
                .collect();
            decide_text(&alike, stem)
        })
        .collect()
}

fn decide_text(alike: &[&Seen<'_>], stem: Option<&str>) -> Result<Reading, Ambiguity> {
    let first = alike[0];
    let bare = follows_letter(first.class);
    let longest = alike.iter().max_by_key(|one| one.class.digits).unwrap_or(&first);
    let shortest = alike.iter().min_by_key(|one| one.class.digits).unwrap_or(&first);
    if longest.class.digits == INDEX_DIGITS {
        return Ok(Reading::All);
    }
    let leads: BTreeSet<u64> = alike.iter().flat_map(|one| one.leads.iter().copied()).collect();
    if let (Some(stem), false) = (stem, bare) {
        if stem == first.class.stem {
            return Ok(Reading::All);
        }
        let chosen = alike
            .iter()
            .any(|one| one.leads.iter().any(|&lead| five_digit_stem(one.class, lead) == stem));
        if chosen {
            return Ok(Reading::LastFive);
        }
    }
    let widths_agree = shortest.class.digits == longest.class.digits;
    match (widths_agree, leads.len()) {
        (true, _) if bare => Ok(Reading::LastFive),
        // Zeros in front change neither index nor order.
        (true, 1) if leads.contains(&0) => Ok(Reading::All),
        (true, 1) => Ok(Reading::LastFive),
        (true, _) if counts_on(alike) => Ok(Reading::All),
        _ => Err(ambiguity(shortest, longest)),
    }
}

/// Whether the digits as a whole count nearly without gaps: `099999`, `100000`. Two texts (`bias50`, `bias60`) jump.
fn counts_on(alike: &[&Seen<'_>]) -> bool {
    alike
        .iter()
        .filter(|one| one.leads.len() > 1)
        .all(|one| one.largest - one.smallest < one.count + one.count / 4)
}

/// The stem where the last five digits are the index.
pub(super) fn five_digit_stem(class: &Class, lead: u64) -> String {
    format!("{}{}", class.stem, lead_text(class, lead))
}

/// The digits before the last five, as they stand in the name.
pub(super) fn lead_text(class: &Class, lead: u64) -> String {
    match usize::from(class.digits.saturating_sub(INDEX_DIGITS)) {
        0 => String::new(),
        width => format!("{lead:0width$}"),
    }
}

fn ambiguity(shortest: &Seen<'_>, longest: &Seen<'_>) -> Ambiguity {
    let class = longest.class;
    let number = longest.largest;
    Ambiguity {
        name: class.name(number),
        beside: shortest.class.name(shortest.smallest),
        readings: [
            ReadAs {
                stem: five_digit_stem(class, number / INDEX_LIMIT),
                index: number % INDEX_LIMIT,
            },
            ReadAs {
                stem: class.stem.clone(),
                index: number,
            },
        ],
        stem_chooses: !follows_letter(class),
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::split;
    use super::*;

    struct Folder(Vec<(Class, Vec<u64>)>);

    impl Folder {
        fn of(names: &[&str]) -> Self {
            let mut classes: Vec<(Class, Vec<u64>)> = Vec::new();
            for name in names {
                let split = split(name).unwrap();
                let class = Class::new(name, split);
                match classes.iter_mut().find(|(known, _)| *known == class) {
                    Some((_, numbers)) => numbers.push(split.number),
                    None => classes.push((class, vec![split.number])),
                }
            }
            Self(classes)
        }

        fn read(&self, stem: Option<&str>) -> Result<Vec<Reading>, Ambiguity> {
            let seen: Vec<Seen<'_>> = self
                .0
                .iter()
                .map(|(class, numbers)| Seen {
                    class,
                    count: numbers.len() as u64,
                    smallest: *numbers.iter().min().unwrap(),
                    largest: *numbers.iter().max().unwrap(),
                    leads: numbers.iter().map(|n| n / INDEX_LIMIT).collect(),
                })
                .collect();
            decide(&seen, stem)
        }
    }

    #[test]
    fn the_last_five_digits_are_the_index_unless_the_folder_shows_more() {
        use Reading::{All, LastFive};
        for (names, readings) in [
            (&["C1Trace00000.trc", "C1Trace00001.trc"][..], &[All][..]),
            // The text ends in digits.
            (&["C1bias5000000.trc", "C1bias5000001.trc"], &[LastFive]),
            (&["C1bias5000000.trc", "C2bias5000000.trc"], &[LastFive, LastFive]),
            // Six digits that count on past 99,999.
            (&["C1Trace099999.trc", "C1Trace100000.trc"], &[All]),
            // The other channel's indices are wider, so these are too.
            (
                &["C1Trace099999.trc", "C1Trace100000.trc", "C2Trace100000.trc"],
                &[All, All],
            ),
            (&["C1Trace000000.trc", "C1Trace000001.trc"], &[All]),
            // The channel's number and five digits.
            (&["C100000.trc", "C200000.trc"], &[LastFive]),
            // Dashes leave no doubt.
            (&["C1--Trace--00001.trc", "C1--Trace--100000.trc"], &[All, All]),
        ] {
            assert_eq!(Folder::of(names).read(None).as_deref(), Ok(readings), "{names:?}");
        }
    }

    #[test]
    fn names_that_can_be_read_two_ways_are_shown_with_both_and_the_stem_chooses() {
        let folder = Folder::of(&["C1Trace00001.trc", "C1Trace100001.trc"]);
        let ambiguity = folder.read(None).unwrap_err();
        assert_eq!(ambiguity.name, "C1Trace100001.trc");
        assert_eq!(ambiguity.beside, "C1Trace00001.trc");
        assert_eq!(
            (ambiguity.readings[0].stem.as_str(), ambiguity.readings[0].index),
            ("Trace1", 1)
        );
        assert_eq!(
            (ambiguity.readings[1].stem.as_str(), ambiguity.readings[1].index),
            ("Trace", 100_001)
        );
        assert_eq!(folder.read(Some("Trace")), Ok(vec![Reading::All; 2]));
        assert_eq!(folder.read(Some("Trace1")), Ok(vec![Reading::LastFive; 2]));
        assert!(folder.read(Some("other")).is_err());

        let two_texts = Folder::of(&["C1bias5000000.trc", "C1bias6000000.trc"]);
        assert!(two_texts.read(None).is_err());
        assert_eq!(two_texts.read(Some("bias60")), Ok(vec![Reading::LastFive]));

        let channels = Folder::of(&["C100000.trc", "C1000000.trc"]);
        assert!(!channels.read(None).unwrap_err().stem_chooses);
    }
}
