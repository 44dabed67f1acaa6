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

/// How many files this process may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// Now. None: as many as it wants.
    pub allowed: Option<u64>,
    /// What [`allow_many_files`] would raise that to.
    pub at_most: Option<u64>,
}

/// The limit as it is.
#[cfg(unix)]
pub fn open_files() -> Option<OpenFiles> {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile);
    Some(OpenFiles {
        allowed: limit.current,
        at_most: limit.maximum,
    })
}

/// Windows has no such limit.
#[cfg(windows)]
pub fn open_files() -> Option<OpenFiles> {
    None
}
