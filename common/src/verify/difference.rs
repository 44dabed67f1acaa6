//! One thing that is not as it should be, and where.

use std::fmt::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use crate::outputs::Problem;
use crate::trc::{Field, FieldSet};
use crate::units::counted;

/// One difference. They sort by rows, those of whole files first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The row.
    pub row: Option<u64>,
    /// The first sample of it.
    pub sample: Option<u64>,
    /// The name of the output file that holds it.
    pub file: String,
    /// The source, as the list of files shows it.
    pub source: Option<String>,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// An output file is not what was written.
    File(Problem),
    /// An index record that contradicts itself or the list of files.
    Record {
        /// How.
        why: String,
    },
    /// Samples of a row.
    Samples {
        /// How many of the row's.
        differing: u64,
        /// The first, as it is stored.
        stored: String,
        /// As the source has it.
        expected: String,
    },
    /// A bad row, or what lies behind a row's data, that holds numbers.
    NotBlank {
        /// The first of them.
        stored: String,
    },
    /// A field of the index, or of the JSON.
    Field {
        /// Its name.
        field: String,
        /// As it is stored.
        stored: String,
        /// As the source has it.
        expected: String,
    },
    /// The fields that vary over the sources are not those that the JSON names.
    Varying {
        /// Those that it lacks.
        lacks: FieldNames,
        /// Those that do not vary.
        vain: FieldNames,
    },
    /// The source is not what the row's status says.
    Verdict {
        /// The status in the index.
        stored: &'static str,
        /// What the source is.
        found: String,
    },
    /// The source is not there or cannot be read.
    Source {
        /// Why.
        why: String,
    },
    /// A part of the output could not be read.
    Unreadable {
        /// What the system said.
        why: String,
    },
}

/// Some fields of the header by their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FieldNames(Vec<&'static str>);

impl From<FieldSet> for FieldNames {
    fn from(fields: FieldSet) -> Self {
        Self(fields.iter().map(Field::name).collect())
    }
}

impl Difference {
    pub(super) fn file(path: &Path, problem: Problem) -> Self {
        Self {
            row: None,
            sample: None,
            file: name(path),
            source: None,
            what: What::File(problem),
        }
    }

    pub(super) fn setting(path: &Path, source: &str, what: What) -> Self {
        Self {
            row: None,
            sample: None,
            file: name(path),
            source: Some(source.to_owned()),
            what,
        }
    }

    /// Where it is: `C1--Trace.npy, row 17, sample 1,203`.
    pub fn place(&self) -> String {
        let mut place = self.file.clone();
        if let Some(row) = self.row {
            let _ = write!(place, ", row {row}");
        }
        if let Some(sample) = self.sample {
            let _ = write!(place, ", sample {sample}");
        }
        if let Some(source) = &self.source {
            let _ = write!(place, " ({source})");
        }
        place
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(problem) => write!(f, "{problem}"),
            Self::Samples {
                differing,
                stored,
                expected,
            } => {
                write!(f, "{stored} is stored, {expected} is in the source")?;
                match differing {
                    0 | 1 => Ok(()),
                    _ => write!(f, "; {} of the row differ", counted(*differing, "sample")),
                }
            }
            Self::NotBlank { stored } => write!(f, "{stored} is stored where no sample is"),
            Self::Field {
                field,
                stored,
                expected,
            } => write!(f, "{field} is {stored}, {expected} in the source"),
            Self::Varying { lacks, vain } => {
                let part = |what: &str, names: &FieldNames| {
                    (!names.0.is_empty()).then(|| format!("varying_fields {what}: {}", names.0.join(", ")))
                };
                let parts = [
                    part("lacks what varies in the sources", lacks),
                    part("names what does not vary in them", vain),
                ];
                f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
            Self::Verdict { stored, found } => {
                write!(f, "recorded as {stored}, and now the source {found}")
            }
            Self::Record { why } | Self::Source { why } | Self::Unreadable { why } => f.write_str(why),
        }
    }
}
