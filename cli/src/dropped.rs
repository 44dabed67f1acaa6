//! Folders that were dragged onto the program's icon in Windows' Explorer, and the window that opens for them.
#![cfg_attr(
    windows,
    allow(
        unsafe_code,
        reason = "whose a console window is Windows tells only through its C interface; the call gets a buffer of its own \
                  with its true length"
    )
)]

use std::ffi::OsString;
use std::path::Path;

/// The command line that is meant where only folders were named, as Explorer does it: `batch` of these, with the
/// defaults. None where something else was asked, and on other systems, where people type.
pub(crate) fn meant(argv: &[OsString]) -> Option<Vec<OsString>> {
    cfg!(windows).then(|| as_batch(argv)).flatten()
}

/// Explorer names things by their whole paths: no word of the command line looks like that.
fn as_batch(argv: &[OsString]) -> Option<Vec<OsString>> {
    let (program, folders) = argv.split_first()?;
    let is_folder = |word: &OsString| Path::new(word).is_absolute() && Path::new(word).is_dir();
    if folders.is_empty() || !folders.iter().all(is_folder) {
        return None;
    }
    let mut meant = vec![program.clone(), "batch".into()];
    meant.extend_from_slice(folders);
    Some(meant)
}

/// Leaves the window open until someone has read it, where it would close with the program: it was opened for it alone,
/// by a double click or by what was dragged.
#[cfg(windows)]
pub(crate) fn keep_window() {
    use windows_sys::Win32::System::Console::GetConsoleProcessList;
    let mut processes = [0_u32; 2];
    // SAFETY: the buffer has the two places that are named.
    let count = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) };
    if count == 1 {
        crate::screen::remark("\nPress Enter to close this window.");
        let _ = std::io::stdin().read_line(&mut String::new());
    }
}

/// Terminals of other systems stay.
#[cfg(not(windows))]
pub(crate) const fn keep_window() {}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&Path]) -> Vec<OsString> {
        let all = [Path::new("trc2npy.exe")].into_iter().chain(words.iter().copied());
        all.map(|word| word.as_os_str().to_owned()).collect()
    }

    #[test]
    fn whole_paths_of_folders_alone_are_a_batch() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("C1--Trace--00000.trc");
        std::fs::write(&file, b"").unwrap();
        let dir = folder.path();
        let batch = as_batch(&words(&[dir, dir])).unwrap();
        assert_eq!(batch, words(&[Path::new("batch"), dir, dir]));
        for other in [
            &[][..],
            &[file.as_path()],
            &[dir, Path::new("--json")],
            &[Path::new("convert"), dir],
            // What is typed: a word of the command line, or a mistake in one.
            &[Path::new(".")],
            &[&dir.join("none")],
        ] {
            assert_eq!(as_batch(&words(other)), None, "{other:?}");
        }
    }

    #[test]
    fn other_systems_leave_it_to_the_command_line() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(meant(&words(&[folder.path()])).is_some(), cfg!(windows));
    }
}
