//! `worker`: converts what a coordinator leases, until it is asked to end.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io, thread};

use serde_json::json;
use trc2npy_certs::{Folder, JoinToken, Role, is_of_use};
use trc2npy_common::resources::{self, Machine, default_memory_limit};
use trc2npy_common::roots::Roots;
use trc2npy_proto::link::{Address, Destination};
use trc2npy_proto::worker_name;
use trc2npy_telemetry::Tell;
use trc2npy_worker::{Control, Ended, Probe, WorkerConfig};

use super::certs;
use super::client::destination;
use super::coordinator::log;
use crate::failure::{Failure, INTERRUPTED};
use crate::options::{self, CoordinatorAddress, MachineOptions, WorkerAction, WorkerOptions};
use crate::signals::{self, Asked};
use crate::{screen, service, telemetry};

/// Works, or shows what would be reported.
pub(crate) fn run(options: &WorkerOptions) -> Result<ExitCode, Failure> {
    match &options.action {
        Some(WorkerAction::Apart) => {
            let served = trc2npy_worker::apart::serve(io::stdin(), io::stdout().lock());
            served.map_err(|error| Failure::Work {
                code: 1,
                message: format!(
                    "trc2npy worker apart: {error} (workers start this by themselves, with a lease as its input)"
                ),
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Some(WorkerAction::Probe(probe)) => {
            let config = config(Destination::open(probe.address.coordinator.clone()), &probe.machine)?;
            show(&trc2npy_worker::probe(&config), &config, probe.json)
        }
        Some(WorkerAction::Service(action)) => service::act(action),
        None => {
            let config = judge(&options.address, options.join.token.as_ref(), &options.machine)?;
            let control = Control::new();
            obey_signals(&control);
            if let Some(after) = options.drain_after {
                drain_after(after, &control)?;
            }
            work(&config, options.machine.nice, &control)
        }
    }
}

/// Fetches this machine's certificate, unless it has one: the same command line may be run at each start.
fn join_once(address: &Address, token: &JoinToken, name: &str, folder: &Path) -> Result<(), Failure> {
    if is_of_use(folder, token) {
        log(&format!(
            "{}: there is a certificate already; --join is not needed",
            folder.display()
        ));
        return Ok(());
    }
    let joined = certs::join(address, token, name, folder)?;
    log(&format!(
        "certificate of {} fetched into {}",
        joined.identity.name,
        folder.display()
    ));
    Ok(())
}

/// What its owner should know of how it connects.
fn warn(address: &CoordinatorAddress) {
    let tell = Tell::new(screen::line);
    if let Some(folder) = &address.trust.certs {
        let warnings = Folder::read(folder).map_or_else(|_| Vec::new(), |folder| folder.warnings());
        for warning in warnings {
            tell.warn(&warning);
        }
    } else if address.trust.insecure && !address.coordinator.is_loopback() {
        tell.warn(
            "--insecure: nothing is encrypted, and whoever answers there is believed; trc2npy certs makes certificates",
        );
    }
}

/// The settings, where a worker with them may work. `join`: what this machine's certificate is fetched with, where it has none.
pub(crate) fn judge(
    address: &CoordinatorAddress,
    join: Option<&JoinToken>,
    machine: &MachineOptions,
) -> Result<WorkerConfig, Failure> {
    if let (Some(token), Some(folder)) = (join, &address.trust.certs) {
        join_once(&address.coordinator, token, &name(machine)?, folder)?;
    }
    let destination = destination(&address.coordinator, &address.trust, Role::Worker)?;
    warn(address);
    config(destination, machine)
}

/// The first signal drains, the next one stops.
fn obey_signals(control: &Control) {
    let asked = control.clone();
    // Without it a signal ends the program at once: others make its rows then.
    signals::on_end(move |how| {
        if how == Asked::ToEnd && asked.signal() {
            log("finishing what is in hand, taking nothing more; press Ctrl-C again to give it back at once");
        } else {
            asked.stop();
            log("giving back what is in hand");
        }
    });
}

/// Drains by itself, before somebody's time limit.
fn drain_after(time: Duration, control: &Control) -> Result<(), Failure> {
    let asked = control.clone();
    // Ends with the program, which ends as soon as all is done.
    let timer = move || {
        thread::sleep(time);
        if asked.drain() {
            log("--drain-after: finishing what is in hand, taking nothing more");
        }
    };
    thread::Builder::new().name("drain-after".to_owned()).spawn(timer)?;
    Ok(())
}

/// Works until there is an end.
pub(crate) fn work(config: &WorkerConfig, nice: bool, control: &Control) -> Result<ExitCode, Failure> {
    options::give_way(nice);
    log(&format!(
        "worker {}, {} at a time",
        config.name,
        screen::counted(config.threads as u64, "lease")
    ));
    match trc2npy_worker::run(config, control) {
        Ok(Ended::Drained) => log("ended: what was in hand is done"),
        Ok(Ended::Dismissed) => log("ended: the coordinator has drained this worker"),
        Ok(Ended::Stopped) => {
            log("ended: what was in hand is given back");
            return Ok(INTERRUPTED.into());
        }
        Err(error) => return Err(Failure::work(1, &error)),
    }
    Ok(ExitCode::SUCCESS)
}

fn name(options: &MachineOptions) -> Result<String, Failure> {
    match &options.name {
        Some(name) => Ok(name.clone()),
        None => worker_name(&resources::host_name())
            .map(str::to_owned)
            .map_err(|error| Failure::Options(format!("this machine's name: {error}; give the worker one by --name"))),
    }
}

fn config(coordinator: Destination, options: &MachineOptions) -> Result<WorkerConfig, Failure> {
    let machine = Machine::detect();
    Ok(WorkerConfig {
        coordinator,
        name: name(options)?,
        roots: Roots::parse(&options.roots).map_err(|error| Failure::Options(error.to_string()))?,
        threads: options.cpus.map_or_else(|| options::threads(&machine), Into::into),
        memory_limit: options.memory.unwrap_or_else(|| default_memory_limit(&machine)),
        memory_threshold: options.memory_threshold,
        io: options.io,
        apart: apart()?,
        spans: telemetry::spans(),
        tell: Tell::new(screen::line),
    })
}

/// The command for a lease in a process of its own: this program.
pub(crate) fn apart() -> Result<Vec<OsString>, Failure> {
    let program = env::current_exe()?.into_os_string();
    Ok(vec![program, "worker".into(), "apart".into()])
}

fn show(probe: &Probe, config: &WorkerConfig, as_json: bool) -> Result<ExitCode, Failure> {
    let machine = &probe.machine;
    if as_json {
        let roots: Vec<_> = probe
            .roots
            .iter()
            .map(|(name, path, free)| json!({"name": name, "path": path, "bytes_free": free}))
            .collect();
        screen::show_json(&json!({
            "name": config.name,
            "coordinator": config.coordinator.to_string(),
            "system": env::consts::OS,
            "cpu": machine.cpu,
            "cores": machine.usable_cores,
            "memory_total": machine.memory_total,
            "memory_available": probe.memory_available,
            "memory_limit": config.memory_limit,
            "memory_pressure": probe.memory_pressure,
            "leases": probe.slots,
            "roots": roots,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut facts = vec![
        ("name".to_owned(), config.name.clone()),
        ("coordinator".to_owned(), format!("{}, not asked", config.coordinator)),
        (
            "processor".to_owned(),
            format!(
                "{}, {} usable",
                machine.cpu,
                screen::counted(machine.usable_cores as u64, "core")
            ),
        ),
        (
            "memory".to_owned(),
            format!(
                "{} of {} free, at most {} for plans, buffers and mapped input",
                probe.memory_available, machine.memory_total, config.memory_limit
            ),
        ),
        (
            "leases".to_owned(),
            if probe.memory_pressure {
                "none: memory is fuller than --memory-threshold allows".to_owned()
            } else {
                format!("{} at a time", probe.slots)
            },
        ),
    ];
    for (name, path, free) in &probe.roots {
        let free = free.map_or("free space unknown".to_owned(), |free| format!("{free} free"));
        facts.push((format!("root {name}"), format!("{}, {free}", path.display())));
    }
    screen::show(&screen::fitted_facts(
        facts.iter().map(|(name, fact)| (name.as_str(), fact.clone())),
        screen::width(),
    ))?;
    Ok(ExitCode::SUCCESS)
}
