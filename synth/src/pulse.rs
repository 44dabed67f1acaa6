//! What is measured in a synthetic run: pulses of a fast rise and a slow fall, over noise.

use fastrand::Rng;

/// How codes are made; in units of a 16-bit code whatever the stored width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// Resolution of the converter: the lower bits of the code are zero.
    pub(crate) adc_bits: u8,
    /// Whether codes are for 8-bit storage, which holds the upper byte alone.
    pub(crate) eight: bool,
}

/// What one trigger recorded in all channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// Sample at which the pulse begins.
    start: usize,
    /// Height in 16-bit codes.
    height: f32,
}

impl Event {
    /// The pulse begins near 20 % of the record (where [`crate::RunSpec`] puts the trigger), up to 2 % later.
    pub(crate) fn draw(samples: usize, random: &mut Rng) -> Self {
        let late = random.usize(0..=samples / 50);
        Self {
            start: samples / 5 + late,
            height: 6_000.0 + 40_000.0 * random.f32(),
        }
    }
}

impl Source {
    /// Replaces `codes` by a record of `samples` samples: the event's pulse, `share` of its height, over noise.
    pub(crate) fn record(self, event: Event, share: f32, samples: usize, random: &mut Rng, codes: &mut Vec<i16>) {
        const BASE: f32 = -20_000.0;
        // Recurrences instead of exp(): the same codes on every machine, and faster.
        let keep = |samples_to_fall: f32| 1.0 - 1.0 / samples_to_fall.max(1.5);
        let length = samples as f32;
        let (fall, rise) = (keep(length / 8.0), keep(length / 100.0));
        let (mut slow, mut fast) = (event.height * share, event.height * share);
        let mask = i16::MIN >> (self.adc_bits.clamp(1, 16) - 1);
        let mut bits = 0_u64;
        codes.clear();
        codes.extend((0..samples).map(|i| {
            if i % 4 == 0 {
                bits = random.u64(..);
            }
            // The sum of two bytes: triangular noise, four samples from one draw.
            #[expect(clippy::cast_possible_truncation, reason = "each is one byte of the draw")]
            let noise = f32::from(bits as u8) + f32::from((bits >> 8) as u8) - 255.0;
            bits >>= 16;
            let mut level = BASE + noise;
            if i >= event.start {
                level += slow - fast;
                slow *= fall;
                fast *= rise;
            }
            #[expect(clippy::cast_possible_truncation, reason = "saturates, as the instrument does")]
            let code = (level as i16) & mask;
            if self.eight { code >> 8 } else { code }
        }));
    }
}
