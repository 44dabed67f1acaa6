//! A page as a tree: written as HTML for browsers without script, sent as JSON to those that have one. So there is one
//! layout, and one place where text is kept from becoming markup.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeTuple, Serializer};

/// An element, or text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Whatever is in it, it is shown as it is.
    Text(String),
    /// A tag with its attributes and what is in it.
    Element(Element),
}

/// See [`Node::Element`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Element {
    tag: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

/// An element without anything.
pub(super) const fn element(tag: &'static str) -> Element {
    Element {
        tag,
        attributes: Vec::new(),
        children: Vec::new(),
    }
}

impl Element {
    /// With an attribute.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts alike")]
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// With a class.
    pub(super) fn class(self, class: &str) -> Self {
        self.with("class", class)
    }

    /// With text in it.
    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(text.into()));
        self
    }

    /// With another element in it.
    pub(super) fn add(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// With more of them.
    pub(super) fn all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// As HTML.
    pub(super) fn html(&self, into: &mut String) {
        into.push('<');
        into.push_str(self.tag);
        for (name, value) in &self.attributes {
            into.push(' ');
            into.push_str(name);
            into.push_str("=\"");
            into.push_str(&escaped(value));
            into.push('"');
        }
        into.push('>');
        for child in &self.children {
            match child {
                Node::Text(text) => into.push_str(&escaped(text)),
                Node::Element(element) => element.html(into),
            }
        }
        // These have no end in HTML.
        if !matches!(self.tag, "img" | "source") {
            into.push_str("</");
            into.push_str(self.tag);
            into.push('>');
        }
    }
}

/// Text that stays text, in HTML and SVG, between tags and in attributes. What would turn the direction of what follows,
/// or is no character of XML, is shown as a box.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() => safe.push('\u{fffd}'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Element(element) => element.serialize(to),
        }
    }
}

/// `[tag, {attributes}, [children]]`
impl Serialize for Element {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        struct Attributes<'a>(&'a [(&'static str, String)]);
        impl Serialize for Attributes<'_> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let mut map = to.serialize_map(Some(self.0.len()))?;
                for (name, value) in self.0 {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
        let mut parts = to.serialize_tuple(3)?;
        parts.serialize_element(self.tag)?;
        parts.serialize_element(&Attributes(&self.attributes))?;
        parts.serialize_element(&self.children)?;
        parts.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tree_becomes_html_and_json() {
        let tree = element("p")
            .class("a \"quoted\" one")
            .text("1 < 2 & '3'")
            .add(element("img").with("alt", "<x>"));
        let mut html = String::new();
        tree.html(&mut html);
        assert_eq!(
            html,
            "<p class=\"a &quot;quoted&quot; one\">1 &lt; 2 &amp; &#39;3&#39;<img alt=\"&lt;x&gt;\"></p>"
        );
        assert_eq!(
            serde_json::to_string(&tree).unwrap(),
            r#"["p",{"class":"a \"quoted\" one"},["1 < 2 & '3'",["img",{"alt":"<x>"},[]]]]"#
        );
    }

    #[test]
    fn what_would_turn_text_around_is_not_written() {
        assert_eq!(escaped("a\u{202e}b\u{1}c\nd"), "a\u{fffd}b\u{fffd}c\nd");
    }
}
