//! From the listings of a run's folders to the files of each channel, sorted by folder and index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::channel::Channel;

use super::error::PlanError;
use super::findings::{Examples, Finding, Findings};
use super::model::{Folder, NamePattern};
use super::names::{Class, Form, INDEX_DIGITS, INDEX_LIMIT, Split, Unmatched};
use super::readings::{Reading, Seen, decide, lead_text, may_hold_text};
use super::walk::{Listing, RawEntry};

/// One file of a channel, before it has rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) index: u64,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    /// Position in [`Gathered::patterns`].
    pub(super) pattern: u32,
    /// What is known of its layout: see [`super::layouts`].
    pub(super) layout: u32,
}

/// The files of a run.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) patterns: Vec<NamePattern>,
    /// In the order of [`Channel`], each sorted by folder and index.
    pub(super) channels: BTreeMap<Channel, Vec<Candidate>>,
}

/// What the user wants of what is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) channels: Option<&'a [Channel]>,
    pub(super) stem: Option<&'a str>,
}

/// The channel that a file's header names, for files whose name does not.
pub(super) type SourceOf<'a> = &'a (dyn Fn(&Path) -> Result<Option<Channel>, PlanError> + Sync);

/// One form of a name once its digits are read: all of one prefix, number of digits and suffix.
#[derive(Debug)]
struct FinalClass {
    class: Class,
    count: u64,
    smallest: u64,
}

/// Where the entries of a class go.
enum Target {
    One(usize),
    /// By what stands before the last five digits.
    ByLead(FxHashMap<u64, usize>),
}

/// Sorts what the folders hold into channels. `listings` are used up folder by folder.
pub(super) fn gather(
    folders: &[Folder],
    listings: Vec<Listing>,
    wanted: Wanted<'_>,
    source_of: SourceOf<'_>,
    findings: &mut Findings,
) -> Result<Gathered, PlanError> {
    let mut gathering = Gathering {
        wanted,
        source_of,
        gathered: Gathered::default(),
        channels: BTreeMap::new(),
        stems: BTreeMap::new(),
        left_out: BTreeMap::new(),
    };
    for ((at, folder), listing) in (0..).zip(folders).zip(listings) {
        gathering.add(at, folder, listing)?;
    }
    gathering.finish(findings)
}

struct Gathering<'a> {
    wanted: Wanted<'a>,
    source_of: SourceOf<'a>,
    gathered: Gathered,
    /// Files of each channel, those not wanted included.
    channels: BTreeMap<Channel, u64>,
    /// Files of each stem in the wanted channels.
    stems: BTreeMap<String, u64>,
    left_out: BTreeMap<Unmatched, Examples<String>>,
}

