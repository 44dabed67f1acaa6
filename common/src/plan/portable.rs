//! A plan without this machine's paths, so that all machines of a cluster work by one plan of one id.
//!
//! Folders and inputs become places (`data:run/r005`). Everything else is the same everywhere: rows, names, labels.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::model::{Folder, Plan};
use crate::roots::{Place, RootError, RootName, Roots, is_elsewhere};

impl Plan {
    /// The same plan with places instead of paths, and an id of its own. Fails where a folder or an input is below no
    /// root.
    pub fn portable(&self, roots: &Roots) -> Result<Self, RootError> {
        let mut plan = self.clone();
        for folder in &mut plan.folders {
            folder.path = PathBuf::from(roots.place_below(&folder.path)?.to_string());
        }
        for input in &mut plan.request.inputs {
            let path = if is_elsewhere(Path::new(input)) {
                PathBuf::from(&*input)
            } else {
                // Relative ones are meant from where they were typed.
                self.request.working_folder.join(&*input)
            };
            *input = roots.place_below(&path)?.to_string();
        }
        plan.request.working_folder = PathBuf::new();
        plan.id = plan.compute_id();
        Ok(plan)
    }

    /// A portable plan with this machine's paths; it keeps its id, by which all machines speak of it. Fails where a root
    /// is not mapped here, or a link leads out of it.
    pub fn localised(&self, roots: &Roots) -> Result<Self, RootError> {
        let mut plan = self.clone();
        for (folder, place) in plan.folders.iter_mut().zip(self.places()) {
            folder.path = roots.contains(&place?)?;
        }
        for input in &mut plan.request.inputs {
            let path = roots.resolve(&input.parse()?)?;
            // What is below a root that is Unicode is itself.
            path.to_string_lossy().as_ref().clone_into(input);
        }
        Ok(plan)
    }

    /// The roots that a machine must have mapped to read the files of a portable plan.
    pub fn roots(&self) -> Result<BTreeSet<RootName>, RootError> {
        self.places().map(|place| Ok(place?.root().clone())).collect()
    }

    /// The same, of each folder.
    pub fn folder_roots(&self) -> Result<Vec<RootName>, RootError> {
        self.places().map(|place| Ok(place?.root().clone())).collect()
    }

    fn places(&self) -> impl Iterator<Item = Result<Place, RootError>> {
        let place = |folder: &Folder| Ok(folder.path.to_string_lossy().parse()?);
        self.folders.iter().map(place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::plan_of;
    use super::*;

    #[test]
    fn machines_with_other_paths_share_one_plan() {
        let dir = tempfile::tempdir().unwrap();
        let roots = ["here", "there"].map(|machine| {
            std::fs::create_dir_all(dir.path().join(machine).join("run/r005")).unwrap();
            Roots::parse([format!("data={}", dir.path().join(machine).display())]).unwrap()
        });
        let at = |machine: &str, path: &str| dir.path().join(machine).join(path);
        let mut plan = plan_of(&[(0, 1, 100)], 1);
        plan.folders[0].path = at("here", "run/r005");
        plan.request.working_folder = at("here", "run");
        plan.request.inputs = vec!["r*".to_owned(), at("here", "run/r005").to_string_lossy().into_owned()];
        plan.id = plan.compute_id();

        let portable = plan.portable(&roots[0]).unwrap();
        assert_eq!(portable.folders[0].path, PathBuf::from("data:run/r005"));
        assert_eq!(portable.folders[0].label, plan.folders[0].label);
        assert_eq!(portable.request.inputs, ["data:run/r*", "data:run/r005"]);
        assert_eq!(portable.request.working_folder, PathBuf::new());
        assert_ne!(portable.id, plan.id);
        assert_eq!(
            portable
                .roots()
                .unwrap()
                .iter()
                .map(RootName::as_str)
                .collect::<Vec<_>>(),
            ["data"]
        );

        let sent = Plan::decode(&portable.encode()).unwrap();
        assert_eq!(sent.id, portable.id);
        let there = sent.localised(&roots[1]).unwrap();
        assert_eq!(
            (there.id, &there.folders[0].path),
            (portable.id, &at("there", "run/r005"))
        );
        assert_eq!(there.request.inputs[0], at("there", "run").join("r*").to_string_lossy());
        let again = there.portable(&roots[1]).unwrap();
        assert_eq!(again.id, portable.id);
        let here = sent.localised(&roots[0]).unwrap();
        assert!(here.does_the_same(&plan));
    }

    #[test]
    fn what_other_machines_cannot_find_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::parse([format!("data={}", dir.path().display())]).unwrap();
        let mut plan = plan_of(&[(0, 1, 100)], 1);
        plan.request.inputs.clear();
        plan.folders[0].path = dir.path().parent().unwrap().join("elsewhere");
        assert!(matches!(plan.portable(&roots), Err(RootError::NotBelow { .. })));
        // A plan that came from elsewhere can hold anything.
        for (path, why) in [
            ("tape:r005", "not mapped"),
            ("data:../x", "not allowed"),
            ("/etc", "names no root"),
        ] {
            plan.folders[0].path = path.into();
            let error = plan.localised(&roots).unwrap_err().to_string();
            assert!(error.contains(why), "{path}: {error}");
        }
    }
}
