//! Where a range's time went, as spans.

use std::time::SystemTime;

use trc2npy_common::convert::{RangeListener, RangeStory};
use trc2npy_telemetry::{Place, Span, Spans};

/// Hears of the range whose place in a trace this is; none where nobody wants to know.
pub(crate) fn listener(spans: &Spans, range: Option<Place>) -> Option<RangeListener> {
    let range = range.filter(|range| spans.are_heard() && range.is_told())?;
    let spans = spans.clone();
    Some(RangeListener::new(move |story| {
        for (stage, at) in stages(&range, story) {
            spans.over_at(stage, at);
        }
    }))
}

/// What a range's time went into, each with its end. Each stage is summed over its files, and they are laid end to end:
/// they took turns in truth, file by file.
pub fn stages(range: &Place, story: &RangeStory<'_>) -> Vec<(Span, SystemTime)> {
    let times = story.stages;
    let decode = story.took.saturating_sub(times.read).saturating_sub(times.write);
    let (bytes_in, bytes_out) = match story.result {
        Ok(done) => (done.bytes_in.0, done.data.len + done.index.len),
        Err(_) => (0, 0),
    };
    let mut at = story.began;
    let stages = [
        ("read", times.read, "trc2npy.bytes", bytes_in),
        ("decode", decode, "trc2npy.rows.count", story.rows.len()),
        ("write", times.write, "trc2npy.bytes", bytes_out),
    ];
    stages
        .into_iter()
        .map(|(name, took, key, amount)| {
            let span = Span::below(range, name, at).with("trc2npy.summed", true);
            at += took;
            (span.count(key, amount), at)
        })
        .collect()
}
