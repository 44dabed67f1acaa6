//! The options of `preview`.

use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use trc2npy_common::channel::Channel;
use trc2npy_common::selection::{Picoseconds, RowSelection, SampleSelection, Span};

use super::parsers::{every, rows, sample_span, time_span};

/// Rows that are drawn unless others are asked for.
const FIRST: u64 = 20;

/// In which form a picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PictureFormat {
    Svg,
    Png,
}

/// Where a picture is written.
#[derive(Clone, Debug)]
pub(crate) struct PictureFile {
    pub(crate) path: PathBuf,
    pub(crate) format: PictureFormat,
}

/// The options of `preview`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Without -o the traces are drawn with characters, as wide as the terminal is.
Rows that are bad are left out, and told of.

Exit codes: 0 drawn, 1 failed, 2 wrong usage, 3 drawn without some bad rows.

Examples:
  trc2npy preview run/r005
  trc2npy preview out/C1--Trace.npy --rows 100:105 --time -50ns:200ns
  trc2npy preview run/r005/C1--Trace--00000.trc -o trace.svg")]
pub(crate) struct PreviewOptions {
    /// .trc files, folders of a run, folders of finished arrays, or single arrays
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// Only rows A up to, not including, B, as 100:105; counted from 0 [default: the first 20]
    #[arg(long, value_name = "A:B", value_parser = rows, allow_hyphen_values = true, help_heading = "Selection")]
    rows: Option<Span<u64>>,

    /// Of these every Nth, from the first on
    #[arg(long, value_name = "N", value_parser = every, default_value = "1", help_heading = "Selection")]
    every: NonZeroU64,

    /// Only these channels, as C1,C3 or 1,3 [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Selection")]
    channels: Vec<Channel>,

    /// Only these samples of each row, as 100:2600; counted from 0
    #[arg(long, value_name = "A:B", value_parser = sample_span, conflicts_with = "time", help_heading = "Selection")]
    samples: Option<Span<u32>>,

    /// Only the samples between these times from the trigger, as -1us:5us (s, ms, us, ns, ps)
    #[arg(long, value_name = "A:B", value_parser = time_span, allow_hyphen_values = true, help_heading = "Selection")]
    time: Option<Span<Picoseconds>>,

    /// Only .trc files with this text between channel and index
    #[arg(long, value_name = "TEXT", help_heading = "Selection")]
    pub(crate) stem: Option<String>,

    /// Write a picture instead; its name ends in .svg or .png
    #[arg(long, short, value_name = "FILE", value_parser = picture(), help_heading = "Output")]
    pub(crate) out: Option<PictureFile>,

    /// Replace a picture that is there
    #[arg(long, requires = "out", help_heading = "Output")]
    pub(crate) overwrite: bool,
}

impl PreviewOptions {
    /// The channels asked for; none: all.
    pub(crate) fn channels(&self) -> Option<Vec<Channel>> {
        (!self.channels.is_empty()).then(|| self.channels.clone())
    }

    /// The rows asked for.
    pub(crate) fn rows(&self) -> RowSelection {
        let first = FIRST.saturating_mul(self.every.get());
        let Span { start, end } = self.rows.unwrap_or(Span {
            start: None,
            end: Some(first),
        });
        RowSelection {
            start: start.unwrap_or(0),
            end,
            every: self.every,
        }
    }

    /// The samples asked for.
    pub(crate) fn samples(&self) -> SampleSelection {
        match (self.samples, self.time) {
            (Some(span), _) => SampleSelection::Indices(span),
            (None, Some(span)) => SampleSelection::Time(span),
            (None, None) => SampleSelection::All,
        }
    }
}

fn picture() -> impl TypedValueParser<Value = PictureFile> {
    PathBufValueParser::new().try_map(|path| {
        let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        let format = match ending.as_deref() {
            Some("svg") => PictureFormat::Svg,
            Some("png") => PictureFormat::Png,
            _ => return Err("no kind of picture that can be written: let its name end in .svg or .png"),
        };
        Ok(PictureFile { path, format })
    })
}
