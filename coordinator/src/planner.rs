//! From a submit to jobs: the thread that lists inputs, opens headers, takes the output folders and records what is
//! accepted. One submit at a time; nothing of it runs on the owner.

mod told;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;
use tonic::Status;
use trc2npy_common::convert::{
    Assembly, AssemblyJob, ConvertError, ConvertRun, Io, NameTemplate, Opened as Opening, Overwrite, Settings, Watch,
};
use trc2npy_common::plan::{self, ChannelPlan, LongBaseline, Out, Plan, PlanProgress, PlanRequest, PlannedRun};
use trc2npy_common::resources::{Machine, default_memory_limit};
use trc2npy_common::roots::{Place, RootError, RootName, Roots};
use trc2npy_common::shard::TOKEN;
use trc2npy_common::{fs, panics};
use trc2npy_coordinator_core::{JobId, Millis, Shard};
use trc2npy_proto::{Submission, v1};
use trc2npy_telemetry::{self as trace, Spans};

use crate::clock::wall_ms;
use crate::job::{Handout, LiveJob, checks, seen_elsewhere};
use crate::journal::{ChannelSummary, Ended, Finished, JobEnd, JobRecord, JobTrace, Journal};
use crate::owner::{Accepted, Inbox, Message, Opened};
use crate::scout::Scouts;
use crate::spec::spec;
use crate::stitcher::Stitcher;
use told::{crashed, internal, not_here, places, refused, usage};

/// A submit, and who waits for it.
pub(crate) struct Submit {
    pub(crate) submission: Submission,
    /// The caller's place in a trace.
    pub(crate) caller: Option<trace::Place>,
    /// When it came.
    pub(crate) came: SystemTime,
    pub(crate) reply: oneshot::Sender<Result<Vec<JobId>, Status>>,
}

/// A job that an earlier start has not ended, to be gone on with if that can be done now.
pub(crate) struct GoOn(pub(crate) JobId, pub(crate) JobRecord);

pub(crate) struct Planner {
    pub(crate) journal: Arc<Journal>,
    pub(crate) roots: Roots,
    pub(crate) inbox: Inbox,
    /// Shards of a job that are copied side by side.
    pub(crate) stitch_threads: usize,
    pub(crate) spans: Spans,
}

/// A submission with this machine's paths.
struct Asked<'s> {
    submission: &'s Submission,
    run: ConvertRun,
    /// Those that it names, the ones that only workers have among them.
    roots: Roots,
}

/// A run that has its output folder.
struct Taken {
    record: JobRecord,
    /// What there is to do; none where its arrays were there.
    work: Option<Box<Assembly>>,
}

