//! From facts to findings.

use super::Verdict::{Bad, Note, Ok as Good};
use super::{Clock, Facts, Finding, Folder, Need, Planned, Verdict};
use crate::fs::FsKind;
use crate::resources::{Machine, OpenFiles, Scanning, WholeMemory, WindowsSettings};
use crate::units::{Bytes, count, counted};

/// By default `convert` takes a quarter of what is free: of less, next to nothing is left for plan and buffers.
const LEAST_MEMORY: Bytes = Bytes::mib(512);
/// A share of the memory in use above which workers begin nothing more (their `--memory-threshold`).
const FULL: f64 = 0.85;
/// A container that may have less than this part of the machine's memory was perhaps not meant so.
const SMALL_CONTAINER: u64 = 4;
/// A folder in which nearly nothing is free.
const LITTLE_ROOM: Bytes = Bytes::gib(1);
/// No system gives fewer by default, so somebody has set less.
const LEAST_FILES: u64 = 256;
/// FAT counts a file's bytes in 32 bits.
const LARGEST_ON_FAT: Bytes = Bytes((1 << 32) - 1);
const FAT: [&str; 5] = ["vfat", "msdos", "fat", "fat16", "fat32"];
/// Times of files are compared in steps of two seconds.
const CLOCKS_APART_MS: u64 = 2_000;
const CLOCKS_FAR_APART_MS: u64 = 60_000;

