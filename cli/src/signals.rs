//! Being asked to end: Ctrl-C, SIGTERM, a closed console window, the end of a Windows session.
#![cfg_attr(
    windows,
    allow(
        unsafe_code,
        reason = "Windows calls a plain function when a console is closed; the call that names it gets that pointer alone"
    )
)]

use std::sync::{Arc, Mutex, PoisonError};

use trc2npy_common::hang_up;

/// How the program is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A person or a system that will wait, and may ask again.
    ToEnd,
    /// Windows ends the process some seconds later, whatever it does: its window was closed, or its user logs off.
    #[cfg_attr(not(windows), expect(dead_code, reason = "other systems wait"))]
    ToEndInSeconds,
}

type Handler = Arc<Mutex<Box<dyn FnMut(Asked) + Send>>>;

/// Calls `handler` each time the program is asked to end, on a thread of its own. To be set up once.
///
/// Where the system refuses it, being asked ends the program at once.
pub(crate) fn on_end(handler: impl FnMut(Asked) + Send + 'static) {
    let handler: Handler = Arc::new(Mutex::new(Box::new(handler)));
    let asked = Arc::clone(&handler);
    let install = || ctrlc::set_handler(move || call(&asked, Asked::ToEnd));
    if hang_up::keep_ignored(install).is_ok() {
        #[cfg(windows)]
        close::heed(handler);
    }
}

fn call(handler: &Handler, asked: Asked) {
    (handler.lock().unwrap_or_else(PoisonError::into_inner))(asked);
}

/// A closed window. Windows ends the process as soon as it has been told that the event was handled, which is what
/// `ctrlc` tells it at once: so what is called before `ctrlc` never returns from this one.
#[cfg(windows)]
mod close {
    use std::sync::OnceLock;

    use windows_sys::Win32::System::Console::{
        CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT, SetConsoleCtrlHandler,
    };
    use windows_sys::core::BOOL;

    use super::{Asked, Handler, call};

    static HANDLER: OnceLock<Handler> = OnceLock::new();

    pub(super) fn heed(handler: Handler) {
        if HANDLER.set(handler).is_ok() {
            // SAFETY: the function lives as long as the program and takes what Windows gives. The latest one is called
            // first. Where it is refused, a closed window ends the program at once, as a kill does.
            unsafe { SetConsoleCtrlHandler(Some(told), 1) };
        }
    }

    extern "system" fn told(event: u32) -> BOOL {
        if !tell(event) {
            // Others' business: `ctrlc` is next.
            return 0;
        }
        loop {
            std::thread::park();
        }
    }

    /// Passes on that the window was closed; false: it is another event.
    fn tell(event: u32) -> bool {
        let closing = matches!(event, CTRL_CLOSE_EVENT | CTRL_LOGOFF_EVENT | CTRL_SHUTDOWN_EVENT);
        if let (true, Some(handler)) = (closing, HANDLER.get()) {
            call(handler, Asked::ToEndInSeconds);
        }
        closing
    }

    #[cfg(test)]
    mod tests {
        use std::sync::mpsc::channel;
        use std::sync::{Arc, Mutex};

        use windows_sys::Win32::System::Console::CTRL_C_EVENT;

        use super::*;

        #[test]
        fn a_closed_window_is_told_and_ctrl_c_is_left_to_others() {
            let (told, asked) = channel();
            let handler = move |how| told.send(how).unwrap();
            heed(Arc::new(Mutex::new(Box::new(handler))));
            assert!(!tell(CTRL_C_EVENT));
            assert!(asked.try_recv().is_err());
            for event in [CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT] {
                assert!(tell(event));
                assert_eq!(asked.recv().unwrap(), Asked::ToEndInSeconds);
            }
        }
    }
}
