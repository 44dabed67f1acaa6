//! The options of `synth`.

use std::path::PathBuf;

use clap::Args;
use trc2npy_common::channel::Channel;
use trc2npy_synth::{Bad, Bits, ByteOrder, NameTemplate, Prefix, RunSpec, Template};

use super::parsers::{Choice, choice};

/// What stands before the descriptor.
#[derive(Clone, Copy, Debug)]
enum Front {
    None,
    Block,
    Answer,
}

const FRONTS: &[Choice<Front>] = &[
    ("none", "the descriptor opens the file", Front::None),
    ("block", "#9 and nine digits, as most instruments write", Front::Block),
    ("answer", "C1:WF ALL, and #9, as remote control delivers", Front::Answer),
];

/// The options of `synth`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  trc2npy synth run/r005 --files 2500 --samples 400000 --channels 1,2
  trc2npy synth run/bad --files 100 --bad truncated:3,garbage")]
pub(crate) struct SynthOptions {
    /// Folder for the files; made if needed
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// Files of each channel
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Run")]
    files: u64,

    /// Channels, as 1,2 or C1,C2
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "C1", value_parser = channel_number, help_heading = "Run")]
    channels: Vec<u8>,

    /// Names of the files: {c} is the channel's number, {i:05} the index in five digits
    #[arg(long, value_name = "TEMPLATE", help_heading = "Run")]
    name: Option<NameTemplate>,

    /// Index of the first file
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Run")]
    start: u64,

    /// Broken files among them, as truncated:3,garbage (an unknown kind lists all)
    #[arg(long, value_name = "KIND[:N]", value_delimiter = ',', help_heading = "Run")]
    bad: Vec<Bad>,

    /// What all randomness comes from: the same number, the same bytes
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Run")]
    seed: u64,

    /// Replace existing files
    #[arg(long, help_heading = "Run")]
    overwrite: bool,

    /// Samples of each segment
    #[arg(long, value_name = "N", default_value_t = 2502, help_heading = "File")]
    samples: usize,

    /// Segments of each file; above 1: sequence mode
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "File")]
    segments: usize,

    /// Bits of a stored sample: 8 or 16
    #[arg(long, value_name = "N", default_value = "16", help_heading = "File")]
    bits: Bits,

    /// Bits of the converter, 1 to 16: those below are zero
    #[arg(long, value_name = "N", default_value_t = 12, help_heading = "File")]
    adc_bits: u8,

    /// Byte order: le or be
    #[arg(long, value_name = "ORDER", default_value = "le", help_heading = "File")]
    order: ByteOrder,

    /// Template name: LECROY_2_3, LECROY_2_2, LECROY_1_0 or another over the same descriptor
    #[arg(long, value_name = "NAME", default_value = "LECROY_2_3", help_heading = "File")]
    template: Template,

    /// What stands before the descriptor
    #[arg(long, value_name = "WHAT", value_parser = choice(FRONTS), default_value = "none", help_heading = "File")]
    prefix: Front,

    /// Bytes of user text
    #[arg(long, value_name = "BYTES", default_value_t = 0, help_heading = "File")]
    user_text: usize,

    /// Sweeps in the array of random interleaved sampling
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "File")]
    ris: usize,

    /// Seconds between samples
    #[arg(long, value_name = "SECONDS", default_value = "1e-9", help_heading = "File")]
    interval: f32,
}

impl SynthOptions {
    /// The run that is asked for.
    pub(crate) fn spec(&self) -> RunSpec {
        let name = self.name.clone().unwrap_or_else(|| match self.template {
            Template::Lecroy1_0 => NameTemplate::numbered_extension(),
            _ => NameTemplate::trace(),
        });
        RunSpec {
            channels: self.channels.clone(),
            segments: self.segments,
            bits: self.bits,
            adc_bits: self.adc_bits,
            order: self.order,
            template: self.template.clone(),
            prefix: match self.prefix {
                Front::None => Prefix::None,
                Front::Block => Prefix::Block { digits: 9 },
                Front::Answer => Prefix::Answer("C1:WF ALL,".to_owned()),
            },
            user_text: self.user_text,
            ris: self.ris,
            horiz_interval: self.interval,
            name,
            start: self.start,
            seed: self.seed,
            bad: self.bad.clone(),
            overwrite: self.overwrite,
            ..RunSpec::new(self.files, self.samples)
        }
    }
}

fn channel_number(text: &str) -> Result<u8, String> {
    let channel: Channel = text
        .parse()
        .map_err(|_| "not a channel (write for example 1 or C1)".to_owned())?;
    if channel.letter() == 'C' {
        Ok(channel.number())
    } else {
        Err("only channels C1, C2, ... can be made".to_owned())
    }
}
