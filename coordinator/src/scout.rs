//! Files that only workers see: what a submit names of them is listed by a worker, and their headers come through it.
//!
//! Runs on the planner's thread and waits there; the owner only passes questions and answers on.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tonic::Status;
use trc2npy_common::convert::Checksum;
use trc2npy_common::plan::{Heads, OwnFiles, PlanError, Survey};
use trc2npy_common::roots::{Place, RootName, Roots};
use trc2npy_common::shard::COMPARED;
use trc2npy_common::trc::HEAD_BYTES;
use trc2npy_coordinator_core::SessionId;
use trc2npy_proto::v1::{Answer, ListFiles, ReadHead, Trouble, answer, ask};

use crate::owner::Inbox;

/// A folder of a million files on a slow share takes minutes to list.
const LISTED_WITHIN: Duration = Duration::from_mins(10);
const READ_WITHIN: Duration = Duration::from_mins(1);
/// A list longer than this is none: ten million files need less.
const LONGEST: usize = 1 << 30;

/// A worker that sees a root which the coordinator does not.
#[derive(Clone, Debug)]
struct Scout {
    session: SessionId,
    name: String,
}

/// What a worker has listed.
struct Seen<'s> {
    scout: &'s Scout,
    survey: Survey,
}

/// The workers that look at files for a submit.
#[derive(Debug)]
pub(crate) struct Scouts {
    inbox: Inbox,
    /// The coordinator's own roots.
    own: Roots,
    /// All roots of the submit's inputs, as if this machine saw none of them: its own too, so that all files are named
    /// alike, whoever sees them.
    places: Roots,
    /// Of each root that the coordinator has not mapped: all before its files are listed, then one that sees them.
    of: BTreeMap<RootName, Vec<Scout>>,
    trust_size: bool,
}

impl Scouts {
    /// Finds the workers for each root of `inputs` that is not among the coordinator's `own`.
    pub(crate) fn find(inbox: &Inbox, own: &Roots, inputs: &[Place], trust_size: bool) -> Result<Self, Status> {
        let mut of = BTreeMap::new();
        for input in inputs.iter().filter(|input| !own.has(input.root())) {
            let root = input.root().clone();
            if of.contains_key(&root) {
                continue;
            }
            let asked = root.to_string();
            let found = inbox
                .ask_and_wait(move |owner| owner.workers_with(&asked))
                .unwrap_or_default();
            if found.is_empty() {
                return Err(Status::invalid_argument(format!(
                    "{input}: neither the coordinator ({own}) nor a connected worker has a root {root}; name one of \
                     theirs, or start one of them with --root {root}=PATH as well"
                )));
            }
            let found = found.into_iter().map(|(session, name)| Scout { session, name });
            of.insert(root, found.collect());
        }
        Ok(Self {
            inbox: inbox.clone(),
            own: own.clone(),
            places: Roots::default().with_elsewhere(inputs.iter().map(Place::root)),
            of,
            trust_size,
        })
    }

    /// The roots by which the files of the plan are named.
    pub(crate) const fn places(&self) -> &Roots {
        &self.places
    }

