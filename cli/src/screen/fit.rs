//! Tables and facts that keep to the width of the terminal: a line that the terminal breaks cannot be read as a column.

use std::io::{self, IsTerminal as _};

use console::{Term, measure_text_width};

use super::text::{facts, table, wrapped};

/// Lines of prose are never longer.
const PROSE: usize = 80;
/// Blanks before what stands below its row.
const BELOW: usize = 4;

/// Columns of the terminal behind stdout. None where that is a file or a pipe: lines are as long as they are.
pub(crate) fn width() -> Option<usize> {
    let is_terminal = io::stdout().is_terminal();
    let size = is_terminal.then(|| Term::stdout().size_checked()).flatten();
    size.map(|(_, columns)| usize::from(columns))
}

/// A sentence, broken between words where a terminal would break it within them.
pub(crate) fn prose(text: &str, width: Option<usize>) -> String {
    match width {
        Some(columns) => wrapped(text, 0, columns.min(PROSE)),
        None => text.to_owned() + "\n",
    }
}

fn fits(text: &str, columns: usize) -> bool {
    text.lines().all(|line| measure_text_width(line) <= columns)
}

/// [`table`], where it fits into the width. Else, whichever fits first: without the columns in which nothing stands; with
/// the last column, which has paths or sentences, on lines of their own; each row as [`fitted_facts`]. Nothing is left out.
pub(crate) fn fitted_table(heads: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let whole = table(heads, rows.iter().cloned());
    let Some(columns) = width.filter(|columns| !fits(&whole, *columns)) else {
        return whole;
    };
    let says = |column: &usize| rows.iter().any(|row| !matches!(row[*column].as_str(), "" | "-"));
    let kept: Vec<usize> = (0..heads.len()).filter(says).collect();
    let part = |kept: &[usize]| {
        let heads: Vec<&str> = kept.iter().map(|&column| heads[column]).collect();
        let cells = |row: &Vec<String>| kept.iter().map(|&column| row[column].clone()).collect();
        table(&heads, rows.iter().map(cells))
    };
    let narrower = part(&kept);
    if fits(&narrower, columns) {
        return narrower;
    }
    if let Some((last, others @ [_, ..])) = kept.split_last() {
        let above = part(others);
        if fits(&above, columns) {
            return with_below(&above, rows.iter().map(|row| row[*last].as_str()), columns);
        }
    }
    let named = |row: &Vec<String>| {
        let facts = kept
            .iter()
            .map(|&at| (heads[at].trim_start_matches('>'), row[at].clone()));
        fitted_facts(facts, width)
    };
    rows.iter().map(named).collect::<Vec<_>>().join("\n")
}

/// A table, and below each of its rows one text more.
fn with_below<'a>(above: &str, below: impl Iterator<Item = &'a str>, columns: usize) -> String {
    let mut lines = above.lines();
    let mut text = lines.next().map_or_else(String::new, |head| head.to_owned() + "\n");
    for (line, below) in lines.zip(below) {
        text += line;
        text.push('\n');
        if !below.is_empty() {
            text += &wrapped(below, BELOW, columns.min(PROSE));
        }
    }
    text
}

/// [`facts`] with what is too long broken between words.
pub(crate) fn fitted_facts<'a>(rows: impl IntoIterator<Item = (&'a str, String)>, width: Option<usize>) -> String {
    let rows: Vec<(&str, String)> = rows.into_iter().collect();
    let whole = facts(rows.iter().cloned());
    let Some(columns) = width.filter(|columns| !fits(&whole, *columns)) else {
        return whole;
    };
    let names = rows.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0);
    let fact = |(name, fact): &(&str, String)| {
        let lines = wrapped(fact, names + 2, columns.min(PROSE));
        format!("{name:<names$}  {}", lines.trim_start())
    };
    let text: String = rows.iter().map(fact).collect();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: [&str; 5] = ["job", ">rows", ">MB/s", "run", "out"];

    fn rows() -> Vec<Vec<String>> {
        [
            ["1", "125,000", "-", "r005", "data:npy/period06/r005"],
            ["2", "7", "-", "r006", ""],
        ]
        .map(|row| row.map(str::to_owned).to_vec())
        .to_vec()
    }

    fn shown(width: Option<usize>) -> Vec<String> {
        let text = fitted_table(&HEADS, &rows(), width);
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_table_gives_way_to_the_terminal_step_by_step() {
        let whole = shown(None);
        assert_eq!(shown(Some(200)), whole);
        assert_eq!(whole[0], "job     rows  MB/s  run   out");
        assert_eq!(
            shown(Some(46)),
            [
                "job     rows  run   out",
                "1    125,000  r005  data:npy/period06/r005",
                "2          7  r006"
            ]
        );
        assert_eq!(
            shown(Some(30)),
            [
                "job     rows  run",
                "1    125,000  r005",
                "    data:npy/period06/r005",
                "2          7  r006"
            ]
        );
        assert_eq!(
            shown(Some(12)),
            [
                "job   1",
                "rows  125,000",
                "run   r005",
                "out   data:npy/period06/r005",
                "",
                "job   2",
                "rows  7",
                "run   r006",
                "out"
            ]
        );
    }

    #[test]
    fn long_facts_and_sentences_are_broken_between_words() {
        let facts = [("why", "no room on the disk".to_owned()), ("at", "pc1".to_owned())];
        assert_eq!(
            fitted_facts(facts, Some(16)),
            "why  no room on\n     the disk\nat   pc1\n"
        );
        assert_eq!(prose("no room on the disk", Some(10)), "no room on\nthe disk\n");
        assert_eq!(prose("no room on the disk", None), "no room on the disk\n");
        let long = "word ".repeat(40);
        assert!(prose(long.trim(), Some(300)).lines().all(|line| line.len() <= 80));
    }
}
