//! What is deployed: the image, the containers beside each other, the pods of a cluster. Their files are what their programs
//! read, and what they start is started here.
#![cfg(target_os = "linux")] // Containers and process namespaces.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

mod common;
mod compose;
mod first_process;
mod health;
mod image;
mod indexed;
mod manifests;
mod pods;
mod secrets;
