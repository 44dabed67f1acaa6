//! Whether the inputs are still those of a plan: listed again, by name, size and time. No file is opened.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::channel::Channel;
use crate::fs::Stamp;
use crate::roots::is_elsewhere;
use crate::units::{Bytes, RowRange, count, counted};

use super::error::PlanError;
use super::findings::Examples;
use super::inputs::{FolderInput, group, resolve};
use super::model::{ChannelPlan, Folder, NamePattern, PatternId, Plan};
use super::names::{Class, Form, INDEX_LIMIT};
use super::planner::{list_all, pool};
use super::readings::{five_digit_stem, may_hold_text};
use super::walk::{Listing, RawEntry, Selection, list, relist};

/// A file that is not as it was planned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileChange {
    /// As the file list shows it.
    pub file: String,
    /// What was planned and what was found.
    pub change: String,
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.change)
    }
}

/// What became of a plan's inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InputChanges {
    /// Files that the same inputs hold now and the plan does not: a warning, they get no rows.
    pub new: Examples<String>,
    /// Files of another size or time: an error.
    pub changed: Examples<FileChange>,
    /// Files that are gone: an error.
    pub missing: Examples<String>,
}

impl InputChanges {
    /// Whether the plan can no longer be carried out.
    pub const fn stops(&self) -> bool {
        !self.changed.is_empty() || !self.missing.is_empty()
    }

    /// Whether everything is as it was.
    pub const fn is_empty(&self) -> bool {
        !self.stops() && self.new.is_empty()
    }
}

impl fmt::Display for InputChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!(
                "gone: {} {}",
                counted(self.missing.count, "file"),
                self.missing
            ));
        }
        if !self.changed.is_empty() {
            parts.push(format!(
                "changed since they were planned: {} {} (--trust-size looks at sizes alone)",
                counted(self.changed.count, "file"),
                self.changed
            ));
        }
        if !self.new.is_empty() {
            parts.push(format!(
                "new since the run was planned, without rows: {} {}",
                counted(self.new.count, "file"),
                self.new
            ));
        }
        f.write_str(&parts.join("; "))
    }
}

/// What became of the rows of one file of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// They are still to be made.
    Not,
    /// They are made, of the file as it was planned.
    AsPlanned,
    /// They are made, of the file as it had become.
    From(Stamp),
}

/// Tells what became of the rows of a channel's file (its position among them), which are these.
pub type MadeRows<'a> = dyn Fn(Channel, u64, RowRange) -> Made + Sync + 'a;

/// Lists the plan's inputs again. `trust_size` takes a file of the same size for the same file. A file that was still
/// being written when it was planned may have grown since, unless its rows are made.
///
/// Fails where a folder cannot be listed; a folder that is gone is so many missing files. What other machines see alone is
/// not listed: there `now` counts, the plan that the same request has led to today.
pub fn compare(
    plan: &Plan,
    now: &Plan,
    trust_size: bool,
    threads: usize,
    made: &MadeRows<'_>,
) -> Result<InputChanges, PlanError> {
    pool(threads)?.install(|| {
        let scope = Scope::of(plan)?;
        let mut comparing = Comparing::new(plan, trust_size, made);
        for (id, folder) in (0..).zip(&plan.folders) {
            if is_elsewhere(&folder.path) {
                comparing.look(id, &planned_again(now, &folder.path), Some(&None));
                continue;
            }
            for listing in list_again(plan, id, folder)? {
                comparing.look(id, &listing, scope.folders.get(&folder.path));
            }
        }
        let others = now.folders.iter().filter(|folder| is_elsewhere(&folder.path));
        for folder in others.filter(|folder| plan.folders.iter().all(|known| known.path != folder.path)) {
            let listing = planned_again(now, &folder.path);
            for entry in &listing.entries {
                comparing.note_new(&folder.label, &listing.classes[entry.class as usize], entry.number);
            }
        }
        for (folder, listing) in scope.new_folders {
            let label = folder.path.display().to_string();
            for entry in &listing.entries {
                let class = &listing.classes[entry.class as usize];
                comparing.note_new(&label, class, entry.number);
            }
        }
        Ok(comparing.finish())
    })
}

/// What a folder of the plan holds now; nothing where it is gone.
fn list_again(plan: &Plan, id: u32, folder: &Folder) -> Result<Vec<Listing>, PlanError> {
    let without_index: Vec<OsString> = plan
        .patterns
        .iter()
        .filter(|pattern| pattern.folder == id && pattern.width == 0)
        .map(|pattern| pattern.name(0).into())
        .collect();
    let literally = (!without_index.is_empty()).then_some(Selection::Literally(&without_index));
    let mut listings = Vec::new();
    for selection in [Selection::All].into_iter().chain(literally) {
        match list(&folder.path, selection, &AtomicU64::new(0)) {
            Ok(listing) => listings.push(listing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(PlanError::Storage {
                    path: folder.path.clone(),
                    doing: "listed",
                    source,
                });
            }
        }
    }
    Ok(listings)
}

