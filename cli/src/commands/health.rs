//! `coordinator health`: whether a coordinator answers, for programs that start it again where it does not.
//!
//! It asks the health service, which never waits for the owner of the jobs: one that is busy is well. And it asks once: who
//! calls it every few seconds has a patience of his own.

use std::process::ExitCode;
use std::time::Duration;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use trc2npy_certs::Role;
use trc2npy_proto::link::{Destination, wants_certificates};

use super::client::destination;
use crate::failure::Failure;
use crate::options::CoordinatorAddress;
use crate::screen;

/// From the first packet to the answer. A machine under load takes seconds; whoever gives up earlier learns nothing.
const DEADLINE: Duration = Duration::from_secs(8);

/// Exit code 0 where the coordinator serves.
pub(crate) fn run(address: &CoordinatorAddress) -> Result<ExitCode, Failure> {
    let coordinator = destination(&address.coordinator, &address.trust, Role::Client)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(DEADLINE, ask(&coordinator)).await });
    // A name lookup that hangs must not keep the program from ending.
    runtime.shutdown_background();
    let answer = answer.unwrap_or_else(|_| {
        Err(format!(
            "the coordinator at {coordinator} takes connections and has not answered within {} s",
            DEADLINE.as_secs()
        ))
    });
    answer.map_err(|message| Failure::Work { code: 1, message })?;
    screen::tell(&format!("the coordinator at {coordinator} answers"))?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(coordinator: &Destination) -> Result<(), String> {
    let channel = coordinator.connect().await.map_err(|error| error.to_string())?;
    let request = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(channel).check(request).await;
    match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(other) => Err(format!(
            "the coordinator at {coordinator} says of itself: {}",
            other.as_str_name()
        )),
        Err(status) if wants_certificates(&status) => Err(format!(
            "the coordinator at {coordinator} asks for certificates: --certs DIR"
        )),
        Err(status) => Err(format!(
            "the coordinator at {coordinator} does not tell how it is: {}",
            status.message()
        )),
    }
}
