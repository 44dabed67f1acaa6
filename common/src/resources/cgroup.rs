//! Limits of the container (cgroup v1 and v2) that this process runs in.
//!
//! Usage counts the page cache, which the kernel gives up when asked: inactive file pages do not count as used.

use std::path::{Path, PathBuf};

use crate::units::Bytes;

/// The tightest limit, and what is used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) limit: Bytes,
    pub(super) used: Bytes,
}

/// The names of the files of one cgroup version.
struct Files {
    limit: &'static str,
    usage: &'static str,
    inactive: &'static str,
}

const V2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    inactive: "inactive_file",
};
const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    inactive: "total_inactive_file",
};

/// The limit that leaves the least of the own group and those above it; none where nothing limits.
pub(super) fn limits() -> Option<Limits> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let (root, group, files) = own_group(&groups)?;
    limits_below(&root, &group, &files)
}

fn limits_below(root: &Path, group: &Path, files: &Files) -> Option<Limits> {
    let group = group.strip_prefix("/").unwrap_or(group);
    let all = group.ancestors().filter_map(|group| read(&root.join(group), files));
    all.min_by_key(|limits| limits.limit.saturating_sub(limits.used))
}

/// Where the groups are mounted, and which is this process's (cgroups(7)).
fn own_group(groups: &str) -> Option<(PathBuf, PathBuf, Files)> {
    let mut lines = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?))
    });
    let memory = lines
        .clone()
        .find(|(controllers, _)| controllers.split(',').any(|name| name == "memory"));
    if let Some((_, group)) = memory {
        return Some(("/sys/fs/cgroup/memory".into(), group.into(), V1));
    }
    let (_, group) = lines.find(|(controllers, _)| controllers.is_empty())?;
    Some(("/sys/fs/cgroup".into(), group.into(), V2))
}

fn read(folder: &Path, files: &Files) -> Option<Limits> {
    let number = |name: &str| -> Option<u64> { std::fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok() };
    // `max`, which is no number, is no limit; so is the huge number that version 1 has in its place.
    let limit = number(files.limit).filter(|&limit| limit < 1 << 60)?;
    let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let used = Bytes(number(files.usage)?).saturating_sub(inactive(&stat, files.inactive));
    Some(Limits {
        limit: Bytes(limit),
        used,
    })
}

fn inactive(stat: &str, name: &str) -> Bytes {
    let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
    let value = lines
        .find(|(field, _)| *field == name)
        .and_then(|(_, value)| value.trim().parse().ok());
    Bytes(value.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_name_the_own_group() {
        let v1 = "12:pids:/x\n5:cpu,memory:/docker/abc\n0::/other\n";
        let (root, group, _) = own_group(v1).unwrap();
        assert_eq!(
            (root.to_str(), group.to_str()),
            (Some("/sys/fs/cgroup/memory"), Some("/docker/abc"))
        );
        let (root, group, _) = own_group("0::/user.slice/lab.scope\n").unwrap();
        assert_eq!(
            (root.to_str(), group.to_str()),
            (Some("/sys/fs/cgroup"), Some("/user.slice/lab.scope"))
        );
        assert!(own_group("").is_none());
    }

    #[test]
    fn the_tightest_group_counts_without_its_page_cache() {
        let folder = tempfile::tempdir().unwrap();
        let write = |group: &str, file: &str, text: &str| {
            let path = folder.path().join(group);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(file), text).unwrap();
        };
        for (group, max, current, inactive) in [
            ("a", "1000\n", "900\n", 100),
            ("a/b", "max\n", "800\n", 0),
            ("a/b/c", "500\n", "450\n", 200),
        ] {
            write(group, "memory.max", max);
            write(group, "memory.current", current);
            write(
                group,
                "memory.stat",
                &format!("anon 5\ninactive_file {inactive}\nslab 3\n"),
            );
        }
        let tightest = limits_below(folder.path(), Path::new("/a/b/c"), &V2);
        // 200 left of a's 1000, 250 left of c's 500.
        assert_eq!(
            tightest,
            Some(Limits {
                limit: Bytes(1000),
                used: Bytes(800)
            })
        );
    }
}
