//! Registering, starting, stopping and removing the service. Each can be asked for twice.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use trc2npy_certs::KEY_FILE;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState, ServiceStatus,
    ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_sys::Win32::Foundation::{
    ERROR_INVALID_LEVEL, ERROR_SERVICE_ALREADY_RUNNING, ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_EXISTS,
    ERROR_SERVICE_MARKED_FOR_DELETE, ERROR_SERVICE_NOT_ACTIVE,
};

use super::failure::{self, Refused};
use super::source::{self, Was};
use super::{DRAINING, GIVING_BACK, NAME, calls, right};
use crate::commands::worker;
use crate::failure::Failure;
use crate::options::{InstallOptions, SERVICE_PASSWORD};
use crate::screen;
use crate::service::LAUNCH;
use crate::service::account::Account;
use crate::service::drive;

const SHOWN: &str = "trc2npy worker";
const DESCRIPTION: &str = "Converts LeCroy .trc files into NPY arrays for a coordinator (trc2npy worker). Stopping it finishes what is in hand.";

/// When the system starts it again after it has failed: the last of these from then on.
const AGAIN: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(5)];
/// After so long without a failure it counts them anew.
const FORGIVEN: Duration = Duration::from_hours(24);

/// How long a start may take. A share that is not there is an answer after half a minute.
const STARTING: Duration = Duration::from_mins(2);
/// How long the registration may outlive those who look at it.
const VANISHING: Duration = Duration::from_secs(10);
/// Between two looks at the state: Windows tells it to whoever asks.
const LOOK: Duration = Duration::from_millis(100);

const WHOLE: ServiceAccess = ServiceAccess::QUERY_CONFIG
    .union(ServiceAccess::CHANGE_CONFIG)
    .union(ServiceAccess::QUERY_STATUS)
    .union(ServiceAccess::START)
    .union(ServiceAccess::STOP)
    .union(ServiceAccess::DELETE);

/// Registers the service, or gives the one that is there these settings.
pub(super) fn install(options: &InstallOptions) -> Result<ExitCode, Failure> {
    let program = env::current_exe()?;
    refuse_drives(options, &program)?;
    worker::judge(&options.address, options.join.token.as_ref(), &options.machine)?;
    let account = Account::read(options.account.as_deref());
    let password = password(&account)?;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: SHOWN.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: program,
        launch_arguments: LAUNCH
            .into_iter()
            .map(OsString::from)
            .chain(options.arguments.iter().cloned())
            .collect(),
        dependencies: Vec::new(),
        account_name: Some((&account.name).into()),
        account_password: password,
    };

    let manager = manager(
        "install",
        ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE,
    )?;
    let source = source::register()?;
    let installed = register(&manager, &info);
    if installed.is_err() && source == Was::Missing {
        // What this call has made goes with it.
        let _ = source::remove();
    }
    let was = installed?;
    if let Some(certs) = &options.address.trust.certs {
        let_read(&certs.join(KEY_FILE), &account);
    }
    if account.has_password
        && let Err(error) = right::grant(&account.name)
    {
        screen::remark(&format!(
            "warning: {} could not be given the right \"Log on as a service\" ({error}); where the start fails for that, enter \
             account and password once more in services.msc (the service's properties, Log On)",
            account.name
        ));
    }
    if account.is_nobody_elsewhere() && options.machine.roots.iter().any(|root| root.contains(r"=\\")) {
        screen::remark(
            "warning: the service runs as LocalService, whom other machines know as nobody: a share lets it in only where it \
             lets in everybody. Give it an account that may read and write there: --account DOMAIN\\user",
        );
    }
    screen::chat(match was {
        Was::Missing => {
            "the service trc2npy-worker is installed; Windows starts it with the machine, and now: trc2npy worker service start"
        }
        Was::There => {
            "the service trc2npy-worker was installed already; it has these settings from its next start on: trc2npy worker service stop, then start"
        }
    });
    Ok(ExitCode::SUCCESS)
}

