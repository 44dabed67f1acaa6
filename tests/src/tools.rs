//! Where the programs and files are that the tests need.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies inside the workspace")
}

/// The folder of the profile that the running test was built with (`target/release`).
fn profile_folder() -> PathBuf {
    let test = env::current_exe().expect("a running program has a path");
    // target/PROFILE/deps/test-0123456789abcdef
    test.ancestors()
        .nth(2)
        .expect("cargo puts tests into target/PROFILE/deps")
        .to_owned()
}

/// The Python that has numpy: `TRC2NPY_PYTHON`, else `target/venv/bin/python`.
///
/// # Panics
/// Where there is none, saying how to get it.
pub fn python() -> PathBuf {
    let path = env::var_os("TRC2NPY_PYTHON").map_or_else(
        || {
            let target = profile_folder().parent().map(Path::to_owned);
            let venv = target.unwrap_or_else(|| workspace().join("target")).join("venv");
            if cfg!(windows) {
                venv.join("Scripts").join("python.exe")
            } else {
                venv.join("bin").join("python")
            }
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{}: no Python with numpy; run tests/run once (it installs one), or set TRC2NPY_PYTHON",
        path.display()
    );
    path
}

/// The real `trc2npy`: `TRC2NPY_BIN`, else the one of the profile that the running test was built with.
///
/// # Panics
/// Where there is none, saying how to get it.
pub fn binary() -> PathBuf {
    let name = format!("trc2npy{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("TRC2NPY_BIN").map_or_else(|| profile_folder().join(name), PathBuf::from);
    assert!(
        path.exists(),
        "{}: not built; run tests/run, or `cargo build -p trc2npy` in the same profile",
        path.display()
    );
    path
}

/// A `trc2npy` that can be made to crash on a file, or to speak another protocol (a build with debug assertions):
/// `TRC2NPY_TEST_BIN`, else the one of the dev profile.
///
/// # Panics
/// Where there is none, saying how to get it.
pub fn test_binary() -> PathBuf {
    let name = format!("trc2npy{}", env::consts::EXE_SUFFIX);
    let debug = || profile_folder().with_file_name("debug").join(name);
    let path = env::var_os("TRC2NPY_TEST_BIN").map_or_else(debug, PathBuf::from);
    assert!(
        path.exists(),
        "{}: not built; run tests/run, or `cargo build -p trc2npy`",
        path.display()
    );
    path
}

/// What starts the program built for Windows: `TRC2NPY_WINDOWS_BIN`, which `tests/windows` sets. None where nothing does,
/// which is told.
///
/// # Panics
/// Where nothing is there.
#[expect(clippy::print_stderr, reason = "what a test leaves out it says")]
pub fn windows_binary() -> Option<PathBuf> {
    let Some(path) = env::var_os("TRC2NPY_WINDOWS_BIN").map(PathBuf::from) else {
        eprintln!("left out: no program built for Windows (tests/windows builds one, and runs this test with it)");
        return None;
    };
    assert!(path.exists(), "{}: nothing there; run tests/windows", path.display());
    Some(path)
}

/// A path of this system as Wine's programs know it.
pub fn windows_path(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

/// The folder of real LeCroy files, where `TRC2NPY_REAL_FILES` or a `shared/trc-samples` beside the workspace has them.
pub fn samples() -> Option<PathBuf> {
    let named = env::var_os("TRC2NPY_REAL_FILES").map(|path| workspace().join(path));
    if let Some(path) = &named {
        assert!(
            path.join("expected.jsonl").exists(),
            "{}: TRC2NPY_REAL_FILES names no folder of samples",
            path.display()
        );
    }
    let beside = workspace().parent().map(|parent| parent.join("shared/trc-samples"));
    named.or(beside).filter(|path| path.join("expected.jsonl").exists())
}

/// A program that `tests/run` installs: beside the Python, or below `target/tools`; else one of the machine's own.
pub fn tool(name: &str) -> PathBuf {
    let target = profile_folder().parent().map(Path::to_owned);
    let tools = target.unwrap_or_else(|| workspace().join("target")).join("tools/bin");
    let installed = [python().with_file_name(name), tools.join(name)];
    let found = installed.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| PathBuf::from(name))
}

/// A temporary folder for many small outputs: in memory where Linux offers that, since bringing hundreds of files to a
/// disk takes longer than all else.
///
/// # Panics
/// Where no folder can be made.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a temporary folder")
}

/// Writes the run that `spec` describes into `folder`.
///
/// # Panics
/// Where that cannot be done.
pub fn write_run(spec: &trc2npy_synth::RunSpec, folder: &Path) {
    spec.write(folder, &|_| std::ops::ControlFlow::Continue(()))
        .expect("the run is written");
}

/// The options of whoever runs the tests are none of the command's, nor is what they type.
pub(crate) fn undisturbed(command: &mut std::process::Command) {
    command.stdin(std::process::Stdio::null());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRC2NPY_")) {
        command.env_remove(name);
    }
}

/// Runs a piece of Python with numpy, and fails the test where it fails.
///
/// # Panics
/// Then, with all that it said.
pub fn run_python(script: &str, args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> String {
    let output = std::process::Command::new(python())
        .args(["-c", script])
        .args(args)
        .output()
        .expect("Python can be started");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}
