//! Panics that are an answer: of a decoder over a file that nobody thought of, of a database over damaged pages.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs something whose panic is told by whoever asked: the error is its message and its place. Nothing is printed. What
/// `run` has changed by then must not be used any more.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    keep_quiet();
    let before = CATCHING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    CATCHING.set(before);
    result.map_err(|_| LAST.take())
}

/// Panics of other code keep the message that they had.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ordinary = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                let message = info.payload_as_str().unwrap_or("it panicked").to_owned();
                let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
                LAST.set(message + &place.unwrap_or_default());
            } else {
                ordinary(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_place() {
        assert_eq!(caught(|| 7), Ok(7));
        let number = 3;
        let why = caught(|| assert!(number > 4, "{number} is too few")).unwrap_err();
        assert!(why.starts_with("3 is too few (") && why.contains("panics.rs:"), "{why}");
        // One inside of another.
        assert_eq!(caught(|| caught(|| assert!(number > 4)).is_err()), Ok(true));
    }
}
