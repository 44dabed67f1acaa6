//! `workers`, `drain`: the machines that work for a coordinator.

use std::process::ExitCode;

use serde_json::json;
use trc2npy_common::units::Bytes;
use trc2npy_proto::v1::{DrainRequest, ListWorkersRequest, Worker};

use super::client::Client;
use crate::failure::Failure;
use crate::options::{DrainOptions, ListOptions};
use crate::screen::{self, count, counted};

/// `workers`
pub(crate) fn list(options: &ListOptions) -> Result<ExitCode, Failure> {
    let client = Client::connect(&options.address)?;
    let reply = client
        .fleet(async |mut fleet| fleet.list(ListWorkersRequest {}).await)?
        .into_inner();
    if options.json {
        screen::show_json(&reply.workers.iter().map(record).collect::<Vec<_>>())?;
    } else if reply.workers.is_empty() {
        let none = "no worker is connected: start trc2npy worker on the machines that see the files";
        screen::show(&screen::prose(none, screen::width()))?;
    } else {
        let rows: Vec<Vec<String>> = reply.workers.iter().map(row).collect();
        screen::show(&screen::fitted_table(
            &[
                "worker",
                "state",
                ">leases",
                ">cores",
                ">memory free",
                ">MB/s a lease",
                ">done",
                "why",
            ],
            &rows,
            screen::width(),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `drain`
pub(crate) fn drain(options: &DrainOptions) -> Result<ExitCode, Failure> {
    let client = Client::connect(&options.address)?;
    let worker = options.worker.clone();
    let reply = client
        .fleet(async |mut fleet| fleet.drain(DrainRequest { worker }).await)?
        .into_inner();
    let left = match reply.leases {
        0 => "has nothing in hand and ends".to_owned(),
        leases => format!("finishes {}, then ends", counted(leases.into(), "lease")),
    };
    let told = format!("worker {} {left}", options.worker);
    screen::tell(&screen::prose(&told, screen::width()))?;
    Ok(ExitCode::SUCCESS)
}

fn row(worker: &Worker) -> Vec<String> {
    vec![
        worker.name.clone(),
        worker.state.clone(),
        format!("{} of {}", worker.leases, worker.slots),
        count(worker.cores.into()),
        Bytes(worker.memory_available).to_string(),
        if worker.speed == 0 {
            "-".to_owned()
        } else {
            format!("{:.1}", worker.speed as f64 / 1e6)
        },
        Bytes(worker.bytes_done).to_string(),
        worker.why.clone(),
    ]
}

fn record(worker: &Worker) -> serde_json::Value {
    json!({
        "worker": worker.name,
        "version": worker.version,
        "system": worker.system,
        "state": worker.state,
        "why": (!worker.why.is_empty()).then_some(&worker.why),
        "leases": worker.leases,
        "slots": worker.slots,
        "cores": worker.cores,
        "cpu_used": worker.cpu_used,
        "memory_total": worker.memory_total,
        "memory_available": worker.memory_available,
        "disk_free": (worker.disk_free > 0).then_some(worker.disk_free),
        "bytes_per_second_a_lease": (worker.speed > 0).then_some(worker.speed),
        "bytes_done": worker.bytes_done,
        "roots": worker.roots,
    })
}
