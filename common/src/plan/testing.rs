//! Plans made by hand, for the unit tests of this folder.

use std::path::PathBuf;

use crate::channel::Channel;
use crate::options::ByteOptions;
use crate::trc::SampleWidth;
use crate::units::Bytes;

use super::model::{
    ChannelPlan, Element, FileEntry, FileTable, Folder, LayoutId, LeftOut, NamePattern, PatternId, Plan, PlanId,
    PlannedLayout, Reference, RequestSummary,
};

/// A channel of 10 float32 samples a row and files of (first row, segments, size).
pub(crate) fn channel_of(files: &[(u64, u32, u64)], rows: u64) -> ChannelPlan {
    let mut table = FileTable::default();
    let mut layouts = Vec::new();
    for (i, &(first_row, segments, size)) in (0..).zip(files) {
        layouts.push(PlannedLayout {
            segments,
            samples: 10,
            width: Some(SampleWidth::Sixteen),
            whole: true,
        });
        table.push(FileEntry {
            size: Bytes(size),
            mtime_ns: -5,
            first_row,
            first_segment: 0,
            rows: segments,
            layout: LayoutId(i),
            pattern: PatternId(0),
            index: u64::from(i),
        });
    }
    ChannelPlan {
        channel: Channel::new('C', 1).unwrap(),
        rows,
        samples: 10,
        record_samples: 10,
        first_sample: 0,
        element: Element::Float32,
        reference: Reference {
            pattern: PatternId(0),
            index: 0,
            head: vec![1, 2, 3],
        },
        layouts,
        files: table,
        left_out: LeftOut::default(),
    }
}

/// A plan of that channel and another in one folder.
pub(crate) fn plan_of(files: &[(u64, u32, u64)], rows: u64) -> Plan {
    let first = channel_of(files, rows);
    let mut second = first.clone();
    second.channel = Channel::new('C', 3).unwrap();
    second.left_out.push(PatternId(1), 77);
    for pattern in &mut second.files.patterns {
        *pattern = 1;
    }
    let pattern = |prefix: &str| NamePattern {
        folder: 0,
        prefix: prefix.to_owned(),
        width: 5,
        suffix: ".trc".to_owned(),
    };
    let mut plan = Plan {
        id: PlanId([0; 32]),
        run: "r005".to_owned(),
        options: ByteOptions::default(),
        request: RequestSummary {
            inputs: vec!["r005".to_owned()],
            ..RequestSummary::default()
        },
        folders: vec![Folder {
            path: PathBuf::from("/data/r005"),
            label: "r005".to_owned(),
        }],
        patterns: vec![pattern("C1--Trace--"), pattern("C3--Trace--")],
        channels: [first, second].into(),
    };
    plan.id = plan.compute_id();
    plan
}
