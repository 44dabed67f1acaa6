//! Sentences for people, by whoever does the work.

use std::fmt;
use std::sync::Arc;

use crate::Place;

/// How much a sentence matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something that should not have happened, or that somebody should look at.
    Warning,
    /// What began and what ended.
    Info,
}

/// What is told.
#[derive(Clone, Copy, Debug)]
pub struct Line<'l> {
    /// How much it matters.
    pub level: Level,
    /// A sentence.
    pub text: &'l str,
    /// The work that it is about, in the traces.
    pub place: Option<Place>,
}

/// Who is told. Cheap to copy.
#[derive(Clone)]
pub struct Tell(Arc<dyn Fn(&Line<'_>) + Send + Sync>);

impl Tell {
    /// `listen` is told.
    pub fn new(listen: impl Fn(&Line<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    /// What began and what ended.
    pub fn info(&self, text: &str) {
        self.line(Level::Info, text, None);
    }

    /// What should not have happened.
    pub fn warn(&self, text: &str) {
        self.line(Level::Warning, text, None);
    }

    /// About work that has a place in the traces.
    pub fn line(&self, level: Level, text: &str, place: Option<Place>) {
        (self.0)(&Line { level, text, place });
    }

    /// The same line once more, as it came.
    pub fn again(&self, line: &Line<'_>) {
        (self.0)(line);
    }
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}
