use std::sync::Arc;

use proptest::prelude::*;

use super::super::model::PatternId;
use super::super::testing::plan_of;
use super::*;

fn sample() -> Plan {
    plan_of(&[(0, 1, 100), (3, 2, 120), (5, 1, 100)], 7)
}

#[test]
fn a_plan_comes_back_from_its_file() {
    let plan = sample();
    let bytes = plan.encode();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plan.bin");
    std::fs::write(&path, &bytes).unwrap();
    for back in [Plan::decode(&bytes).unwrap(), Plan::read_from(&path).unwrap()] {
        assert_eq!(back.id, plan.id);
        assert_eq!(back.run, plan.run);
        assert_eq!(back.request, plan.request);
        assert_eq!(back.folders, plan.folders);
        assert_eq!(back.patterns, plan.patterns);
        assert_eq!(back.channels.len(), 2);
        for (back, plan) in back.channels.iter().zip(plan.channels.iter()) {
            assert_eq!(back.files, plan.files);
            assert_eq!(back.left_out, plan.left_out);
            assert_eq!(back.layouts, plan.layouts);
            assert_eq!(back.reference, plan.reference);
            assert_eq!(
                (back.rows, back.samples, back.element),
                (plan.rows, plan.samples, plan.element)
            );
        }
        assert_eq!(back.encode(), bytes);
    }
}

#[test]
fn the_id_is_the_hash_of_the_content_before_the_checksum() {
    let plan = sample();
    let bytes = plan.encode();
    let hash: [u8; 32] = Sha256::digest(&bytes[..bytes.len() - 4]).into();
    assert_eq!(plan.id, PlanId(hash));
    assert_ne!(plan.id, plan_of(&[(0, 1, 100)], 1).id);
}

#[test]
fn other_files_and_newer_versions_are_told_apart() {
    let bytes = sample().encode();
    assert!(matches!(
        Plan::decode(b"PK\x03\x04 something else"),
        Err(PlanFileError::NotAPlan)
    ));
    assert!(matches!(Plan::decode(b""), Err(PlanFileError::Damaged(_))));
    let mut newer = bytes;
    newer[8] = 9;
    assert!(matches!(Plan::decode(&newer), Err(PlanFileError::Newer { found: 9 })));
}

#[test]
fn a_head_that_names_impossible_counts_takes_no_memory() {
    let mut plan = sample();
    plan.channels = [plan.channels[0].clone()].into();
    let text = String::from_utf8_lossy(&plan.encode()).into_owned();
    assert!(text.contains("\"files\":3,"), "the head is JSON");
    for files in ["18446744073709551615", "1000000000000", "4"] {
        let mut body = Vec::new();
        plan.write_body(&mut body).unwrap();
        let at = body.windows(10).position(|window| window == b"\"files\":3,").unwrap();
        body.splice(at..at + 10, format!("\"files\":{files},").bytes());
        let head = u64::from_le_bytes(body[12..20].try_into().unwrap()) + files.len() as u64 - 1;
        body[12..20].copy_from_slice(&head.to_le_bytes());
        let mut crc = new_crc();
        crc.update(&body);
        body.extend(u32::try_from(crc.finalize()).unwrap().to_le_bytes());
        assert!(matches!(Plan::decode(&body), Err(PlanFileError::Damaged(_))), "{files}");
    }
}

/// A plan that was written wrongly, not damaged: its checksum holds.
#[test]
fn a_plan_that_contradicts_itself_is_refused() {
    type Spoil = fn(&mut Plan);
    fn of(plan: &mut Plan) -> &mut [ChannelPlan] {
        Arc::make_mut(&mut plan.channels)
    }
    let spoils: [(&str, Spoil); 12] = [
        ("given twice", |plan| of(plan)[0].files.first_rows[1] = 0),
        ("in its array", |plan| of(plan)[0].rows = 2),
        ("gives 9 rows", |plan| of(plan)[0].files.rows[2] = 9),
        ("layout that is not there", |plan| of(plan)[0].files.layouts[0] = 3),
        ("name that is not there", |plan| {
            of(plan)[1].left_out.patterns[0] = 2;
        }),
        ("folder that is not there", |plan| plan.patterns[0].folder = 1),
        ("no file's name", |plan| {
            plan.patterns[0].prefix = "../../etc/".to_owned();
        }),
        ("reference", |plan| of(plan)[0].reference.pattern = PatternId(2)),
        ("without samples", |plan| of(plan)[0].samples = 0),
        ("channels out of order", |plan| of(plan).swap(0, 1)),
        ("files out of order", |plan| of(plan)[0].files.indices.swap(0, 1)),
        ("rows of 10 samples", |plan| of(plan)[0].rows = u64::MAX / 2),
    ];
    for (expected, spoil) in spoils {
        let mut plan = sample();
        spoil(&mut plan);
        let error = Plan::decode(&plan.encode()).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_anywhere_is_an_error(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = sample().encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(Plan::decode(&bytes).is_err());
    }

    #[test]
    fn a_cut_or_lengthened_file_is_an_error(at in any::<prop::sample::Index>(), behind in 1..20_usize) {
        let bytes = sample().encode();
        prop_assert!(Plan::decode(&bytes[..at.index(bytes.len())]).is_err());
        let longer: Vec<u8> = bytes.iter().copied().chain(std::iter::repeat_n(0, behind)).collect();
        prop_assert!(Plan::decode(&longer).is_err());
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = sample().encode();
        prop_assert!(Plan::decode(&noise).is_err());
        bytes.truncate(12);
        bytes.extend(noise);
        prop_assert!(Plan::decode(&bytes).is_err());
    }
}
