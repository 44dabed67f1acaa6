//! Keeping the computer from falling asleep over a long run.
#![cfg_attr(
    windows,
    allow(unsafe_code, reason = "the call is given flags alone and touches no memory of ours")
)]

/// As long as it lives, the computer does not go to sleep because nobody touches it. Where the system offers no such
/// thing, or refuses it, nothing happens.
///
/// On Linux the programs of systemd ask its login manager, the desktop's among them. It is asked by its own program
/// `systemd-inhibit`: that is there wherever the manager is, and speaking its protocol (D-Bus) here would take more
/// crates than all else together. On Windows the system counts the wishes of its threads.
#[derive(Debug)]
pub struct Awake {
    #[cfg(target_os = "linux")]
    inhibitor: std::process::Child,
    /// The wish is that of the thread which has expressed it: neither is to be moved to another.
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

#[cfg(target_os = "linux")]
impl Awake {
    /// Keeps the computer awake; none where that cannot be. `why` is shown to whoever asks what does.
    pub fn keep(why: &str) -> Option<Self> {
        use std::os::unix::process::CommandExt as _;
        use std::process::{Command, Stdio};
        // It ends when its input does, and that is when this process ends, in whatever way.
        let inhibitor = Command::new("systemd-inhibit")
            .args(["--what=sleep:idle", "--mode=block", "--who=trc2npy"])
            .arg(format!("--why={why}"))
            .arg("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What is in flight at Ctrl-C is still to be finished awake.
            .process_group(0)
            .spawn()
            .ok()?;
        Some(Self {
            inhibitor,
            _of_this_thread: std::marker::PhantomData,
        })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Awake {
    fn drop(&mut self) {
        // `cat` ends with its input; the other one may still wait for an answer.
        drop(self.inhibitor.stdin.take());
        let _ = self.inhibitor.kill();
        let _ = self.inhibitor.wait();
    }
}

#[cfg(windows)]
impl Awake {
    /// Keeps the computer awake; none where that cannot be.
    pub fn keep(_: &str) -> Option<Self> {
        use windows_sys::Win32::System::Power::{ES_CONTINUOUS, ES_SYSTEM_REQUIRED, SetThreadExecutionState};
        // SAFETY: takes flags, gives those of before, and 0 where it fails.
        let before = unsafe { SetThreadExecutionState(ES_CONTINUOUS | ES_SYSTEM_REQUIRED) };
        (before != 0).then_some(Self {
            _of_this_thread: std::marker::PhantomData,
        })
    }
}

#[cfg(windows)]
impl Drop for Awake {
    fn drop(&mut self) {
        use windows_sys::Win32::System::Power::{ES_CONTINUOUS, SetThreadExecutionState};
        // SAFETY: as above.
        unsafe { SetThreadExecutionState(ES_CONTINUOUS) };
    }
}

#[cfg(not(any(windows, target_os = "linux")))]
impl Awake {
    /// This system is left to its own rules.
    pub fn keep(_: &str) -> Option<Self> {
        None
    }
}
