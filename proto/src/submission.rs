//! A conversion as it is submitted: `convert`'s command, with places on roots instead of paths.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trc2npy_common::channel::Channel;
use trc2npy_common::convert::NameTemplate;
use trc2npy_common::options::ByteOptions;
use trc2npy_common::plan::Probe;
use trc2npy_common::units::Bytes;
use trc2npy_coordinator_core::Millis;

use crate::convert::{WireError, invalid};
use crate::v1;

/// What is to be converted, whereto and how. Checked as far as that is possible without the roots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command")]
pub struct Submission {
    /// Chosen at random by the client, so that a submit which is sent again is not done twice.
    pub key: String,
    /// As `data:run/r005`.
    pub inputs: Vec<String>,
    /// As `data:npy/{run}`.
    pub out: String,
    /// `--recursive`
    pub recursive: bool,
    /// `--join`
    pub join: bool,
    /// `--channels`; all where there are none.
    pub channels: Option<Vec<Channel>>,
    /// `--stem`
    pub stem: Option<String>,
    /// `--probe`
    pub probe: Probe,
    /// `--settle`
    pub settle: Duration,
    /// `--overwrite`
    pub overwrite: bool,
    /// `--trust-size`
    pub trust_size: bool,
    /// `--name`
    pub name: String,
    /// What decides about bytes.
    pub options: ByteOptions,
    /// `--sync-every`
    pub sync_every: Bytes,
    /// `--range-size`; by the workers' speed where there is none.
    pub range_size: Option<Bytes>,
}

/// Inputs of one call: more would be a list of files where a folder is meant.
const MOST_INPUTS: usize = 10_000;

impl From<Submission> for v1::SubmitRequest {
    fn from(submission: Submission) -> Self {
        let options = serde_json::to_string(&submission.options).expect("options hold nothing that JSON cannot");
        Self {
            key: submission.key,
            inputs: submission.inputs,
            out: submission.out,
            recursive: submission.recursive,
            join: submission.join,
            channels: submission
                .channels
                .unwrap_or_default()
                .iter()
                .map(ToString::to_string)
                .collect(),
            stem: submission.stem,
            probe_all: submission.probe == Probe::All,
            settle_ms: Millis::from(submission.settle).0,
            overwrite: submission.overwrite,
            trust_size: submission.trust_size,
            name: submission.name,
            options,
            sync_every: submission.sync_every.0,
            range_size: submission.range_size.map(|size| size.0),
        }
    }
}

impl TryFrom<v1::SubmitRequest> for Submission {
    type Error = WireError;

    fn try_from(request: v1::SubmitRequest) -> Result<Self, WireError> {
        if request.key.is_empty() || request.key.len() > 100 {
            return Err(invalid("key", "1 to 100 characters", request.key.len()));
        }
        if request.inputs.is_empty() || request.inputs.len() > MOST_INPUTS {
            return Err(invalid("inputs", "1 to 10,000 inputs", request.inputs.len()));
        }
        let channels = request
            .channels
            .iter()
            .map(|name| name.parse().map_err(|_| invalid("channels", "channels as C1", name)))
            .collect::<Result<Vec<Channel>, _>>()?;
        request
            .name
            .parse::<NameTemplate>()
            .map_err(|error| invalid("name", "the name of an array", error))?;
        let options =
            serde_json::from_str(&request.options).map_err(|error| invalid("options", "options as JSON", error))?;
        Ok(Self {
            key: request.key,
            inputs: request.inputs,
            out: request.out,
            recursive: request.recursive,
            join: request.join,
            channels: (!channels.is_empty()).then_some(channels),
            stem: request.stem,
            probe: if request.probe_all { Probe::All } else { Probe::Sample },
            settle: Duration::from_millis(request.settle_ms),
            overwrite: request.overwrite,
            trust_size: request.trust_size,
            name: request.name,
            options,
            sync_every: Bytes(request.sync_every),
            range_size: request.range_size.map(Bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission() -> Submission {
        Submission {
            key: "k".to_owned(),
            inputs: vec!["data:run/r005".to_owned()],
            out: "data:npy/r005".to_owned(),
            recursive: true,
            join: false,
            channels: Some(vec!["C2".parse().unwrap()]),
            stem: Some("Trace".to_owned()),
            probe: Probe::All,
            settle: Duration::from_millis(1500),
            overwrite: true,
            trust_size: false,
            name: "{channel}--Trace.npy".to_owned(),
            options: ByteOptions::default(),
            sync_every: Bytes::gib(1),
            range_size: None,
        }
    }

    #[test]
    fn a_submission_comes_over_as_it_was() {
        for channels in [None, submission().channels] {
            let sent = Submission {
                channels,
                ..submission()
            };
            assert_eq!(Submission::try_from(v1::SubmitRequest::from(sent.clone())), Ok(sent));
        }
    }

    type Change = fn(&mut v1::SubmitRequest);

    #[test]
    fn what_cannot_be_is_refused_with_the_name_of_the_field() {
        let error = |change: &dyn Fn(&mut v1::SubmitRequest)| {
            let mut request = v1::SubmitRequest::from(submission());
            change(&mut request);
            Submission::try_from(request).unwrap_err().to_string()
        };
        let changes: [(&str, Change); 5] = [
            ("`key`", |request| request.key = String::new()),
            ("`inputs`", |request| request.inputs.clear()),
            ("`channels`", |request| request.channels = vec!["?".to_owned()]),
            ("`name`", |request| request.name = "../x{channel}.npy".to_owned()),
            ("`options`", |request| {
                request.options = "{\"dtype\":\"int64\"}".to_owned();
            }),
        ];
        for (told, change) in changes {
            let error = error(&change);
            assert!(error.contains(told), "{error}");
        }
    }
}
