//! The workers' connections.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use tokio::sync::{mpsc::UnboundedSender, oneshot};
use tonic::Status;
use trc2npy_coordinator_core::{Beat, Event, Hello, JobId, LeaseId, Loss, SessionId, Shard, Work};

use trc2npy_proto::v1::{self, from_worker, to_worker};
use trc2npy_proto::worker_name;

use super::Owner;

/// How often a worker is to be heard.
const BEAT_EVERY_MS: u32 = 1000;

/// Where messages for a worker go; an error ends its stream.
pub(super) type Outgoing = UnboundedSender<Result<v1::ToWorker, Status>>;

/// A worker that wants to work.
pub(crate) struct Joining {
    pub(crate) hello: v1::Hello,
    pub(crate) from: Option<SocketAddr>,
    pub(crate) out: Outgoing,
    pub(crate) reply: oneshot::Sender<Result<SessionId, Refused>>,
}

/// Why a worker is not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another one has its name; it may be about to be noticed as gone.
    NameTaken(String),
    /// For good.
    Because(Status),
}

/// A worker's connection, and what it said of itself that is only for people.
pub(crate) struct WorkerSession {
    out: Outgoing,
    name: String,
    from: Option<SocketAddr>,
    pub(super) hello: v1::Hello,
    pub(super) beat: v1::Beat,
}

impl Owner {
    pub(super) fn join(&mut self, joining: Joining) {
        let Joining {
            hello: wire,
            from,
            out,
            reply,
        } = joining;
        let hello = match self.examine(&wire) {
            Ok(hello) => hello,
            Err(refused) => {
                if let Refused::Because(status) = &refused {
                    let who = worker_name(&wire.name).map_or_else(|_| whence(from), |name| format!(" {name}"));
                    (self.tell)(&format!("worker{who} refused: {}", status.message()));
                }
                // Whoever asked may be gone.
                let _ = reply.send(Err(refused));
                return;
            }
        };
        if let Some(earlier) = self.session_of(&hello.name) {
            self.lose(earlier, Loss::Replaced);
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let welcome = v1::Welcome {
            coordinator: self.journal.coordinator.clone(),
            epoch: self.journal.epoch.0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            beat_every_ms: BEAT_EVERY_MS,
        };
        let message = Some(to_worker::Message::Welcome(welcome));
        if out.send(Ok(v1::ToWorker { message })).is_err() || reply.send(Ok(session)).is_err() {
            return;
        }
        (self.tell)(&format!("worker {} has come{}", hello.name, whence(from)));
        self.sessions.insert(
            session,
            WorkerSession {
                out,
                name: hello.name.clone(),
                from,
                hello: wire,
                beat: v1::Beat::default(),
            },
        );
        self.step(Event::Joined { session, hello });
    }

    fn examine(&self, wire: &v1::Hello) -> Result<Hello, Refused> {
        let hello = Hello::try_from(wire.clone())
            .map_err(|error| Refused::Because(Status::invalid_argument(error.to_string())))?;
        let known: BTreeSet<&str> = self.roots.iter().map(String::as_str).collect();
        if let Some(unknown) = hello.roots.iter().find(|root| !known.contains(root.as_str())) {
            let known: Vec<&str> = known.into_iter().collect();
            return Err(Refused::Because(Status::failed_precondition(format!(
                "root `{unknown}` is unknown here; the coordinator has {}: name the same roots on both (--root {}=...)",
                known.join(", "),
                known.first().unwrap_or(&"data"),
            ))));
        }
        let of_name = self
            .session_of(&hello.name)
            .and_then(|session| self.sessions.get(&session));
        match of_name {
            Some(other) if other.hello.process != wire.process => Err(Refused::NameTaken(format!(
                "a worker of the name {} is connected already{}: give this one another name (--name)",
                hello.name,
                whence(other.from)
            ))),
            _ => Ok(hello),
        }
    }

    pub(super) fn hear(&mut self, session: SessionId, message: v1::FromWorker) {
        let event = match message.message {
            Some(from_worker::Message::Beat(wire)) => {
                let Some(known) = self.sessions.get_mut(&session) else {
                    return;
                };
                known.beat = wire.clone();
                Beat::try_from(wire).map(|beat| Event::Beat { session, beat })
            }
            Some(from_worker::Message::Delivered(delivered)) => {
                <(Shard, Work)>::try_from(delivered).map(|(shard, work)| {
                    self.note_maker(session, shard.job);
                    Event::Delivered { session, shard, work }
                })
            }
            Some(from_worker::Message::Failed(failed)) => {
                <(LeaseId, _)>::try_from(failed).map(|(lease, fault)| Event::Failed { session, lease, fault })
            }
            Some(from_worker::Message::Goodbye(_)) => {
                self.lose(session, Loss::Goodbye);
                return;
            }
            // A second hello, or what a later version says.
            Some(from_worker::Message::Hello(_)) | None => return,
        };
        match event {
            Ok(event) if self.sessions.contains_key(&session) => self.step(event),
            Ok(_) => {}
            Err(error) => {
                self.send_error(session, Status::invalid_argument(error.to_string()));
                self.lose(session, Loss::StreamBroken);
            }
        }
    }

    /// The one way in which a worker goes; whichever comes first counts.
    pub(super) fn lose(&mut self, session: SessionId, loss: Loss) {
        if let Some(gone) = self.sessions.remove(&session) {
            let how = match loss {
                Loss::Goodbye => "has gone",
                Loss::StreamBroken => "is lost",
                Loss::Replaced => "comes again",
            };
            (self.tell)(&format!("worker {} {how}", gone.name));
            self.step(Event::Lost { session, loss });
        }
    }

    /// The core has taken it for dead already.
    pub(super) fn disconnect(&mut self, session: SessionId, why: &str) {
        self.send_error(session, Status::aborted(why.to_owned()));
        if let Some(gone) = self.sessions.remove(&session) {
            (self.tell)(&format!("worker {}: {why}", gone.name));
        }
    }

    fn send_error(&self, session: SessionId, status: Status) {
        if let Some(known) = self.sessions.get(&session) {
            let _ = known.out.send(Err(status));
        }
    }

    pub(super) fn send(&self, session: SessionId, message: to_worker::Message) {
        if let Some(known) = self.sessions.get(&session) {
            // Where the stream is gone, its other end tells.
            let _ = known.out.send(Ok(v1::ToWorker { message: Some(message) }));
        }
    }

    /// Notes who makes the rows of a job.
    fn note_maker(&mut self, session: SessionId, job: JobId) {
        if let (Some(entry), Some(known)) = (self.jobs.get_mut(&job), self.sessions.get(&session)) {
            entry.makers.insert(known.name.clone());
        }
    }

    /// The connection of a worker, by its name.
    pub(crate) fn session_of(&self, worker: &str) -> Option<SessionId> {
        let mut all = self.sessions.iter();
        all.find(|(_, session)| session.name == worker).map(|(id, _)| *id)
    }

    /// Names of the connected workers.
    pub(crate) fn worker_names(&self) -> Vec<String> {
        self.sessions.values().map(|session| session.name.clone()).collect()
    }
}

/// ` from 192.0.2.7`, where that is known.
fn whence(from: Option<SocketAddr>) -> String {
    from.map_or(String::new(), |from| format!(" from {}", from.ip()))
}
