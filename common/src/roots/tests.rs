use super::*;

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

#[test]
fn places_are_written_as_they_are_read() {
    for text in [
        "data:",
        "data:run/r005",
        "data:run/r*",
        "fast-1:a b/[c]?.trc",
        "a_b:.trc2npy/x..y",
        "data:com/con-1",
    ] {
        assert_eq!(place(text).to_string(), text);
    }
    let nested = place("data:run/r005");
    assert_eq!((nested.root().as_str(), nested.path()), ("data", "run/r005"));
    assert_eq!(nested.parts().collect::<Vec<_>>(), ["run", "r005"]);
    assert_eq!(place("data:").parts().count(), 0);
    // As a shell completes folders.
    assert_eq!(place("data:run/r005/"), nested);
    assert_eq!(place("data:."), place("data:"));
    assert_eq!(place("data:./"), place("data:"));
}

#[test]
fn what_some_machine_could_not_open_or_would_open_elsewhere_is_refused() {
    for (text, why) in [
        ("run/r005", "names no root"),
        ("C:/run", "no root's name"),
        ("C:\\run", "no root's name"),
        (":run", "no root's name"),
        ("da ta:run", "no root's name"),
        ("dätä:run", "no root's name"),
        ("data:/run", "relative"),
        ("data://nas/run", "relative"),
        ("data:run\\r005", "separated by /"),
        ("data:run//r005", "empty"),
        ("data:run//", "empty"),
        ("data:/", "relative"),
        ("data:..", "not allowed"),
        ("data:run/../../etc", "not allowed"),
        ("data:./run", "not allowed"),
        ("data:D:/run", "colon"),
        ("data:run/file.trc:stream", "colon"),
        ("data:run\n", "does not allow"),
        ("data:a\0b", "does not allow"),
        ("data:a|b", "does not allow"),
        ("data:run./x", "ends in a dot"),
        ("data:run /x", "ends in a dot"),
        ("data:...", "ends in a dot"),
        ("data:con", "device"),
        ("data:run/NUL.trc", "device"),
        ("data:Aux .txt", "device"),
        ("data:lpt9/x", "device"),
        ("data:com\u{b2}", "device"),
    ] {
        let error = text.parse::<Place>().unwrap_err().to_string();
        assert!(error.contains(why), "{text:?}: {error}");
    }
}

#[test]
fn paths_and_places_are_each_others_inverse() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for folder in ["lab/run/r005", "lab/fast"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    let words = [
        format!("data={}", at("lab").display()),
        format!("fast={}", at("lab/fast").display()),
    ];
    let roots = Roots::parse(words).unwrap();
    assert_eq!(
        roots.names().map(RootName::as_str).collect::<Vec<_>>(),
        ["data", "fast"]
    );
    for (text, path) in [
        ("data:run/r005", "lab/run/r005"),
        ("data:run/r*", "lab/run/r*"),
        ("data:", "lab"),
        ("data:not/yet/there", "lab/not/yet/there"),
        ("fast:x", "lab/fast/x"),
    ] {
        assert_eq!(roots.resolve(&place(text)).unwrap(), at(path));
        assert_eq!(roots.place_of(&at(path)), Some(place(text)), "{path}");
        assert_eq!(roots.contains(&place(text)).unwrap(), at(path));
    }
    assert_eq!(roots.place_of(&at("lab/run/../fast/y")), Some(place("fast:y")));
    assert_eq!(roots.place_of(&at("elsewhere")), None);
    assert_eq!(roots.place_of(&at("lab/a:b")), None);
    let error = roots.place_below(&at("elsewhere")).unwrap_err().to_string();
    assert!(error.contains("below no root") && error.contains("fast = "), "{error}");
    let error = roots.resolve(&place("tape:x")).unwrap_err().to_string();
    assert!(
        error.contains("tape is not mapped") && error.contains("--root tape="),
        "{error}"
    );
}

#[test]
fn roots_that_cannot_be_meant_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().display();
    std::fs::write(dir.path().join("file"), b"").unwrap();
    for (words, why) in [
        (vec!["data".to_owned()], "maps no root"),
        (vec!["data=".to_owned()], "maps no root"),
        (vec![format!("D={here}")], "no root's name"),
        (vec![format!("data={here}/none")], "cannot be opened"),
        (vec![format!("data={here}/file")], "no folder"),
        (vec![format!("data={here}"), format!("data={here}")], "given twice"),
    ] {
        let error = Roots::parse(&words).unwrap_err().to_string();
        assert!(error.contains(why), "{words:?}: {error}");
    }
}

/// Links are made without rights on unix systems alone.
#[cfg(unix)]
#[test]
fn links_may_lead_to_a_root_and_inside_it_but_not_out_of_it() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("disk/run/r005")).unwrap();
    std::fs::create_dir_all(at("secret/r1")).unwrap();
    symlink(at("disk"), at("lab")).unwrap();
    symlink(at("secret"), at("disk/out")).unwrap();
    symlink(at("disk/run/r005"), at("disk/run/latest")).unwrap();
    symlink(at("nowhere"), at("disk/broken")).unwrap();
    let roots = Roots::parse([format!("data={}", at("lab").display())]).unwrap();
    let within = |text: &str| roots.contains(&place(text));
    assert_eq!(within("data:run/r005").unwrap(), at("lab/run/r005"));
    assert_eq!(within("data:run/latest").unwrap(), at("lab/run/latest"));
    for out in ["data:out", "data:out/r1", "data:out/new"] {
        let error = within(out).unwrap_err();
        assert!(matches!(error, RootError::LeadsOut { .. }), "{out}: {error}");
    }
    assert!(matches!(within("data:broken").unwrap_err(), RootError::Storage { .. }));
    // The name of a link is kept, another way to the root is found.
    assert_eq!(roots.place_of(&at("lab/run/latest")), Some(place("data:run/latest")));
    assert_eq!(roots.place_of(&at("disk/run/r006")), Some(place("data:run/r006")));
}
