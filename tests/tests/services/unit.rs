//! A unit file, read as far as the tests need it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use trc2npy_tests::workspace;

/// The folder of the units.
pub(crate) fn folder() -> PathBuf {
    workspace().join("deploy/systemd")
}

/// The two services, as `trc2npy-{name}.service`.
pub(crate) const NAMES: [&str; 2] = ["coordinator", "worker"];

/// A service.
pub(crate) struct Unit {
    pub(crate) path: PathBuf,
    text: String,
}

impl Unit {
    pub(crate) fn of(name: &str) -> Self {
        let path = folder().join(format!("trc2npy-{name}.service"));
        let text = fs::read_to_string(&path).unwrap();
        Self { path, text }
    }

    /// All values of a key, in their order.
    pub(crate) fn all(&self, key: &str) -> Vec<&str> {
        let settings = self.text.lines().filter_map(|line| line.split_once('='));
        settings
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| value)
            .collect()
    }

    /// The value of a key that stands there once.
    #[track_caller]
    pub(crate) fn one(&self, key: &str) -> &str {
        let all = self.all(key);
        let [value] = all[..] else {
            panic!("{}: {key} {all:?}", self.path.display())
        };
        value
    }

    /// The unit with another binary than the installed one.
    pub(crate) fn text_with(&self, binary: &Path) -> String {
        let installed = "ExecStart=/usr/bin/trc2npy ";
        assert!(self.text.contains(installed), "{}", self.text);
        self.text
            .replace(installed, &format!("ExecStart={} ", binary.display()))
    }

    /// The arguments of what it starts, with this environment: `${NAME}` is one word, `$NAME` as many as it holds.
    pub(crate) fn arguments(&self, environment: &[(&str, &str)]) -> Vec<String> {
        let value = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map_or("", |(_, value)| value)
        };
        let mut words = self.one("ExecStart").split(' ');
        assert_eq!(words.next(), Some("/usr/bin/trc2npy"));
        let mut arguments = Vec::new();
        for word in words {
            match word.strip_prefix('$') {
                Some(name) => match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => arguments.push(value(name).to_owned()),
                    None => arguments.extend(split(value(name))),
                },
                None => arguments.push(word.to_owned()),
            }
        }
        arguments
    }

    /// The system calls that it leaves to the program.
    pub(crate) fn allowed_calls(&self) -> BTreeSet<String> {
        let mut allowed = calls_of("@default");
        for line in self.all("SystemCallFilter") {
            let (taken, words) = line.strip_prefix('~').map_or((false, line), |words| (true, words));
            for call in words.split(' ').flat_map(calls_of) {
                if taken {
                    allowed.remove(&call);
                } else {
                    allowed.insert(call);
                }
            }
        }
        assert!(allowed.len() > 200, "{allowed:?}");
        allowed
    }
}

/// Words as systemd parts them: at blanks, but not inside of quotes.
fn split(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut quote = None;
    let mut inside = false;
    for c in text.chars() {
        if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && (c == '\'' || c == '"') {
            quote = Some(c);
            if !inside {
                words.push(String::new());
            }
            inside = true;
        } else if quote.is_none() && c == ' ' {
            inside = false;
        } else {
            if !inside {
                words.push(String::new());
            }
            inside = true;
            words.last_mut().unwrap().push(c);
        }
    }
    words
}

/// A system call, or all of a group.
fn calls_of(name: &str) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return [name.to_owned()].into();
    }
    let output = Command::new("systemd-analyze")
        .args(["syscall-filter", name])
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().skip(1).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(calls_of).collect()
}

/// Whether what the tests of services need is here; says what is not.
pub(crate) fn has_tools() -> bool {
    trc2npy_tests::usable("systemd-analyze", ["--version"])
}

/// The binary, where every account can start it.
pub(crate) fn public_binary(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(format!("trc2npy{}", env::consts::EXE_SUFFIX));
    fs::copy(trc2npy_tests::binary(), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
