//! Plans of files that only another machine sees: listed there, planned here.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use trc2npy_common::plan::{
    self, Heads, Made, OwnFiles, Plan, PlanError, PlanProgress, PlanRequest, PlannedRun, Survey, compare, plan_survey,
};
use trc2npy_common::roots::{Place, RootName, Roots};

use super::{Lab, sweep};

/// The machine that sees `data`, and another one that does not.
#[derive(Debug)]
struct Machines {
    seeing: Roots,
    planning: Roots,
}

/// Headers as they come over the network: asked for by the folder's place.
#[derive(Debug)]
struct Asked<'m>(&'m Machines);

impl Heads for Asked<'_> {
    fn head(&self, path: &Path) -> io::Result<Vec<u8>> {
        let place = self.0.planning.place_of(path.parent().unwrap()).unwrap();
        let folder = self.0.seeing.resolve(&place).unwrap();
        OwnFiles.head(&folder.join(path.file_name().unwrap()))
    }
}

impl Machines {
    fn new(lab: &Lab, roots: &[&str]) -> Self {
        let names: Vec<RootName> = roots.iter().map(|name| name.parse().unwrap()).collect();
        let words = roots.iter().map(|name| {
            let path = lab.at(name);
            std::fs::create_dir_all(&path).unwrap();
            format!("{name}={}", path.display())
        });
        Self {
            seeing: Roots::parse(words).unwrap(),
            planning: Roots::default().with_elsewhere(&names),
        }
    }

    fn surveyed(&self, inputs: &[&str]) -> Vec<u8> {
        let inputs: Vec<_> = inputs
            .iter()
            .map(|place| self.seeing.resolve(&place.parse::<Place>().unwrap()).unwrap())
            .collect();
        let survey = plan::survey(&inputs, false, 2, &AtomicU64::new(0)).unwrap();
        survey.encode(&self.seeing).unwrap()
    }

    fn plan(&self, inputs: &[&str], join: bool) -> PlannedRun {
        let mut survey = Survey::default();
        for input in inputs {
            survey
                .append(Survey::decode(&self.surveyed(&[input]), &self.planning).unwrap())
                .unwrap();
        }
        let paths = inputs
            .iter()
            .map(|place| self.planning.resolve(&place.parse().unwrap()).unwrap());
        let request = PlanRequest {
            join,
            ..PlanRequest::new(paths.collect(), 2)
        };
        let mut runs = plan_survey(&request, survey, &Asked(self), &PlanProgress::default()).unwrap();
        assert_eq!(runs.len(), 1);
        runs.remove(0)
    }

    /// The same by the machine that sees everything.
    fn by_itself(&self, inputs: &[&str], join: bool) -> PlannedRun {
        let paths = inputs
            .iter()
            .map(|place| self.seeing.resolve(&place.parse().unwrap()).unwrap());
        let request = PlanRequest {
            join,
            ..PlanRequest::new(paths.collect(), 2)
        };
        super::one(&request)
    }
}

fn texts(run: &PlannedRun) -> Vec<String> {
    run.findings.all.iter().map(ToString::to_string).collect()
}

#[test]
fn a_plan_of_files_elsewhere_is_the_plan_of_who_sees_them() {
    let lab = Lab::new();
    let machines = Machines::new(&lab, &["scope", "other"]);
    lab.sweeps(
        "scope/r005",
        [
            "C1--Trace--00000.trc",
            "C1--Trace--00001.trc",
            "C2--Trace--00001.trc",
            "notes.txt",
        ],
    )
    .sweeps("scope/r005", ["C1--Trace--00000 (1).trc", "C2--Trace--00000.trc"])
    .put("scope/r005/C2--Trace--00002.trc", &sweep(10))
    .put_bytes("scope/r005/C1--Trace--00002.trc", b"broken")
    .sweeps("other/r005-2", ["C1--Trace--00000.trc", "C2--Trace--00000.trc"])
    .sweeps("other/r006", ["pulse.trc"])
    .sweeps("other/r007", ["C1--Trace--99999.trc", "C1--Trace--100000.trc"]);
    for (inputs, join) in [
        (&["scope:r005"][..], false),
        (&["scope:r005", "other:r005-2"], true),
        (&["other:r006/pulse.trc"], false),
        (&["other:r007"], false),
        (&["scope:r005/C2--*.trc"], false),
    ] {
        let here = machines.plan(inputs, join);
        let there = machines.by_itself(inputs, join);
        let portable = here.plan.portable(&machines.planning).unwrap();
        // The id is the hash of all that is in it.
        assert_eq!(
            portable.id,
            there.plan.portable(&machines.seeing).unwrap().id,
            "{inputs:?}"
        );
        let both = (texts(&here), texts(&there));
        assert_eq!(both.0, both.1, "{inputs:?}");
        // Back from the coordinator's plan file, on either machine.
        let sent = Plan::decode(&portable.encode()).unwrap();
        assert!(sent.localised(&machines.seeing).unwrap().does_the_same(&there.plan));
        assert!(sent.localised(&machines.planning).unwrap().does_the_same(&here.plan));
    }
    let labels: Vec<_> = machines
        .plan(&["scope:r005", "other:r005-2"], true)
        .plan
        .folders
        .into_iter()
        .map(|folder| folder.label)
        .collect();
    assert_eq!(labels, ["scope/r005", "other/r005-2"]);
}

