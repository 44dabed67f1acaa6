//! What is in hand, and the connection over which it is told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;
use tonic::{Status, Streaming};
use trc2npy_coordinator_core::{Fault, JobId, Work};
use trc2npy_proto::v1::{self, from_worker};
use trc2npy_telemetry::Place;

use crate::files::{Client, JobFiles};
use crate::lease::Lease;

/// How long a coordinator may take to hear a goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// A lease of which the coordinator has not been told the end, or has not said that it knows.
pub(super) struct InHand {
    pub(super) lease: Arc<Lease>,
    pub(super) end: Option<End>,
}

/// What is to be told of a lease.
#[derive(Clone)]
pub(super) enum End {
    /// To be remembered until the coordinator has settled it.
    Delivered(Work),
    Failed(Fault),
}

impl InHand {
    pub(super) fn message(&self) -> Option<from_worker::Message> {
        let grant = self.lease.grant;
        Some(match self.end.clone()? {
            End::Delivered(work) => from_worker::Message::Delivered(v1::Delivered {
                grant: Some(grant.into()),
                work: Some(work.into()),
            }),
            End::Failed(fault) => from_worker::Message::Failed(v1::Failed::new(grant.lease, fault)),
        })
    }
}

/// What one connection has.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) out: UnboundedSender<v1::FromWorker>,
    pub(super) fetches: JoinSet<(JobId, Result<JobFiles, String>)>,
    /// What the coordinator wants to know of files, being looked at.
    pub(super) looks: JoinSet<Vec<v1::Answer>>,
}

impl Link {
    pub(super) fn send(&self, message: from_worker::Message) {
        self.send_of(message, None);
    }

    /// Says goodbye, and stays until the coordinator has ended its side: it has heard it then. What it sends meanwhile is
    /// for nobody any more, and no reason to go: a worker whose goodbye is cut off would count as lost.
    pub(super) async fn say_goodbye(&mut self, incoming: &mut Streaming<v1::ToWorker>) {
        self.send(from_worker::Message::Goodbye(v1::Goodbye {}));
        // The stream ends once the message is on its way.
        let (closed, _) = mpsc::unbounded_channel();
        self.out = closed;
        let heard = async { while let Ok(Some(_)) = incoming.message().await {} };
        let _ = tokio::time::timeout(GOODBYE, heard).await;
    }

    /// The same of a lease that has a place in a trace.
    pub(super) fn send_of(&self, message: from_worker::Message, place: Option<Place>) {
        let traceparent = place.map_or_else(String::new, |place| place.to_string());
        let message = Some(message);
        // Where the stream is gone, its reading end tells.
        let _ = self.out.send(v1::FromWorker { message, traceparent });
    }
}

/// The part of a status that says something to people.
pub(super) fn sentence(status: &Status) -> String {
    if status.message().is_empty() {
        format!("{:?}", status.code())
    } else {
        status.message().to_owned()
    }
}
