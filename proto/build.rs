//! Compiles the .proto files with protox, so that nobody needs protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const FILES: [&str; 5] = [
        "trc2npy/v1/worker.proto",
        "trc2npy/v1/job.proto",
        "trc2npy/v1/fleet.proto",
        "trc2npy/v1/apart.proto",
        "trc2npy/v1/certificates.proto",
    ];
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let files = protox::compile(FILES, ["."])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
