//! Every number that a user gets, from files whose content is known: judged by numpy, and by plain loops over what the
//! files' writer says is in them.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]
#![allow(clippy::float_cmp, reason = "values must agree in every bit")]

mod catalog;
mod extremes;
mod layout;
mod real;
mod reference;
