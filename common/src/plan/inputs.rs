//! From what the user typed to folders, and from folders to runs.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use rustc_hash::FxHashMap;

use super::error::PlanError;
use super::findings::Examples;
use crate::roots::is_elsewhere;

/// A folder to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FolderInput {
    /// Absolute; or one that stands for a folder of another machine ([`is_elsewhere`]).
    pub(super) path: PathBuf,
    /// The files that were named; all of the folder's where there are none.
    pub(super) names: Option<Vec<OsString>>,
    /// Whether the user named this folder or file, rather than a pattern that it matches.
    pub(super) typed: bool,
}

/// Finds what the inputs name, each folder once, in the order typed.
pub(super) fn resolve(inputs: &[PathBuf]) -> Result<Vec<FolderInput>, PlanError> {
    if inputs.is_empty() {
        return Err(PlanError::NoInput);
    }
    let mut found = Found::default();
    for input in inputs {
        match std::fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => found.folder(input, true)?,
            Ok(_) => found.file(input, true)?,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(PlanError::Storage {
                    path: input.clone(),
                    doing: "opened",
                    source: error,
                });
            }
            Err(_) => expand(input, &mut found)?,
        }
    }
    for folder in &mut found.folders {
        if let Some(names) = &mut folder.names {
            names.sort_unstable();
            names.dedup();
        }
    }
    Ok(found.folders)
}

