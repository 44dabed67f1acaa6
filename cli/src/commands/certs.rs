//! `certs`: a lab's own certificates.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use trc2npy_certs::{Asked, Authority, CertsError, Folder, Identity, JoinToken, KeyRequest, Role, day};
use trc2npy_common::resources;
use trc2npy_proto::link::{Address, Destination, Trust};
use trc2npy_proto::v1::JoinRequest;

use super::client::Client;
use crate::failure::Failure;
use crate::options::{CertsAction, CertsOptions, InitOptions, IssueOptions, JoinTokenOptions, ShowOptions};
use crate::screen;

/// By these a coordinator's own machine reaches it.
const ITSELF: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Does what is asked.
pub(crate) fn run(options: &CertsOptions) -> Result<ExitCode, Failure> {
    match &options.action {
        CertsAction::Init(options) => init(options),
        CertsAction::Issue(options) => issue(options),
        CertsAction::JoinToken(options) => join_token(options),
        CertsAction::Join(options) => {
            let name = options.name.clone().unwrap_or_else(resources::host_name);
            let folder = join(&options.coordinator, &options.token, &name, &options.certs)?;
            screen::tell(&told(&folder.identity, &options.certs))?;
            Ok(ExitCode::SUCCESS)
        }
        CertsAction::Show(options) => show(options),
    }
}

fn init(options: &InitOptions) -> Result<ExitCode, Failure> {
    let path = &options.ca.ca;
    let authority = Authority::create(path, &options.lab).map_err(failed)?;
    screen::tell(&format!(
        "the lab's CA is in {}\n  fingerprint  {}\n\nkeep {} to yourself: whoever has it can do everything here",
        path.display(),
        authority.fingerprint,
        path.join("ca.key").display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn issue(options: &IssueOptions) -> Result<ExitCode, Failure> {
    let authority = open(&options.ca.ca)?;
    let folder = options
        .out
        .clone()
        .unwrap_or_else(|| authority.folder_of(&options.name));
    // A renewed certificate is for what it was for. One of somebody else is refused below.
    let before = Folder::read(&folder).ok().map(|folder| folder.identity);
    let mut roles = options.roles.clone();
    if roles.is_empty() {
        match &before {
            Some(before) => roles.extend(before.roles.iter()),
            None => roles.push(Role::Worker),
        }
    }
    let leads = roles.contains(&Role::Coordinator);
    if !leads && !options.hosts.is_empty() {
        return Err(Failure::Options(
            "--host: only a coordinator is reached by others: add --role coordinator, or leave --host out".to_owned(),
        ));
    }
    let mut hosts = options.hosts.clone();
    if leads {
        if hosts.is_empty() {
            hosts = before.map_or_else(Vec::new, |before| before.hosts);
        }
        if hosts.is_empty() {
            hosts.push(options.name.clone());
        }
        for itself in ITSELF {
            if !hosts.iter().any(|host| host == itself) {
                hosts.push(itself.to_owned());
            }
        }
    }
    let asked = Asked {
        name: options.name.clone(),
        roles: roles.into_iter().collect(),
        hosts,
        days: options.days,
    };
    let issued = authority.issue(&asked, Some(&folder)).map_err(failed)?;
    screen::tell(&told(&issued.identity, &issued.folder))?;
    if issued.is_renewed {
        screen::tell("it replaces the one that was there; that stays valid until its own end")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn open(ca: &Path) -> Result<Authority, Failure> {
    let authority = Authority::open(ca).map_err(failed)?;
    if let Some(warning) = authority.warning() {
        screen::remark(&format!("warning: {warning}"));
    }
    Ok(authority)
}

fn join_token(options: &JoinTokenOptions) -> Result<ExitCode, Failure> {
    if options.roles.contains(&Role::Coordinator) {
        return Err(Failure::Options(
            "--role coordinator: others must be able to trust it before they can ask it: use trc2npy certs issue"
                .to_owned(),
        ));
    }
    let authority = open(&options.ca.ca)?;
    let token = authority.token(options.roles.iter().copied().collect(), options.name.clone());
    // Alone on its line, so that scripts can take it.
    screen::show(&token.map_err(failed)?.to_string())?;
    screen::remark(
        "valid once, for 15 minutes: trc2npy worker --join TOKEN, or trc2npy certs join TOKEN, on the machine",
    );
    Ok(ExitCode::SUCCESS)
}

/// Fetches this machine's certificate into `folder`.
pub(crate) fn join(address: &Address, token: &JoinToken, name: &str, folder: &Path) -> Result<Folder, Failure> {
    let asked = KeyRequest::new(name, folder, token).map_err(failed)?;
    let client = Client::connect_to(&Destination {
        address: address.clone(),
        trust: Trust::Token(token.clone()),
    })?;
    let request = JoinRequest {
        token: token.to_string(),
        name: name.to_owned(),
        request: asked.request.clone(),
    };
    let reply = client.certificates(async |mut certificates| certificates.join(request).await)?;
    let reply = reply.into_inner();
    asked
        .install(folder, &reply.certificate, &reply.authority)
        .map_err(failed)
}

fn show(options: &ShowOptions) -> Result<ExitCode, Failure> {
    let folder = Folder::read(&options.dir).map_err(failed)?;
    let identity = &folder.identity;
    let mut troubles = identity.roles.iter().filter_map(|role| folder.check(role).err());
    let trouble = match troubles.next() {
        // One without a role lets nobody do anything.
        None if identity.roles.iter().next().is_none() => folder.check(Role::Worker).err(),
        trouble => trouble,
    };
    if options.json {
        screen::show_json(&json!({
            "name": identity.name,
            "roles": identity.roles,
            "hosts": identity.hosts,
            "issuer": identity.issuer,
            "not_before": identity.not_before.to_string(),
            "not_after": identity.not_after.to_string(),
            "days_left": identity.days_left(),
            "fingerprint": identity.fingerprint.to_string(),
            "trouble": trouble.as_ref().map(ToString::to_string),
        }))?;
    } else {
        screen::show(&facts(identity))?;
        folder
            .warnings()
            .iter()
            .for_each(|warning| screen::remark(&format!("warning: {warning}")));
    }
    match trouble {
        Some(trouble) => Err(failed(trouble)),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn facts(identity: &Identity) -> String {
    let mut facts = vec![
        ("name", identity.name.clone()),
        ("for", identity.roles.to_string()),
        ("issued by", identity.issuer.clone()),
        (
            "valid",
            format!("{} to {}", day(identity.not_before), day(identity.not_after)),
        ),
        ("fingerprint", identity.fingerprint.to_string()),
    ];
    if !identity.hosts.is_empty() {
        facts.insert(2, ("reached by", identity.hosts.join(", ")));
    }
    screen::fitted_facts(facts, screen::width())
}

fn told(identity: &Identity, folder: &Path) -> String {
    format!("{}\n\n{}", folder.display(), facts(identity))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err has it")]
fn failed(error: CertsError) -> Failure {
    match error {
        CertsError::Name(_) | CertsError::Host(_) | CertsError::TokenForm => Failure::Options(error.to_string()),
        _ => Failure::work(1, &error),
    }
}
