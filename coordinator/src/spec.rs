//! What the core needs to know of a job.

use std::collections::BTreeSet;

use trc2npy_common::convert::{Assembly, unreadable_allowed};
use trc2npy_common::plan::{ChannelPlan, Plan};
use trc2npy_common::roots::{Place, RootError, RootName};
use trc2npy_coordinator_core::{ChannelSpec, JobSpec, Region};
use trc2npy_proto::Submission;

/// `folder`: where the job's shards go.
pub(crate) fn spec(assembly: &Assembly, submission: &Submission, folder: &Place) -> Result<JobSpec, RootError> {
    let portable = assembly.portable();
    // Where all files lie in one root, there is nothing to tell apart.
    let inputs = portable.roots()?;
    let mut roots = BTreeSet::from([folder.root().clone()]);
    let apart = inputs.len() > 1;
    if !apart {
        roots.extend(inputs);
    }
    let of_folders: Vec<RootName> = portable.folder_roots()?;
    let channels = portable.channels.iter().map(|channel| ChannelSpec {
        stretches: channel.stretches(),
        committed: assembly.committed_rows(channel.channel),
        regions: if apart {
            regions(portable, channel, &of_folders)
        } else {
            Vec::new()
        },
    });
    Ok(JobSpec {
        roots: roots.iter().map(ToString::to_string).collect(),
        channels: channels.collect(),
        settle: submission.settle.into(),
        unreadable_allowed: unreadable_allowed(portable),
        lease_bytes: submission.range_size,
    })
}

/// Rows one root after the other; events that the channel lacks belong to the files before them.
fn regions(plan: &Plan, channel: &ChannelPlan, of_folders: &[RootName]) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    let mut before: Option<&RootName> = None;
    let close = |root: &RootName, end| Region {
        end,
        roots: vec![root.to_string()],
    };
    for at in 0..channel.files.len() {
        let file = channel.files.get(at);
        let folder = plan.patterns[file.pattern.0 as usize].folder as usize;
        let root = &of_folders[folder];
        if let Some(before) = before.filter(|before| *before != root) {
            regions.push(close(before, file.first_row));
        }
        before = Some(root);
    }
    regions.extend(before.map(|root| close(root, channel.rows)));
    regions
}
