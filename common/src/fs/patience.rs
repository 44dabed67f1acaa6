//! Network file systems show a name that another machine has made a moment late.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Tries until what another machine has made is seen, `patience` at most; fails with the last try's error. `kind` tells
/// what an error is: only one that says that nothing is there is worth another look.
pub fn once_seen<T, E>(
    patience: Duration,
    mut try_once: impl FnMut() -> Result<T, E>,
    kind: impl Fn(&E) -> ErrorKind,
) -> Result<T, E> {
    let end = Instant::now() + patience;
    loop {
        match try_once() {
            Err(error)
                if matches!(
                    kind(&error),
                    ErrorKind::NotFound | ErrorKind::StaleNetworkFileHandle | ErrorKind::UnexpectedEof
                ) && Instant::now() < end =>
            {
                std::thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn tries(patience: Duration, mut results: Vec<io::Result<u8>>) -> (io::Result<u8>, usize) {
        results.reverse();
        let result = once_seen(patience, || results.pop().unwrap(), io::Error::kind);
        (result, results.len())
    }

    #[test]
    fn only_what_is_not_there_yet_is_looked_at_again() {
        let late = || Err(ErrorKind::NotFound.into());
        let (seen, left) = tries(Duration::from_mins(1), vec![late(), late(), Ok(7), Ok(8)]);
        assert_eq!((seen.unwrap(), left), (7, 1));
        let (denied, left) = tries(
            Duration::from_mins(1),
            vec![Err(ErrorKind::PermissionDenied.into()), Ok(8)],
        );
        assert_eq!((denied.unwrap_err().kind(), left), (ErrorKind::PermissionDenied, 1));
        let (never, left) = tries(Duration::ZERO, vec![late(), Ok(8)]);
        assert_eq!((never.unwrap_err().kind(), left), (ErrorKind::NotFound, 1));
    }
}
