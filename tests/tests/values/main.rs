//! Every number that a user gets, from files whose content is known: judged by numpy, and by plain loops over what the
//! files' writer says is in them.

mod catalog;
mod extremes;
mod layout;
mod real;
mod reference;
