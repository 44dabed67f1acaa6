//! The arrays of a run that is still being made, to be looked at: rows of them mean something once they are committed.

use std::fs::File;
use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use super::description::Description;
use super::rows::Rows;
use crate::channel::Channel;
use crate::fs::StorageError;
use crate::plan::{ChannelPlan, Element};
use crate::trc::Header;

/// Where an unfinished channel lies, and what it will be.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// Which channel.
    pub channel: Channel,
    array: PathBuf,
    index: PathBuf,
    element: Element,
    samples: u32,
    /// All fields of the header that stands for the channel.
    pub fields: Map<String, Json>,
}

/// The same, open.
#[derive(Debug)]
pub struct UnfinishedFiles<'a> {
    of: &'a Unfinished,
    array: File,
    index: File,
}

impl Unfinished {
    /// A channel of a plan, whose unfinished files are these.
    pub(crate) fn new(channel: &ChannelPlan, array: PathBuf, index: PathBuf) -> Self {
        let reference = Header::parse(&channel.reference.head);
        Self {
            channel: channel.channel,
            array,
            index,
            element: channel.element,
            samples: channel.samples,
            fields: reference
                .map(|header| Description::fields_of(&header))
                .unwrap_or_default(),
        }
    }

    /// Opens both for reading; fails where they are not there yet, or not any more.
    pub fn open(&self) -> Result<UnfinishedFiles<'_>, StorageError> {
        let open = |path: &PathBuf| File::open(path).map_err(|source| StorageError::new("open", path, source));
        Ok(UnfinishedFiles {
            of: self,
            array: open(&self.array)?,
            index: open(&self.index)?,
        })
    }
}

impl UnfinishedFiles<'_> {
    /// Where rows are read from.
    pub fn rows(&self) -> Rows<'_> {
        Rows {
            array: (&self.array, &self.of.array),
            index: (&self.index, &self.of.index),
            element: self.of.element,
            samples: self.of.samples,
        }
    }
}