/// The private key is its owner's alone, and the service runs as somebody else.
fn let_read(key: &Path, account: &Account) {
    let grant = format!("{}:(R)", account.trustee());
    let icacls = Command::new("icacls.exe").arg(key).args(["/grant", &grant]).output();
    let why = match icacls {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    screen::remark(&format!(
        "warning: {} could not be given the right to read {} ({why}); where the start fails for that: icacls {} /grant {grant}",
        account.name,
        key.display(),
        key.display()
    ));
}

/// A service has no drive letters of whoever is logged on, neither for its roots nor for its program.
fn refuse_drives(options: &InstallOptions, program: &Path) -> Result<(), Failure> {
    let roots = options.machine.roots.iter().filter_map(|root| {
        let (name, path) = root.split_once('=')?;
        Some((format!("--root {name}"), Path::new(path)))
    });
    for (what, path) in roots.chain([("this program".to_owned(), program)]) {
        // A path without a letter begins in this folder, which has one.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let refusal =
            drive::letter(&whole).and_then(|letter| drive::refusal(&what, &whole, letter, &calls::letter(letter)));
        if let Some(sentence) = refusal {
            return Err(Failure::Options(sentence));
        }
    }
    Ok(())
}

/// From the environment, else from whoever sits there.
fn password(account: &Account) -> Result<Option<OsString>, Failure> {
    if !account.has_password {
        return Ok(None);
    }
    if let Some(password) = env::var_os(SERVICE_PASSWORD) {
        return Ok(Some(password));
    }
    let terminal = console::Term::stderr();
    if !console::user_attended_stderr() {
        return Err(Failure::Options(format!(
            "--account {}: its password is asked for in a console, or taken from the environment variable {SERVICE_PASSWORD}",
            account.name
        )));
    }
    terminal.write_str(&format!("Password of {}: ", account.name))?;
    Ok(Some(terminal.read_secure_line()?.into()))
}

fn manager(doing: &'static str, access: ServiceManagerAccess) -> Result<ServiceManager, Refused> {
    ServiceManager::local_computer(None::<&OsStr>, access).map_err(|error| Refused::new(doing, &error))
}

fn open(doing: &'static str, access: ServiceAccess) -> Result<Service, Refused> {
    manager(doing, ServiceManagerAccess::CONNECT)?
        .open_service(NAME, access)
        .map_err(|error| Refused::new(doing, &error))
}

/// Whole, or not at all where there was none before.
fn register(manager: &ServiceManager, info: &ServiceInfo) -> Result<Was, Refused> {
    const DOING: &str = "install";
    let refused = |error: windows_service::Error| Refused::new(DOING, &error);
    match manager.create_service(info, WHOLE).map_err(refused) {
        Ok(service) => {
            let settled = settle(&service).map_err(refused);
            if settled.is_err() {
                let _ = service.delete();
            }
            settled.map(|()| Was::Missing)
        }
        Err(error) if error.is(ERROR_SERVICE_EXISTS) => {
            let service = manager.open_service(NAME, WHOLE).map_err(refused)?;
            let known = service.query_config().map_err(refused)?;
            let command = known.executable_path.to_string_lossy().replace('"', "");
            if !command.contains(&LAUNCH.join(" ")) {
                return Err(error);
            }
            service.change_config(info).map_err(refused)?;
            settle(&service).map_err(refused)?;
            Ok(Was::There)
        }
        Err(error) => Err(error),
    }
}

/// What creating a service cannot say. A system that is almost Windows may lack some of it: the service works without, and
/// whoever installs it is told.
fn settle(service: &Service) -> Result<(), windows_service::Error> {
    let failures = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGIVEN),
        reboot_msg: None,
        command: None,
        actions: Some(
            AGAIN
                .map(|delay| ServiceAction {
                    action_type: ServiceActionType::Restart,
                    delay,
                })
                .into(),
        ),
    };
    for (what, set) in [
        ("a description", service.set_description(DESCRIPTION)),
        // Shares are there later than the machine.
        ("a later start than others have", service.set_delayed_auto_start(true)),
        ("a start after a failure", service.update_failure_actions(failures)),
        // An end with an error counts as one without a word.
        (
            "a start after an error",
            service.set_failure_actions_on_non_crash_failures(true),
        ),
        (
            "time when the machine is shut down",
            service.set_preshutdown_timeout(DRAINING + GIVING_BACK),
        ),
    ] {
        match set {
            Err(windows_service::Error::Winapi(error))
                if error.raw_os_error().map(i32::cast_unsigned) == Some(ERROR_INVALID_LEVEL) =>
            {
                screen::remark(&format!("warning: this system knows no services with {what}"));
            }
            set => set?,
        }
    }
    Ok(())
}

