//! Compiles the messages of earlier versions, with which tests speak as programs of these versions do.

use std::path::Path;
use std::{env, fs};

/// The messages as the last minor version had them.
const FROZEN: &str = "../proto/frozen/0.1";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={FROZEN}");
    let files = ["worker", "job", "fleet"].map(|name| format!("trc2npy/v1/{name}.proto"));
    let out = Path::new(&env::var_os("OUT_DIR").ok_or("cargo says where to write")?).join("0.1");
    fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .build_server(false)
        .out_dir(&out)
        .compile_fds(protox::compile(files, [FROZEN])?)?;
    Ok(())
}
