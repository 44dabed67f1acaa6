//! All that one machine needs to turn `.trc` files into memory-mapped NPY arrays.
//!
//! Nothing here knows of a network: the cluster's crates use this one, never the other way round.
//!
//! - [`trc`]: the format; bytes in, values out, no files
//! - [`plan`]: which file holds which rows of which channel, and everything that can be refused beforehand
//! - [`convert`]: one range of a plan into rows of a target, and a whole plan on one machine
//! - [`npy`]: headers, the index record, positioned targets
//! - [`outputs`]: what a conversion has left, opened again
//! - [`fs`]: what differs between file systems and operating systems, each call with its Windows twin
//! - [`inspect`]: what a file, a run or an array holds, for people
//! - [`preview`]: rows as traces for a picture
//! - [`report`]: a finished run as one page for a browser
//! - [`axis`], [`readable`]: numbers along an axis, values and times as people read them
//! - [`hang_up`]: a run that `nohup` has started stays deaf to the terminal's end
//! - [`verify`]: whether they are still what was written, and what their sources hold
//! - [`selection`]: which rows and samples are taken
//! - [`teststand`]: the folders of a detector test stand, and the settings of its instrument as JSON
//! - [`panics`]: panics that are an answer
//! - [`roots`]: named storage places, which each machine of a cluster reaches by paths of its own
//! - [`shares`]: a run as shares that a batch system hands out, without a coordinator
//! - [`shard`]: the rows of one range as files of their own
//! - [`stitch`]: shards into the arrays that they belong to
//! - [`resources`]: what the machine has and how much of it is free
//! - [`doctor`]: whether a long run will go well on this machine

pub mod axis;
pub mod channel;
pub mod convert;
pub mod doctor;
pub mod fs;
pub mod hang_up;
pub mod inspect;
pub mod npy;
pub mod options;
pub mod outputs;
pub mod panics;
pub mod plan;
pub mod preview;
pub mod readable;
pub mod report;
pub mod resources;
pub mod roots;
pub mod selection;
pub mod shard;
pub mod shares;
pub mod status;
pub mod stitch;
pub mod teststand;
pub mod trc;
pub mod units;
pub mod verify;
