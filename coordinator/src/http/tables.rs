//! What stands in tables: the workers, and whatever else has rows and columns.

use trc2npy_common::units::{Bytes, counted};

use super::node::{Element, element};
use super::page::{note, section};
use super::snapshot::Worker;

/// A table that stays one for a screen reader where CSS makes cards of its rows: by its roles.
pub(super) fn table(caption: &str, heads: &[&str], rows: impl Iterator<Item = Element>) -> Element {
    let head = |text: &&str| {
        element("th")
            .with("scope", "col")
            .with("role", "columnheader")
            .text(*text)
    };
    let heads = element("tr").with("role", "row").all(heads.iter().map(head));
    element("table")
        .with("role", "table")
        .add(element("caption").text(caption))
        .add(element("thead").with("role", "rowgroup").add(heads))
        .add(element("tbody").with("role", "rowgroup").all(rows))
}

pub(super) fn cell(label: &str, text: &str) -> Element {
    element("td").with("role", "cell").with("data-label", label).text(text)
}

const UNKNOWN: &str = "not known yet";
const COLUMNS: [&str; 7] = [
    "Worker",
    "State",
    "In hand",
    "Speed",
    "Processors",
    "Memory",
    "Disk free",
];

/// The workers that are connected.
pub(super) fn workers(workers: &[Worker]) -> Element {
    let section = section("workers", "Workers");
    if workers.is_empty() {
        return section.add(note("No worker is connected."));
    }
    let caption = counted(workers.len() as u64, "connected worker");
    section.add(table(&caption, &COLUMNS, workers.iter().map(worker)))
}

fn worker(worker: &Worker) -> Element {
    let name = element("th")
        .with("scope", "row")
        .with("role", "rowheader")
        .text(worker.name.clone())
        .add(element("small").text(format!(
            "{} {}, {}",
            worker.system,
            worker.version,
            worker.roots.join(", ")
        )));
    let heard = match worker.heard_s {
        0 => "heard just now".to_owned(),
        seconds => format!("last heard {seconds} s ago"),
    };
    let mut state = cell("State", &worker.state);
    if !worker.why.is_empty() {
        state = state.add(element("small").text(worker.why.clone()));
    }
    let state = state.add(element("small").text(heard));
    let in_hand = cell("In hand", &format!("{} of {}", worker.leases, worker.slots))
        .all(worker.in_hand.iter().map(|lease| element("small").text(lease.clone())));
    let speed = match worker.speed {
        0 => UNKNOWN.to_owned(),
        speed => format!("{}/s a lease", Bytes(speed)),
    };
    let speed = cell("Speed", &speed).add(element("small").text(format!("{} delivered", Bytes(worker.bytes_done))));
    let cpu = percent_of(worker.cpu_used);
    let cpu = cell(
        "Processors",
        &format!("{cpu} of {}", counted(worker.cores.into(), "core")),
    )
    .add(meter(
        worker.cpu_used,
        &format!("{cpu} of the processors of {} in use", worker.name),
    ));
    let disk = worker
        .disk_free
        .map_or(UNKNOWN.to_owned(), |free| Bytes(free).to_string());
    element("tr")
        .with("role", "row")
        .with("data-key", format!("worker-{}", worker.name))
        .add(name)
        .add(state)
        .add(in_hand)
        .add(speed)
        .add(cpu)
        .add(memory(worker))
        .add(cell("Disk free", &disk))
}

fn memory(worker: &Worker) -> Element {
    let Some(free) = worker.memory_available else {
        return cell("Memory", UNKNOWN);
    };
    let used = worker.memory_total.saturating_sub(free);
    let share = used as f64 / worker.memory_total.max(1) as f64;
    cell("Memory", &format!("{} of {}", Bytes(used), Bytes(worker.memory_total)))
        .add(meter(share, &format!("memory of {} in use", worker.name)))
        .add(element("small").text(format!("{} its own", Bytes(worker.memory_own))))
}

fn percent_of(share: f64) -> String {
    format!("{:.0} %", share.clamp(0.0, 1.0) * 100.0)
}

fn meter(share: f64, label: &str) -> Element {
    element("meter")
        .with("min", 0)
        .with("max", 1)
        .with("high", 0.9)
        .with("value", format!("{:.2}", share.clamp(0.0, 1.0)))
        .with("aria-label", label)
}
