//! What build.rs finds out for `--version`, in checkouts of its own.
#![cfg(unix)] // The Windows that Wine is has neither git nor a compiler.
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// build.rs in a workspace of its own, started as cargo starts it.
struct Checkout {
    folder: TempDir,
    script: PathBuf,
}

impl Checkout {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let script = folder.path().join(format!("script{}", std::env::consts::EXE_SUFFIX));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let built = Command::new(rustc)
            .args(["--edition", "2024", "-o"])
            .arg(&script)
            .arg(&source)
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:?}");
        let checkout = Self { folder, script };
        for path in [
            "Cargo.toml",
            "Cargo.lock",
            "cli/build.rs",
            "cli/src/main.rs",
            "common/src/lib.rs",
            "docs/page.md",
        ] {
            checkout.write(path, "");
        }
        checkout
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    fn git_in(folder: &Path, words: &[&str]) -> String {
        let settings = [
            "-c",
            "user.name=n",
            "-c",
            "user.email=e@invalid",
            "-c",
            "init.defaultBranch=main",
        ];
        let output = Command::new("git")
            .current_dir(folder)
            .args(settings)
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn git(&self, words: &[&str]) -> String {
        Self::git_in(&self.path(), words)
    }

    /// What the script tells cargo: the commit, and the files that it is to watch.
    fn told(&self) -> (Option<String>, Vec<PathBuf>) {
        let output = Command::new(&self.script)
            .env("CARGO_MANIFEST_DIR", self.path().join("cli"))
            .env("TARGET", "some-target")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let all = |key: &str| {
            text.lines()
                .filter_map(|line| line.strip_prefix(key))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(all("cargo::rustc-env=BUILT_FOR="), ["some-target"]);
        let commit = all("cargo::rustc-env=BUILT_FROM=").pop();
        let watched = all("cargo::rerun-if-changed=")
            .into_iter()
            .map(|path| self.path().join("cli").join(path));
        (commit, watched.collect())
    }
}

#[test]
fn the_commit_is_that_of_the_sources_and_dirty_where_they_differ() {
    let checkout = Checkout::new();
    // Out of a tarball.
    assert_eq!(checkout.told().0, None);
    // Unpacked in a repository that is another's.
    Checkout::git_in(checkout.folder.path(), &["init", "-q"]);
    Checkout::git_in(
        checkout.folder.path(),
        &["commit", "-q", "--allow-empty", "-m", "another's"],
    );
    assert_eq!(checkout.told().0, None);

    checkout.git(&["init", "-q"]);
    checkout.git(&["add", "."]);
    checkout.git(&["commit", "-q", "-m", "first"]);
    let head = |checkout: &Checkout| checkout.git(&["rev-parse", "--short=12", "HEAD"]);
    let first = head(&checkout);
    assert_eq!(checkout.told().0, Some(first.clone()));
    // No part of the program.
    checkout.write("docs/page.md", "changed");
    assert_eq!(checkout.told().0, Some(first.clone()));
    checkout.write("common/src/lib.rs", "changed");
    assert_eq!(checkout.told().0, Some(format!("{first}-dirty")));
    checkout.git(&["checkout", "-q", "."]);
    assert_eq!(checkout.told().0, Some(first.clone()));
    checkout.write("common/src/new.rs", "");
    assert_eq!(checkout.told().0, Some(format!("{first}-dirty")));
    checkout.git(&["add", "."]);
    checkout.git(&["commit", "-q", "-m", "second"]);
    let second = head(&checkout);
    assert_ne!(first, second);
    assert_eq!(checkout.told().0, Some(second));
}

/// A path that is not there makes cargo build at each call, and one that stays as it is when HEAD moves leaves an old commit in
/// the program.
#[test]
fn cargo_asks_again_when_something_has_changed_and_only_then() {
    let checkout = Checkout::new();
    checkout.git(&["init", "-q"]);
    checkout.git(&["add", "."]);
    checkout.git(&["commit", "-q", "-m", "first"]);
    let text_of = |paths: &[PathBuf]| -> Vec<Vec<u8>> {
        let files = paths.iter().filter(|path| path.is_file());
        files.map(|path| fs::read(path).unwrap()).collect()
    };
    for logged in ["true", "false"] {
        checkout.git(&["config", "core.logAllRefUpdates", logged]);
        if logged == "false" {
            fs::remove_dir_all(checkout.path().join(".git/logs")).unwrap();
        }
        let (_, watched) = checkout.told();
        let missing: Vec<_> = watched.iter().filter(|path| !path.exists()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        for path in ["Cargo.lock", "cli/src", "common/src"] {
            assert!(
                watched.contains(&checkout.path().join(path)),
                "{path} is not in {watched:?}"
            );
        }
        assert!(
            !watched
                .iter()
                .any(|path| path.starts_with(checkout.path().join("docs")))
        );
        let before = text_of(&watched);
        assert_eq!(before, text_of(&checkout.told().1), "asking changes what is watched");
        checkout.write("Cargo.lock", logged);
        checkout.git(&["add", "."]);
        let without_lock: Vec<PathBuf> = watched
            .iter()
            .filter(|path| !path.ends_with("Cargo.lock"))
            .cloned()
            .collect();
        let before = text_of(&without_lock);
        checkout.git(&["commit", "-q", "-m", "next"]);
        assert_ne!(
            before,
            text_of(&without_lock),
            "a commit changes nothing that is watched"
        );
    }
}