/// Starts it, and waits until it works.
pub(super) fn start() -> Result<ExitCode, Failure> {
    const DOING: &str = "start";
    let service = open(DOING, ServiceAccess::START | ServiceAccess::QUERY_STATUS)?;
    match service
        .start::<&OsStr>(&[])
        .map_err(|error| Refused::new(DOING, &error))
    {
        Ok(()) => {}
        Err(error) if error.is(ERROR_SERVICE_ALREADY_RUNNING) => {
            let status = wait(&service, DOING, STARTING, |state| state != ServiceState::StartPending)?;
            if status.current_state == ServiceState::Running {
                screen::chat("the service trc2npy-worker runs already");
                return Ok(ExitCode::SUCCESS);
            }
        }
        Err(error) => return Err(error.into()),
    }
    let status = wait(&service, DOING, STARTING, |state| {
        matches!(state, ServiceState::Running | ServiceState::Stopped)
    })?;
    match status.current_state {
        ServiceState::Running => {
            screen::chat("the service trc2npy-worker runs");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Failure::Work {
            code: 1,
            message: format!("the service {NAME} ended at once: {}", why(&status)),
        }),
    }
}

/// What is known of a service that has ended by itself.
fn why(status: &ServiceStatus) -> String {
    const EVENTS: &str = "Get-WinEvent -ProviderName trc2npy -MaxEvents 5";
    match status.exit_code {
        ServiceExitCode::Win32(0) => "nothing was wrong; the coordinator has drained it".to_owned(),
        ServiceExitCode::Win32(code) => failure::about(code),
        ServiceExitCode::ServiceSpecific(code) => {
            format!("exit code {code}; the event log says why (`{EVENTS}` in PowerShell)")
        }
    }
}

/// Stops it, and waits until it has ended.
pub(super) fn stop() -> Result<ExitCode, Failure> {
    let service = open("stop", ServiceAccess::STOP | ServiceAccess::QUERY_STATUS)?;
    screen::chat(if end(&service, "stop")? {
        "the service trc2npy-worker has ended"
    } else {
        "the service trc2npy-worker does not run"
    });
    Ok(ExitCode::SUCCESS)
}

/// Whether it ran.
fn end(service: &Service, doing: &'static str) -> Result<bool, Failure> {
    let refused = |error: windows_service::Error| Refused::new(doing, &error);
    let before = wait(service, doing, STARTING, |state| state != ServiceState::StartPending)?;
    match before.current_state {
        ServiceState::Stopped => return Ok(false),
        ServiceState::StopPending => {}
        _ => match service.stop().map_err(refused) {
            Ok(_) => {}
            Err(error) if error.is(ERROR_SERVICE_NOT_ACTIVE) => return Ok(false),
            Err(error) => return Err(error.into()),
        },
    }
    wait(service, doing, DRAINING + 2 * GIVING_BACK, |state| {
        state == ServiceState::Stopped
    })?;
    Ok(true)
}

/// Ends it, and takes its registration away.
pub(super) fn remove() -> Result<ExitCode, Failure> {
    const DOING: &str = "remove";
    let refused = |error: windows_service::Error| Refused::new(DOING, &error);
    let access = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE;
    let was = match open(DOING, access) {
        Ok(service) => {
            end(&service, DOING)?;
            match service.delete().map_err(refused) {
                Err(error) if !error.is(ERROR_SERVICE_MARKED_FOR_DELETE) => return Err(error.into()),
                _ => {}
            }
            Was::There
        }
        Err(error) if error.is(ERROR_SERVICE_DOES_NOT_EXIST) => Was::Missing,
        Err(error) => return Err(error.into()),
    };
    source::remove()?;
    if was == Was::Missing {
        screen::chat("the service trc2npy-worker is not installed: there is nothing to remove");
        return Ok(ExitCode::SUCCESS);
    }
    let until = Instant::now() + VANISHING;
    while open(DOING, ServiceAccess::QUERY_STATUS).is_ok() {
        if Instant::now() > until {
            screen::chat(
                "the service trc2npy-worker has ended and goes once nobody looks at it any more: close the windows of services \
                 and of the task manager",
            );
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(LOOK);
    }
    screen::chat("the service trc2npy-worker is removed");
    Ok(ExitCode::SUCCESS)
}

/// Waits for a state.
fn wait(
    service: &Service,
    doing: &'static str,
    patience: Duration,
    is: impl Fn(ServiceState) -> bool,
) -> Result<ServiceStatus, Failure> {
    let until = Instant::now() + patience;
    loop {
        let status = service.query_status().map_err(|error| Refused::new(doing, &error))?;
        if is(status.current_state) {
            return Ok(status);
        }
        if Instant::now() > until {
            return Err(Failure::Work {
                code: 1,
                message: format!(
                    "cannot {doing} the service {NAME}: it has been in the state {:?} for {} seconds; where it stays there, \
                     end its process by the task manager, and try again",
                    status.current_state,
                    patience.as_secs()
                ),
            });
        }
        thread::sleep(LOOK);
    }
}
