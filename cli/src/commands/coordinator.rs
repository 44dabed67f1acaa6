//! `coordinator`: takes jobs and leads workers, until it is asked to end.

use std::process::ExitCode;

use trc2npy_common::resources::Awake;
use trc2npy_common::roots::Roots;
use trc2npy_coordinator::journal;
use trc2npy_coordinator::{Coordinator, CoordinatorConfig, CoordinatorError, HttpConfig, Token};

use trc2npy_telemetry::Tell;

use super::client::{allow, one_way};
use super::health;
use crate::failure::Failure;
use crate::options::{CoordinatorAction, CoordinatorOptions, JournalAction};
use crate::{screen, signals, telemetry};

/// Shards of one job that are copied side by side: storage gains no more from more.
pub(crate) const STITCH_THREADS: usize = 4;

/// Runs a coordinator, looks at the records of one that is not running, or asks one how it is.
pub(crate) fn run(options: &CoordinatorOptions) -> Result<ExitCode, Failure> {
    match &options.action {
        Some(CoordinatorAction::Journal(action)) => look(action),
        Some(CoordinatorAction::Health(address)) => health::run(address),
        None => lead(options),
    }
}

fn lead(options: &CoordinatorOptions) -> Result<ExitCode, Failure> {
    let state = options.state.clone().expect("clap asks for it");
    one_way(options.insecure, options.certs.is_some())?;
    let is_sealed = options.certs.is_some();
    allow(&options.listen, options.insecure || is_sealed).map_err(|_| {
        Failure::Options(format!(
            "--listen {}: others than this machine could reach it, without encryption and without asking who they are: give it \
             a certificate (--certs DIR; see trc2npy certs), add --insecure where you trust the network, or listen on 127.0.0.1",
            options.listen
        ))
    })?;
    let listen = options
        .listen
        .to_listen()
        .map_err(|error| Failure::Options(format!("--listen {}: {error}", options.listen)))?;
    let http = page(options)?;
    let roots = Roots::parse(&options.roots).map_err(|error| Failure::Options(error.to_string()))?;
    let config = CoordinatorConfig {
        listen,
        roots,
        state,
        stitch_threads: STITCH_THREADS,
        spans: telemetry::spans(),
        certs: options.certs.clone(),
        authority: options.ca.clone(),
        http,
        tell: Tell::new(screen::line),
    };
    // A machine that sleeps leads nobody. Before the journal is open: what keeps it awake is another program, which for a moment
    // holds all that is open here, and with it the lock of a coordinator that is killed in this moment.
    let awake = Awake::keep("leads the machines that convert .trc files");
    let coordinator = Coordinator::start(config).map_err(failed)?;
    telemetry::measure(coordinator.metrics())?;
    let stop = coordinator.stopper();
    // Without it a signal ends the program at once: the journal is whole at any moment.
    signals::on_end(move |_| stop());
    if options.insecure && !options.listen.is_loopback() {
        Tell::new(screen::line).warn(
            "--insecure: nothing is encrypted, and whoever reaches this machine may submit jobs and take leases; trc2npy certs \
             makes certificates",
        );
    }
    for address in coordinator.addresses() {
        log(&format!("listening on {address}"));
    }
    let scheme = if is_sealed { "https" } else { "http" };
    for address in coordinator.pages() {
        log(&format!("status page on {scheme}://{address}/"));
    }
    let ended = coordinator.wait();
    drop(awake);
    ended.map_err(failed)?;
    log("ended; the same command goes on with its jobs");
    Ok(ExitCode::SUCCESS)
}

/// How the status page is served, where it is asked for.
fn page(options: &CoordinatorOptions) -> Result<Option<HttpConfig>, Failure> {
    let Some(address) = &options.http else { return Ok(None) };
    let token = options.http_token_file.as_deref().map(Token::read).transpose();
    let token = token.map_err(|error| Failure::Options(format!("--http-token-file {error}")))?;
    if token.is_none() {
        allow(address, options.insecure).map_err(|_| {
            Failure::Options(format!(
                "--http {address}: others than this machine could read the status page: give it a token that they must know \
                 (--http-token-file FILE), add --insecure where you trust the network, or serve it on 127.0.0.1"
            ))
        })?;
    } else if options.certs.is_none() {
        allow(address, options.insecure).map_err(|_| {
            Failure::Options(format!(
                "--http {address}: the token and the page would go over the network in plain text: give the coordinator a \
                 certificate (--certs DIR), add --insecure where you trust the network, or serve it on 127.0.0.1"
            ))
        })?;
    }
    let listen = address
        .to_listen()
        .map_err(|error| Failure::Options(format!("--http {address}: {error}")))?;
    Ok(Some(HttpConfig { listen, token }))
}

/// What the program itself says.
pub(crate) fn log(text: &str) {
    Tell::new(screen::line).info(text);
}

fn look(action: &JournalAction) -> Result<ExitCode, Failure> {
    match action {
        JournalAction::Check(options) => {
            let findings = journal::check(&options.state).map_err(|error| Failure::work(1, &error))?;
            if findings.is_empty() {
                screen::tell("the journal is sound")?;
                return Ok(ExitCode::SUCCESS);
            }
            for finding in &findings {
                screen::show(finding)?;
            }
            Ok(1.into())
        }
        JournalAction::Dump(options) => {
            screen::show_json(&journal::dump(&options.state).map_err(|error| Failure::work(1, &error))?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err has it")]
fn failed(error: CoordinatorError) -> Failure {
    Failure::work(1, &error)
}
