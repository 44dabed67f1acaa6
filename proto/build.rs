//! Compiles the .proto files with protox, so that nobody needs protoc.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use prost::Message;

/// What goes over a network.
const SHARED: [&str; 3] = [
    "trc2npy/v1/worker.proto",
    "trc2npy/v1/job.proto",
    "trc2npy/v1/fleet.proto",
];
/// The same, since after the messages were frozen.
const ADDED: &str = "trc2npy/v1/certificates.proto";
/// What goes between two processes of the same program.
const OWN: &str = "trc2npy/v1/apart.proto";
/// The messages as earlier versions had them: tests compare them with today's.
const FROZEN: &str = "frozen/0.1";

fn main() -> Result<(), Box<dyn Error>> {
    let files = [&SHARED[..], &[ADDED, OWN]].concat();
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rerun-if-changed={FROZEN}");
    let today = protox::compile(&files, ["."])?;
    let frozen = protox::compile(SHARED, [FROZEN])?;
    let out = env::var_os("OUT_DIR").ok_or("cargo says where to write")?;
    let out = Path::new(&out);
    fs::write(out.join("today.bin"), today.encode_to_vec())?;
    fs::write(out.join("frozen.bin"), frozen.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(today)?;
    Ok(())
}
