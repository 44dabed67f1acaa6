//! A log's files: one a day, named by it, the oldest removed. Nothing is removed but files that are called exactly as a log
//! of this name and a day: what begins alike may be anybody's data.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

/// Days of which files are kept.
const DAYS: usize = 14;

/// Writes to the file of the day.
#[derive(Debug)]
pub(super) struct Daily {
    /// Without the day.
    path: PathBuf,
    open: Option<(Date, File)>,
    has_failed: bool,
}

impl Daily {
    /// Makes the folder where it is missing, and opens today's file.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        if path.file_name().is_none() || path.is_dir() {
            return Err(io::Error::other("this is a folder; name a file in it"));
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let mut daily = Self {
            path: path.to_owned(),
            open: None,
            has_failed: false,
        };
        daily.of(today())?;
        Ok(daily)
    }

    /// The file of this day.
    fn of(&mut self, day: Date) -> io::Result<&mut File> {
        let is_open = self.open.as_ref().is_some_and(|(of, _)| *of == day);
        if !is_open {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(named(&self.path, day))?;
            // What cannot be removed stays.
            let _ = self.remove_oldest();
            self.open = Some((day, file));
        }
        Ok(&mut self.open.as_mut().expect("it was opened above").1)
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut days = Vec::new();
        for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
            let name = entry?.file_name();
            days.extend(day_of(&self.path, &name.to_string_lossy()));
        }
        days.sort_unstable();
        for day in days.iter().rev().skip(DAYS) {
            fs::remove_file(named(&self.path, *day))?;
        }
        Ok(())
    }

    /// Writes a line. Where that fails it is said once, and tried again with the next line.
    pub(super) fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.of(today()).and_then(|file| file.write_all(line));
        match written {
            Ok(()) => self.has_failed = false,
            Err(error) => {
                // The folder may be another one by then.
                self.open = None;
                if !std::mem::replace(&mut self.has_failed, true) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn today() -> Date {
    jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date()
}

fn named(path: &Path, day: Date) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{day}"));
    name.into()
}

/// The day of a file of this log; none where it is none.
fn day_of(path: &Path, name: &str) -> Option<Date> {
    let own = path.file_name()?.to_str()?;
    let day = name.strip_prefix(own)?.strip_prefix('.')?;
    let date: Date = day.parse().ok()?;
    (date.to_string() == day).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_logs_oldest_days_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("C1--Trace");
        let mut others = vec!["C1--Trace--00000.trc".to_owned(), "C1--Trace.gz".to_owned()];
        others.push("C1--Trace.2026-01-01.gz".to_owned());
        others.push("C1--Trace.mine".to_owned());
        others.extend((10..30).map(|day| format!("C1--Trace2.2026-01-{day}")));
        // The newest by name is the oldest by time.
        let own: Vec<String> = (1..29).rev().map(|day| format!("C1--Trace.2020-02-{day:02}")).collect();
        for name in others.iter().chain(&own) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let mut daily = Daily::begin(&log).unwrap();
        daily.line(b"one\n").unwrap();
        let there = |name: &String| folder.path().join(name).exists();
        assert!(others.iter().all(there));
        let left: Vec<&String> = own.iter().filter(|name| there(name)).collect();
        let expected: Vec<String> = (16..29).rev().map(|day| format!("C1--Trace.2020-02-{day}")).collect();
        assert!(left.into_iter().eq(&expected), "13 and that of today");
        let written = fs::read_to_string(named(&log, today())).unwrap();
        assert_eq!(written, "one\n");
    }

    #[test]
    fn a_folder_is_no_log_and_a_missing_one_is_made() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), PathBuf::from("/")] {
            let error = Daily::begin(&path).unwrap_err();
            assert!(error.to_string().contains("is a folder"), "{error}");
        }
        let log = folder.path().join("new/folder/log");
        let mut daily = Daily::begin(&log).unwrap();
        // Said once, and gone on with when it can be.
        daily.open = None;
        fs::remove_dir_all(folder.path().join("new")).unwrap();
        assert!(daily.line(b"lost\n").is_err());
        assert!(daily.line(b"lost\n").is_ok());
        fs::create_dir_all(folder.path().join("new/folder")).unwrap();
        daily.line(b"kept\n").unwrap();
        assert_eq!(fs::read_to_string(named(&log, today())).unwrap(), "kept\n");
    }
}
