use proptest::prelude::*;

use super::*;

fn read(name: &str) -> Result<(Option<String>, String, u64, Form), Unmatched> {
    split(name).map(|split| {
        let class = Class::new(name, split);
        (
            class.channel.map(|c| c.to_string()),
            class.stem,
            split.number,
            split.form,
        )
    })
}

#[test]
fn every_form_of_name_is_read() {
    use Form::{Dashed, Extension, Plain};
    for (name, channel, stem, number, form) in [
        ("C1--Trace--00000.trc", "C1", "Trace", 0, Dashed),
        ("C1--wave--00042.trc", "C1", "wave", 42, Dashed),
        ("C4--Trace--99999.TRC", "C4", "Trace", 99_999, Dashed),
        ("C4--Trace--100000.Trc", "C4", "Trace", 100_000, Dashed),
        ("C1--bias-50 V--x--00001.trc", "C1", "bias-50 V--x", 1, Dashed),
        ("C1--a---00007.trc", "C1", "a-", 7, Dashed),
        ("C1--2nd--00007.trc", "C1", "2nd", 7, Dashed),
        ("C1--00007.trc", "C1", "", 7, Dashed),
        ("C1----00007.trc", "C1", "", 7, Dashed),
        ("C1--Trace--7.trc", "C1", "Trace", 7, Dashed),
        ("C12--Trace--00007.trc", "C12", "Trace", 7, Dashed),
        ("F1--Trace--00000.trc", "F1", "Trace", 0, Dashed),
        ("M2--Trace--00000.trc", "M2", "Trace", 0, Dashed),
        ("Z3--Trace--00000.trc", "Z3", "Trace", 0, Dashed),
        ("c2--trace--00000.trc", "C2", "trace", 0, Dashed),
        ("C1--Grün µV--00000.trc", "C1", "Grün µV", 0, Dashed),
        ("C1Trace00000.trc", "C1", "Trace", 0, Plain),
        ("C1Trace123456.trc", "C1", "Trace", 123_456, Plain),
        ("C1--Trace00012.trc", "C1", "Trace", 12, Plain),
        ("trace1.000", "C1", "trace", 0, Extension),
        ("TRACE2.417", "C2", "TRACE", 417, Extension),
        ("trace4.1000", "C4", "trace", 1000, Extension),
    ] {
        assert_eq!(
            read(name),
            Ok((Some(channel.to_owned()), stem.to_owned(), number, form)),
            "{name}"
        );
    }
}

#[test]
fn a_name_without_a_channel_is_read_all_the_same() {
    for (name, stem, number) in [
        ("Trace--00003.trc", "Trace", 3),
        ("C0--Trace--00003.trc", "C0--Trace", 3),
        ("C01--Trace--00003.trc", "C01--Trace", 3),
        ("C100--Trace--00003.trc", "C100--Trace", 3),
        ("wave00003.trc", "wave", 3),
        ("x1--a--00003.trc", "x1--a", 3),
        ("trace.003", "trace", 3),
        // The digits hold the channel's number too: readings tell them apart.
        ("C100003.trc", "C", 100_003),
    ] {
        let (channel, read_stem, read_number, _) = read(name).unwrap();
        assert_eq!(
            (channel, read_stem.as_str(), read_number),
            (None, stem, number),
            "{name}"
        );
    }
}

#[test]
fn names_that_are_no_traces_say_why() {
    for (name, reason) in [
        ("C1--Trace--00001 (1).trc", Unmatched::Copy),
        ("C1--Trace--00001 - Copy.trc", Unmatched::Copy),
        ("C1--Trace--00001 - Copy (2).trc", Unmatched::Copy),
        ("C1--Trace--00001 - Kopie.trc", Unmatched::Copy),
        ("C1--Trace--00001 (copy).trc", Unmatched::Copy),
        ("Copy of C1--Trace--00001.trc", Unmatched::Copy),
        ("C1--Trace--final.trc", Unmatched::NoIndex),
        ("C1--Trace--.trc", Unmatched::NoIndex),
        ("C1--bias50.trc", Unmatched::NoIndex),
        ("C1--Trace--00001-2.trc", Unmatched::NoIndex),
        ("pulse.trc", Unmatched::NoIndex),
        (".trc", Unmatched::NoIndex),
        ("C1--Trace--12345678901234567890.trc", Unmatched::IndexTooLong),
        ("notes.txt", Unmatched::OtherKind),
        ("README", Unmatched::OtherKind),
        ("trace1.00", Unmatched::OtherKind),
        ("archive.001", Unmatched::OtherKind),
        ("tracé1.000", Unmatched::OtherKind),
        ("C1--Trace--00001.trc.part", Unmatched::OtherKind),
    ] {
        assert_eq!(split(name), Err(reason), "{name}");
    }
}

#[test]
fn what_the_system_leaves_behind_is_hidden() {
    for name in [
        "._C1--Trace--00001.trc",
        ".DS_Store",
        "Thumbs.db",
        "THUMBS.DB",
        "desktop.ini",
    ] {
        assert!(is_hidden(name.as_bytes()), "{name}");
    }
    assert!(!is_hidden(b"C1--Trace--00001.trc"));
}

#[test]
fn a_class_refuses_the_names_of_others() {
    let name = "C1--Trace--00001.trc";
    let class = Class::new(name, split(name).unwrap());
    assert_eq!(class.number_of(b"C1--Trace--09876.trc"), Some(9876));
    for other in [
        "C2--Trace--00001.trc",
        "C1--Trace--00001.TRC",
        "C1--Trace--0000a.trc",
        "C1--Trace--000010.trc",
    ] {
        assert_eq!(class.number_of(other.as_bytes()), None, "{other}");
    }
}

proptest! {
    #[test]
    fn a_name_comes_back_from_what_was_read_of_it(
        tag in "[CFMZ][1-9]", text in "[A-Za-z0-9 µ_-]{0,6}", dashed: bool, number in 0..10_u64.pow(12), width in 5_usize..8,
    ) {
        let name = if dashed { format!("{tag}--{text}--{number:0width$}.trc") } else { format!("{tag}{text}{number:0width$}.trc") };
        let split = split(&name).unwrap();
        let class = Class::new(&name, split);
        prop_assert_eq!(class.name(split.number), name.clone());
        prop_assert_eq!(class.number_of(name.as_bytes()), Some(split.number));
        prop_assert!(!class.prefix.ends_with(|c: char| c.is_ascii_digit()));
        if dashed {
            prop_assert_eq!(split.number, number);
            prop_assert_eq!(class.channel.map(|c| c.to_string()), Some(tag));
            prop_assert_eq!(class.stem, text);
        }
    }

    #[test]
    fn no_name_at_all_makes_it_panic(name in "\\PC{0,40}") {
        if let Ok(split) = split(&name) {
            let class = Class::new(&name, split);
            prop_assert_eq!(class.number_of(name.as_bytes()), Some(split.number));
        }
    }
}
