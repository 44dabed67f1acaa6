//! The workers' connections.

use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Instant;

use tokio::sync::{mpsc::UnboundedSender, oneshot};
use tonic::Status;
use trc2npy_coordinator_core::{Beat, Event, Grant, Hello, JobId, LeaseId, Loss, SessionId, Shard, Work};

use trc2npy_proto::v1::{self, answer, ask, from_worker, to_worker};
use trc2npy_proto::worker_name;
use trc2npy_telemetry::Level;

use super::Owner;

/// How often a worker is to be heard.
const BEAT_EVERY_MS: u32 = 1000;

/// Where messages for a worker go; an error ends its stream.
pub(super) type Outgoing = UnboundedSender<Result<v1::ToWorker, Status>>;

/// A worker that wants to work.
pub(crate) struct Joining {
    pub(crate) hello: v1::Hello,
    pub(crate) from: Option<SocketAddr>,
    /// Whose certificate it has shown.
    pub(crate) certificate: Option<String>,
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
    /// When it last said anything.
    pub(super) heard: Instant,
}

impl WorkerSession {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Who is asked, and where the answer goes.
pub(super) struct Asked {
    session: SessionId,
    answers: Sender<v1::Answer>,
}

impl Owner {
    pub(super) fn join(&mut self, joining: Joining) {
        let Joining {
            hello: wire,
            from,
            certificate,
            out,
            reply,
        } = joining;
        let hello = match self.examine(&wire) {
            Ok(hello) => hello,
            Err(refused) => {
                if let Refused::Because(status) = &refused {
                    let who = worker_name(&wire.name).map_or_else(|_| whence(from), |name| format!(" {name}"));
                    self.tell.warn(&format!("worker{who} refused: {}", status.message()));
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
        let process = wire.process;
        let welcome = v1::Welcome {
            coordinator: self.journal.coordinator.clone(),
            epoch: self.journal.epoch.0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            beat_every_ms: BEAT_EVERY_MS,
        };
        let message = Some(to_worker::Message::Welcome(welcome));
        if out.send(Ok(told(message))).is_err() || reply.send(Ok(session)).is_err() {
            return;
        }
        let others: Vec<&str> = hello
            .roots
            .iter()
            .map(String::as_str)
            .filter(|root| !self.has_root(root))
            .collect();
        let others = if others.is_empty() {
            String::new()
        } else {
            format!(", with {}, which only workers see", others.join(", "))
        };
        // Several workers of a machine share its certificate.
        let shown = certificate
            .filter(|certificate| *certificate != hello.name)
            .map_or_else(String::new, |certificate| {
                format!(" with the certificate of {certificate}")
            });
        let (name, whence) = (&hello.name, whence(from));
        self.tell
            .info(&format!("worker {name} has come{whence}{shown}{others}"));
        self.sessions.insert(
            session,
            WorkerSession {
                out,
                name: hello.name.clone(),
                from,
                hello: wire,
                beat: v1::Beat::default(),
                heard: Instant::now(),
            },
        );
        self.step(Event::Joined { session, hello });
        // Its connection was lost after it had been asked to end.
        if self.drained.contains(&process) {
            self.step(Event::DrainAsked(session));
        }
    }

    /// Lets a worker finish what it has and gives it no more, also where its connection is lost meanwhile and it comes
    /// back.
    pub(crate) fn drain(&mut self, session: SessionId) {
        if let Some(known) = self.sessions.get(&session) {
            self.drained.insert(known.hello.process);
            self.step(Event::DrainAsked(session));
        }
    }

    /// Whether the coordinator itself has it mapped.
    fn has_root(&self, root: &str) -> bool {
        self.roots.iter().any(|known| known == root)
    }

    fn examine(&self, wire: &v1::Hello) -> Result<Hello, Refused> {
        let hello = Hello::try_from(wire.clone())
            .map_err(|error| Refused::Because(Status::invalid_argument(error.to_string())))?;
        // Inputs may lie where only the worker sees them; what it makes of them must come here.
        if !hello.roots.iter().any(|root| self.has_root(root)) {
            return Err(Refused::Because(Status::failed_precondition(format!(
                "none of its roots ({}) is known here; the coordinator has {}: name the one for outputs alike on both \
                 (--root {}=...)",
                hello.roots.join(", "),
                self.roots.join(", "),
                self.roots.first().map_or("data", String::as_str),
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
        let place = message.traceparent.parse().ok();
        if let Some(known) = self.sessions.get_mut(&session) {
            known.heard = Instant::now();
        }
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
            Some(from_worker::Message::Answer(answer)) => {
                self.answered(session, answer);
                return;
            }
            Some(from_worker::Message::Goodbye(_)) => {
                self.lose(session, Loss::Goodbye);
                return;
            }
            // A second hello, or what a later version says.
            Some(from_worker::Message::Hello(_)) | None => return,
        };
        match event {
            Ok(event) => {
                if let Some(known) = self.sessions.get(&session) {
                    // A traceparent that is none costs the trace, not the shard.
                    self.traces.hear(&event, Some(&known.name), place);
                    self.step_on(event);
                }
            }
            Err(error) => {
                self.send_error(session, Status::invalid_argument(error.to_string()));
                self.lose(session, Loss::StreamBroken);
            }
        }
    }

    /// The one way in which a worker goes; whichever comes first counts.
    pub(super) fn lose(&mut self, session: SessionId, loss: Loss) {
        self.forget_questions(session);
        if let Some(gone) = self.sessions.remove(&session) {
            if loss == Loss::Goodbye {
                self.drained.remove(&gone.hello.process);
            }
            let (level, how) = match loss {
                Loss::Goodbye => (Level::Info, "has gone"),
                Loss::StreamBroken => (Level::Warning, "is lost"),
                Loss::Replaced => (Level::Info, "comes again"),
            };
            self.tell.line(level, &format!("worker {} {how}", gone.name), None);
            self.step(Event::Lost { session, loss });
        }
    }

    /// The core has taken it for dead already.
    pub(super) fn disconnect(&mut self, session: SessionId, why: &str) {
        self.send_error(session, Status::aborted(why.to_owned()));
        self.forget_questions(session);
        if let Some(gone) = self.sessions.remove(&session) {
            self.tell.warn(&format!("worker {}: {why}", gone.name));
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
            let _ = known.out.send(Ok(told(Some(message))));
        }
    }

    /// Gives a worker a lease, and the range's place in the job's trace.
    pub(super) fn grant(&mut self, session: SessionId, grant: &Grant) {
        let Some(known) = self.sessions.get(&session) else {
            return;
        };
        let place = self.traces.granted(session, &known.name, grant);
        let message = v1::ToWorker {
            traceparent: place.map_or_else(String::new, |place| place.to_string()),
            ..told(Some(to_worker::Message::Grant((*grant).into())))
        };
        let _ = known.out.send(Ok(message));
    }

    /// The connected workers that have a root mapped, with their names.
    pub(crate) fn workers_with(&self, root: &str) -> Vec<(SessionId, String)> {
        let sees = |session: &WorkerSession| session.hello.roots.iter().any(|known| known == root);
        let all = self.sessions.iter().filter(|(_, session)| sees(session));
        all.map(|(id, session)| (*id, session.name.clone())).collect()
    }

    /// Asks a worker; false where it is gone. Its answer comes in pieces; where it is lost before the last, `answers` is
    /// dropped.
    pub(crate) fn ask(&mut self, session: SessionId, question: ask::Question, answers: Sender<v1::Answer>) -> bool {
        if !self.sessions.contains_key(&session) {
            return false;
        }
        let id = self.next_question;
        self.next_question += 1;
        self.asked.insert(id, Asked { session, answers });
        let question = Some(question);
        self.send(session, to_worker::Message::Ask(v1::Ask { id, question }));
        true
    }

    fn answered(&mut self, session: SessionId, answer: v1::Answer) {
        let id = answer.id;
        let Some(asked) = self.asked.get(&id).filter(|asked| asked.session == session) else {
            return;
        };
        let is_piece = matches!(answer.answer, Some(answer::Answer::Piece(_)));
        // Whoever asked may have given up.
        let heard = asked.answers.send(answer).is_ok();
        if !is_piece || !heard {
            self.asked.remove(&id);
        }
    }

    fn forget_questions(&mut self, session: SessionId) {
        self.asked.retain(|_, asked| asked.session != session);
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

/// A message with no place in a trace.
const fn told(message: Option<to_worker::Message>) -> v1::ToWorker {
    let traceparent = String::new();
    v1::ToWorker { message, traceparent }
}