impl Submit {
    /// Where a job of it belongs.
    fn trace(&self) -> JobTrace {
        let place = self.caller.map_or_else(trace::Place::first, |caller| caller.below());
        let since_1970 = self.came.duration_since(UNIX_EPOCH).unwrap_or_default();
        JobTrace {
            place: place.to_string(),
            parent: self.caller.map(|caller| caller.to_string()),
            began_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Planner {
    /// Works until nobody can submit any more.
    pub(crate) fn work(&self, submits: &Receiver<Submit>) {
        let mut before = None;
        while let Ok(submit) = submits.recv() {
            let jobs = panics::caught(|| self.submit(&submit, &mut before));
            // Whoever asked may be gone; a submit that is sent again finds its jobs by the key.
            let _ = submit
                .reply
                .send(jobs.unwrap_or_else(|why| Err(internal(crashed(&why)))));
        }
    }

    /// The same for jobs that wait: on a thread of its own, since the storage that they wait for may hang.
    pub(crate) fn try_again(&self, waiting: &Receiver<GoOn>) {
        while let Ok(GoOn(id, record)) = waiting.recv() {
            let accepted = panics::caught(|| self.go_on(id, &record));
            self.inbox
                .post(match accepted.unwrap_or_else(|why| Err(crashed(&why))) {
                    Ok(accepted) => Message::Opened(Box::new(accepted)),
                    Err(why) => Message::Waits(id, Box::new(record), why),
                });
        }
    }

    /// `before`: the last job that was planned, and until when: a submit that came meanwhile has waited for it.
    fn submit(&self, submit: &Submit, before: &mut Option<(trace::Place, SystemTime)>) -> Result<Vec<JobId>, Status> {
        let submission = &submit.submission;
        let key = submission.key.clone();
        let known = self.inbox.ask_and_wait(move |owner| owner.keys.get(&key).cloned());
        if let Some(known) = known.flatten() {
            return Ok(known);
        }
        let elsewhere = self.elsewhere(submission)?;
        let asked = self.localised(submission, &elsewhere)?;
        let (began, since) = (Instant::now(), SystemTime::now());
        let (scouts, planned) = if elsewhere.is_empty() {
            let planned = plan::plan(&asked.run.request, &PlanProgress::default());
            (None, planned.map_err(|error| refused(&error.into()))?)
        } else {
            let trust_size = submission.trust_size;
            let mut scouts = Scouts::find(&self.inbox, &self.roots, &places(submission)?, trust_size)?;
            let planned = planned_with(&mut scouts, &asked)?;
            (Some(scouts), planned)
        };
        let outs = plan::resolve_outputs(&asked.run.out, &planned)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let planning = began.elapsed();
        let mut taken = Vec::with_capacity(planned.len());
        let ids = self
            .take_all(
                &asked,
                scouts.as_ref(),
                planned.into_iter().zip(outs),
                planning,
                submit,
                &mut taken,
            )
            .inspect_err(|_| {
                // Nobody is to find half of what was refused.
                for assembly in taken.iter().filter_map(|taken| taken.work.as_ref()) {
                    assembly.withdraw();
                }
            })?;
        let waited_for = before.filter(|(_, until)| *until > submit.came).map(|(place, _)| place);
        for (id, taken) in ids.iter().zip(taken) {
            let record = taken.record.clone();
            if let Some(job) = record.place() {
                let rows = record.channels.iter().map(|channel| channel.rows).sum();
                let plan = trace::Span::below(&job, "plan", since).count("trc2npy.rows.count", rows);
                self.spans.over_at(plan.linked(waited_for), since + planning);
                *before = Some((job, SystemTime::now()));
            }
            let accepted = self.accepted(*id, taken, Vec::new(), false);
            // It is recorded: from here on nothing refuses it.
            self.inbox.post(match accepted {
                Ok(accepted) => Message::Opened(Box::new(accepted)),
                Err(why) => Message::Waits(*id, Box::new(record), why.to_string()),
            });
        }
        Ok(ids)
    }

    /// Takes all output folders, or none, and records the jobs.
    fn take_all(
        &self,
        asked: &Asked<'_>,
        scouts: Option<&Scouts>,
        planned: impl Iterator<Item = (PlannedRun, PathBuf)>,
        planning: Duration,
        submit: &Submit,
        taken: &mut Vec<Taken>,
    ) -> Result<Vec<JobId>, Status> {
        for (planned, out) in planned {
            let mut one = self.take(asked, planned, &out.to_string_lossy(), planning)?;
            one.record.trace = Some(submit.trace());
            if let Some(scouts) = scouts {
                one.record.elsewhere = scouts.roots().map(ToString::to_string).collect();
                if let Some(assembly) = &one.work {
                    one.record.seen = seen_elsewhere(assembly.plan(), scouts);
                }
            }
            taken.push(one);
        }
        for Taken { record, work } in &*taken {
            if let Some(assembly) = work {
                self.journal
                    .save_plan(&record.folder, assembly.portable())
                    .map_err(internal)?;
            }
        }
        let records: Vec<JobRecord> = taken.iter().map(|taken| taken.record.clone()).collect();
        self.journal.accept(&records).map_err(internal)
    }

    /// Goes on with a job that an earlier start has not ended. An error says why that cannot be done at the moment.
    pub(crate) fn go_on(&self, id: JobId, record: &JobRecord) -> Result<Accepted, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let asked = self
            .localised(&record.submission, &record.elsewhere)
            .map_err(|status| status.message().to_owned())?;
        let out = self.local(&record.out).map_err(|status| status.message().to_owned())?;
        let portable = Plan::read_from(&self.journal.plan_path(&record.folder)).map_err(|error| text(&error))?;
        if portable.id.to_string() != record.plan {
            return Err(format!(
                "{} is not the plan of this job",
                self.journal.plan_path(&record.folder).display()
            ));
        }
        let plan = portable.localised(&asked.roots).map_err(|error| text(&error))?;
        let shards = self.journal.shards(id).map_err(|error| text(&error))?;
        let planned = PlannedRun {
            plan,
            findings: record.findings.clone(),
        };
        let opened =
            open(planned, &asked, (&out, &record.folder), true, Duration::ZERO).map_err(|error| text(&error))?;
        let mut taken = taken_of(opened, record.clone());
        if taken.work.is_none() {
            // Its files had their names when the coordinator ended, and nobody had noted that.
            if let Some(end) = &mut taken.record.end {
                end.ending = Ended::Done { already: false };
            }
        }
        self.accepted(id, taken, shards, true).map_err(|error| text(&error))
    }

    /// The submission with this machine's paths.
    fn localised<'s>(&self, submission: &'s Submission, elsewhere: &[String]) -> Result<Asked<'s>, Status> {
        let roots = self.roots_of(submission, elsewhere);
        let inputs = places(submission)?
            .into_iter()
            .map(|input| roots.contains(&input).map_err(|error| not_here(&input, error)));
        let inputs: Result<Vec<PathBuf>, Status> = inputs.collect();
        let machine = Machine::detect();
        let settings = Settings {
            threads: machine.usable_cores,
            memory_limit: default_memory_limit(&machine),
            memory_threshold: 1.0,
            io: Io::Auto,
            range_size: submission.range_size,
            sync_every: submission.sync_every,
            settle: submission.settle,
            overwrite: if submission.overwrite {
                Overwrite::Always
            } else {
                Overwrite::Never
            },
            trust_size: submission.trust_size,
            name: submission
                .name
                .parse::<NameTemplate>()
                .map_err(|error| Status::invalid_argument(error.to_string()))?,
        };
        let request = PlanRequest {
            inputs: inputs?,
            recursive: submission.recursive,
            join: submission.join,
            channels: submission.channels.clone(),
            stem: submission.stem.clone(),
            probe: submission.probe,
            settle: submission.settle,
            threads: settings.threads,
            long_baseline: LongBaseline::Refuse,
            options: submission.options.clone(),
        };
        let run = ConvertRun {
            request,
            out: Out::Template(submission.out.clone()),
            settings,
        };
        Ok(Asked { submission, run, roots })
    }

