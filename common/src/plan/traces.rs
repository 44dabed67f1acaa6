//! The traces of a folder by their names alone, by the rules of planning: no file is opened or asked for its size.

use std::collections::BTreeMap;
use std::path::Path;

use crate::channel::Channel;

use super::error::PlanError;
use super::findings::Findings;
use super::gather::{Gathered, Wanted, gather};
use super::model::{Folder, NamePattern};
use super::walk::list_names;

/// Files of one stem.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedTraces {
    patterns: Vec<NamePattern>,
    /// Index and pattern of each, by index.
    channels: BTreeMap<Channel, Vec<(u64, u32)>>,
}

impl NamedTraces {
    /// Those of `folder` that have this stem, as `--stem` chooses them, and a channel in their names. Fails where the
    /// folder cannot be listed, or planning would refuse its names.
    pub(crate) fn find(folder: &Path, stem: &str) -> Result<Self, PlanError> {
        let listing = list_names(folder).map_err(|source| PlanError::Storage {
            path: folder.to_owned(),
            doing: "listed",
            source,
        })?;
        let folders = [Folder {
            path: folder.to_owned(),
            label: folder.display().to_string(),
        }];
        let wanted = Wanted {
            channels: None,
            stem: Some(stem),
        };
        // What is noticed here planning tells of.
        match gather(&folders, vec![listing], wanted, &|_| Ok(None), &mut Findings::default()) {
            Ok(Gathered { patterns, channels }) => Ok(Self {
                patterns,
                channels: channels
                    .into_iter()
                    .map(|(channel, files)| (channel, files.iter().map(|file| (file.index, file.pattern)).collect()))
                    .collect(),
            }),
            Err(PlanError::NoSuchStem { .. }) => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Leaves only these channels.
    pub(crate) fn retain(&mut self, wanted: impl Fn(Channel) -> bool) {
        self.channels.retain(|channel, _| wanted(*channel));
    }

    /// Every channel of which there is a file, in order.
    pub(crate) fn channels(&self) -> impl Iterator<Item = Channel> {
        self.channels.keys().copied()
    }

    /// The names of a channel's files in the order of their indices.
    pub(crate) fn names(&self, channel: Channel) -> impl Iterator<Item = String> {
        let files = self.channels.get(&channel).map_or(&[][..], Vec::as_slice);
        files
            .iter()
            .map(|&(index, pattern)| self.patterns[pattern as usize].name(index))
    }
}
