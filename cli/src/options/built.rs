//! From what, for what and with what this binary was built: what `--version` adds to `-V`, and what a report of a mistake
//! needs.

use trc2npy_proto::Protocol;

/// The commit, `-dirty` behind it where the sources were others; none where it was not built from a checkout.
const FROM: Option<&str> = option_env!("BUILT_FROM");
const FOR: &str = env!("BUILT_FOR");
const WITH: &str = env!("BUILT_WITH");

/// The version's number and the commit.
pub(crate) fn short() -> String {
    format!(
        "{} ({})",
        env!("CARGO_PKG_VERSION"),
        FROM.unwrap_or("of no known commit")
    )
}

/// The version's number, and below it a line for each fact.
pub(super) fn long() -> String {
    let from = FROM.unwrap_or("unknown (not built from a git checkout)");
    let with = if WITH.is_empty() { "none" } else { WITH };
    format!(
        "{}\ncommit: {from}\ntarget: {FOR}\nfeatures: {with}\nprotocol: {}",
        env!("CARGO_PKG_VERSION"),
        Protocol::ours()
    )
}
