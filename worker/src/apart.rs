//! A lease in a process of its own: rows that were in hand when a process ended are tried so that, where it was their
//! doing, only that process ends, and the worker can tell.

use std::ffi::OsString;
use std::io::{self, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use trc2npy_common::convert::Io;
use trc2npy_common::panics;
use trc2npy_common::roots::Roots;
use trc2npy_common::shard;
use trc2npy_common::units::Bytes;
use trc2npy_coordinator_core::{Fault, Grant, LeaseProgress, Work};
use trc2npy_proto::v1::{self, apart_word::Word};
use trc2npy_proto::{WireError, pipe};
use trc2npy_telemetry::Spans;

use crate::execute::{Executor, Means, shard_name};
use crate::files::JobFiles;
use crate::job::Job;
use crate::lease::{Done, Lease};

/// How often the process says how far it is.
const SAY: Duration = Duration::from_millis(500);
/// How often it is looked whether the lease was revoked.
const LOOK: Duration = Duration::from_millis(100);

/// Has `command` (which comes to [`serve`]) work on the lease, and waits for it.
pub(crate) fn execute(command: &[OsString], means: &Means, lease: &Lease, job: &Job) -> Done {
    match attend(command, means, lease, job) {
        Ok(done) => done,
        Err(error) => Done::Failed(Fault::Unfit(format!(
            "rows {} were in a process that has ended, and are to be tried in one of their own; that cannot be started here: \
             {error}",
            lease.grant.rows
        ))),
    }
}

fn attend(command: &[OsString], means: &Means, lease: &Lease, job: &Job) -> io::Result<Done> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    spare_signals(&mut command);
    let mut child = command.spawn()?;
    let told = converse(&mut child, means, lease, job);
    if told.is_none() {
        // It may have ended by itself.
        let _ = child.kill();
    }
    // Its input ends: so does the process, if it has not yet.
    drop(child.stdin.take());
    let status = child.wait()?;
    Ok(told.unwrap_or_else(|| {
        if let Ok(prepared) = job.prepare(&means.roots)
            && let Some(name) = shard_name(&prepared.plan, &lease.grant)
        {
            // What it has left is no shard.
            let _ = shard::discard(&prepared.folder, &name);
        }
        if lease.pulse.revoked() {
            return Done::Revoked;
        }
        let rows = lease.grant.rows;
        Done::Failed(match crash(status) {
            Some(how) => Fault::Crashed(format!("a process of its own for rows {rows} of job {} crashed ({how})", lease.grant.job)),
            None => Fault::Ended(format!(
                "a process of its own for rows {rows} of job {} was ended from outside ({status}): is this machine's memory \
                 full?",
                lease.grant.job
            )),
        })
    }))
}

