//! What the JSON says of the channel, against the header of its reference file.

use serde_json::Value as Json;

use super::difference::{Difference, What};
use super::expected::{self, Source};
use super::folders::SourceFolders;
use crate::outputs::{ChannelOutput, Description};
use crate::trc::{FieldSet, Header};

/// The header that stands for the channel, read from its file; or what is wrong with that.
pub(super) fn reference(output: &ChannelOutput, sources: &SourceFolders) -> Result<Header, Box<Difference>> {
    let label = &output.description.reference_file;
    let why = match expected::open(sources, label, output.description.options.selection.array) {
        Source::Good(source) => return Ok(source.header),
        // Where no file of the channel is whole, one whose header can be read stands for it.
        Source::Bad {
            header: Some(header), ..
        } => return Ok(*header),
        Source::Bad { error, .. } => format!("the channel's reference file: {error}"),
        Source::Absent(why) => format!("the channel's reference file: {why}"),
    };
    let what = What::Source { why };
    Err(Box::new(Difference::setting(&output.paths.json, label, what)))
}

/// Where the JSON says otherwise than the header.
pub(super) fn compare(output: &ChannelOutput, header: &Header) -> Vec<Difference> {
    let what = &output.description;
    let mut pairs: Vec<(String, Json, Json)> = vec![
        (
            "unit".to_owned(),
            what.unit.clone().into(),
            Description::unit_of(what.element, header).into(),
        ),
        (
            "sample_interval".to_owned(),
            what.sample_interval.into(),
            f64::from(header.horiz_interval()).into(),
        ),
        (
            "sample_interval_unit".to_owned(),
            what.sample_interval_unit.clone().into(),
            header.hor_unit().into(),
        ),
        (
            "instrument".to_owned(),
            what.instrument.clone().into(),
            header.instrument().into(),
        ),
    ];
    let fields = Description::fields_of(header);
    for (field, expected) in &fields {
        let stored = what.fields.get(field).cloned().unwrap_or(Json::Null);
        pairs.push((field.clone(), stored, expected.clone()));
    }
    for (field, stored) in &what.fields {
        if !fields.contains_key(field) {
            pairs.push((field.clone(), stored.clone(), Json::Null));
        }
    }
    pairs
        .into_iter()
        .filter(|(_, stored, expected)| !same(stored, expected))
        .map(|(field, stored, expected)| {
            let what = What::Field {
                field,
                stored: stored.to_string(),
                expected: expected.to_string(),
            };
            Difference::setting(&output.paths.json, &output.description.reference_file, what)
        })
        .collect()
}

/// Equal as they are written: NaN and infinities are `null` there, an f32 the number that its text says.
fn same(stored: &Json, expected: &Json) -> bool {
    let read_back = serde_json::from_str::<Json>(&expected.to_string());
    read_back.is_ok_and(|expected| expected == *stored)
}

/// Where the JSON's fields that vary are not those that were found to. Only where `all` rows were looked at must each of
/// the former be found.
pub(super) fn compare_varying(
    output: &ChannelOutput,
    stored: FieldSet,
    found: FieldSet,
    all: bool,
) -> Option<Difference> {
    let unknown = found.without(stored);
    let vain = if all { stored.without(found) } else { FieldSet::EMPTY };
    if unknown.is_empty() && vain.is_empty() {
        return None;
    }
    let what = What::Varying {
        lacks: unknown.into(),
        vain: vain.into(),
    };
    Some(Difference::setting(&output.paths.json, "all sources", what))
}
