//! The rows of a channel: which are open, in someone's hands, or committed, and what they cost.
//!
//! Knows of no worker but by the names that stand in its notes, and decides nothing.

mod care;
mod channel;
mod cost;
mod regions;
mod spans;

pub(crate) use care::Care;
pub use channel::Amount;
pub(crate) use channel::{Channel, Hands, Landing, Pieces};
pub(crate) use cost::Cost;
pub(crate) use spans::Spans;