fn expand(input: &Path, found: &mut Found) -> Result<(), PlanError> {
    let pattern = input.to_str().filter(|text| text.contains(['*', '?', '[']));
    let Some(pattern) = pattern else {
        let is_link = std::fs::symlink_metadata(input).is_ok();
        return Err(PlanError::NotFound {
            input: input.to_owned(),
            what: if is_link {
                "a link that leads nowhere"
            } else {
                "no such file or folder"
            },
            there: nearby(input),
        });
    };
    let options = glob::MatchOptions {
        case_sensitive: !cfg!(windows),
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let matches = glob::glob_with(pattern, options).map_err(|error| PlanError::BadPattern {
        input: input.to_owned(),
        message: error.to_string(),
    })?;
    let mut paths = Vec::new();
    for path in matches {
        paths.push(path.map_err(|error| PlanError::Storage {
            path: error.path().to_owned(),
            doing: "listed",
            source: error.into(),
        })?);
    }
    if paths.is_empty() {
        return Err(PlanError::NotFound {
            input: input.to_owned(),
            what: "nothing matches this pattern",
            there: nearby(input),
        });
    }
    paths.sort_by(|a, b| natural(a, b));
    for path in paths {
        if path.is_dir() {
            found.folder(&path, false)?;
        } else {
            found.file(&path, false)?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    folders: Vec<FolderInput>,
    /// By resolved path, so that `r005` and `./r005/` are one; a file's folder is resolved once.
    known: FxHashMap<PathBuf, usize>,
    resolved: FxHashMap<PathBuf, usize>,
}

impl Found {
    fn folder(&mut self, path: &Path, typed: bool) -> Result<(), PlanError> {
        let at = self.position(path, typed)?;
        self.folders[at].names = None;
        self.folders[at].typed |= typed;
        Ok(())
    }

    fn file(&mut self, path: &Path, typed: bool) -> Result<(), PlanError> {
        let Some(name) = path.file_name() else {
            return self.folder(path, typed);
        };
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let known = self.folders.len();
        let at = self.position(parent, typed)?;
        if at == known {
            self.folders[at].names = Some(Vec::new());
        }
        self.folders[at].typed |= typed;
        if let Some(names) = &mut self.folders[at].names {
            names.push(name.to_owned());
        }
        Ok(())
    }

    fn position(&mut self, folder: &Path, typed: bool) -> Result<usize, PlanError> {
        if let Some(&at) = self.known.get(folder) {
            return Ok(at);
        }
        let storage = |source| PlanError::Storage {
            path: folder.to_owned(),
            doing: "opened",
            source,
        };
        let real = crate::fs::real(folder).map_err(storage)?;
        // The path is kept as typed where that names a folder: a link's own name is the run's. (Windows itself takes `..`
        // out of a path by its text, and its real paths begin with `\\?\`, unlike those of the run's other folders.)
        let path = if cfg!(unix) && folder.components().any(|part| part == Component::ParentDir) {
            real.clone()
        } else {
            std::path::absolute(folder).map_err(storage)?
        };
        if path.to_str().is_none() {
            return Err(PlanError::NotUnicode { path });
        }
        let folders = &mut self.folders;
        let at = *self.resolved.entry(real).or_insert_with(|| {
            folders.push(FolderInput {
                path,
                names: None,
                typed,
            });
            folders.len() - 1
        });
        self.known.insert(folder.to_owned(), at);
        Ok(at)
    }
}

/// What stands where the input was looked for.
pub(crate) fn nearby(input: &Path) -> String {
    let mut parent = input.parent();
    while let Some(folder) = parent {
        let shown = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        if let Ok(entries) = std::fs::read_dir(shown) {
            let mut names = Examples::default();
            for entry in entries.flatten() {
                names.add_smallest(entry.file_name().to_string_lossy().into_owned());
            }
            return if names.is_empty() {
                format!("the folder {} is empty", shown.display())
            } else {
                let more = if names.count > names.examples.len() as u64 {
                    ", ..."
                } else {
                    ""
                };
                format!(
                    "the folder {} holds {}{more}",
                    shown.display(),
                    names.examples.join(", ")
                )
            };
        }
        parent = folder.parent();
    }
    "nor is there anything near it".to_owned()
}

/// Order of paths in which `r9` precedes `r10`.
pub(crate) fn natural(a: &Path, b: &Path) -> Ordering {
    let (text_a, text_b) = (a.to_string_lossy(), b.to_string_lossy());
    let (mut left, mut right) = (text_a.as_bytes(), text_b.as_bytes());
    loop {
        let (digits_left, digits_right) = (leading_digits(left), leading_digits(right));
        let order = if digits_left > 0 && digits_right > 0 {
            let number = |text: &[u8], digits: usize| -> Vec<u8> {
                text[..digits].iter().copied().skip_while(|&b| b == b'0').collect()
            };
            let (x, y) = (number(left, digits_left), number(right, digits_right));
            (left, right) = (&left[digits_left..], &right[digits_right..]);
            x.len().cmp(&y.len()).then(x.cmp(&y))
        } else {
            let (Some(x), Some(y)) = (left.first(), right.first()) else {
                // `007` and `7` are the same number; some order must hold all the same.
                return left.len().cmp(&right.len()).then_with(|| text_a.cmp(&text_b));
            };
            (left, right) = (&left[1..], &right[1..]);
            x.cmp(y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// Folders that are one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunFolders {
    pub(super) name: String,
    /// Positions of its folders, in row order.
    pub(super) members: Vec<usize>,
    /// Folders that a gap in the numbers suggests.
    pub(super) missing: Examples<String>,
}

/// Brings `X`, `X-2`, `X-3`, ... together; with `join`, everything.
pub(super) fn group(folders: &[&Path], join: bool) -> Vec<RunFolders> {
    /// Base of the names, and (number, position) of its folders.
    type Family = (String, Vec<(u64, usize)>);
    let mut families: Vec<Family> = Vec::new();
    let mut known: FxHashMap<(Option<&Path>, String), usize> = FxHashMap::default();
    for (at, path) in folders.iter().enumerate() {
        let (base, number) = numbered(&folder_name(path));
        let family = *known.entry((path.parent(), base.clone())).or_insert_with(|| {
            families.push((base, Vec::new()));
            families.len() - 1
        });
        families[family].1.push((number, at));
    }
    let mut runs = Vec::new();
    for (base, mut members) in families {
        members.sort_unstable();
        // `2026-11` and `2026-12` are dates, not the eleventh and twelfth part of `2026`.
        if members[0].0 > 2 {
            runs.extend(members.iter().map(|&(_, at)| RunFolders {
                name: folder_name(folders[at]),
                members: vec![at],
                missing: Examples::default(),
            }));
            continue;
        }
        let mut missing = Examples::default();
        for pair in members.windows(2) {
            for number in pair[0].0 + 1..pair[1].0 {
                missing.add_with(|| format!("{base}-{number}"));
            }
        }
        runs.push(RunFolders {
            name: base,
            members: members.into_iter().map(|(_, at)| at).collect(),
            missing,
        });
    }
    if join && runs.len() > 1 {
        let mut rest = runs.split_off(1);
        for run in &mut rest {
            runs[0].members.append(&mut run.members);
            runs[0].missing.count += run.missing.count;
            runs[0].missing.examples.append(&mut run.missing.examples);
        }
        runs[0].missing.examples.truncate(Examples::<String>::MOST);
    }
    runs
}

fn folder_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// `r005-3` -> (`r005`, 3); `r005` -> (`r005`, 1).
pub(crate) fn numbered(name: &str) -> (String, u64) {
    // More would be a year.
    const LARGEST: u64 = 999;
    name.rsplit_once('-')
        .filter(|(base, digits)| {
            !base.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
        })
        .and_then(|(base, digits)| digits.parse().ok().map(|number| (base, number)))
        .filter(|&(_, number)| (2..=LARGEST).contains(&number))
        .map_or_else(|| (name.to_owned(), 1), |(base, number)| (base.to_owned(), number))
}

/// The folders relative to the parent of all of them, `/` between parts.
pub(crate) fn labels(folders: &[&Path]) -> Vec<String> {
    let parts: Vec<Vec<String>> = folders
        .iter()
        .map(|path| {
            path.components()
                .filter(|part| !matches!(part, Component::RootDir))
                .enumerate()
                .map(|(at, part)| match part {
                    // A drive or share: what is left of `\\\\?\\` has no place in a label.
                    Component::Prefix(prefix) => prefix.as_os_str().to_string_lossy().replace(['/', '\\', '?'], ""),
                    // `scope:`, of a root that other machines have.
                    Component::Normal(root) if at == 0 && is_elsewhere(path) => {
                        root.to_string_lossy().trim_end_matches(':').to_owned()
                    }
                    _ => part.as_os_str().to_string_lossy().into_owned(),
                })
                .collect()
        })
        .collect();
    let Some(first) = parts.first() else { return Vec::new() };
    let common = parts
        .iter()
        .map(|other| {
            let shared = first.iter().zip(other).take_while(|(a, b)| a == b).count();
            shared.min(other.len().saturating_sub(1))
        })
        .min()
        .unwrap_or(0);
    parts.iter().map(|own| own[common..].join("/")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(folders: &[&str], join: bool) -> Vec<(String, Vec<usize>, Vec<String>)> {
        let paths: Vec<&Path> = folders.iter().map(Path::new).collect();
        group(&paths, join)
            .into_iter()
            .map(|run| (run.name, run.members, run.missing.examples))
            .collect()
    }

    fn run(name: &str, members: &[usize], missing: &[&str]) -> (String, Vec<usize>, Vec<String>) {
        (
            name.to_owned(),
            members.to_vec(),
            missing.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn numbered_folders_are_one_run_in_the_order_of_their_numbers() {
        for (folders, expected) in [
            (&["/d/r005", "/d/r005-2"][..], vec![run("r005", &[0, 1], &[])]),
            (
                &["/d/r-10", "/d/r-9", "/d/r", "/d/r-2"],
                vec![run("r", &[2, 3, 1, 0], &["r-3", "r-4", "r-5", "r-6", "r-7", "r-8"])],
            ),
            (
                &["/d/a", "/d/b", "/d/a-2"],
                vec![run("a", &[0, 2], &[]), run("b", &[1], &[])],
            ),
            (&["/d/r005-2"], vec![run("r005", &[0], &[])]),
            (
                &["/d/r005", "/e/r005-2"],
                vec![run("r005", &[0], &[]), run("r005", &[1], &[])],
            ),
            (
                &["/d/2026-11", "/d/2026-12"],
                vec![run("2026-11", &[0], &[]), run("2026-12", &[1], &[])],
            ),
            (
                &["/d/run-2025", "/d/run-2026"],
                vec![run("run-2025", &[0], &[]), run("run-2026", &[1], &[])],
            ),
            (
                &["/d/r", "/d/r-02", "/d/-2"],
                vec![run("r", &[0], &[]), run("r-02", &[1], &[]), run("-2", &[2], &[])],
            ),
        ] {
            assert_eq!(runs(folders, false), expected, "{folders:?}");
        }
        assert_eq!(runs(&["/d/b", "/d/a-2", "/d/a"], true), [run("b", &[0, 2, 1], &[])]);
    }

    #[test]
    fn labels_are_relative_to_what_the_folders_share() {
        for (folders, expected) in [
            (&["/d/r005", "/d/r005-2"][..], &["r005", "r005-2"][..]),
            (&["/d/r005"], &["r005"]),
            (&["/d/r005", "/d/r005/more"], &["r005", "r005/more"]),
            (&["/d/a/x", "/d/b/x"], &["a/x", "b/x"]),
            (&["/a", "/b"], &["a", "b"]),
            (&["scope:/r005"], &["r005"]),
            (&["s1:/r005", "s2:/d/r005-2"], &["s1/r005", "s2/d/r005-2"]),
        ] {
            let paths: Vec<&Path> = folders.iter().map(Path::new).collect();
            assert_eq!(labels(&paths), expected, "{folders:?}");
        }
    }

    #[test]
    fn paths_sort_by_the_numbers_in_them() {
        let mut paths: Vec<&Path> = ["r10", "r9", "r9-2", "R1", "r009", "r", "r9/a"]
            .iter()
            .map(Path::new)
            .collect();
        paths.sort_by(|a, b| natural(a, b));
        assert_eq!(paths, ["R1", "r", "r009", "r9", "r9-2", "r9/a", "r10"].map(Path::new));
    }

    #[test]
    fn an_input_counts_once_however_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("r005");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("C1--Trace--00000.trc");
        std::fs::write(&file, "x").unwrap();

        let twice = resolve(&[
            folder.clone(),
            dir.path().join(".").join("r005"),
            folder.join("../r005"),
        ])
        .unwrap();
        assert_eq!(twice.len(), 1);
        assert_eq!((&twice[0].path, &twice[0].names), (&folder, &None));

        let names = resolve(std::slice::from_ref(&file)).unwrap();
        assert_eq!(
            names[0].names.as_deref(),
            Some(&[OsString::from("C1--Trace--00000.trc")][..])
        );
        // The folder as a whole includes the file, in either order.
        for both in [[file.clone(), folder.clone()], [folder.clone(), file.clone()]] {
            let found = resolve(&both).unwrap();
            assert_eq!((found.len(), &found[0].names), (1, &None));
        }

        let pattern = resolve(&[dir.path().join("r*").join("C1--*.trc")]).unwrap();
        assert_eq!((pattern.len(), pattern[0].typed), (1, false));
        assert_eq!(pattern[0].names, names[0].names);
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("r005")).unwrap();
        let error = resolve(&[dir.path().join("r006")]).unwrap_err();
        assert!(error.is_usage());
        assert!(error.to_string().ends_with("holds r005"), "{error}");
        let error = resolve(&[dir.path().join("q*")]).unwrap_err();
        assert!(error.to_string().contains("nothing matches"), "{error}");
        assert!(matches!(resolve(&[]), Err(PlanError::NoInput)));
        assert!(matches!(
            resolve(&[dir.path().join("a[")]),
            Err(PlanError::BadPattern { .. })
        ));
    }
}
