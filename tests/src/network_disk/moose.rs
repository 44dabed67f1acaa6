//! MooseFS: a master, a server of chunks, and clients that keep what they have read.

use std::fs;
use std::path::Path;

use super::{FileSystem, Place, SERVER};
use crate::process::usable;

/// What Debian's package keeps for a new file system.
const EMPTY: &str = "/var/lib/mfs/metadata.mfs.empty";

/// A client that is cut off tries again for minutes before it gives up.
#[derive(Debug)]
pub struct Moose;

impl FileSystem for Moose {
    fn name(&self) -> &'static str {
        "MooseFS"
    }

    fn missing(&self) -> Option<&'static str> {
        let programs = [("mfsmaster", "-v"), ("mfschunkserver", "-v"), ("mfsmount", "-V")];
        let is_here = programs.iter().all(|(program, version)| usable(program, [version])) && Path::new(EMPTY).exists();
        (!is_here).then_some("moosefs-master moosefs-chunkserver moosefs-client")
    }

    fn serve(&self, place: &Place) -> Result<(), String> {
        let address = place.server();
        for name in ["data", "chunks", "chunkserver"] {
            place.make(name)?;
        }
        fs::copy(EMPTY, place.path("data/metadata.mfs")).map_err(|error| format!("{EMPTY}: {error}"))?;
        place.write("exports.cfg", "* / rw,alldirs,admin,maproot=0:0\n")?;
        place.write("disks.cfg", &format!("{}\n", place.shown("chunks")))?;
        let common = "WORKING_USER = root\nWORKING_GROUP = root\nLOCK_MEMORY = 0\n";
        place.write(
            "master.cfg",
            &format!(
                "{common}DATA_PATH = {}\nEXPORTS_FILENAME = {}\nMATOML_LISTEN_HOST = {address}\nMATOCS_LISTEN_HOST = \
                 {address}\nMATOCL_LISTEN_HOST = {address}\n",
                place.shown("data"),
                place.shown("exports.cfg")
            ),
        )?;
        place.write(
            "chunkserver.cfg",
            &format!(
                "{common}DATA_PATH = {}\nHDD_CONF_FILENAME = {}\nMASTER_HOST = {address}\nCSSERV_LISTEN_HOST = \
                 {address}\nHDD_LEAVE_SPACE_DEFAULT = 256MiB\n",
                place.shown("chunkserver"),
                place.shown("disks.cfg")
            ),
        )?;
        place.run(SERVER, &["mfsmaster", "-c", &place.shown("master.cfg"), "start"])?;
        place.run(
            SERVER,
            &["mfschunkserver", "-c", &place.shown("chunkserver.cfg"), "start"],
        )
    }

    fn mount(&self, place: &Place, machine: usize) -> Result<(), String> {
        let mount = place.mounted(machine).display().to_string();
        place.run(machine, &["mfsmount", &mount, "-H", &place.server()])
    }

    fn stop(&self, place: &Place) {
        for (program, settings) in [("mfschunkserver", "chunkserver.cfg"), ("mfsmaster", "master.cfg")] {
            let _ = place.run(SERVER, &[program, "-c", &place.shown(settings), "stop"]);
        }
    }
}
