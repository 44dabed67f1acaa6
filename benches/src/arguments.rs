//! What a benchmark was called with.

use std::env;
use std::str::FromStr;

use crate::Failure;

/// The words behind the benchmark's name, without what cargo adds to them.
#[derive(Clone, Debug)]
pub struct Arguments(Vec<String>);

impl Arguments {
    /// Of this process.
    pub fn new() -> Self {
        Self(env::args().skip(1).filter(|word| word != "--bench").collect())
    }

    /// All of them.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Whether a word is among them.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|given| given == word)
    }

    /// The word behind an option; none where the option is not there.
    pub fn text(&self, option: &str) -> Result<Option<&str>, Failure> {
        let Some(at) = self.0.iter().position(|given| given == option) else {
            return Ok(None);
        };
        let value = self.0.get(at + 1).ok_or_else(|| format!("{option} wants a value"))?;
        Ok(Some(value))
    }

    /// The value behind an option, or another one where the option is not there.
    pub fn value<T: FromStr>(&self, option: &str, otherwise: T) -> Result<T, Failure> {
        match self.text(option)? {
            Some(text) => text
                .parse()
                .map_err(|_| format!("{option}: {text} is no value for it").into()),
            None => Ok(otherwise),
        }
    }
}

impl Default for Arguments {
    fn default() -> Self {
        Self::new()
    }
}
