//! Machines joined by a switch: network namespaces, whose cables can be pulled and plugged in again.
#![expect(clippy::print_stderr, reason = "what is left out is told")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::call::Call;

/// A switch and its machines; the namespaces are gone when it is dropped. End the processes in them before.
#[derive(Debug)]
pub struct Lan {
    name: String,
    machines: usize,
}

impl Lan {
    /// With so many machines, 10.77.0.1 and following; none where this machine does not allow it, which is told.
    pub fn new(machines: usize) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let lan = Self {
            name: format!("trc2npy-{}-{number}", std::process::id()),
            machines,
        };
        match lan.wire() {
            Ok(()) => Some(lan),
            Err(why) => {
                eprintln!("left out: no network of its own can be made here: {why}");
                None
            }
        }
    }

    fn wire(&self) -> Result<(), String> {
        let switch = self.switch();
        ip(&["netns", "add", &switch])?;
        ip(&["-n", &switch, "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", &switch, "link", "set", "br0", "up"])?;
        for machine in 0..self.machines {
            let (place, cable) = (self.place(machine), cable(machine));
            ip(&["netns", "add", &place])?;
            ip(&[
                "-n", &switch, "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &place,
            ])?;
            ip(&["-n", &switch, "link", "set", &cable, "master", "br0", "up"])?;
            let address = format!("{}/24", self.address(machine));
            ip(&["-n", &place, "addr", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &place, "link", "set", "eth0", "up"])?;
            ip(&["-n", &place, "link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    fn switch(&self) -> String {
        format!("{}-sw", self.name)
    }

    fn place(&self, machine: usize) -> String {
        format!("{}-{machine}", self.name)
    }

    /// The address of a machine.
    pub fn address(&self, machine: usize) -> String {
        format!("10.77.0.{}", machine + 1)
    }

    /// A machine's namespace.
    pub fn namespace(&self, machine: usize) -> PathBuf {
        PathBuf::from("/run/netns").join(self.place(machine))
    }

    /// A call on a machine.
    pub fn call(&self, machine: usize, subcommand: &str) -> Call {
        let namespace = self.namespace(machine);
        Call::launched_by("nsenter", &[format!("--net={}", namespace.display())], subcommand)
    }

    /// Pulls a machine's cable, or plugs it in again.
    ///
    /// # Panics
    /// Where that fails, as the following do.
    pub fn plug(&self, machine: usize, is_in: bool) {
        let state = if is_in { "up" } else { "down" };
        must(ip(&["-n", &self.switch(), "link", "set", &cable(machine), state]));
    }

    /// Lets nothing that a machine sends reach another one, or lets it through again; what is sent back comes through.
    pub fn silence(&self, from: usize, to: usize, is_silent: bool) {
        let change = if is_silent { "replace" } else { "del" };
        let to = format!("{}/32", self.address(to));
        must(ip(&["-n", &self.place(from), "route", change, "blackhole", &to]));
    }

    /// Slows down all that a machine is sent: `50mbit`.
    pub fn slow_down(&self, machine: usize, rate: &str) -> Result<(), String> {
        let place = self.switch();
        let cable = cable(machine);
        run(
            "tc",
            &[
                "-n", &place, "qdisc", "add", "dev", &cable, "root", "tbf", "rate", rate, "burst", "64k", "latency",
                "50ms",
            ],
        )
    }

    /// Loses one packet in five of all that the switch passes on.
    pub fn lose_packets(&self) -> Result<(), String> {
        let namespace = format!("--net=/run/netns/{}", self.switch());
        let rules = "table bridge lossy {\n chain passed_on {\n  type filter hook forward priority 0;\n  numgen random mod 100 < 20 drop\n }\n}\n";
        let file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        std::fs::write(file.path(), rules).map_err(|error| error.to_string())?;
        run(
            "nsenter",
            &[&namespace, "nft", "-f", &file.path().display().to_string()],
        )
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for machine in 0..self.machines {
            let _ = ip(&["netns", "del", &self.place(machine)]);
        }
        let _ = ip(&["netns", "del", &self.switch()]);
    }
}

/// The switch's end of a machine's cable.
fn cable(machine: usize) -> String {
    format!("port{machine}")
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{program} {}: {told}", arguments.join(" ")))
}

fn must(done: Result<(), String>) {
    done.unwrap_or_else(|why| panic!("{why}"));
}
