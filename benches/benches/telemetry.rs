//! What telling a collector costs: `convert` of 20,000 files with a collector in this process against the same without one,
//! in interleaved pairs; and, with `--before PATH`, the program without a collector against another build of it. `--now PATH`:
//! not the program as it is, but that build of it.
//!
//! ```text
//! cargo bench -p trc2npy-benches --bench telemetry -- [--pairs 15] [--files 20000] [--now PATH] [--before PATH]
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::fs;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tempfile::TempDir;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use trc2npy_benches::pairs::Pairs;
use trc2npy_benches::{Arguments, Failure, folder_in_memory, must, release_binary};
use trc2npy_synth::RunSpec;

const SAMPLES: usize = 2_502;

/// A collector that counts.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

#[tonic::async_trait]
impl TraceService for Counter {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request
            .into_inner()
            .resource_spans
            .into_iter()
            .flat_map(|one| one.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        self.0.fetch_add(spans, Ordering::Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Counter {
    fn listen(&self) -> Result<SocketAddr, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        // It ends with the benchmark.
        std::thread::spawn(move || runtime.block_on(server));
        Ok(address)
    }
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::new();
    let pairs: usize = arguments.value("--pairs", 15)?;
    let files: u64 = arguments.value("--files", 20_000)?;
    let folder = folder_in_memory()?;
    RunSpec::new(files, SAMPLES).write(&folder.path().join("run"), &|_| ControlFlow::Continue(()))?;
    let (built, _) = release_binary()?;
    let trc2npy = arguments.text("--now")?.map_or(built, PathBuf::from);
    let counter = Counter::default();
    let endpoint = format!("http://{}", counter.listen()?);
    let work = |program: &Path, more: &[&str]| convert(program, &folder, more);
    let told = Pairs::run(
        pairs,
        || clear(&folder),
        || work(&trc2npy, &["--otlp-endpoint", &endpoint]),
        || work(&trc2npy, &[]),
    )?;
    let spans = counter.0.load(Ordering::Relaxed) / pairs.max(1);
    println!("with a collector, {spans} spans each, against without: {told} (mark: at most 1.03)");
    if let Some(before) = arguments.text("--before")?.map(PathBuf::from) {
        let silent = Pairs::run(pairs, || clear(&folder), || work(&trc2npy, &[]), || work(&before, &[]))?;
        println!(
            "without a collector, against {}: {silent} (mark: at most 1.01)",
            before.display()
        );
    }
    Ok(())
}

fn clear(folder: &TempDir) -> Result<(), Failure> {
    let out = folder.path().join("out");
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    Ok(())
}

fn convert(program: &Path, folder: &TempDir, more: &[&str]) -> Result<(), Failure> {
    must(
        Command::new(program)
            .arg("convert")
            .arg(folder.path().join("run"))
            .arg("--out")
            .arg(folder.path().join("out"))
            .args(["--progress", "none", "--baseline", "500"])
            .args(more),
    )
}