impl Gathering<'_> {
    fn add(&mut self, folder_id: u32, folder: &Folder, mut listing: Listing) -> Result<(), PlanError> {
        for (reason, names) in std::mem::take(&mut listing.unmatched) {
            let labelled = Examples {
                count: names.count,
                examples: names
                    .examples
                    .into_iter()
                    .map(|name| format!("{}/{name}", folder.label))
                    .collect(),
            };
            self.leave_out(reason, labelled);
        }
        let (finals, targets) = self.read(folder, &listing)?;
        let final_of = |entry: &RawEntry| -> (usize, u64) {
            match &targets[entry.class as usize] {
                Target::One(at) => (*at, entry.number),
                Target::ByLead(leads) => (leads[&(entry.number / INDEX_LIMIT)], entry.number % INDEX_LIMIT),
            }
        };
        let nameless = self.ask_headers(folder, &finals, &listing, &final_of)?;
        let wanted = self.choose(folder, &finals, &nameless)?;

        let patterns = patterns_of(folder_id, &finals, &wanted, &mut self.gathered.patterns);
        let mut starts: FxHashMap<Channel, usize> = FxHashMap::default();
        for (at, class) in finals.iter().enumerate().filter(|&(at, _)| wanted[at]) {
            if let Some(channel) = class.class.channel.filter(|&channel| self.is_wanted(channel)) {
                let files = self.gathered.channels.entry(channel).or_default();
                starts.entry(channel).or_insert(files.len());
                files.reserve(usize::try_from(finals[at].count).unwrap_or(0));
            }
        }
        for (position, entry) in listing.entries.iter().enumerate() {
            let (at, index) = final_of(entry);
            if !wanted[at] {
                continue;
            }
            let Some(channel) = finals[at].class.channel.or_else(|| nameless.get(&position).copied()) else {
                continue;
            };
            if !self.is_wanted(channel) {
                continue;
            }
            let files = self.gathered.channels.entry(channel).or_default();
            starts.entry(channel).or_insert(files.len());
            files.push(Candidate {
                index,
                size: entry.size,
                mtime_ns: entry.mtime_ns,
                pattern: patterns[at],
                layout: u32::MAX,
            });
        }
        drop(listing);
        for (channel, start) in starts {
            let files = &mut self.gathered.channels.entry(channel).or_default()[start..];
            files.par_sort_unstable_by_key(|file| (file.index, file.pattern));
            refuse_duplicates(channel, files, &self.gathered.patterns, folder)?;
        }
        Ok(())
    }

    /// Decides which digits are the index, and gives the classes that follow from it.
    fn read(&self, folder: &Folder, listing: &Listing) -> Result<(Vec<FinalClass>, Vec<Target>), PlanError> {
        let seen = survey(listing);
        let readings = decide(&seen, self.wanted.stem).map_err(|ambiguity| PlanError::Ambiguous {
            folder: folder.path.clone(),
            ambiguity: Box::new(ambiguity),
        })?;
        let mut finals: Vec<FinalClass> = Vec::new();
        let mut known: FxHashMap<(String, u8, String), usize> = FxHashMap::default();
        let mut insert = |class: Class, count: u64, smallest: u64| -> usize {
            let key = (class.prefix.clone(), class.digits, class.suffix.clone());
            let at = *known.entry(key).or_insert_with(|| {
                finals.push(FinalClass {
                    class,
                    count: 0,
                    smallest: u64::MAX,
                });
                finals.len() - 1
            });
            finals[at].count += count;
            finals[at].smallest = finals[at].smallest.min(smallest);
            at
        };
        let mut targets = Vec::with_capacity(seen.len());
        for (one, reading) in seen.iter().zip(&readings) {
            targets.push(match reading {
                Reading::LastFive if may_hold_text(one.class) => {
                    // How many files each text has matters only for what people are told of stems.
                    let each = if one.leads.len() == 1 { one.count } else { 0 };
                    Target::ByLead(
                        one.leads
                            .iter()
                            .map(|&lead| (lead, insert(shortened(one.class, lead), each, 0)))
                            .collect(),
                    )
                }
                _ => Target::One(insert(one.class.clone(), one.count, one.smallest)),
            });
        }
        for entry in &listing.entries {
            if let Target::ByLead(leads) = &targets[entry.class as usize]
                && leads.len() > 1
            {
                finals[leads[&(entry.number / INDEX_LIMIT)]].count += 1;
            }
        }
        Ok((finals, targets))
    }

    /// The channels of files whose names have none, by position in the listing.
    fn ask_headers(
        &mut self,
        folder: &Folder,
        finals: &[FinalClass],
        listing: &Listing,
        final_of: &(impl Fn(&RawEntry) -> (usize, u64) + Sync),
    ) -> Result<FxHashMap<usize, Channel>, PlanError> {
        if finals.iter().all(|class| class.class.channel.is_some()) {
            return Ok(FxHashMap::default());
        }
        let name_of = |entry: &RawEntry| listing.classes[entry.class as usize].name(entry.number);
        let asked: Vec<(usize, usize, Option<Channel>)> = listing
            .entries
            .par_iter()
            .enumerate()
            .filter(|(_, entry)| finals[final_of(entry).0].class.channel.is_none())
            .map(|(position, entry)| {
                let source = (self.source_of)(&folder.path.join(name_of(entry)))?;
                Ok((position, final_of(entry).0, source))
            })
            .collect::<Result<_, PlanError>>()?;
        // A broken file among others of one channel is that channel's: its row must not vanish.
        let mut of_form: FxHashMap<usize, BTreeSet<Channel>> = FxHashMap::default();
        for (_, form, source) in &asked {
            of_form.entry(*form).or_default().extend(*source);
        }
        let mut channels = FxHashMap::default();
        let mut unknown = Examples::default();
        for (position, form, source) in asked {
            let alone = of_form[&form].first().filter(|_| of_form[&form].len() == 1);
            match source.or(alone.copied()) {
                Some(channel) => {
                    channels.insert(position, channel);
                }
                None => unknown.add_smallest(format!("{}/{}", folder.label, name_of(&listing.entries[position]))),
            }
        }
        if !unknown.is_empty() {
            self.leave_out(Unmatched::NoChannel, unknown);
        }
        Ok(channels)
    }

    /// Which classes are part of the run, by stem; the channels are counted on the way.
    fn choose(
        &mut self,
        folder: &Folder,
        finals: &[FinalClass],
        nameless: &FxHashMap<usize, Channel>,
    ) -> Result<Vec<bool>, PlanError> {
        for &channel in nameless.values() {
            *self.channels.entry(channel).or_default() += 1;
        }
        let mut stems: BTreeMap<&str, u64> = BTreeMap::new();
        // All files of a class can turn out to be links that lead nowhere.
        for class in finals.iter().filter(|class| class.count > 0) {
            if let Some(channel) = class.class.channel {
                *self.channels.entry(channel).or_default() += class.count;
                if !self.is_wanted(channel) {
                    continue;
                }
            } else if nameless.is_empty() {
                continue;
            }
            *stems.entry(&class.class.stem).or_default() += class.count;
        }
        for (stem, count) in &stems {
            *self.stems.entry((*stem).to_owned()).or_default() += count;
        }
        if self.wanted.stem.is_none() && stems.len() > 1 {
            return Err(PlanError::Stems {
                folder: folder.path.clone(),
                stems: stems
                    .into_iter()
                    .map(|(stem, count)| (stem.to_owned(), count))
                    .collect(),
            });
        }
        Ok(finals
            .iter()
            .map(|class| self.wanted.stem.is_none_or(|stem| stem == class.class.stem))
            .collect())
    }

    fn is_wanted(&self, channel: Channel) -> bool {
        self.wanted.channels.is_none_or(|wanted| wanted.contains(&channel))
    }

    fn leave_out(&mut self, reason: Unmatched, files: Examples<String>) {
        let all = self.left_out.entry(reason).or_default();
        all.count += files.count;
        all.examples.extend(files.examples);
        all.examples.truncate(Examples::<String>::MOST);
    }

    fn finish(mut self, findings: &mut Findings) -> Result<Gathered, PlanError> {
        for (reason, files) in self.left_out {
            findings.all.push(Finding::LeftOut { reason, files });
        }
        if let Some(wanted) = self.wanted.channels {
            let missing: Vec<Channel> = wanted
                .iter()
                .copied()
                .filter(|channel| !self.channels.contains_key(channel))
                .collect();
            if !missing.is_empty() && !self.channels.is_empty() {
                return Err(PlanError::NoSuchChannel {
                    wanted: missing,
                    there: self.channels.into_iter().collect(),
                });
            }
            let others: Vec<_> = self
                .channels
                .into_iter()
                .filter(|(channel, _)| !wanted.contains(channel))
                .collect();
            if !others.is_empty() {
                findings.all.push(Finding::OtherChannels { channels: others });
            }
        }
        if let Some(stem) = self.wanted.stem {
            if !self.stems.is_empty() && self.stems.remove(stem).is_none() {
                return Err(PlanError::NoSuchStem {
                    stem: stem.to_owned(),
                    there: self.stems.into_iter().collect(),
                });
            }
            if !self.stems.is_empty() {
                findings.all.push(Finding::OtherStems {
                    stems: self.stems.into_iter().collect(),
                });
            }
        }
        self.gathered.channels.retain(|_, files| !files.is_empty());
        Ok(self.gathered)
    }
}

