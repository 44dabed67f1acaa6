//! How many files a process may have open.

/// Raises the limit to what the system allows. The usual one of 1,024 is made for programs that use `select`; a coordinator
/// keeps some files open for every job that waits its turn.
#[cfg(unix)]
pub fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // Where that is refused, the limit is as it was, and its error names it.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// Windows has no such limit.
#[cfg(windows)]
pub fn allow_many_files() {}