    /// The roots that a submission names: this machine's, and those `elsewhere`. Others may lie inside of them, which its
    /// workers need not have.
    fn roots_of(&self, submission: &Submission, elsewhere: &[String]) -> Roots {
        let named = submission.inputs.iter().chain([&submission.out]);
        let named: Vec<&str> = named.filter_map(|place| place.split(':').next()).collect();
        // A root that was elsewhere when the job was planned stays so, mapped here or not: paths name the job's state.
        let own =
            |root: &RootName| named.contains(&root.as_str()) && !elsewhere.iter().any(|other| other == root.as_str());
        let elsewhere: Vec<RootName> = elsewhere.iter().filter_map(|root| root.parse().ok()).collect();
        self.roots.only(own).with_elsewhere(&elsewhere)
    }

    /// The roots of a submission's inputs that this machine has not mapped.
    fn elsewhere(&self, submission: &Submission) -> Result<Vec<String>, Status> {
        let inputs = places(submission)?;
        let others = inputs.iter().map(Place::root).filter(|root| !self.roots.has(root));
        let others: BTreeSet<String> = others.map(ToString::to_string).collect();
        Ok(others.into_iter().collect())
    }

    /// Where a place is on this machine.
    fn local(&self, place: &str) -> Result<PathBuf, Status> {
        let place: Place = place.parse().map_err(usage)?;
        self.roots.contains(&place).map_err(|error| not_here(&place, error))
    }

    /// Takes the output folder of a run.
    fn take(&self, asked: &Asked<'_>, planned: PlannedRun, out: &str, planning: Duration) -> Result<Taken, Status> {
        let local = self.local(out)?;
        if let Some(file) = local
            .ancestors()
            .find(|above| above.exists())
            .filter(|above| above.is_file())
        {
            return Err(usage(format!(
                "--out {out}: {} is a file; name a folder, which is made if needed",
                file.display()
            )));
        }
        let place = out.to_owned();
        let maker = self.inbox.ask_and_wait(move |owner| owner.maker_of(&place));
        if let Some(job) = maker.flatten() {
            return Err(Status::failed_precondition(format!(
                "job {job} writes to {out}: wait until it has ended (trc2npy job {job} --watch), or cancel it (trc2npy \
                 cancel {job})"
            )));
        }
        let record = JobRecord {
            submission: asked.submission.clone(),
            run: planned.plan.run.clone(),
            out: out.to_owned(),
            plan: String::new(),
            folder: format!("job-{:016x}", fastrand::u64(..)),
            submitted_ms: wall_ms(),
            end: None,
            warnings: planned.findings.warnings().map(ToString::to_string).collect(),
            findings: planned.findings.clone(),
            bad_files: Vec::new(),
            elsewhere: Vec::new(),
            seen: Vec::new(),
            trace: None,
            channels: planned
                .plan
                .channels
                .iter()
                .map(|channel| expected(channel, &asked.run))
                .collect(),
        };
        let opened = open(planned, asked, (&local, &record.folder), false, planning);
        opened
            .map(|opened| taken_of(opened, record))
            .map_err(|error| refused(&error))
    }

