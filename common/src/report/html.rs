//! Markup: the one place that escapes, and the elements that the page is made of. What is written is well-formed XML too.

use std::fmt::{self, Write as _};

/// A text as the content of an element or the value of an attribute, wherever it comes from. Control characters, which no
/// page may hold, become the sign for what cannot be shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped<'t>(pub(super) &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\n' | '\t' => f.write_char(' '),
            // The last two are no characters of XML.
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

/// A page that grows. All but [`Html::markup`] escape what they are given.
#[derive(Clone, Debug, Default)]
pub(super) struct Html {
    text: String,
    pictures: usize,
}

/// The head of a column; those of numbers stand on the right.
#[derive(Clone, Copy, Debug)]
pub(super) enum Head<'t> {
    Text(&'t str),
    Number(&'t str),
}

impl Html {
    /// Markup of this program's own.
    pub(super) fn markup(&mut self, markup: &str) {
        self.text.push_str(markup);
        self.text.push('\n');
    }

    /// An element with a text.
    pub(super) fn element(&mut self, tag: &str, text: &str) {
        let _ = writeln!(self.text, "<{tag}>{}</{tag}>", Escaped(text));
    }

    /// A paragraph that is to be seen first.
    pub(super) fn loud(&mut self, class: &str, text: &str) {
        let _ = writeln!(self.text, "<p class=\"{}\">{}</p>", Escaped(class), Escaped(text));
    }

    /// A heading that can be gone to.
    pub(super) fn heading(&mut self, tag: &str, id: &str, text: &str) {
        let _ = writeln!(self.text, "<{tag} id=\"{}\">{}</{tag}>", Escaped(id), Escaped(text));
    }

    /// A list of sentences, or of links where they have a target.
    pub(super) fn list<'t>(&mut self, items: impl IntoIterator<Item = (Option<&'t str>, &'t str)>) {
        self.markup("<ul>");
        for (target, text) in items {
            let _ = match target {
                Some(id) => writeln!(self.text, "<li><a href=\"#{}\">{}</a></li>", Escaped(id), Escaped(text)),
                None => writeln!(self.text, "<li>{}</li>", Escaped(text)),
            };
        }
        self.markup("</ul>");
    }

    /// A table; the first cell of a row is its head.
    pub(super) fn table(&mut self, caption: &str, heads: &[Head<'_>], rows: impl IntoIterator<Item = Vec<String>>) {
        // What is wider than a phone is moved alone, also with keys.
        let _ = writeln!(
            self.text,
            "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{}\"><table>\n<caption>{}</caption>",
            Escaped(caption),
            Escaped(caption)
        );
        let class = |at: usize| match heads.get(at) {
            Some(Head::Number(_)) => " class=\"n\"",
            _ => "",
        };
        if !heads.is_empty() {
            self.text.push_str("<thead><tr>");
            for (at, head) in heads.iter().enumerate() {
                let (Head::Text(name) | Head::Number(name)) = head;
                let _ = write!(self.text, "<th scope=\"col\"{}>{}</th>", class(at), Escaped(name));
            }
            self.markup("</tr></thead>");
        }
        self.markup("<tbody>");
        for row in rows {
            self.text.push_str("<tr>");
            for (at, cell) in row.iter().enumerate() {
                let _ = match at {
                    0 => write!(self.text, "<th scope=\"row\"{}>{}</th>", class(at), Escaped(cell)),
                    _ => write!(self.text, "<td{}>{}</td>", class(at), Escaped(cell)),
                };
            }
            self.markup("</tr>");
        }
        self.markup("</tbody></table></div>");
    }

    /// Names and what is to say of them.
    pub(super) fn facts(&mut self, caption: &str, facts: &[(String, String)]) {
        let rows = facts.iter().map(|(name, fact)| vec![name.clone(), fact.clone()]);
        self.table(caption, &[], rows);
    }

    /// A picture, made with a number that no other one has, and a sentence below it.
    pub(super) fn figure(&mut self, picture: impl FnOnce(usize) -> String, caption: &str) {
        self.figure_with(picture, caption, |_| {});
    }

    /// The same with more below the sentence.
    pub(super) fn figure_with(
        &mut self,
        picture: impl FnOnce(usize) -> String,
        caption: &str,
        more: impl FnOnce(&mut Self),
    ) {
        self.pictures += 1;
        let svg = picture(self.pictures);
        let _ = writeln!(self.text, "<figure>\n{svg}<figcaption>{}", Escaped(caption));
        more(self);
        self.markup("</figcaption>\n</figure>");
    }

    /// What can be opened to be read.
    pub(super) fn details(&mut self, summary: &str, inside: impl FnOnce(&mut Self)) {
        let _ = writeln!(self.text, "<details><summary>{}</summary>", Escaped(summary));
        inside(self);
        self.markup("</details>");
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<img src=x onerror=alert(1)> & \"'\u{1}\u{fffe}";
    const HARMLESS: &str = "&lt;img src=x onerror=alert(1)&gt; &amp; &quot;&#39;\u{fffd}\u{fffd}";

    #[test]
    fn what_comes_from_a_file_is_never_markup() {
        assert_eq!(Escaped(HOSTILE).to_string(), HARMLESS);
        assert_eq!(Escaped("plain µs – 1 % }").to_string(), "plain µs – 1 % }");
    }

    #[test]
    fn every_element_escapes_its_texts() {
        let mut html = Html::default();
        html.element("p", HOSTILE);
        html.loud(HOSTILE, HOSTILE);
        html.heading("h2", HOSTILE, HOSTILE);
        html.list([(Some(HOSTILE), HOSTILE), (None, HOSTILE)]);
        html.table(
            HOSTILE,
            &[Head::Text(HOSTILE), Head::Number(HOSTILE)],
            [vec![HOSTILE.to_owned(); 2]],
        );
        html.facts(HOSTILE, &[(HOSTILE.to_owned(), HOSTILE.to_owned())]);
        html.figure(|_| String::new(), HOSTILE);
        html.details(HOSTILE, |_| {});
        let page = html.finish();
        assert!(!page.contains("<img"), "{page}");
        assert_eq!(page.matches(HARMLESS).count(), 20, "{page}");
    }
}
