//! Planning: which file holds which rows of which channel, fixed before the first byte is written.
//!
//! Whatever can be refused is refused here. Nothing here decodes samples or writes outputs.

pub mod model;

pub use model::{
    ChannelPlan, Element, FileEntry, FileTable, Folder, LayoutId, NamePattern, PatternId, Plan, PlanId, PlannedLayout,
    Reference,
};
