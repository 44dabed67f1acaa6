//! What a worker may be called. Its name stands in tables and in logs.

use std::fmt;

/// Characters of the longest name.
const LONGEST: usize = 100;
/// Characters of a name that is none which are shown.
const SHOWN: usize = 40;

/// A name that would spoil a table or a log. Shown without control characters, and never whole where it is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadWorkerName(String);

impl std::error::Error for BadWorkerName {}

impl fmt::Display for BadWorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.chars().count();
        let shown: String = self.0.chars().take(SHOWN).collect();
        write!(f, "{shown:?}")?;
        if count > SHOWN {
            write!(f, "... ({count} characters)")?;
        }
        write!(
            f,
            ": a worker's name has 1 to {LONGEST} characters, and no line ends or other control characters"
        )
    }
}

/// The name that `text` is, without blanks around it.
///
/// # Errors
/// Where it is empty, longer than 100 characters, or has a control character in it.
pub fn worker_name(text: &str) -> Result<&str, BadWorkerName> {
    let name = text.trim_matches(' ');
    if name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        return Err(BadWorkerName(text.to_owned()));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_spoil_a_table_are_none() {
        let longest = "é".repeat(100);
        for (text, name) in [("pc1", "pc1"), (" pc 1 ", "pc 1"), (&longest, &longest)] {
            assert_eq!(worker_name(text), Ok(name));
        }
        for text in ["", "  ", "pc1\n", "a\nb", "a\x1b[31mb", "\u{9b}31m", &"x".repeat(101)] {
            assert!(worker_name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_told_of_without_doing_what_it_would() {
        let told = worker_name("a\x1b[2Jb\n").unwrap_err().to_string();
        assert!(told.starts_with(r#""a\u{1b}[2Jb\n": a worker's name has"#), "{told}");
        assert!(!told.contains(char::is_control), "{told}");
        let told = worker_name(&"\u{7}".repeat(4 << 20)).unwrap_err().to_string();
        assert!(told.len() < 500 && told.contains("(4194304 characters)"), "{told}");
    }
}
