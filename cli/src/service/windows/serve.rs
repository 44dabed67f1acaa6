//! The service itself: the system starts it, its stop is the worker's drain.
//!
//! The system's threads only pass on what is asked. One thread tells it how things stand, another one is the worker.

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use trc2npy_worker::Control;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

use super::failure::Refused;
use super::{DRAINING, GIVING_BACK, NAME, source};
use crate::commands::coordinator::log;
use crate::commands::worker;
use crate::failure::Failure;
use crate::options::{self, Request, ServiceAction, WorkerAction};
use crate::{screen, telemetry};

/// Between two signs of life while it ends.
const STEP: Duration = Duration::from_secs(1);
/// How long the system may wait for the next one.
const HINT: Duration = Duration::from_secs(15);
/// How long it may take until the worker's thread runs: a share that is not there is an answer after half a minute.
const BEGINNING: Duration = Duration::from_mins(2);

define_windows_service!(entry, run);

/// Is the service, until it ends.
pub(super) fn serve() -> Result<ExitCode, Failure> {
    service_dispatcher::start(NAME, entry).map_err(|error| Refused::new("be", &error))?;
    Ok(ExitCode::SUCCESS)
}

/// What the service's thread hears.
enum Heard {
    /// The worker's thread runs.
    Begun,
    /// The system wants an end; what it calls it.
    End(&'static str),
    /// The worker's thread has ended.
    Ended(Result<(), Failure>),
}

/// What the system starts on a thread of its own. Its arguments are those of a start by hand: none.
fn run(_: Vec<OsString>) {
    let (tell, hear) = mpsc::channel();
    let asked = tell.clone();
    let handler = move |control| match control {
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        ServiceControl::Stop => pass(&asked, "a stop was asked for"),
        ServiceControl::Preshutdown => pass(&asked, "the machine is shut down"),
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    let handle = match service_control_handler::register(NAME, handler) {
        Ok(handle) => handle,
        Err(error) => {
            let failure: Failure = Refused::new("be heard by", &error).into();
            return source::error(&failure.to_string());
        }
    };
    // Whatever ends the work with an error stands in the event log, too.
    screen::log::errors_also(source::error);
    let mut told = Told { handle, checkpoint: 0 };
    told.pending(ServiceState::StartPending, BEGINNING);
    let ended = begin(&tell).and_then(|control| watch(&mut told, &control, &hear));
    telemetry::end();
    let code = match &ended {
        Ok(()) => ServiceExitCode::NO_ERROR,
        Err(failure) => {
            screen::remark(&format!("error: {failure}"));
            ServiceExitCode::ServiceSpecific(failure.code().into())
        }
    };
    if ended.is_ok() {
        source::note("The worker has ended.");
    }
    told.state(ServiceState::Stopped, ServiceControlAccept::empty(), code);
}

fn pass(to: &Sender<Heard>, why: &'static str) -> ServiceControlHandlerResult {
    // Where nobody hears it any more it is ending already.
    let _ = to.send(Heard::End(why));
    ServiceControlHandlerResult::NoError
}

/// Reads the options and starts the worker's thread.
fn begin(tell: &Sender<Heard>) -> Result<Control, Failure> {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let (request, collector) = options::read(&argv)?;
    telemetry::begin(&collector, &request)?;
    let Request::Worker(asked) = request else {
        return Err(Failure::Options("this is no command line of the service".to_owned()));
    };
    let Some(WorkerAction::Service(ServiceAction::Run(options))) = asked.action else {
        return Err(Failure::Options("this is no command line of the service".to_owned()));
    };
    let config = worker::judge(&options.address, None, &options.machine)?;
    let control = Control::new();
    let (of_worker, tell) = (control.clone(), tell.clone());
    let work = move || {
        let _ = tell.send(Heard::Begun);
        let worked = panic::catch_unwind(AssertUnwindSafe(|| {
            worker::work(&config, options.machine.nice, &of_worker)
        }));
        // The panic's own sentence is said where it happens.
        let panicked = |_| Failure::Work {
            code: 1,
            message: "the worker has ended by a mistake in trc2npy".to_owned(),
        };
        let _ = tell.send(Heard::Ended(worked.map_err(panicked).and_then(|ended| ended.map(drop))));
    };
    thread::Builder::new().name("worker".to_owned()).spawn(work)?;
    Ok(control)
}

/// Tells the system how things stand, until the worker has ended.
fn watch(told: &mut Told, control: &Control, hear: &Receiver<Heard>) -> Result<(), Failure> {
    /// Why there is a sender left: this function's caller has one.
    const HEARD: &str = "the service's handler lives as long as the process";
    let mut ending = None;
    loop {
        let heard = match ending {
            None => Ok(hear.recv().expect(HEARD)),
            Some(_) => hear.recv_timeout(STEP),
        };
        match heard {
            Ok(Heard::Begun) => {
                told.state(
                    ServiceState::Running,
                    ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN,
                    ServiceExitCode::NO_ERROR,
                );
                source::note(concat!(
                    "The worker has begun (trc2npy ",
                    env!("CARGO_PKG_VERSION"),
                    ")."
                ));
            }
            Ok(Heard::End(why)) => {
                if ending.is_none() {
                    control.signal();
                    log(&format!(
                        "{why}: finishing what is in hand, for at most {} s, taking nothing more",
                        DRAINING.as_secs()
                    ));
                    ending = Some(Instant::now() + DRAINING);
                }
                told.pending(ServiceState::StopPending, HINT);
            }
            Ok(Heard::Ended(ended)) => return ended,
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                let until = ending.expect("only an end is waited for with a limit");
                if now >= until + GIVING_BACK {
                    return Err(Failure::Work {
                        code: 1,
                        message:
                            "a thread of the worker does not let go of what it has in hand; the process ends without, \
                                  and others make its rows"
                                .to_owned(),
                    });
                }
                if now >= until {
                    // Once more does no harm.
                    control.stop();
                }
                told.pending(ServiceState::StopPending, HINT);
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("{HEARD}"),
        }
    }
}

/// What the system was told last.
struct Told {
    handle: ServiceStatusHandle,
    checkpoint: u32,
}

impl Told {
    /// On the way to another state; each call is a sign of life.
    fn pending(&mut self, state: ServiceState, hint: Duration) {
        self.checkpoint += 1;
        self.tell(state, ServiceControlAccept::empty(), ServiceExitCode::NO_ERROR, hint);
    }

    fn state(&mut self, state: ServiceState, accepts: ServiceControlAccept, code: ServiceExitCode) {
        self.checkpoint = 0;
        self.tell(state, accepts, code, Duration::ZERO);
    }

    fn tell(&self, state: ServiceState, accepts: ServiceControlAccept, code: ServiceExitCode, hint: Duration) {
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: state,
            controls_accepted: accepts,
            exit_code: code,
            checkpoint: self.checkpoint,
            wait_hint: hint,
            process_id: None,
        };
        if let Err(error) = self.handle.set_service_status(status) {
            let failure: Failure = Refused::new("tell the state of", &error).into();
            source::error(&failure.to_string());
        }
    }
}
