//! A cluster with a status page, and the shortest client that can ask it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Cluster, Running, poll, scratch, write_run};

/// A coordinator with a page, on a root with the run `run` in it.
pub(crate) struct Watched {
    pub(crate) cluster: Cluster,
    pub(crate) coordinator: Running,
    /// `127.0.0.1:PORT`
    pub(crate) page: String,
    _folder: TempDir,
}

impl Watched {
    pub(crate) fn new(spec: &RunSpec) -> Self {
        Self::with(spec, |_| Vec::new())
    }

    /// With more options of the coordinator; `options` is given a folder for files of theirs.
    pub(crate) fn with(spec: &RunSpec, options: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = scratch();
        let root = folder.path().join("root");
        write_run(spec, &root.join("run"));
        let cluster = Cluster::new(&root);
        let more = options(folder.path());
        let mut coordinator = cluster.coordinator().args(["--http", "127.0.0.1:0"]).args(more).start();
        coordinator.says("listening on");
        let page = page_of(&mut coordinator);
        Self {
            cluster,
            coordinator,
            page,
            _folder: folder,
        }
    }

    /// Submits `run`, each file a lease of its own.
    pub(crate) fn submit(&self, out: &str) {
        let submit = self.cluster.client("submit");
        let out = format!("data:{out}");
        let words = ["data:run", "--out", &out, "--settle", "0", "--range-size", "1B"];
        submit
            .args(words)
            .args(["--baseline", "100", "--detach"])
            .run()
            .must_succeed();
    }

    /// Waits until a job has ended.
    pub(crate) fn wait(&self, job: u64) {
        let job = job.to_string();
        let ended = self.cluster.client("job").args([&job, "--wait"]).run();
        assert!(matches!(ended.status.code(), Some(0 | 3)), "{ended}");
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(&self.page, "GET", path, &[])
    }

    pub(crate) fn status(&self) -> Value {
        let answer = self.get("/api/status");
        assert_eq!(answer.code, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Waits until a job has more rows done than `rows`, and says how many.
    pub(crate) fn rows_beyond(&self, rows: u64) -> u64 {
        poll(format_args!("more than {rows} rows"), || {
            self.status()["jobs"][0]["rows_done"]
                .as_u64()
                .filter(|done| *done > rows)
        })
    }
}

/// Where the page is, as the coordinator says.
pub(crate) fn page_of(coordinator: &mut Running) -> String {
    let found = coordinator.poll("the page's address", |running| {
        let said = running.stderr();
        let (_, rest) = said.split_once("status page on http://")?;
        Some(rest.split_once("/\n")?.0.to_owned())
    });
    found.unwrap_or_else(|| panic!("it has ended: {}", coordinator.stderr()))
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(of, _)| of.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }
}

/// Sends a request of HTTP/1.0, whose answer ends with the connection; `Host` is the address unless said otherwise.
pub(crate) fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    let mut lines = vec![format!("{method} {path} HTTP/1.0")];
    if !headers.iter().any(|(name, _)| *name == "Host") {
        lines.push(format!("Host: {address}"));
    }
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let request = lines.join("\r\n") + "\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

pub(crate) fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut text = String::new();
    send(address, method, path, headers).read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        code: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// The page as it changes.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    /// Watches from now on; what the answer says else.
    pub(crate) fn watch(address: &str) -> Result<Self, String> {
        let mut reader = BufReader::new(send(address, "GET", "/events", &[]));
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        if first.contains("200") {
            Ok(Self(reader))
        } else {
            Err(first)
        }
    }

    /// The next snapshot; fails where nothing changes for a minute.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        let mut comments = 0;
        loop {
            assert!(comments < 4, "nothing changes any more");
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the events have ended");
            if let Some(json) = line.strip_prefix("data: ") {
                return serde_json::from_str(json).unwrap();
            }
            comments += u32::from(line.starts_with(':'));
        }
    }
}