/// The files of a folder by today's plan.
fn planned_again(now: &Plan, path: &Path) -> Listing {
    let of_folder = |pattern: &NamePattern| now.folders[pattern.folder as usize].path == path;
    let files = now
        .channels
        .iter()
        .flat_map(|channel| (0..channel.files.len()).map(|at| channel.files.get(at)));
    relist(files.filter_map(|file| {
        let pattern = &now.patterns[file.pattern.0 as usize];
        of_folder(pattern).then(|| (pattern.name(file.index), file.stamp()))
    }))
}

/// Where the same inputs, read anew, would find files.
struct Scope {
    /// For each folder the files named; all where there are none.
    folders: FxHashMap<PathBuf, Option<FxHashSet<String>>>,
    /// Folders of this run that the plan does not have.
    new_folders: Vec<(FolderInput, Listing)>,
}

impl Scope {
    fn of(plan: &Plan) -> Result<Self, PlanError> {
        let request = &plan.request;
        let mut inputs: Vec<FolderInput> = Vec::new();
        for input in &request.inputs {
            // An input that is gone has its files reported as missing; here only new ones matter.
            inputs.extend(resolve(&[request.working_folder.join(input)]).unwrap_or_default());
        }
        let planned = |path: &Path| plan.folders.iter().any(|folder| folder.path == path);
        let (mut known, mut others): (Vec<_>, Vec<_>) = inputs.into_iter().partition(|input| planned(&input.path));
        let mut listed = Vec::new();
        if request.recursive {
            others.append(&mut known);
            for (input, listing) in list_all(others, true, &AtomicU64::new(0))? {
                if planned(&input.path) {
                    known.push(input);
                } else {
                    listed.push((input, listing));
                }
            }
        } else {
            listed = list_all(others, false, &AtomicU64::new(0))?;
        }
        listed.retain(|(_, listing)| !listing.entries.is_empty());
        let all: Vec<&Path> = plan
            .folders
            .iter()
            .map(|folder| folder.path.as_path())
            .chain(listed.iter().map(|(input, _)| input.path.as_path()))
            .collect();
        let of_this_run: FxHashSet<usize> = group(&all, request.join)
            .into_iter()
            .filter(|run| run.members.iter().any(|&at| at < plan.folders.len()))
            .flat_map(|run| run.members)
            .collect();
        let new_folders = (plan.folders.len()..)
            .zip(listed)
            .filter(|(at, _)| of_this_run.contains(at))
            .map(|(_, listed)| listed)
            .collect();
        let mut folders: FxHashMap<PathBuf, Option<FxHashSet<String>>> = FxHashMap::default();
        for input in known {
            let names = input.names.map(|names| {
                names
                    .into_iter()
                    .map(|name| name.to_string_lossy().into_owned())
                    .collect()
            });
            match (
                folders.entry(input.path).or_insert_with(|| Some(FxHashSet::default())),
                names,
            ) {
                (Some(known), Some(names)) => known.extend::<FxHashSet<String>>(names),
                (whole, None) => *whole = None,
                (None, Some(_)) => {}
            }
        }
        Ok(Self { folders, new_folders })
    }
}

struct Comparing<'a> {
    plan: &'a Plan,
    trust_size: bool,
    made: &'a MadeRows<'a>,
    /// For each channel, whether each of its files was found.
    found: Vec<Vec<bool>>,
    /// For each channel, (folder, index) of the files that have no rows.
    left_out: Vec<FxHashSet<(u32, u64)>>,
    changes: InputChanges,
}

impl<'a> Comparing<'a> {
    fn new(plan: &'a Plan, trust_size: bool, made: &'a MadeRows<'a>) -> Self {
        let folder = |pattern: PatternId| plan.patterns[pattern.0 as usize].folder;
        Self {
            found: plan
                .channels
                .iter()
                .map(|channel| vec![false; channel.files.len()])
                .collect(),
            left_out: plan
                .channels
                .iter()
                .map(|channel| {
                    channel
                        .left_out
                        .iter()
                        .map(|(pattern, index)| (folder(pattern), index))
                        .collect()
                })
                .collect(),
            plan,
            trust_size,
            made,
            changes: InputChanges::default(),
        }
    }