#[test]
fn files_elsewhere_are_compared_with_what_is_planned_today() {
    let lab = Lab::new();
    let machines = Machines::new(&lab, &["scope"]);
    lab.sweeps(
        "scope/r",
        ["C1--Trace--00000.trc", "C1--Trace--00001.trc", "C1--Trace--00002.trc"],
    );
    let before = machines.plan(&["scope:r"], false).plan;
    let changes = |now: &Plan| compare(&before, now, true, 2, &|_, _, _| Made::Not).unwrap();
    assert!(changes(&machines.plan(&["scope:r"], false).plan).is_empty());
    lab.put("scope/r/C1--Trace--00001.trc", &sweep(11))
        .put("scope/r/C1--Trace--00003.trc", &sweep(10));
    std::fs::remove_file(lab.at("scope/r/C1--Trace--00002.trc")).unwrap();
    let mut survey = PlanRequest::new(vec!["scope:/r".into()], 2);
    survey.options.ragged = trc2npy_common::options::Ragged::Bad;
    let listed = Survey::decode(&machines.surveyed(&["scope:r"]), &machines.planning).unwrap();
    let now = plan_survey(&survey, listed, &Asked(&machines), &PlanProgress::default())
        .unwrap()
        .remove(0)
        .plan;
    let found = changes(&now);
    assert_eq!(found.new.examples, ["r/C1--Trace--00003.trc"]);
    assert_eq!(found.missing.examples, ["r/C1--Trace--00002.trc"]);
    assert_eq!(found.changed.examples[0].file, "r/C1--Trace--00001.trc");
    assert_eq!((found.new.count, found.missing.count, found.changed.count), (1, 1, 1));
}

#[test]
fn what_is_named_twice_is_one_and_what_is_named_apart_is_refused() {
    let lab = Lab::new();
    let machines = Machines::new(&lab, &["scope"]);
    lab.sweeps("scope/r", ["C1--Trace--00000.trc", "C1--Trace--00001.trc"]);
    let listed = |input| Survey::decode(&machines.surveyed(&[input]), &machines.planning).unwrap();
    for [first, second] in [
        ["scope:r", "scope:r"],
        ["scope:r/C1--Trace--00000.trc", "scope:r"],
        ["scope:r", "scope:r/C1--Trace--00000.trc"],
    ] {
        let mut all = listed(first);
        all.append(listed(second)).unwrap();
        let request = PlanRequest::new(vec!["scope:/r".into()], 1);
        let runs = plan_survey(&request, all, &Asked(&machines), &PlanProgress::default()).unwrap();
        assert_eq!(runs[0].plan.channels[0].rows, 2, "{first} {second}");
    }
    let mut all = listed("scope:r/C1--Trace--00000.trc");
    let refused = all.append(listed("scope:r/C1--Trace--00001.trc")).unwrap_err();
    assert!(
        matches!(refused, PlanError::NamedApart { .. }) && refused.is_usage(),
        "{refused}"
    );
}

