//! `worker service`: a worker that Windows starts with the machine.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Subcommand};

use super::cluster::{CoordinatorAddress, JoinOptions, MachineOptions};

/// The environment variable that an account's password is taken from: what stands on a command line, others can see.
#[cfg(windows)]
pub(crate) const SERVICE_PASSWORD: &str = "TRC2NPY_SERVICE_PASSWORD";

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum ServiceAction {
    /// Register it, with the options of `worker`; given again, it has the new ones from its next start on
    Install(Box<InstallOptions>),
    /// Start it, and wait until it works
    Start,
    /// Let it finish what it has in hand, and wait until it has ended
    Stop,
    /// Stop it, and take its registration away
    Remove,
    /// Be the service; Windows starts this by itself
    #[command(hide = true)]
    Run(Box<RunOptions>),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct InstallOptions {
    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,

    #[command(flatten)]
    pub(crate) join: JoinOptions,

    #[command(flatten)]
    pub(crate) machine: MachineOptions,

    /// Whom it runs as, as LAB\daq, or .\daq for a user of this machine; its password is asked for, or taken from
    /// TRC2NPY_SERVICE_PASSWORD [default: LocalService, whom other machines do not know]
    #[arg(long, value_name = "ACCOUNT", help_heading = "Service")]
    pub(crate) account: Option<String>,

    /// What the service is started with: all that was set here, in a form that means the same in any folder.
    #[arg(skip)]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,

    #[command(flatten)]
    pub(crate) machine: MachineOptions,
}

/// Options of `install` that are not the worker's.
const OWN: [&str; 2] = ["account", "token"];
/// Its value has a path behind a name.
const ROOTS: &str = "roots";

/// Whether a service is to be registered: then the log's file is the service's, and this call leaves it alone.
pub(super) fn installs(matches: &ArgMatches) -> Option<&ArgMatches> {
    let service = matches.subcommand_matches("worker")?.subcommand_matches("service")?;
    service.subcommand_matches("install")
}

/// What was set, by the command line or the environment, as arguments of the service: whoever starts it has another
/// environment and another folder.
pub(super) fn arguments(command: &Command, install: &ArgMatches) -> Vec<OsString> {
    let worker = command.find_subcommand("worker");
    let service = worker.and_then(|worker| worker.find_subcommand("service"));
    let own = service.and_then(|service| service.find_subcommand("install"));
    let of_all = command.get_arguments().filter(|arg| arg.is_global_set());
    let all = own.into_iter().flat_map(Command::get_arguments).chain(of_all);
    all.filter(|arg| !OWN.contains(&arg.get_id().as_str()))
        .flat_map(|arg| written(arg, install))
        .collect()
}

fn written(arg: &Arg, install: &ArgMatches) -> Vec<OsString> {
    let id = arg.get_id().as_str();
    // Help and version are asked for, not set.
    let is_set = matches!(
        install
            .try_get_raw(id)
            .is_ok()
            .then(|| install.value_source(id))
            .flatten(),
        Some(ValueSource::CommandLine | ValueSource::EnvVariable)
    );
    let Some(name) = arg.get_long().filter(|_| is_set) else {
        return Vec::new();
    };
    match arg.get_action() {
        ArgAction::SetTrue => vec![format!("--{name}").into()],
        _ => install
            .get_raw(id)
            .into_iter()
            .flatten()
            .map(|value| {
                let mut word = OsString::from(format!("--{name}="));
                word.push(anywhere(arg, value));
                word
            })
            .collect(),
    }
}

/// The value as it means the same in any folder.
fn anywhere(arg: &Arg, value: &OsStr) -> OsString {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if arg.get_id() == ROOTS {
        let text = value.to_string_lossy();
        return match text.split_once('=') {
            Some((name, path)) if !path.is_empty() => {
                let mut root = OsString::from(format!("{name}="));
                root.push(whole(Path::new(path)));
                root
            }
            _ => value.to_owned(),
        };
    }
    if arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() {
        return whole(Path::new(value)).into_os_string();
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::command;

    #[test]
    fn a_service_is_started_with_all_that_was_set_and_nothing_else() {
        let words = "trc2npy --log-file here/log worker service install --root data=lab --root out=/mnt/out --coordinator pc1:7070 \
                     --insecure --cpus 2 --memory 1GiB --account daq --quiet";
        let matches = command().try_get_matches_from(words.split_whitespace()).unwrap();
        let install = installs(&matches).unwrap();
        let here = std::env::current_dir().unwrap();
        let whole = |path: &str| std::path::absolute(path).unwrap().display().to_string();
        let expected = [
            "--coordinator=pc1:7070".to_owned(),
            "--insecure".to_owned(),
            format!("--root=data={}", here.join("lab").display()),
            format!("--root=out={}", whole("/mnt/out")),
            "--cpus=2".to_owned(),
            "--memory=1GiB".to_owned(),
            "--quiet".to_owned(),
            format!("--log-file={}", here.join("here").join("log").display()),
        ];
        let found = arguments(&command(), install);
        assert_eq!(found, expected.map(OsString::from));

        // The service understands them.
        let started = ["trc2npy", "worker", "service", "run"].map(OsString::from);
        let matches = command()
            .try_get_matches_from(started.into_iter().chain(found))
            .unwrap();
        assert!(installs(&matches).is_none());
    }
}
