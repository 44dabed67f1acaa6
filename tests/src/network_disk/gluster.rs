//! GlusterFS: a volume of one brick with the settings that a new one has. Other clients see a rename about a second late.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use super::{FileSystem, Place, SERVER};
use crate::process::usable;

const VOLUME: &str = "lab";

/// A client that is cut off gives up after 42 seconds: what it was asked for fails, and so does all else until the server
/// is there again.
#[derive(Debug)]
pub struct Gluster;

impl FileSystem for Gluster {
    fn name(&self) -> &'static str {
        "GlusterFS"
    }

    fn missing(&self) -> Option<&'static str> {
        let is_here = ["glusterd", "gluster", "glusterfs"]
            .iter()
            .all(|program| usable(program, ["--version"]));
        (!is_here).then_some("glusterfs-server")
    }

    fn serve(&self, place: &Place) -> Result<(), String> {
        for name in ["work", "brick"] {
            place.make(name)?;
        }
        // As Debian's package has it, but for the places.
        let settings = format!(
            "volume management\n type mgmt/glusterd\n option working-directory {}\n option run-directory {}\n option \
             glusterd-sockfile {}\n option transport-type socket\n option transport.socket.keepalive-time 10\n option \
             transport.socket.keepalive-interval 2\n option transport.socket.read-fail-log off\n option \
             transport.socket.listen-port 24007\n option ping-timeout 0\n option event-threads 1\n option max-port \
             60999\nend-volume\n",
            place.shown("work"),
            place.shown("run"),
            place.shown("socket")
        );
        place.write("glusterd.vol", &settings)?;
        let [settings, log, pid] = ["glusterd.vol", "glusterd.log", "glusterd.pid"].map(|name| place.shown(name));
        place.run(SERVER, &["glusterd", "-f", &settings, "-l", &log, "-p", &pid])?;
        let brick = format!("{}:{}", place.server(), place.shown("brick"));
        // It wants a partition of its own for a brick, or to be told that it gets none.
        manage(place, &["create", VOLUME, &brick, "force"])?;
        manage(place, &["start", VOLUME])
    }

    fn mount(&self, place: &Place, machine: usize) -> Result<(), String> {
        let [log, pid] = [
            format!("--log-file={}", place.shown(&format!("client-{machine}.log"))),
            format!("--pid-file={}", client(place, machine).display()),
        ];
        let server = format!("--volfile-server={}", place.server());
        let volume = format!("--volfile-id={VOLUME}");
        let mount = place.mounted(machine).display().to_string();
        place.run(machine, &["glusterfs", &server, &volume, &log, &pid, &mount])
    }

    fn stop(&self, place: &Place) {
        (0..place.machines).for_each(|machine| end(&client(place, machine)));
        let _ = manage(place, &["stop", VOLUME, "force"]);
        end(&place.path("glusterd.pid"));
    }
}

fn manage(place: &Place, words: &[&str]) -> Result<(), String> {
    let socket = format!("--glusterd-sock={}", place.shown("socket"));
    let all = [&["gluster", "--mode=script", &socket, "volume"], words].concat();
    place.run(SERVER, &all)
}

fn client(place: &Place, machine: usize) -> PathBuf {
    place.path(&format!("client-{machine}.pid"))
}

/// Ends the process whose number a file holds.
fn end(pid: &Path) {
    let number = fs::read_to_string(pid)
        .ok()
        .and_then(|number| number.trim().parse().ok());
    if let Some(number) = number.and_then(Pid::from_raw) {
        let _ = kill_process(number, Signal::TERM);
    }
}
