//! Numbers, times, tables and commands as people read them.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
pub(crate) use trc2npy_common::readable::{date, si};
pub(crate) use trc2npy_common::units::{count, counted};

/// `0:31`, `1:02:03`, `3 d 04:00`
pub(crate) fn clock(time: Duration) -> String {
    let s = time.as_secs();
    let (days, hours, minutes, seconds) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{days} d {hours:02}:{minutes:02}"),
    }
}

/// Columns under their heads. A head that starts with `>` has its column aligned to the right.
pub(crate) fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    // Never wrapped: a path that is broken in two cannot be copied.
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heads.iter().map(|head| head.trim_start_matches('>')));
    table.add_rows(rows);
    for (column, head) in table.column_iter_mut().zip(heads) {
        column.set_padding((0, 2));
        if head.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    trimmed(&table)
}

/// Now, to the second, in UTC: the lines of several machines are read side by side.
pub(crate) fn clock_time() -> String {
    seconds(jiff::Timestamp::now())
}

/// Milliseconds since 1970 as date and time, to the second, in UTC.
pub(crate) fn moment(ms: u64) -> String {
    let at = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| format!("{ms} ms"), seconds)
}

fn seconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Names and what is to say of them, in two columns without a head.
pub(crate) fn facts<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.add_rows(rows.into_iter().map(|(name, fact)| [name.to_owned(), fact]));
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    trimmed(&table)
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Sentences in lines of at most 80 columns. A word that is longer, such as a path, has a line of its own.
pub(crate) fn paragraph(text: &str) -> String {
    indented(text, 0)
}

/// A paragraph behind so many blanks.
pub(crate) fn indented(text: &str, blanks: usize) -> String {
    wrapped(text, blanks, 80)
}

/// The same in lines of at most so many columns.
pub(crate) fn wrapped(text: &str, blanks: usize, columns: usize) -> String {
    let margin = " ".repeat(blanks);
    let mut lines = margin.clone();
    let mut used = blanks;
    for word in text.split(' ') {
        let width = console::measure_text_width(word);
        if used > blanks && used + 1 + width > columns {
            lines.push('\n');
            lines.push_str(&margin);
            used = blanks;
        } else if used > blanks {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += width;
    }
    lines + "\n"
}

/// A path as a Python string literal.
pub(crate) fn python_text(path: &Path) -> String {
    // JSON's escapes are all Python's too.
    serde_json::Value::from(path.to_string_lossy().replace('\\', "/")).to_string()
}

/// A command as it can be pasted into the shell that it came from.
pub(crate) fn command_line(argv: &[OsString]) -> String {
    argv.iter()
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as it can be pasted into a command line.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./,:=+@%".contains(c) || (cfg!(windows) && c == '\\');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if cfg!(windows) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_grow_from_the_right() {
        for (seconds, text) in [(0, "0:00"), (61, "1:01"), (3_723, "1:02:03"), (273_600, "3 d 04:00")] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn no_line_of_a_table_ends_in_blanks_or_wraps() {
        let long = "x".repeat(300);
        let text = table(
            &["name", ">n"],
            [vec![long.clone(), "1".into()], vec!["y".into(), "22".into()]],
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines.iter().all(|line| line.trim_end() == *line), "{text}");
        assert!(lines[1].starts_with(&long) && lines[1].ends_with("  1"), "{text}");
    }

    #[test]
    fn a_paragraph_breaks_between_words() {
        let text = paragraph(&format!("{} {} end", "word ".repeat(20).trim(), "x".repeat(90)));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "word ".repeat(16).trim());
        assert_eq!(lines[1], "word ".repeat(4).trim());
        assert_eq!(lines[2..], [&"x".repeat(90), "end"]);
        assert_eq!(
            indented(&"word ".repeat(17), 4).lines().next().unwrap().len(),
            4 + 15 * 5 - 1
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_shell_reads_a_pasted_command_as_it_was() {
        let words = ["trc2npy", "a b", "it's", "npy/{run}", "r*", "--out=x", "", "$HOME", "é"];
        let line = command_line(&words.map(OsString::from));
        let script = format!("printf '%s\\n' {line}");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap().lines().collect::<Vec<_>>(),
            words
        );
    }
}
