//! Folders into runs, and what is said where there is nothing.

use std::path::PathBuf;

use trc2npy_common::plan::{Finding, Out, PlanError, resolve_outputs};

use super::{Lab, finding, labels, one, refused, rows, runs, sweep};

#[test]
fn numbered_folders_are_one_run_and_indices_start_anew_in_each() {
    let lab = Lab::new();
    for folder in ["r005-10", "r005", "r005-2"] {
        lab.sweeps(folder, ["C1--Trace--00000.trc", "C1--Trace--00001.trc"]);
    }
    let run = lab.plan(&["r005-10", "r005", "r005-2"]);
    assert_eq!(run.plan.run, "r005");
    assert_eq!(
        labels(&run.plan, "C1"),
        [
            "r005/C1--Trace--00000.trc",
            "r005/C1--Trace--00001.trc",
            "r005-2/C1--Trace--00000.trc",
            "r005-2/C1--Trace--00001.trc",
            "r005-10/C1--Trace--00000.trc",
            "r005-10/C1--Trace--00001.trc",
        ]
    );
    let missing = finding(&run, |finding| match finding {
        Finding::MissingFolders { folders } => Some(folders.clone()),
        _ => None,
    });
    assert_eq!((missing.count, missing.examples[0].as_str()), (7, "r005-3"));
}

#[test]
fn other_folders_are_runs_of_their_own_unless_joined() {
    let lab = Lab::new();
    lab.sweeps("b", ["C1--Trace--00000.trc"])
        .sweeps("a", ["C1--Trace--00000.trc"])
        .sweeps("b-2", ["C1--Trace--00000.trc"]);
    let mut request = lab.request(&["b", "a", "b-2"]);
    let two = runs(&request).unwrap();
    assert_eq!(
        two.iter().map(|run| run.plan.run.as_str()).collect::<Vec<_>>(),
        ["b", "a"]
    );

    assert_eq!(
        resolve_outputs(&Out::Template("npy/{run}".to_owned()), &two).unwrap(),
        [PathBuf::from("npy/b"), PathBuf::from("npy/a")]
    );
    let error = resolve_outputs(&Out::Template("npy".to_owned()), &two).unwrap_err();
    assert!(error.is_usage());
    assert!(
        error.to_string().contains("--out npy/{run}") && error.to_string().contains("--join"),
        "{error}"
    );
    assert_eq!(
        resolve_outputs(&Out::Template("npy".to_owned()), &two[..1]).unwrap(),
        [PathBuf::from("npy")]
    );
    let folder = Out::Folder("npy/{run}".to_owned());
    assert_eq!(
        resolve_outputs(&folder, &two[..1]).unwrap(),
        [PathBuf::from("npy/{run}")]
    );
    assert!(resolve_outputs(&folder, &two).is_err());

    request.join = true;
    let run = one(&request);
    assert_eq!(
        labels(&run.plan, "C1"),
        [
            "b/C1--Trace--00000.trc",
            "b-2/C1--Trace--00000.trc",
            "a/C1--Trace--00000.trc"
        ]
    );
}

#[test]
fn two_runs_of_one_name_cannot_share_an_output_folder() {
    let lab = Lab::new();
    lab.sweeps("x/r", ["C1--Trace--00000.trc"])
        .sweeps("y/r", ["C1--Trace--00000.trc"]);
    let two = runs(&lab.request(&["x/r", "y/r"])).unwrap();
    let error = resolve_outputs(&Out::Template("npy/{run}".to_owned()), &two).unwrap_err();
    assert!(matches!(error, PlanError::SameRun { .. }), "{error}");
}

#[test]
fn sub_folders_are_searched_only_when_asked() {
    let lab = Lab::new();
    lab.sweeps("data/r9", ["C1--Trace--00000.trc"])
        .sweeps("data/r10", ["C1--Trace--00000.trc"])
        .sweeps("data/r9-2", ["C1--Trace--00000.trc"])
        .put_bytes("data/notes/readme.txt", b"x");
    let error = refused(&lab.request(&["data"]));
    assert!(error.is_usage());
    assert!(error.to_string().contains("4 folders (notes, r10, r9, ...)"), "{error}");
    assert!(error.to_string().contains("--recursive"), "{error}");

    let mut request = lab.request(&["data"]);
    request.recursive = true;
    let found = runs(&request).unwrap();
    assert_eq!(
        found.iter().map(|run| run.plan.run.as_str()).collect::<Vec<_>>(),
        ["r9", "r10"]
    );
    assert_eq!(found[0].plan.folders.len(), 2);
}

#[test]
fn files_and_patterns_are_inputs_too() {
    let lab = Lab::new();
    lab.sweeps(
        "r",
        [
            "C1--Trace--00000.trc",
            "C1--Trace--00001.trc",
            "C1--Trace--00002.trc",
            "C2--Trace--00001.trc",
        ],
    );
    let run = lab.plan(&["r/C1--Trace--00002.trc", "r/C1--Trace--00000.trc"]);
    assert_eq!(
        rows(&run.plan, "C1"),
        [
            (0, "r/C1--Trace--00000.trc".to_owned()),
            (1, "r/C1--Trace--00002.trc".to_owned())
        ]
    );
    let run = lab.plan(&["r/*00001.trc"]);
    assert_eq!(run.plan.channels.len(), 2);
    assert_eq!(labels(&run.plan, "C2"), ["r/C2--Trace--00001.trc"]);
}

#[test]
fn an_empty_folder_among_others_of_the_run_is_only_noted() {
    let lab = Lab::new();
    lab.sweeps("r", ["C1--Trace--00000.trc"])
        .put_bytes("r-2/notes.txt", b"x")
        .put_bytes("s/notes.txt", b"x");
    let run = lab.plan(&["r", "r-2"]);
    finding(&run, |finding| {
        matches!(finding, Finding::EmptyFolder { .. }).then_some(())
    });
    // But a run without any trace was surely not meant.
    let error = refused(&lab.request(&["r", "s"]));
    assert!(matches!(error, PlanError::NoTraces { .. }) && error.is_usage());
    assert!(
        error
            .to_string()
            .contains("1 file of another kind than .trc (notes.txt)"),
        "{error}"
    );
}

#[test]
fn the_plan_is_the_same_however_many_threads_make_it_and_comes_back_from_its_file() {
    let lab = Lab::new();
    for i in (0..500).rev() {
        lab.put(&format!("r/C{}--Trace--{:05}.trc", i % 2 + 1, i / 2), &sweep(10));
    }
    let mut request = lab.request(&["r"]);
    let ids: Vec<_> = [1, 2, 5]
        .map(|threads| {
            request.threads = threads;
            one(&request).plan.id
        })
        .into();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let plan = one(&request).plan;
    let back = trc2npy_common::plan::Plan::decode(&plan.encode()).unwrap();
    assert_eq!((back.id, back.files()), (plan.id, 500));
    assert_eq!(back.request.inputs, [lab.at("r").to_string_lossy()]);
}
