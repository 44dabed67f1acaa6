//! Memory limits of Linux control groups, version 1 and 2.
//!
//! Files and their meaning: `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst` of the kernel, and
//! `proc_pid_mountinfo(5)`. On other systems these files do not exist and nothing is limited.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// The names under which one version of control groups keeps what is needed here.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    limit: &'static str,
    usage: &'static str,
    /// The lines of `memory.stat` that count file cache, descendants included. All of it can be dropped: what was read
    /// twice (active) too, which nothing drops before the group is full, however long a worker waits for that.
    cache: [&'static str; 2],
}

const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: ["total_inactive_file", "total_active_file"],
};
const V2: Names = Names {
    limit: "memory.max",
    usage: "memory.current",
    cache: ["inactive_file", "active_file"],
};

/// The groups that limit this process: its own and all above, of each hierarchy that has memory in it.
#[derive(Debug)]
pub(super) struct Groups(Vec<(PathBuf, &'static Names)>);

impl Groups {
    pub(super) fn of_this_process() -> Self {
        let text = |path| read_to_string(path).unwrap_or_default();
        let mut groups = directories(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo"));
        // The root of version 2, and hierarchies without memory in them, have no limit file: not worth asking again.
        groups.retain(|(directory, names)| directory.join(names.limit).exists());
        Self(groups)
    }

    /// The machine's total and available bytes, cut down to what the groups leave.
    pub(super) fn bound(&self, total: u64, available: u64) -> (u64, u64) {
        self.0
            .iter()
            .filter_map(|(directory, names)| Reading::take(directory, names))
            .fold((total, available.min(total)), bounded)
    }
}

/// A limit and what counts against it, in bytes.
#[derive(Clone, Copy, Debug)]
struct Reading {
    limit: u64,
    /// Without file cache that can be dropped.
    used: u64,
}

impl Reading {
    /// Nothing where the group sets no limit.
    fn take(directory: &Path, names: &Names) -> Option<Self> {
        let limit = limit(&read_to_string(directory.join(names.limit)).ok()?)?;
        let usage = read_to_string(directory.join(names.usage)).ok()?.trim().parse().ok()?;
        let stat = read_to_string(directory.join("memory.stat")).unwrap_or_default();
        Some(Self {
            limit,
            used: used(usage, &stat, names),
        })
    }
}

fn bounded((total, available): (u64, u64), group: Reading) -> (u64, u64) {
    (
        total.min(group.limit),
        available.min(group.limit.saturating_sub(group.used)),
    )
}

/// The bytes of a limit file; nothing for `max`. Version 1 writes "no limit" as a number beyond any memory, which
/// the comparison with the machine's own takes care of.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

fn used(usage: u64, stat: &str, names: &Names) -> u64 {
    let droppable: u64 = stat
        .lines()
        .filter_map(|line| {
            let (name, bytes) = line.split_once(' ')?;
            names.cache.contains(&name).then(|| bytes.trim().parse::<u64>().ok())?
        })
        .sum();
    usage.saturating_sub(droppable)
}

/// The directories of this process's groups and of all above them, from the text of `/proc/self/cgroup` and
/// `/proc/self/mountinfo`.
fn directories(cgroup: &str, mountinfo: &str) -> Vec<(PathBuf, &'static Names)> {
    let mut found = Vec::new();
    for line in cgroup.lines() {
        // hierarchy:controllers:path, with no controllers for version 2
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let names = if controllers.is_empty() {
            &V2
        } else if controllers.split(',').any(|c| c == "memory") {
            &V1
        } else {
            continue;
        };
        let Some(mount) = mountinfo.lines().filter_map(Mount::parse).find(|m| m.names == names) else {
            continue;
        };
        // A container sees its own group as the mount's root, which /proc may still name by the outer path.
        let below = Path::new(path).strip_prefix(&mount.root).unwrap_or(Path::new(""));
        let own: PathBuf = mount.point.components().chain(below.components()).collect();
        found.extend(
            own.ancestors()
                .take_while(|directory| directory.starts_with(&mount.point))
                .map(|directory| (directory.to_owned(), names)),
        );
    }
    found
}

/// Where a hierarchy of groups with memory in it is mounted, and which of its groups is the root there.
struct Mount {
    root: PathBuf,
    point: PathBuf,
    names: &'static Names,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let names = match (kind.next()?, kind.nth(1)?) {
            ("cgroup2", _) => &V2,
            ("cgroup", options) if options.split(',').any(|o| o == "memory") => &V1,
            _ => return None,
        };
        Some(Self {
            root: root.into(),
            point: point.into(),
            names,
        })
    }
}

#[cfg(all(test, unix))] // Only Linux has such groups.
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 0:20 / / rw - ext4 /dev/sda1 rw
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
31 1 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    fn paths(cgroup: &str, mounts: &str) -> Vec<String> {
        directories(cgroup, mounts)
            .iter()
            .map(|(p, _)| p.display().to_string())
            .collect()
    }

    #[test]
    fn own_group_and_all_above_are_found() {
        assert_eq!(
            paths("4:cpu,cpuacct:/x\n5:memory:/user/job:7\n", MOUNTS),
            [
                "/sys/fs/cgroup/memory/user/job:7",
                "/sys/fs/cgroup/memory/user",
                "/sys/fs/cgroup/memory"
            ]
        );
        assert_eq!(
            paths("0::/a\n", MOUNTS),
            ["/sys/fs/cgroup/unified/a", "/sys/fs/cgroup/unified"]
        );
        assert!(paths("nonsense\n\n1:x", MOUNTS).is_empty());
        assert!(paths("0::/a\n", "").is_empty());
    }

    #[test]
    fn container_paths_start_at_the_root_of_the_mount() {
        let mounts = "1 0 0:1 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(
            paths("0::/docker/ab/x\n", mounts),
            ["/sys/fs/cgroup/x", "/sys/fs/cgroup"]
        );
        assert_eq!(paths("0::/elsewhere\n", mounts), ["/sys/fs/cgroup"]);
    }

    #[test]
    fn limits_and_usage_are_read() {
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("1073741824\n"), Some(1 << 30));
        assert_eq!(limit("9223372036854771712\n"), Some(9_223_372_036_854_771_712));
        assert_eq!(used(1000, "anon 5\ninactive_file 300\nactive_file 200\n", &V2), 500);
        let v1 = "inactive_file 300\nactive_file 1\ntotal_inactive_file 400\ntotal_active_file 250\n";
        assert_eq!(used(1000, v1, &V1), 350);
        assert_eq!(used(100, "inactive_file 300\n", &V2), 0);
        assert_eq!(used(100, "", &V2), 100);
    }

    #[test]
    fn the_smallest_limit_counts() {
        let group = |limit, used| Reading { limit, used };
        assert_eq!(bounded((100, 60), group(1000, 90)), (100, 60));
        assert_eq!(bounded((100, 60), group(50, 20)), (50, 30));
        assert_eq!(bounded((100, 60), group(50, 55)), (50, 0));
    }

    #[test]
    fn groups_are_read_from_their_files() {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("memory.max", "4000\n"),
            ("memory.current", "1500\n"),
            ("memory.stat", "inactive_file 500\n"),
        ] {
            std::fs::write(root.path().join(name), text).unwrap();
        }
        let groups = Groups(vec![(root.path().to_owned(), &V2), (root.path().join("gone"), &V2)]);
        assert_eq!(groups.bound(10_000, 9_000), (4000, 3000));
        assert_eq!(groups.bound(3_500, 9_000), (3500, 3000));
    }
}
