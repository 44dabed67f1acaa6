//! The core by hand: a few events, and the effects that must come of them.
//!
//! `stage.rs` keeps the bookkeeping out of the tests; each other file has one kind of event.

mod deliveries;
mod faults;
mod grants;
mod jobs;
mod loss;
mod regions;
mod stage;
mod views;
