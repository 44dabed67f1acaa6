//! The options of `inspect`.

use std::path::PathBuf;

use clap::Args;
use trc2npy_common::channel::Channel;
use trc2npy_common::plan::Probe;
use trc2npy_common::trc::Field;

use super::convert::PROBES;
use super::parsers::choice;

/// The options of `inspect`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  trc2npy inspect run/r005/C1--Trace--00000.trc
  trc2npy inspect run/r005/*.trc --field vertical_gain
  trc2npy inspect run/r005 run/r005-2
  trc2npy inspect out")]
pub(crate) struct InspectOptions {
    /// .trc files, folders of a run, folders of finished arrays, or single arrays
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// Show this field of the header alone, one line a file, as vertical_gain
    #[arg(long, value_name = "NAME", value_parser = field, conflicts_with = "json")]
    pub(crate) field: Option<Field>,

    /// All of it as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Of arrays: how many of the first rows are shown
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Arrays")]
    pub(crate) rows: u64,

    /// Only these channels, as C1,C3 or 1,3 [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Runs")]
    pub(crate) channels: Vec<Channel>,

    /// Only files with this text between channel and index
    #[arg(long, value_name = "TEXT", help_heading = "Runs")]
    pub(crate) stem: Option<String>,

    /// Descend into sub-folders
    #[arg(long, help_heading = "Runs")]
    pub(crate) recursive: bool,

    /// All folders are one run, in the order given
    #[arg(long, help_heading = "Runs")]
    pub(crate) join: bool,

    /// How many headers are opened
    #[arg(long, value_name = "WHICH", value_parser = choice(PROBES), default_value = "sample", help_heading = "Runs")]
    pub(crate) probe: Probe,
}

/// Reads a field's name in the template, in capitals or not.
fn field(text: &str) -> Result<Field, String> {
    let name = text.trim().to_ascii_uppercase().replace('-', "_");
    Field::from_name(&name).ok_or_else(|| {
        // Who writes `gain` means a name in which that is a word.
        let near = |field: &&Field| {
            let is_word = field.name().split('_').any(|word| word == name);
            f64::from(u8::from(is_word)) + strsim::jaro_winkler(field.name(), &name)
        };
        let mut known: Vec<&Field> = Field::ALL.iter().collect();
        known.sort_by(|a, b| near(b).total_cmp(&near(a)));
        let nearest: Vec<&str> = known.iter().take(3).map(|field| field.name()).collect();
        format!("no field of the header; the nearest are {}", nearest.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_by_its_name_and_a_misspelt_one_has_neighbours() {
        assert_eq!(field("vertical_gain"), Ok(Field::VerticalGain));
        assert_eq!(field("WAVE-ARRAY-1"), Ok(Field::WaveArray1));
        let told = field("vertical_gian").unwrap_err();
        assert!(told.contains("VERTICAL_GAIN"), "{told}");
        let told = field("gain").unwrap_err();
        assert!(
            told.contains("VERTICAL_GAIN") && told.contains("FIXED_VERT_GAIN"),
            "{told}"
        );
    }
}
