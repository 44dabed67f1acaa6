//! Named storage places, so that machines which reach the same files by different paths can speak of them.
//!
//! A root (`data`) is mapped to a path of its own on each machine (`D:\lab`, `\\nas\lab`, a mount); a [`Place`] is a root
//! and a path below it. What Windows cannot name is refused everywhere: another machine may be one.

mod place;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::fs;

pub use place::{BadPlace, Place, RootName, is_device_name, is_file_name};

/// A root that cannot be used, or a path that no root covers.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// It has no `=`.
    #[error("{0:?} maps no root: write NAME=PATH, for example data=/mnt/lab")]
    NoPath(String),
    /// Its name is none.
    #[error(transparent)]
    Place(#[from] BadPlace),
    /// One name, two paths.
    #[error("the root {name} is given twice: {} and {}", first.display(), second.display())]
    Twice {
        /// Which.
        name: RootName,
        /// The first path.
        first: PathBuf,
        /// The second path.
        second: PathBuf,
    },
    /// Nothing is there.
    #[error("the root {name} is mapped to {}, which cannot be opened: {source}; check the path, and that the drive or \
             share is connected", path.display())]
    Missing {
        /// Which.
        name: RootName,
        /// Where it should be.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is there.
    #[error("the root {name} is mapped to {}, which is no folder", path.display())]
    NotAFolder {
        /// Which.
        name: RootName,
        /// What is none.
        path: PathBuf,
    },
    /// It cannot be told to other machines.
    #[error("the root {name} is mapped to {}, which is no Unicode text; map it to another path", path.display())]
    NotUnicode {
        /// Which.
        name: RootName,
        /// The path.
        path: PathBuf,
    },
    /// This machine has no such root.
    #[error("the root {name} is not mapped on this machine ({known}); add --root {name}=PATH")]
    Unknown {
        /// Which.
        name: RootName,
        /// Those that are.
        known: String,
    },
    /// A link on the way leads elsewhere.
    #[error("{place} leads out of its root: it is {} here, and the root is {}", real.display(), root.display())]
    LeadsOut {
        /// What was asked for.
        place: Place,
        /// Where it leads.
        real: PathBuf,
        /// Where the root is.
        root: PathBuf,
    },
    /// What lies at a place cannot be looked at.
    #[error("{place} ({}) cannot be looked at: {source}", path.display())]
    Storage {
        /// What was asked for.
        place: Place,
        /// Where it is on this machine.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Other machines cannot be told where a path is.
    #[error("{} is below no root, or has a name that some machines do not allow ({known}); add a --root above it, or \
             rename it", path.display())]
    NotBelow {
        /// The path.
        path: PathBuf,
        /// The roots.
        known: String,
    },
}

/// The roots of this machine.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<Root>);

#[derive(Clone, Debug)]
struct Root {
    name: RootName,
    /// As given, absolute: links in it keep their names.
    path: PathBuf,
    /// Without links. On Windows it begins with `\\?\`, and is compared with such paths alone.
    real: PathBuf,
    /// Other machines have it, this one has not: the path is none.
    elsewhere: bool,
}

/// What a root that only other machines have begins with here: `scope:`, so that what lies in it reads `scope:/r005`. No
/// path of this machine looks like that: those that are worked with are absolute.
fn elsewhere(name: &RootName) -> PathBuf {
    PathBuf::from(format!("{name}:"))
}

/// Whether a path stands for a file or folder that only other machines see ([`Roots::with_elsewhere`]).
pub fn is_elsewhere(path: &Path) -> bool {
    let first = match path.components().next() {
        Some(Component::Normal(first)) => first.to_str(),
        _ => None,
    };
    first
        .and_then(|first| first.strip_suffix(':'))
        .is_some_and(|name| name.parse::<RootName>().is_ok())
}

impl Roots {
    /// Reads `NAME=PATH` words. Each path must be a folder that is there.
    pub fn parse<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Result<Self, RootError> {
        let mut roots = Self::default();
        for word in words {
            let word = word.as_ref();
            let (name, path) = word.split_once('=').ok_or_else(|| RootError::NoPath(word.to_owned()))?;
            if path.is_empty() {
                return Err(RootError::NoPath(word.to_owned()));
            }
            roots.add(name.parse()?, Path::new(path))?;
        }
        Ok(roots)
    }

    fn add(&mut self, name: RootName, path: &Path) -> Result<(), RootError> {
        if let Some(first) = self.0.iter().find(|root| root.name == name) {
            return Err(RootError::Twice {
                first: first.path.clone(),
                second: path.to_owned(),
                name,
            });
        }
        let missing = |source| RootError::Missing {
            name: name.clone(),
            path: path.to_owned(),
            source,
        };
        if !std::fs::metadata(path).map_err(missing)?.is_dir() {
            let path = path.to_owned();
            return Err(RootError::NotAFolder { name, path });
        }
        let real = fs::real(path).map_err(missing)?;
        // A path with `..` is not what it says where a link comes before it.
        let path = if cfg!(unix) && path.components().any(|part| part == Component::ParentDir) {
            real.clone()
        } else {
            std::path::absolute(path).map_err(missing)?
        };
        if path.to_str().is_none() {
            return Err(RootError::NotUnicode { name, path });
        }
        let elsewhere = false;
        self.0.push(Root {
            name,
            path,
            real,
            elsewhere,
        });
        Ok(())
    }

    /// The same, and those of `names` that this machine has not mapped as roots that only other machines have: places in
    /// them have paths that can be told apart, compared and shown, and lead to nothing.
    #[must_use]
    pub fn with_elsewhere<'n>(mut self, names: impl IntoIterator<Item = &'n RootName>) -> Self {
        for name in names {
            if self.root(name).is_err() {
                self.0.push(Root {
                    name: name.clone(),
                    path: elsewhere(name),
                    real: elsewhere(name),
                    elsewhere: true,
                });
            }
        }
        self
    }

    /// Whether the root is mapped on this machine.
    pub fn has(&self, name: &RootName) -> bool {
        self.root(name).is_ok_and(|root| !root.elsewhere)
    }

    /// The names, in the order given.
    pub fn names(&self) -> impl Iterator<Item = &RootName> {
        self.0.iter().map(|root| &root.name)
    }

    /// Some of them.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&RootName) -> bool) -> Self {
        Self(self.0.iter().filter(|root| keep(&root.name)).cloned().collect())
    }

    /// Each name with the path that it is mapped to.
    pub fn iter(&self) -> impl Iterator<Item = (&RootName, &Path)> {
        self.0.iter().map(|root| (&root.name, root.path.as_path()))
    }

    fn root(&self, name: &RootName) -> Result<&Root, RootError> {
        let found = self.0.iter().find(|root| root.name == *name);
        found.ok_or_else(|| RootError::Unknown {
            name: name.clone(),
            known: self.to_string(),
        })
    }

    /// Where a place is on this machine, by its text alone: nothing is looked at.
    pub fn resolve(&self, place: &Place) -> Result<PathBuf, RootError> {
        let root = self.root(place.root())?;
        let mut path = root.path.clone();
        path.extend(place.parts());
        Ok(path)
    }

    /// The same, and whether a link on the way leads out of the root, which is refused. (The root itself may be a link.)
    /// Of what is not there yet, the folders above it are looked at.
    pub fn contains(&self, place: &Place) -> Result<PathBuf, RootError> {
        let root = self.root(place.root())?;
        let path = self.resolve(place)?;
        if root.elsewhere {
            return Ok(path);
        }
        let storage = |source| RootError::Storage {
            place: place.clone(),
            path: path.clone(),
            source,
        };
        let (real, _) = real(&path).map_err(storage)?;
        if !real.starts_with(&root.real) {
            return Err(RootError::LeadsOut {
                place: place.clone(),
                real,
                root: root.path.clone(),
            });
        }
        Ok(path)
    }

    /// The place of a path below a root, the nearest one where several are above it; it need not be there. Nothing where
    /// no root is above it, or where it cannot be named on every machine.
    pub fn place_of(&self, path: &Path) -> Option<Place> {
        if is_elsewhere(path) {
            return self.below(path, |root| &root.path);
        }
        // As it is written comes first: a link's own name is the run's.
        let absolute = std::path::absolute(path).ok()?;
        self.below(&absolute, |root| &root.path).or_else(|| {
            let (real, rest) = real(&absolute).ok()?;
            self.below(&real.join(rest), |root| &root.real)
        })
    }

    /// [`Roots::place_of`], with the reason why there is none.
    pub fn place_below(&self, path: &Path) -> Result<Place, RootError> {
        self.place_of(path).ok_or_else(|| RootError::NotBelow {
            path: path.to_owned(),
            known: self.to_string(),
        })
    }

    fn below(&self, path: &Path, of: impl Fn(&Root) -> &Path) -> Option<Place> {
        let below = self.0.iter().filter_map(|root| {
            let rest = path.strip_prefix(of(root)).ok()?;
            let parts: Option<Vec<&str>> = rest
                .components()
                .map(|part| match part {
                    Component::Normal(name) => name.to_str(),
                    _ => None,
                })
                .collect();
            Place::new(root.name.clone(), &parts?.join("/")).ok()
        });
        below.min_by_key(|place| place.parts().count())
    }
}

impl fmt::Display for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it has none");
        }
        let all: Vec<String> = self
            .iter()
            .map(|(name, path)| format!("{name} = {}", path.display()))
            .collect();
        f.write_str(&all.join(", "))
    }
}

/// Where the part of a path that is there really lies, and the rest of it.
fn real(path: &Path) -> std::io::Result<(PathBuf, PathBuf)> {
    for above in path.ancestors() {
        match fs::real(above) {
            Ok(real) => {
                let rest = path.strip_prefix(above).unwrap_or(Path::new("")).to_owned();
                return Ok((real, rest));
            }
            // A pattern (`r*`) is no name at all on Windows.
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound
                        | std::io::ErrorKind::NotADirectory
                        | std::io::ErrorKind::InvalidFilename
                ) && std::fs::symlink_metadata(above).is_err() => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::ErrorKind::NotFound.into())
}
