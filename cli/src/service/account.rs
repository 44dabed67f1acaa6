//! Under whose name a service runs.

/// The account of least rights: it may use this machine as any user, and is nobody to other machines.
pub(super) const LOCAL_SERVICE: &str = r"NT AUTHORITY\LocalService";

/// The system's own accounts, by the names that people give them.
const BUILT_IN: [(&str, &str); 6] = [
    ("localservice", LOCAL_SERVICE),
    (r"nt authority\localservice", LOCAL_SERVICE),
    ("networkservice", r"NT AUTHORITY\NetworkService"),
    (r"nt authority\networkservice", r"NT AUTHORITY\NetworkService"),
    ("localsystem", "LocalSystem"),
    (r"nt authority\system", "LocalSystem"),
];

/// An account as the service manager wants it named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    /// A person's, or one made like a person's.
    pub(super) has_password: bool,
}

impl Account {
    /// The one that was asked for. A bare name is a user of this machine.
    pub(super) fn read(asked: Option<&str>) -> Self {
        let asked = asked.unwrap_or(LOCAL_SERVICE).trim();
        let lower = asked.to_lowercase();
        if let Some((_, name)) = BUILT_IN.iter().find(|(known, _)| *known == lower) {
            return Self {
                name: (*name).to_owned(),
                has_password: false,
            };
        }
        let name = if asked.contains(['\\', '@']) {
            asked.to_owned()
        } else {
            format!(r".\{asked}")
        };
        Self {
            // Accounts that the domain, or the system, keeps the password of.
            has_password: !name.ends_with('$') && !lower.starts_with(r"nt service\"),
            name,
        }
    }

    /// Its name for access lists: the system's own accounts have another one in each language.
    pub(super) fn trustee(&self) -> &str {
        match self.name.as_str() {
            LOCAL_SERVICE => "*S-1-5-19",
            r"NT AUTHORITY\NetworkService" => "*S-1-5-20",
            "LocalSystem" => "*S-1-5-18",
            // A user of this machine, whom access lists know by the bare name.
            name => name.strip_prefix(r".\").unwrap_or(name),
        }
    }

    /// Whether other machines see nobody where this account comes.
    pub(super) fn is_nobody_elsewhere(&self) -> bool {
        self.name == LOCAL_SERVICE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_named_as_the_service_manager_wants_them() {
        for (asked, name, has_password) in [
            (None, LOCAL_SERVICE, false),
            (Some("LocalService"), LOCAL_SERVICE, false),
            (
                Some(r"nt authority\networkservice"),
                r"NT AUTHORITY\NetworkService",
                false,
            ),
            (Some("LOCALSYSTEM"), "LocalSystem", false),
            (Some("lab"), r".\lab", true),
            (Some(r"LAB\daq"), r"LAB\daq", true),
            (Some("daq@lab.example"), "daq@lab.example", true),
            (Some(r"LAB\daq$"), r"LAB\daq$", false),
            (Some(r"NT SERVICE\trc2npy-worker"), r"NT SERVICE\trc2npy-worker", false),
        ] {
            let account = Account::read(asked);
            assert_eq!((account.name.as_str(), account.has_password), (name, has_password));
            assert_eq!(account.is_nobody_elsewhere(), name == LOCAL_SERVICE);
        }
    }

    #[test]
    fn access_lists_name_the_systems_accounts_in_no_language() {
        for (asked, trustee) in [
            (None, "*S-1-5-19"),
            (Some("NetworkService"), "*S-1-5-20"),
            (Some("LocalSystem"), "*S-1-5-18"),
            (Some("daq"), "daq"),
            (Some(r"LAB\daq"), r"LAB\daq"),
        ] {
            assert_eq!(Account::read(asked).trustee(), trustee, "{asked:?}");
        }
    }
}