/// Gives the process its task and listens to it until it has said what became of it; none where it ends before, or where
/// the lease is revoked.
fn converse(child: &mut Child, means: &Means, lease: &Lease, job: &Job) -> Option<Done> {
    let task = job.apart(means, lease.grant);
    pipe::send(child.stdin.as_mut()?, &task).ok()?;
    let mut output = BufReader::new(child.stdout.take()?);
    let (words, heard) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(Some(v1::ApartWord { word: Some(word) })) = pipe::receive(&mut output) {
            if words.send(word).is_err() {
                return;
            }
        }
    });
    loop {
        match heard.recv_timeout(LOOK) {
            Ok(Word::Progress(progress)) => {
                if let Ok(LeaseProgress { bytes, step, .. }) = progress.try_into() {
                    lease.pulse.beat(bytes.saturating_sub(lease.pulse.bytes()));
                    lease.enter(step);
                }
            }
            Ok(Word::Delivered(work)) => {
                let took = lease.took();
                return Some(Done::Delivered(Work { took, ..work.into() }));
            }
            Ok(Word::Failed(failed)) => {
                let (_, fault) = failed.try_into().ok()?;
                return Some(Done::Failed(fault));
            }
            Err(RecvTimeoutError::Timeout) if lease.pulse.revoked() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Ctrl-C goes to all processes of a terminal: what becomes of this one its worker decides.
#[cfg(unix)]
fn spare_signals(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(windows)]
fn spare_signals(command: &mut Command) {
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
}

/// How a process crashed; none where it ended by itself, or somebody (a person, a system short of memory or about to be
/// switched off) ended it.
#[cfg(unix)]
fn crash(status: ExitStatus) -> Option<String> {
    use rustix::process::Signal;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status)?;
    let own = [
        Signal::SEGV,
        Signal::BUS,
        Signal::ABORT,
        Signal::ILL,
        Signal::FPE,
        Signal::SYS,
        Signal::TRAP,
    ];
    own.iter()
        .any(|crash| crash.as_raw() == signal)
        .then(|| format!("signal {signal}"))
}

/// How a process crashed; none where it ended by itself, or somebody ended it.
#[cfg(windows)]
fn crash(status: ExitStatus) -> Option<String> {
    const CTRL_C: u32 = 0xC000_013A;
    let code = u32::from_ne_bytes(status.code()?.to_ne_bytes());
    (code >= 0xC000_0000 && code != CTRL_C).then(|| format!("code {code:#x}"))
}

/// What the process does: works on the one lease that it is given, and tells.
pub fn serve(mut input: impl Read + Send + 'static, mut output: impl Write) -> io::Result<()> {
    let task = pipe::receive::<v1::ApartTask>(&mut input)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    thread::spawn(move || {
        // Its worker is gone or wants nothing more of it; nothing that comes here is a word.
        let _ = io::copy(&mut input, &mut io::sink());
        std::process::exit(1);
    });
    let (means, job, lease) = read(task).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
    let (done, ended) = mpsc::channel();
    let worked_on = Arc::clone(&lease);
    thread::Builder::new().name("convert".to_owned()).spawn(move || {
        let mut executor = Executor::new(means);
        let result = panics::caught(|| executor.execute(&worked_on, &job));
        let _ = done.send(result.unwrap_or_else(|why| Done::Failed(Fault::Crashed(why))));
    })?;
    let mut say = |word| pipe::send(&mut output, &v1::ApartWord { word: Some(word) });
    let done = loop {
        match ended.recv_timeout(SAY) {
            Ok(done) => break done,
            Err(RecvTimeoutError::Timeout) => say(Word::Progress(lease.progress().into()))?,
            Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("the thread is gone")),
        }
    };
    say(match done {
        Done::Delivered(work) => Word::Delivered(work.into()),
        Done::Failed(fault) => Word::Failed(v1::Failed::new(lease.grant.lease, fault)),
        Done::Revoked => Word::Failed(v1::Failed::new(lease.grant.lease, Fault::Returned)),
    })
}

fn read(task: v1::ApartTask) -> Result<(Means, Job, Arc<Lease>), String> {
    let missing = |field| WireError::Missing(field).to_string();
    let grant: Grant = task
        .grant
        .ok_or_else(|| missing("grant"))?
        .try_into()
        .map_err(|error: WireError| error.to_string())?;
    let means = Means {
        roots: Roots::parse(&task.roots).map_err(|error| error.to_string())?,
        // A mapped file that is cut ends the process that looks at it; one that is read is only short.
        io: Io::Read,
        threads: task.slots.max(1) as usize,
        memory_limit: Bytes(task.memory_limit),
        memory_threshold: task.memory_threshold,
        spans: Spans::default(),
    };
    let job = Job::new(JobFiles {
        head: task.head.ok_or_else(|| missing("head"))?,
        plan: task.plan,
    });
    Ok((means, job, Lease::new(grant, None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn only_a_crash_is_one() {
        let ends = |how: &str| crash(Command::new("sh").args(["-c", how]).status().unwrap());
        for (how, told) in [
            ("kill -SEGV $$", Some("signal 11")),
            ("kill -ABRT $$", Some("signal 6")),
            ("kill -BUS $$", Some("signal 7")),
            ("kill -KILL $$", None),
            ("kill -TERM $$", None),
            ("kill -HUP $$", None),
            ("exit 3", None),
            ("exit 0", None),
        ] {
            assert_eq!(ends(how).as_deref(), told, "{how}");
        }
    }

    #[test]
    fn what_is_no_task_is_refused() {
        let told = |bytes: &'static [u8]| serve(bytes, io::sink()).unwrap_err().kind();
        assert_eq!(told(b""), io::ErrorKind::UnexpectedEof);
        assert_eq!(told(b"\x01\0\0\0\xff"), io::ErrorKind::InvalidData);
    }
}
