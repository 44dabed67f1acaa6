//! Wine as the machine that a service runs on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::tempfile;

/// A call may take so long; the longest, a stop, ends by itself after two minutes.
const LIMIT: &str = "300";

/// What lacks in Wine 8 and is called by whoever asks how busy the processors are: it answers that it does not know.
const PDH: &str = r"
#include <windows.h>
#define FAILS(name, ...) __declspec(dllexport) LONG WINAPI name(__VA_ARGS__) { return 0xC0000BB8; }
FAILS(PdhEnumObjectsW, void *a, void *b, void *c, void *d, DWORD e, BOOL f)
FAILS(PdhOpenQueryW, void *a, DWORD_PTR b, void *c)
FAILS(PdhAddEnglishCounterW, void *a, void *b, DWORD_PTR c, void *d)
FAILS(PdhCollectQueryData, void *a)
FAILS(PdhGetFormattedCounterValue, void *a, DWORD b, void *c, void *d)
FAILS(PdhRemoveCounter, void *a)
FAILS(PdhCloseQuery, void *a)
";

/// A prefix of Wine with the program for Windows, for as long as this lives.
pub(crate) struct Wine {
    /// Starts the program for Windows.
    program: Vec<PathBuf>,
    loader: PathBuf,
    /// Keeps Wine's services running between the calls.
    alive: Child,
}

/// How a call ended.
pub(crate) struct Ended {
    code: Option<i32>,
    said: String,
}

impl Wine {
    /// None where something is missing, and says what.
    pub(crate) fn ready() -> Option<Self> {
        let named = |name: &str| {
            let value = std::env::var_os(name);
            if value.is_none() {
                eprintln!("left out: the service of Windows: {name} is not set (see docs/testing.md)");
            }
            value.map(PathBuf::from)
        };
        let (program, wine) = (named("TRC2NPY_WINDOWS_BIN")?, named("TRC2NPY_WINE")?);
        let prefix = named("WINEPREFIX")?;
        let is_exe = program.extension().is_some_and(|extension| extension == "exe");
        let program = if is_exe {
            vec![wine.clone(), program]
        } else {
            vec![program]
        };
        // What starts first starts the services, and these keep what it has open.
        let alive = Command::new(&wine)
            .arg("cmd.exe")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ready = Self {
            program,
            loader: wine,
            alive,
        };
        ready.mend(&prefix)?;
        // What a test that was killed has left.
        ready.service(Path::new("/"), &["remove"]);
        Some(ready)
    }

    /// Gives it what the program needs and Wine 8 has not.
    fn mend(&self, prefix: &Path) -> Option<()> {
        const COMPILER: &str = "x86_64-w64-mingw32-gcc";
        if !trc2npy_tests::usable(COMPILER, ["--version"]) {
            return None;
        }
        let source = prefix.join("pdh.c");
        fs::write(&source, PDH).unwrap();
        let library = prefix.join("drive_c/windows/system32/pdh.dll");
        // Wine's own may be a link to a file of all prefixes.
        let _ = fs::remove_file(&library);
        let compiled = Command::new(COMPILER)
            .args(["-shared", "-o"])
            .args([&library, &source])
            .status();
        assert!(compiled.unwrap().success());
        let overrides = r"HKCU\Software\Wine\DllOverrides";
        self.run(
            Path::new("/"),
            &["reg", "add", overrides, "/v", "pdh", "/d", "native", "/f"],
        )
        .says("successfully");
        Some(())
    }

    /// `trc2npy worker service ...`.
    pub(crate) fn service(&self, folder: &Path, words: &[&str]) -> Ended {
        let mut command = Command::new("timeout");
        command
            .arg(LIMIT)
            .args(&self.program)
            .args(["worker", "service"])
            .args(words);
        ended(command.current_dir(folder).env_remove("TRC2NPY_COORDINATOR"))
    }

    /// A program of Wine's own.
    pub(crate) fn run(&self, folder: &Path, words: &[&str]) -> Ended {
        let mut command = Command::new("timeout");
        ended(command.arg(LIMIT).arg(&self.loader).args(words).current_dir(folder))
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        self.service(Path::new("/"), &["remove"]);
        // It ends with its input.
        drop(self.alive.stdin.take());
        let _ = self.alive.wait();
    }
}

/// Into a file: what Wine starts beside the program would keep a pipe open.
fn ended(command: &mut Command) -> Ended {
    let heard = tempfile().unwrap();
    let path = format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        std::os::fd::AsRawFd::as_raw_fd(&heard)
    );
    let to = |file: &File| Stdio::from(file.try_clone().unwrap());
    let status = command
        .stdin(Stdio::null())
        .stdout(to(&heard))
        .stderr(to(&heard))
        .status()
        .unwrap();
    Ended {
        code: status.code(),
        said: String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned(),
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        assert!(
            self.said.contains(text),
            "{text:?} is not said, exit code {:?}:\n{}",
            self.code,
            self.said
        );
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, text: &str) {
        self.says(text);
        assert_eq!(self.code, Some(0), "{}", self.said);
    }

    #[track_caller]
    pub(crate) fn fails(&self, code: i32, text: &str) {
        self.says(text);
        assert_eq!(self.code, Some(code), "{}", self.said);
    }
}