fn survey(listing: &Listing) -> Vec<Seen<'_>> {
    let mut seen: Vec<Seen<'_>> = listing
        .classes
        .iter()
        .map(|class| Seen {
            class,
            count: 0,
            smallest: u64::MAX,
            largest: 0,
            leads: BTreeSet::new(),
        })
        .collect();
    for entry in &listing.entries {
        let one = &mut seen[entry.class as usize];
        one.count += 1;
        one.smallest = one.smallest.min(entry.number);
        one.largest = one.largest.max(entry.number);
        if may_hold_text(one.class) {
            one.leads.insert(entry.number / INDEX_LIMIT);
        }
    }
    for one in &mut seen {
        one.smallest = one.smallest.min(one.largest);
    }
    seen
}

/// The class in which all but the last five digits belong to the text.
fn shortened(class: &Class, lead: u64) -> Class {
    let prefix = format!("{}{}", class.prefix, lead_text(class, lead));
    let name = format!("{prefix}00000{}", class.suffix);
    let split = Split {
        prefix: prefix.len(),
        digits: usize::from(INDEX_DIGITS),
        number: 0,
        form: Form::Plain,
    };
    Class::new(&name, split)
}

/// Adds the patterns of the wanted classes and gives the pattern of each class.
///
/// An index without zeros in front is written alike by every width up to its own, so that `99999` and `100000` need
/// one pattern. Which one must not depend on the order in which the file system lists them.
fn patterns_of(folder: u32, finals: &[FinalClass], wanted: &[bool], patterns: &mut Vec<NamePattern>) -> Vec<u32> {
    let is_padded = |one: &FinalClass| {
        one.class.form != Form::Literal
            && one.class.digits > 1
            && one.smallest < 10_u64.pow(u32::from(one.class.digits) - 1)
    };
    let mut widths: BTreeMap<(&str, &str), BTreeMap<u8, bool>> = BTreeMap::new();
    for (one, _) in finals.iter().zip(wanted).filter(|(_, wanted)| **wanted) {
        let family = widths.entry((&one.class.prefix, &one.class.suffix)).or_default();
        *family.entry(one.class.digits).or_default() |= is_padded(one);
    }
    let width_of = |one: &FinalClass| -> u8 {
        let family = &widths[&(one.class.prefix.as_str(), one.class.suffix.as_str())];
        let digits = one.class.digits;
        let padded = family.range(..=digits).rev().find(|(_, padded)| **padded);
        let smallest = family.first_key_value().map_or(digits, |(&smallest, _)| smallest);
        padded.map_or(smallest, |(&width, _)| width)
    };
    let keys: Vec<Option<(&str, &str, u8)>> = finals
        .iter()
        .zip(wanted)
        .map(|(one, wanted)| wanted.then(|| (one.class.prefix.as_str(), one.class.suffix.as_str(), width_of(one))))
        .collect();
    let sorted: BTreeSet<_> = keys.iter().flatten().copied().collect();
    let first = patterns.len();
    patterns.extend(sorted.iter().map(|&(prefix, suffix, width)| NamePattern {
        folder,
        prefix: prefix.to_owned(),
        width,
        suffix: suffix.to_owned(),
    }));
    let ids: FxHashMap<_, u32> = sorted
        .into_iter()
        .zip(first..)
        .map(|(key, id)| (key, u32::try_from(id).expect("fewer patterns than files")))
        .collect();
    keys.iter().map(|key| key.map_or(u32::MAX, |key| ids[&key])).collect()
}

fn refuse_duplicates(
    channel: Channel,
    files: &[Candidate],
    patterns: &[NamePattern],
    folder: &Folder,
) -> Result<(), PlanError> {
    let Some(pair) = files.windows(2).find(|pair| pair[0].index == pair[1].index) else {
        return Ok(());
    };
    let name = |file: &Candidate| patterns[file.pattern as usize].name(file.index);
    Err(PlanError::Duplicate {
        folder: folder.path.clone(),
        channel,
        index: pair[0].index,
        first: name(&pair[0]),
        second: name(&pair[1]),
    })
}