    fn look(&mut self, folder: u32, listing: &Listing, scope: Option<&Option<FxHashSet<String>>>) {
        for entry in &listing.entries {
            let class = &listing.classes[entry.class as usize];
            if self.is_planned(folder, class, entry) || class.form == Form::Literal {
                continue;
            }
            let in_scope = match scope {
                None => false,
                Some(None) => true,
                Some(Some(names)) => names.contains(&class.name(entry.number)),
            };
            if in_scope {
                let plan = self.plan;
                self.note_new(&plan.folders[folder as usize].label, class, entry.number);
            }
        }
    }

    /// Looks for the file in the plan, by every reading of its name, and compares it if it is there.
    fn is_planned(&mut self, folder: u32, class: &Class, entry: &RawEntry) -> bool {
        let plan = self.plan;
        let shortened = may_hold_text(class).then_some(entry.number % INDEX_LIMIT);
        for (at, channel) in plan.channels.iter().enumerate() {
            for index in [Some(entry.number), shortened].into_iter().flatten() {
                if self.left_out[at].contains(&(folder, index)) {
                    return true;
                }
                let files = &channel.files;
                let Some(i) = files.find(&plan.patterns, folder, index) else {
                    continue;
                };
                let pattern = &plan.patterns[files.patterns[i] as usize];
                if !writes(pattern, index, class, entry.number) {
                    continue;
                }
                self.found[at][i] = true;
                self.compare_file(channel, i, entry);
                return true;
            }
        }
        false
    }

    fn compare_file(&mut self, channel: &ChannelPlan, i: usize, entry: &RawEntry) {
        let file = channel.files.get(i);
        let whole = channel.layout(file.layout).whole;
        let made = if whole {
            Made::AsPlanned
        } else {
            (self.made)(channel.channel, i as u64, file.row_range())
        };
        let planned = match made {
            Made::From(stamp) => stamp,
            Made::Not | Made::AsPlanned => file.stamp(),
        };
        let now = Stamp {
            size: Bytes(entry.size),
            mtime_ns: entry.mtime_ns,
        };
        if made == Made::Not && now.size >= planned.size {
            return;
        }
        let change = if planned.size != now.size {
            format!("{} bytes planned, {} found", count(planned.size.0), count(now.size.0))
        } else if let (Some(apart), false) = (planned.time_apart(&now), self.trust_size) {
            let later = if now.mtime_ns > planned.mtime_ns {
                "later"
            } else {
                "earlier"
            };
            format!("modified {} {later} than planned", span(apart))
        } else {
            return;
        };
        let mut file = String::new();
        self.plan.file_label(channel, i, &mut file);
        self.changes.changed.add_smallest(FileChange { file, change });
    }

    fn note_new(&mut self, folder: &str, class: &Class, number: u64) {
        let request = &self.plan.request;
        let unwanted = |channel: Channel| {
            request
                .channels
                .as_ref()
                .is_some_and(|wanted| !wanted.contains(&channel))
        };
        let other_stem = request
            .stem
            .as_ref()
            .is_some_and(|stem| *stem != class.stem && *stem != five_digit_stem(class, number / INDEX_LIMIT));
        if class.channel.is_some_and(unwanted) || other_stem {
            return;
        }
        self.changes
            .new
            .add_smallest(format!("{folder}/{}", class.name(number)));
    }

    fn finish(mut self) -> InputChanges {
        for (channel, found) in self.plan.channels.iter().zip(&self.found) {
            for i in (0..found.len()).filter(|&i| !found[i]) {
                self.changes.missing.add_with(|| {
                    let mut label = String::new();
                    self.plan.file_label(channel, i, &mut label);
                    label
                });
            }
        }
        self.changes
    }
}

/// A time in the unit that people would use.
fn span(nanoseconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = nanoseconds.div_ceil(1_000_000_000);
    let fits = UNITS.iter().find(|(length, _)| seconds >= 2 * length);
    let (length, name) = fits.unwrap_or(&(1, "second"));
    counted(seconds / length, name)
}

/// Whether the planned name of `index` is that of `number` in `class`. Compares pieces: this runs for every file.
fn writes(pattern: &NamePattern, index: u64, class: &Class, number: u64) -> bool {
    if pattern.suffix != class.suffix {
        return false;
    }
    if class.form == Form::Literal || pattern.width == 0 {
        return class.form == Form::Literal && pattern.width == 0 && pattern.prefix == class.prefix;
    }
    if index != number {
        return pattern.name(index) == class.name(number);
    }
    let written = index
        .checked_ilog10()
        .map_or(1, |log| log + 1)
        .max(u32::from(pattern.width));
    pattern.prefix == class.prefix && written == u32::from(class.digits)
}
