//! Drive letters that only the person has who is logged on. A service has none of them: they belong to a session.

use std::path::{Path, PathBuf};

/// What a drive letter is to this session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// A disk of the machine, the same for everybody.
    Disk,
    /// A share; its `\\server\share`, where the system tells.
    Share(Option<String>),
    /// Another name for a folder (`subst`).
    Folder(String),
    /// Nothing now.
    Nothing,
}

/// The letter that a path begins with.
#[cfg(windows)]
pub(super) fn letter(path: &Path) -> Option<char> {
    use std::path::{Component, Prefix};
    match path.components().next()? {
        Component::Prefix(prefix) => match prefix.kind() {
            Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => Some(char::from(letter).to_ascii_uppercase()),
            _ => None,
        },
        _ => None,
    }
}

/// Why a service cannot use `path`, which begins with this letter, and what to give it instead; none where it can.
pub(super) fn refusal(what: &str, path: &Path, letter: char, is: &Letter) -> Option<String> {
    let shown = path.display();
    let rest = path.to_string_lossy();
    let rest = rest.split_once(':').map_or("", |(_, rest)| rest);
    let below = |folder: &str| PathBuf::from(format!("{}{rest}", folder.trim_end_matches('\\')));
    match is {
        Letter::Disk => None,
        Letter::Share(Some(share)) => Some(format!(
            "{what} {shown}: {letter}: is a network drive of whoever is logged on, and services have none; give the share \
             itself: {}",
            below(share).display()
        )),
        Letter::Share(None) => Some(format!(
            r"{what} {shown}: {letter}: is a network drive of whoever is logged on, and services have none; give the share itself, as \\server\share (`net use` shows it)"
        )),
        Letter::Folder(folder) => Some(format!(
            "{what} {shown}: {letter}: is another name of {folder} for whoever is logged on (subst), and services do not \
             have it; give {}",
            below(folder).display()
        )),
        Letter::Nothing => Some(format!(
            r"{what} {shown}: there is no drive {letter}: here; the network drives of whoever is logged on are not there for administrators, nor for services: give the share itself, as \\server\share (`net use` in an ordinary console shows it)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_services_do_not_have_is_refused_with_what_to_give() {
        let path = Path::new(r"Z:\run\r005");
        let refused = |is: &Letter| refusal("--root data", path, 'Z', is);
        assert_eq!(refused(&Letter::Disk), None);
        let share = refused(&Letter::Share(Some(r"\\nas\lab".to_owned()))).unwrap();
        assert!(share.ends_with(r"give the share itself: \\nas\lab\run\r005"), "{share}");
        let unknown = refused(&Letter::Share(None)).unwrap();
        assert!(unknown.contains(r"\\server\share"), "{unknown}");
        let folder = refused(&Letter::Folder(r"D:\lab".to_owned())).unwrap();
        assert!(folder.ends_with(r"give D:\lab\run\r005"), "{folder}");
        let nothing = refused(&Letter::Nothing).unwrap();
        assert!(nothing.contains("no drive Z:"), "{nothing}");
    }

    #[cfg(windows)]
    #[test]
    fn letters_of_paths() {
        for (path, expected) in [
            (r"z:\lab", Some('Z')),
            (r"\\?\Z:\lab", Some('Z')),
            (r"\\nas\lab", None),
            (r"lab", None),
        ] {
            assert_eq!(letter(Path::new(path)), expected, "{path}");
        }
    }
}