/// What the facts mean, in the order in which people look at a machine.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let folder = &facts.folder;
    let of_run = match &facts.planned {
        Planned::Runs(need) => Some(*need),
        Planned::Nothing | Planned::Refused(_) => None,
    };
    let asks_coordinator = !matches!(facts.clock, Clock::NotAsked);
    [
        Some(writable(folder)),
        Some(file_system(folder.kind.as_ref(), of_run)),
        Some(room(folder, of_run.is_some())),
        run(&facts.planned, folder),
        shared_blocks(folder.shares_blocks, asks_coordinator),
        Some(cores(&facts.machine)),
        Some(memory(&facts.machine)),
        container(&facts.machine, facts.whole),
        facts.whole.map(|whole| swap(whole, facts.windows.is_some())),
        facts.open_files.map(open_files),
        clock(&facts.clock),
        facts.windows.map(long_paths),
        facts.windows.and_then(scanning),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn finding(what: &'static str, found: impl Into<String>, verdict: Verdict, advice: &str) -> Finding {
    Finding {
        what,
        found: found.into(),
        verdict,
        advice: (verdict != Good).then(|| advice.to_owned()),
    }
}

fn good(what: &'static str, found: impl Into<String>) -> Finding {
    finding(what, found, Good, "")
}

fn writable(folder: &Folder) -> Finding {
    const WHAT: &str = "folder";
    match (&folder.writable, &folder.made_in) {
        (Err(error), _) => finding(WHAT, error.found(), Bad, error.advice()),
        (Ok(()), None) => good(WHAT, format!("{}, writable", folder.path.display())),
        (Ok(()), Some(above)) => good(
            WHAT,
            format!(
                "{}, not there yet; {}, where it would be made, is writable",
                folder.path.display(),
                above.display()
            ),
        ),
    }
}

fn file_system(kind: Option<&FsKind>, need: Option<Need>) -> Finding {
    const WHAT: &str = "file system";
    let Some(kind) = kind else {
        return finding(
            WHAT,
            "the system does not tell",
            Note,
            "convert into a folder on a disk of this machine, where there is one",
        );
    };
    let name = &kind.name;
    if FAT.contains(&name.to_lowercase().as_str()) {
        return fat(name, need);
    }
    match name.as_str() {
        "tmpfs" | "ramfs" => finding(
            WHAT,
            format!("{name}, in memory"),
            Note,
            "convert onto a disk: arrays here take memory and are gone after a restart",
        ),
        "overlay" => finding(
            WHAT,
            "overlay, the container's own",
            Note,
            "convert into a mounted volume: arrays here are gone with the container",
        ),
        _ if kind.network => finding(
            WHAT,
            format!("{name}, over the network"),
            Note,
            "it works, at the network's pace; a disk of this machine is faster",
        ),
        _ if kind.local => good(WHAT, format!("{name}, a disk of this machine")),
        _ => finding(
            WHAT,
            format!("{name}, perhaps not a disk of this machine"),
            Note,
            "prefer a folder on a disk of this machine, where there is one",
        ),
    }
}

fn fat(name: &str, need: Option<Need>) -> Finding {
    let too_large = need.is_none_or(|need| need.largest > LARGEST_ON_FAT);
    let found = match need {
        Some(need) if too_large => format!(
            "{name}, which holds no file above {LARGEST_ON_FAT}; the largest array has {}",
            need.largest
        ),
        _ => format!("{name}, which holds no file above {LARGEST_ON_FAT}"),
    };
    let verdict = if too_large { Bad } else { Note };
    finding(
        "file system",
        found,
        verdict,
        "choose a folder on another disk, or format this one as exFAT, NTFS or ext4",
    )
}

fn room(folder: &Folder, run_is_known: bool) -> Finding {
    const WHAT: &str = "free space";
    let Some(space) = folder.space else {
        return finding(
            WHAT,
            "the system does not tell",
            Note,
            "look yourself whether the arrays have room there",
        );
    };
    let found = format!("{} of {}", space.available, space.total);
    let verdict = if space.available < LITTLE_ROOM && !run_is_known {
        Note
    } else {
        Good
    };
    finding(
        WHAT,
        found,
        verdict,
        "free some space; --for INPUT says whether the arrays of a run fit",
    )
}

fn run(planned: &Planned, folder: &Folder) -> Option<Finding> {
    const WHAT: &str = "run";
    let need = match planned {
        Planned::Nothing => return None,
        Planned::Refused(why) => {
            let advice = "mend that, then look again; trc2npy convert INPUT --out DIR --dry-run says all of it";
            return Some(finding(WHAT, why.as_str(), Bad, advice));
        }
        Planned::Runs(need) => need,
    };
    let arrays = format!("the arrays of {} need {}", counted(need.runs, "run"), need.bytes);
    Some(match folder.space {
        Some(space) if space.available < need.bytes => finding(
            WHAT,
            format!("{arrays}, {} are free", space.available),
            Bad,
            "free some space, name a folder on another disk, or take less (convert --channels, --dtype int16)",
        ),
        Some(_) => good(WHAT, format!("{arrays} and fit")),
        None => finding(
            WHAT,
            format!("{arrays}; what is free is not known"),
            Note,
            "look yourself whether they have room there",
        ),
    })
}

fn shared_blocks(shares: Option<bool>, asks_coordinator: bool) -> Option<Finding> {
    const WHAT: &str = "shared blocks";
    Some(match shares? {
        true => good(WHAT, "yes: a coordinator copies nothing here"),
        false if asks_coordinator => finding(
            WHAT,
            "no: a coordinator copies each row once",
            Note,
            "XFS, Btrfs or ReFS for the folder of a coordinator's arrays would spare that",
        ),
        false => good(WHAT, "no (of use to a coordinator alone)"),
    })
}

fn cores(machine: &Machine) -> Finding {
    let Machine {
        physical_cores,
        usable_cores,
        ..
    } = machine;
    let physical = counted(*physical_cores as u64, "core");
    good(
        "processor",
        format!("{physical}, {} usable at once", counted(*usable_cores as u64, "thread")),
    )
}

fn memory(machine: &Machine) -> Finding {
    const WHAT: &str = "memory";
    let (total, free) = (machine.memory_total, machine.memory_available);
    if total == Bytes(0) {
        return finding(
            WHAT,
            "the system does not tell",
            Note,
            "set convert --memory-limit to what can be spared, as 1GiB",
        );
    }
    let found = format!("{free} free of {total}");
    if free < LEAST_MEMORY {
        let advice = "end other programs, or give the container more memory";
        return finding(WHAT, format!("{found}; {LEAST_MEMORY} are needed"), Bad, advice);
    }
    let used = total.saturating_sub(free).0 as f64 / total.0 as f64;
    let verdict = if used > FULL { Note } else { Good };
    finding(
        WHAT,
        found,
        verdict,
        "end other programs: so full, buffers shrink and workers begin nothing new",
    )
}

fn container(machine: &Machine, whole: Option<WholeMemory>) -> Option<Finding> {
    const WHAT: &str = "container";
    let all = whole?.memory;
    let limit = machine.memory_total;
    if limit >= all {
        // Only Linux has such limits.
        return cfg!(target_os = "linux").then(|| good(WHAT, "memory is not limited"));
    }
    let verdict = if limit.0 < all.0 / SMALL_CONTAINER { Note } else { Good };
    Some(finding(
        WHAT,
        format!("memory is limited to {limit} of the machine's {all}"),
        verdict,
        "where that is not meant so, start the container with more memory (docker run --memory)",
    ))
}

fn swap(whole: WholeMemory, on_windows: bool) -> Finding {
    let what = if on_windows { "page file" } else { "swap" };
    if whole.swap > Bytes(0) {
        return good(what, whole.swap.to_string());
    }
    let advice = if on_windows {
        "let Windows manage the page file: without it programs end where memory runs out"
    } else {
        "where other programs may fill the memory, add some: without it the system ends one of them"
    };
    finding(what, "none", Note, advice)
}

fn open_files(limit: OpenFiles) -> Finding {
    const WHAT: &str = "open files";
    let Some(allowed) = limit.allowed else {
        return good(WHAT, "as many as are wanted");
    };
    if allowed < LEAST_FILES {
        return finding(
            WHAT,
            format!("at most {}, {LEAST_FILES} are needed", count(allowed)),
            Bad,
            "raise the limit in the same shell before the run: ulimit -n 4096",
        );
    }
    let raised = match limit.at_most {
        Some(most) if most > allowed => format!("; a coordinator raises that to {}", count(most)),
        Some(_) => String::new(),
        None => "; a coordinator lifts that limit".to_owned(),
    };
    good(WHAT, format!("at most {}{raised}", count(allowed)))
}

fn clock(clock: &Clock) -> Option<Finding> {
    let exchange = match clock {
        Clock::NotAsked => return None,
        Clock::Away(why) => {
            let advice = "start the coordinator, or name its address by --coordinator";
            return Some(finding("coordinator", why.as_str(), Bad, advice));
        }
        Clock::Untold => {
            let advice = "run the same trc2npy there as here";
            return Some(finding("clock", "the coordinator does not tell its own", Note, advice));
        }
        Clock::Compared(exchange) => exchange,
    };
    let ahead = exchange.ahead();
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let found = format!(
        "the coordinator's is {:.2} s {side} this one (to {:.2} s)",
        ahead.unsigned_abs() as f64 / 1e3,
        exchange.trip() as f64 / 2e3
    );
    let verdict = match exchange.surely_apart() {
        0..=CLOCKS_APART_MS => Good,
        apart if apart <= CLOCKS_FAR_APART_MS => Note,
        _ => Bad,
    };
    Some(finding(
        "clock",
        found,
        verdict,
        "let both machines set their clocks by the network (NTP): times of files are compared",
    ))
}

fn long_paths(windows: WindowsSettings) -> Finding {
    const WHAT: &str = "long paths";
    if windows.long_paths {
        return good(WHAT, "allowed");
    }
    finding(
        WHAT,
        "not above 260 characters",
        Note,
        r"keep paths short, or set LongPathsEnabled in HKLM\SYSTEM\CurrentControlSet\Control\FileSystem to 1",
    )
}

fn scanning(windows: WindowsSettings) -> Option<Finding> {
    const WHAT: &str = "Defender";
    let advice = "as administrator: Add-MpPreference -ExclusionPath DIR; scanning slows down large files";
    Some(match windows.scanning {
        Scanning::Absent => return None,
        Scanning::Excluded => good(WHAT, "the folder is excluded"),
        Scanning::Scanned => finding(WHAT, "the folder is not excluded", Note, advice),
        Scanning::Secret => finding(
            WHAT,
            "whether the folder is excluded, Windows tells administrators alone",
            Note,
            "look as administrator, and exclude it: Add-MpPreference -ExclusionPath DIR",
        ),
    })
}
