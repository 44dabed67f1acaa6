//! Where traces and metrics go: an option of every subcommand.

use clap::Args;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Telemetry")]
pub(crate) struct TelemetryOptions {
    /// Send traces and metrics to this collector of OpenTelemetry, over gRPC, as http://pc1:4317 [default: what
    /// OTEL_EXPORTER_OTLP_ENDPOINT says, else nowhere]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) otlp_endpoint: Option<String>,
}