#[test]
fn a_survey_that_is_none_is_refused_and_leads_nowhere_else() {
    let lab = Lab::new();
    let machines = Machines::new(&lab, &["scope"]);
    lab.sweeps("scope/r", ["C1--Trace--00000.trc", "C1--Trace--00001.trc"]);
    let whole = machines.surveyed(&["scope:r"]);
    let decode = |bytes: &[u8]| Survey::decode(bytes, &machines.planning);
    assert!(decode(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(decode(&whole[..length]).is_err(), "cut to {length}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert!(decode(&longer).unwrap_err().to_string().contains("follow"));
    let text_at = |text: &str| {
        whole
            .windows(text.len())
            .position(|bytes| bytes == text.as_bytes())
            .unwrap()
    };
    for (from, to) in [
        ("C1--Trace--00000.trc", "../Trace/./00000.trc"),
        ("C1--Trace--00000.trc", "C:\\Trace--000000.trc"),
        ("C1--Trace--00000.trc", "C1--Trace--00000.txt"),
        ("scope:r", "scope:/"),
        ("scope:r", "../../r"),
        ("scope:r", "other:r"),
    ] {
        let mut bytes = whole.clone();
        let at = text_at(from);
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        assert!(decode(&bytes).is_err(), "{to}");
    }
    // A class that there is not, and a number that its form of names cannot hold.
    for (back, value) in [(4, 7_u32), (24, 9)] {
        let mut bytes = whole.clone();
        let at = bytes.len() - back;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        assert!(decode(&bytes).is_err());
    }
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        // Whatever it says, it is below the root.
        if let Ok(survey) = decode(&bytes) {
            let request = PlanRequest::new(vec!["scope:/r".into()], 1);
            for run in plan_survey(&request, survey, &Asked(&machines), &PlanProgress::default())
                .into_iter()
                .flatten()
            {
                assert!(run.plan.portable(&machines.planning).is_ok());
            }
        }
    }
}

/// Two disks that have one name, and one disk seen twice.
#[test]
fn surveys_of_different_disks_are_told_apart() {
    let lab = Lab::new();
    let survey = |disk: &str| {
        let survey = plan::survey(&[lab.at(disk).join("r")], false, 2, &AtomicU64::new(0)).unwrap();
        let seeing = Roots::parse([format!("data={}", lab.at(disk).display())]).unwrap();
        let planning = Roots::default().with_elsewhere([&"data".parse().unwrap()]);
        Survey::decode(&survey.encode(&seeing).unwrap(), &planning).unwrap()
    };
    let set = |path: &str, size: u64, seconds: u64| {
        let path = lab.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(path).unwrap();
        file.set_len(size).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
            .unwrap();
    };
    for (disk, name, size, seconds) in [
        ("one", "C1--Trace--00000.trc", 500, 1000),
        ("one", "C2--Trace--00007.trc", 500, 1000),
        // The same storage, seen later and through a server that keeps times in steps of two seconds.
        ("later", "C1--Trace--00000.trc", 500, 1002),
        ("later", "C1--Trace--00001.trc", 500, 1000),
        ("later", "C2--Trace--00007.trc", 600, 1009),
        ("copy", "C2--Trace--00007.trc", 500, 1000),
        ("copy", "C1--Trace--00000.trc", 500, 1003),
        ("fewer", "C1--Trace--00000.trc", 500, 1000),
        // The same number, in another form of names.
        ("named", "C1--Trace--00000.trc", 500, 1000),
        ("named", "C2--Noise--00007.trc", 500, 1000),
    ] {
        set(&format!("{disk}/r/{name}"), size, seconds);
    }
    let one = survey("one");
    for (other, trust_size, unlike) in [
        ("one", false, None),
        ("later", false, None),
        ("copy", false, Some("C1--Trace--00000.trc")),
        ("copy", true, None),
        ("fewer", true, Some("C2--Trace--00007.trc")),
        ("named", true, Some("C2--Trace--00007.trc")),
    ] {
        let found = one.unlike(&survey(other), trust_size);
        let found = found.as_deref().map(|path| path.file_name().unwrap().to_str().unwrap());
        assert_eq!(found, unlike, "{other}, {trust_size}");
    }
    assert!(survey("later").unlike(&one, false).is_some());
    assert!(one.unlike(&Survey::default(), false).is_some());
    assert!(Survey::default().unlike(&one, false).is_none());
}
