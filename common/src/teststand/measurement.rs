//! Which run of which period, and where everything of it lies.

use std::path::{Path, PathBuf};

/// A run of a period below the stand's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    base: PathBuf,
    period: String,
    run: String,
}

/// A period or run that cannot be part of a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?}: letters, digits, - and _ are possible (write for example --period 06 --run 009)")]
pub struct BadLabel {
    what: &'static str,
    text: String,
}

impl Measurement {
    /// The run `run` (`009`) of the period `period` (`06`) below `base`. Fails where one of them is no plain word.
    pub fn new(base: PathBuf, period: &str, run: &str) -> Result<Self, BadLabel> {
        let plain = |what, text: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if !text.is_empty() && text.chars().all(fits) {
                Ok(text.to_owned())
            } else {
                let text = text.to_owned();
                Err(BadLabel { what, text })
            }
        };
        Ok(Self {
            base,
            period: plain("--period", period)?,
            run: plain("--run", run)?,
        })
    }

    /// `r009`: the run's first folder, and its name.
    pub fn run(&self) -> String {
        format!("r{}", self.run)
    }

    /// `BASE/generated_data/raw_trc/p06`, which holds the folders `r009`, `r009-2`, ...
    pub fn sources(&self) -> PathBuf {
        self.data("raw_trc")
    }

    /// `BASE/generated_data/raw/p06/r009`, which holds a folder for the array of each channel.
    pub fn arrays(&self) -> PathBuf {
        self.data("raw").join(self.run())
    }

    /// `BASE/teststand_metadata/hardware/scope/p06/r009/lecroy_metadata_p06_r009.json`
    pub fn metadata(&self) -> PathBuf {
        let Self { base, period, run } = self;
        let folder = base.join("teststand_metadata").join("hardware").join("scope");
        let folder = folder.join(format!("p{period}")).join(self.run());
        folder.join(format!("lecroy_metadata_p{period}_r{run}.json"))
    }

    fn data(&self, what: &str) -> PathBuf {
        let Self { base, period, .. } = self;
        base.join(Path::new("generated_data"))
            .join(what)
            .join(format!("p{period}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_stand() {
        let one = Measurement::new("base".into(), "06", "009").unwrap();
        let relative = |path: PathBuf| path.to_str().unwrap().replace('\\', "/");
        assert_eq!(relative(one.sources()), "base/generated_data/raw_trc/p06");
        assert_eq!(relative(one.arrays()), "base/generated_data/raw/p06/r009");
        assert_eq!(
            relative(one.metadata()),
            "base/teststand_metadata/hardware/scope/p06/r009/lecroy_metadata_p06_r009.json"
        );
    }

    #[test]
    fn what_would_lead_elsewhere_is_no_label() {
        for text in ["", "..", "0/6", "0\\6", "0 6", "*", "{run}"] {
            assert!(Measurement::new("base".into(), text, "009").is_err(), "{text}");
            let error = Measurement::new("base".into(), "06", text).unwrap_err();
            assert!(error.to_string().starts_with("--run"), "{error}");
        }
    }
}
