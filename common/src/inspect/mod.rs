//! What a user looks at before and after converting: one `.trc` file, a run, a finished array. Only looks; what is seen
//! is said in numbers and texts, for people and for JSON.

mod gaps;
mod output;
mod run;
mod trace;

pub use gaps::{Gap, Numbers};
pub use output::{Column, FirstRow, OutputReport, StatusRows};
pub use run::{ChannelReport, Recorded, RunReport, StemReport, each_file, runs};
pub use trace::{Block, FieldReport, SegmentReport, Segments, TraceReport, second};