    /// The roots that the coordinator has not mapped.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &RootName> {
        self.of.keys()
    }

    /// Lists what the inputs name, each by who sees it, in their order.
    ///
    /// All workers that have a root are asked, since two disks of one name would otherwise give a half of what is meant:
    /// those that see no such files are asked no further, and where two see different ones, nothing is begun.
    pub(crate) fn survey(&mut self, inputs: &[Place], recursive: bool, threads: usize) -> Result<Survey, Status> {
        let mut all = Survey::default();
        // Inputs that follow each other in one root are looked at together, as they would be by `convert`.
        for together in inputs.chunk_by(|one, other| one.root() == other.root()) {
            let root = together[0].root();
            let survey = if self.of.contains_key(root) {
                let (scouts, survey) = self.listed_by_all(&self.of[root], together, recursive)?;
                self.of.insert(root.clone(), scouts);
                survey
            } else {
                self.decoded(together, &self.listed_here(together, recursive, threads)?)?
            };
            all.append(survey).map_err(|error| refused(&error))?;
        }
        Ok(all)
    }

    fn decoded(&self, inputs: &[Place], listed: &[u8]) -> Result<Survey, Status> {
        Survey::decode(listed, &self.places).map_err(|error| Status::internal(format!("{}: {error}", inputs[0])))
    }

    /// What the inputs hold for those of `scouts` that see them, and who these are.
    fn listed_by_all(
        &self,
        scouts: &[Scout],
        inputs: &[Place],
        recursive: bool,
    ) -> Result<(Vec<Scout>, Survey), Status> {
        let ask = |scout: &Scout| {
            let listed = self.listed_by(scout, inputs, recursive)?;
            self.decoded(inputs, &listed)
        };
        let answers: Vec<Result<Survey, Status>> = std::thread::scope(|scope| {
            let asked: Vec<_> = scouts.iter().map(|scout| scope.spawn(move || ask(scout))).collect();
            let crashed = || Err(Status::internal("listing the files crashed (please report this)"));
            asked
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| crashed()))
                .collect()
        });
        let mut seen: Vec<Seen<'_>> = Vec::new();
        let mut why = None;
        for (scout, answer) in scouts.iter().zip(answers) {
            match answer {
                Ok(survey) => seen.push(Seen { scout, survey }),
                Err(status) => why = why.or(Some(status)),
            }
        }
        // The same storage may have got files between two answers: who saw fewer looks again.
        for at in 1..seen.len() {
            let (known, rest) = seen.split_at_mut(at);
            let (known, next) = (&mut known[0], &mut rest[0]);
            if next.survey.unlike(&known.survey, self.trust_size).is_some() {
                known.survey = ask(known.scout)?;
            } else if known.survey.unlike(&next.survey, self.trust_size).is_some() {
                next.survey = ask(next.scout)?;
            }
            self.must_be_one(known, next)?;
        }
        let scouts = seen.iter().map(|seen| seen.scout.clone()).collect();
        match seen.into_iter().next() {
            Some(first) => Ok((scouts, first.survey)),
            None => Err(why.unwrap_or_else(|| Status::internal("nobody was asked"))),
        }
    }

    /// Whether what two workers see is the same storage.
    fn must_be_one(&self, one: &Seen<'_>, other: &Seen<'_>) -> Result<(), Status> {
        for (has, lacks) in [(one, other), (other, one)] {
            let Some(path) = has.survey.unlike(&lacks.survey, self.trust_size) else {
                continue;
            };
            let named = self
                .places
                .place_below(&path)
                .map_err(|error| Status::internal(error.to_string()))?;
            return Err(Status::failed_precondition(format!(
                "the workers {} and {} see different storage under the name {root}: {named} is there for {}, and not the \
                 same for {}; nothing was begun. Give each disk a root name of its own (--root NAME=PATH of these \
                 workers) and submit again with these names, or map {root} to the same storage on both",
                one.scout.name,
                other.scout.name,
                has.scout.name,
                lacks.scout.name,
                root = named.root(),
            )));
        }
        Ok(())
    }

    fn listed_here(&self, inputs: &[Place], recursive: bool, threads: usize) -> Result<Vec<u8>, Status> {
        let paths: Result<Vec<_>, _> = inputs.iter().map(|input| self.own.contains(input)).collect();
        let paths = paths.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let seen = std::sync::atomic::AtomicU64::new(0);
        let survey =
            trc2npy_common::plan::survey(&paths, recursive, threads, &seen).map_err(|error| refused(&error))?;
        survey
            .encode(&self.own)
            .map_err(|error| Status::invalid_argument(error.to_string()))
    }

    fn listed_by(&self, scout: &Scout, inputs: &[Place], recursive: bool) -> Result<Vec<u8>, Status> {
        let inputs = inputs.iter().map(ToString::to_string).collect();
        let question = ask::Question::List(ListFiles { inputs, recursive });
        self.ask(scout, question, LISTED_WITHIN)
            .map_err(|silence| match silence {
                NoAnswer::Trouble(Trouble { why, usage: true }) => {
                    Status::invalid_argument(format!("{}: {why}", scout.name))
                }
                NoAnswer::Trouble(Trouble { why, .. }) => Status::failed_precondition(format!("{}: {why}", scout.name)),
                NoAnswer::Lost => Status::failed_precondition(format!(
                    "the worker {} was lost while it listed the files; submit again",
                    scout.name
                )),
                NoAnswer::Silent => Status::failed_precondition(format!(
                    "the worker {} has not listed the files within {} minutes: look at its storage, then submit again",
                    scout.name,
                    LISTED_WITHIN.as_secs() / 60
                )),
            })
    }

    /// The first bytes of a file that has a path of [`Self::places`].
    fn read(&self, path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
        let invalid = |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = self.places.place_below(folder).map_err(|error| invalid(&error))?;
        let Some(scout) = self.of.get(folder.root()).and_then(|scouts| scouts.first()) else {
            let folder = self.own.contains(&folder).map_err(|error| invalid(&error))?;
            return OwnFiles.head(&folder.join(name));
        };
        let question = ask::Question::Read(ReadHead {
            folder: folder.to_string(),
            name: name.to_owned(),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        });
        let who = &scout.name;
        self.ask(scout, question, READ_WITHIN).map_err(|silence| {
            io::Error::other(match silence {
                NoAnswer::Trouble(trouble) => format!("{who}: {}", trouble.why),
                NoAnswer::Lost => format!("the worker {who}, which sees it, was lost"),
                NoAnswer::Silent => format!("the worker {who}, which sees it, does not answer"),
            })
        })
    }

    /// CRC32C of the first 4 KiB of a file that only workers see; none where it cannot be read.
    pub(crate) fn crc(&self, path: &Path) -> Option<u32> {
        let head = self.read(path, COMPARED.as_usize()).ok()?;
        Some(Checksum::of(&head).crc)
    }

    fn ask(&self, scout: &Scout, question: ask::Question, within: Duration) -> Result<Vec<u8>, NoAnswer> {
        let (answers, pieces) = mpsc::channel::<Answer>();
        let session = scout.session;
        let asked = self
            .inbox
            .ask_and_wait(move |owner| owner.ask(session, question, answers));
        if asked != Some(true) {
            return Err(NoAnswer::Lost);
        }
        let mut all = Vec::new();
        loop {
            // Where the worker is lost, the owner drops the other end.
            let piece = pieces.recv_timeout(within).map_err(|error| match error {
                RecvTimeoutError::Timeout => NoAnswer::Silent,
                RecvTimeoutError::Disconnected => NoAnswer::Lost,
            })?;
            match piece.answer {
                Some(answer::Answer::Piece(bytes)) if all.len() + bytes.len() <= LONGEST => all.extend(bytes),
                Some(answer::Answer::Last(bytes)) => {
                    all.extend(bytes);
                    return Ok(all);
                }
                Some(answer::Answer::Trouble(trouble)) => return Err(NoAnswer::Trouble(trouble)),
                Some(answer::Answer::Piece(_)) | None => {
                    return Err(NoAnswer::Trouble(Trouble {
                        why: "its answer is none".to_owned(),
                        usage: false,
                    }));
                }
            }
        }
    }
}

impl Heads for Scouts {
    fn head(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path, HEAD_BYTES)
    }
}

/// Why a question has no answer.
#[derive(Debug)]
enum NoAnswer {
    /// The worker's own word.
    Trouble(Trouble),
    Lost,
    Silent,
}

fn refused(error: &PlanError) -> Status {
    if error.is_usage() {
        Status::invalid_argument(error.to_string())
    } else {
        Status::failed_precondition(error.to_string())
    }
}