    fn accepted(
        &self,
        id: JobId,
        taken: Taken,
        shards: Vec<Shard>,
        restored: bool,
    ) -> Result<Accepted, Box<dyn std::error::Error>> {
        let Taken { record, work } = taken;
        let Some(assembly) = work else {
            return Ok(Accepted { id, record, work: None });
        };
        let folder = assembly.job_folder();
        let secret = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        fs::write_file(&folder.join(TOKEN), secret.as_bytes())?;
        let place = self.roots_of(&record.submission, &[]).place_below(folder)?;
        let plan = self.journal.plan_path(&record.folder);
        let submission = &record.submission;
        let (checks, watched) = checks(assembly.plan(), &record.seen);
        let handout = Handout {
            head: v1::JobHead {
                plan_id: assembly.portable().id.to_string(),
                plan_bytes: std::fs::metadata(&plan)?.len(),
                folder_root: place.root().to_string(),
                folder_path: place.path().to_owned(),
                token: secret,
                trust_size: submission.trust_size,
                settle_ms: Millis::from(submission.settle).0,
                checks,
                packed: assembly.packs(),
            },
            plan,
        };
        let spec = spec(&assembly, submission, &place)?;
        let covered = |shard: &Shard| {
            let committed = spec
                .channels
                .get(usize::from(shard.channel.0))
                .map(|channel| &channel.committed);
            committed.is_none_or(|rows| rows.iter().any(|rows| !rows.intersection(shard.rows).is_empty()))
        };
        let shards = shards.into_iter().filter(|shard| !covered(shard)).collect();
        let unfinished = assembly.unfinished();
        let stitcher = Stitcher::start(
            (id, self.journal.epoch),
            *assembly,
            watched,
            self.stitch_threads,
            submission.sync_every,
            self.inbox.clone(),
        )?;
        let job = LiveJob {
            handout: Arc::new(handout),
            stitcher,
            unfinished,
        };
        let work = Some(Opened {
            job,
            spec,
            shards,
            restored,
        });
        Ok(Accepted { id, record, work })
    }
}

/// Takes the output folder and what there is in it.
fn open(
    planned: PlannedRun,
    asked: &Asked<'_>,
    (out, folder): (&Path, &str),
    reopened: bool,
    planning: Duration,
) -> Result<Opening, ConvertError> {
    Assembly::open(
        planned,
        AssemblyJob {
            run: ConvertRun {
                out: Out::Folder(out.to_string_lossy().into_owned()),
                ..asked.run.clone()
            },
            out,
            folder,
            roots: &asked.roots,
            reopened,
            planning,
            watch: Arc::new(Watch::new()),
        },
    )
}

fn taken_of(opened: Opening, mut record: JobRecord) -> Taken {
    match opened {
        Opening::AlreadyDone(outcome) => {
            record.warnings.extend(outcome.notes.iter().cloned());
            record.finish(Finished::of(&outcome));
            record.end = Some(JobEnd {
                ending: Ended::Done { already: true },
                at_ms: wall_ms(),
            });
            Taken { record, work: None }
        }
        Opening::Begun(assembly) => {
            // Not always the plan that was made just now: a run that is gone on with keeps its own.
            record.plan = assembly.portable().id.to_string();
            Taken {
                record,
                work: Some(assembly),
            }
        }
    }
}

/// Plans what this machine does not see all of.
fn planned_with(scouts: &mut Scouts, asked: &Asked<'_>) -> Result<Vec<PlannedRun>, Status> {
    let inputs = places(asked.submission)?;
    let survey = scouts.survey(&inputs, asked.submission.recursive, asked.run.request.threads)?;
    let paths: Result<Vec<PathBuf>, RootError> = inputs.iter().map(|input| scouts.places().resolve(input)).collect();
    let request = PlanRequest {
        inputs: paths.map_err(usage)?,
        ..asked.run.request.clone()
    };
    let mut planned = plan::plan_survey(&request, survey, &*scouts, &PlanProgress::default())
        .map_err(|error| refused(&error.into()))?;
    for run in &mut planned {
        // This machine's own files have their paths again.
        let portable = run.plan.portable(scouts.places()).map_err(usage)?;
        run.plan = portable.localised(&asked.roots).map_err(usage)?;
    }
    Ok(planned)
}

/// A channel before its end.
fn expected(channel: &ChannelPlan, run: &ConvertRun) -> ChannelSummary {
    ChannelSummary {
        name: channel.channel.to_string(),
        rows: channel.rows,
        samples: channel.samples,
        dtype: channel.element.name().to_owned(),
        array: run.settings.name.array(channel.channel),
        bytes: channel.data_bytes().0,
        bad: Vec::new(),
        unfinished: None,
    }
}
