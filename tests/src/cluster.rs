//! A coordinator, workers and clients, each the real binary in a process of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::call::Call;
use crate::process::Running;

/// One coordinator's place in the world: a storage root, a state folder, a port. Processes come and go.
#[derive(Debug)]
pub struct Cluster {
    root: PathBuf,
    state: PathBuf,
    port: u16,
}

impl Cluster {
    /// Has `root` as the root `data`, and the state beside it.
    ///
    /// # Panics
    /// Where no port is free.
    pub fn new(root: &Path) -> Self {
        // Free now; whoever takes it in the meantime makes the test fail, not lie.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self {
            root: root.to_owned(),
            state: root.with_file_name("state"),
            port: port.expect("a free port").port(),
        }
    }

    /// The folder behind `data`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The coordinator's state.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Where the coordinator listens.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `data=...`
    pub fn mapping(&self) -> String {
        format!("data={}", self.root.display())
    }

    /// The call that starts the coordinator.
    pub fn coordinator(&self) -> Call {
        let (address, mapping) = (self.address(), self.mapping());
        Call::of("coordinator")
            .args(["--listen", &address, "--root", &mapping, "--state"])
            .args([&self.state])
    }

    /// The call that starts a worker.
    pub fn worker(&self, name: &str) -> Call {
        self.worker_with(name, &self.mapping())
    }

    /// The same with another mapping.
    pub fn worker_with(&self, name: &str, mapping: &str) -> Call {
        self.as_worker(Call::of("worker"), name, mapping)
    }

    /// What makes a call of `worker` one of this cluster.
    pub fn as_worker(&self, call: Call, name: &str, mapping: &str) -> Call {
        let address = self.address();
        call.args([
            "--coordinator",
            &address,
            "--root",
            mapping,
            "--name",
            name,
            "--cpus",
            "1",
        ])
    }

    /// A coordinator that listens.
    pub fn start_coordinator(&self) -> Running {
        let mut running = self.coordinator().start();
        running.says("listening on");
        running
    }

    /// The same, where else than the cluster expects it.
    pub fn start_coordinator_at(&self, address: &str) -> Running {
        let mapping = self.mapping();
        let call = Call::of("coordinator").args(["--listen", address, "--root", &mapping, "--state"]);
        let mut running = call.args([&self.state]).start();
        running.says("listening on");
        running
    }

    /// A worker that is connected.
    pub fn start_worker(&self, name: &str) -> Running {
        let mut running = self.worker(name).start();
        running.says("connected to");
        running
    }

    /// A client's call.
    pub fn client(&self, subcommand: &str) -> Call {
        let address = self.address();
        Call::of(subcommand).args(["--coordinator", &address])
    }

    /// A submit of a folder below the root into another, that waits for the end.
    pub fn submit(&self, run: &str, out: &str) -> Call {
        self.client("submit")
            .args([&format!("data:{run}"), "--out", &format!("data:{out}"), "--wait"])
    }
}
