//! What the coordinator decides, and nothing else: `step(now, event)` gives effects.
//!
//! Never reads a clock, a file or a random number, and awaits nothing; the same events give the same effects.

mod effect;
mod event;
mod ids;
mod job;
mod lease;
mod pace;
mod placement;
mod rows;
mod scheduler;
mod views;
mod worker;

pub use effect::{Effect, Ending, Reached, Record};
pub use event::{
    Beat, ChannelSpec, Event, Fault, Found, Grant, Hello, JobSpec, LeaseProgress, Loss, Region, Shard, Step, Terms,
    Work,
};
pub use ids::{ChannelIndex, Epoch, JobId, LeaseId, Millis, SessionId};
pub use rows::Amount;
pub use scheduler::Core;
pub use views::{Bin, ChannelView, Idle, JobView, MOST_BINS, Ranges, Reason, WorkerView};
