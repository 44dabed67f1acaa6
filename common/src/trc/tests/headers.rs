use super::super::*;
use super::Draft;
use crate::status::Status;
use crate::units::Bytes;

const BOTH: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

fn parse(draft: &Draft) -> Result<Header, FormatError> {
    Header::parse(&draft.file())
}

fn layout(draft: &Draft) -> Result<Layout, FormatError> {
    parse(draft)?.layout(Bytes::from(draft.file().len()))
}

#[test]
fn every_prefix_is_stepped_over() {
    let longest = "x".repeat(63);
    for prefix in [
        "",
        "#9000000354",
        "#3354",
        "#15",
        "C1:WF ALL,#9000000354",
        "C1:WF DAT1,",
        &longest,
    ] {
        let mut draft = Draft::two_x(ByteOrder::Little);
        draft.prefix = prefix.into();
        let header = parse(&draft).unwrap();
        assert_eq!(header.start(), prefix.len());
        let layout = header.layout(Bytes::from(draft.file().len())).unwrap();
        assert_eq!(layout.data, prefix.len() as u64 + 346..prefix.len() as u64 + 354);
        // What the contract promises to show of a file is enough, whatever the prefix.
        assert!(prefix.len() + 346 <= HEAD_BYTES);
    }
}

#[test]
fn a_descriptor_that_begins_too_late_is_no_waveform() {
    let mut draft = Draft::two_x(ByteOrder::Little);
    draft.prefix = vec![b'x'; 64];
    let error = parse(&draft).unwrap_err();
    assert_eq!(error, FormatError::NotWaveform { found: Bytes(64) });
    assert_eq!(error.status(), Status::NotWaveform);
    assert_eq!(
        Header::parse(b"").unwrap_err().to_string(),
        "not a LeCroy waveform: WAVEDESC expected in the first 64 bytes, not found in the 0 bytes that were read"
    );
    assert!(matches!(
        Header::parse(b"WAVEDES"),
        Err(FormatError::NotWaveform { found: Bytes(7) })
    ));
}

#[test]
fn numbers_are_read_in_the_files_own_order() {
    for order in BOTH {
        let mut draft = Draft::two_x(order);
        draft.text(76, "LECROYWR64Xi");
        draft.long(92, 50_699);
        draft.float(156, -0.25);
        draft.float(160, 1.5);
        draft.float(176, 1e-9);
        draft.double(180, -3.5e-7);
        draft.raw(196, b"\xb5V\0junk");
        draft.text(244, "S");
        draft.long(148, 16);
        draft.word(316, 9);
        draft.word(344, 2);
        // 2022-11-09 09:23:52.5
        draft.double(296, 52.5);
        draft.raw(304, &[23, 9, 9, 11]);
        draft.word(308, 2022);
        let header = parse(&draft).unwrap();
        assert_eq!((header.order(), header.family()), (order, Family::TwoX));
        assert_eq!(header.width(), SampleWidth::Sixteen);
        assert_eq!(header.template(), "LECROY_2_3");
        assert_eq!(header.instrument(), "LECROYWR64Xi");
        assert_eq!(header.instrument_number(), 50_699);
        assert_eq!((header.gain(), header.offset()), (-0.25, 1.5));
        assert_eq!((header.horiz_interval(), header.horiz_offset()), (1e-9, -3.5e-7));
        assert_eq!((header.vert_unit().as_str(), header.hor_unit().as_str()), ("µV", "S"));
        assert_eq!((header.sweeps(), header.record_type()), (16, 9));
        assert_eq!(header.wave_source(), "C3".parse().ok());
        assert_eq!(header.trigger_time(), Some(1_667_985_832_500_000_000));
    }
}

#[test]
fn lecroy_1_0_has_its_own_places() {
    for order in BOTH {
        let mut draft = Draft::one_zero(order);
        draft.text(56, "LeCroy 7200");
        draft.float(120, 0.5);
        draft.float(124, 2.0);
        draft.word(128, 32_512);
        draft.long(112, 7);
        draft.float(134, 1e-9);
        draft.double(138, -1.5e-6);
        draft.text(154, "V");
        draft.word(270, 10);
        draft.word(272, 7);
        draft.word(296, 4);
        let header = parse(&draft).unwrap();
        assert_eq!(header.family(), Family::OneZero);
        assert_eq!(header.instrument(), "LeCroy 7200");
        assert_eq!((header.gain(), header.offset()), (0.5, 2.0));
        assert_eq!((header.horiz_interval(), header.horiz_offset()), (1e-9, -1.5e-6));
        assert_eq!(header.vert_unit(), "V");
        assert_eq!(header.wave_source(), "C4".parse().ok());
        assert_eq!(header.value(Field::MaxValue), Some(Value::Integer(32_512)));
        assert_eq!(header.value(Field::NomSubarrayCount), Some(Value::Integer(7)));
        assert_eq!(header.value(Field::RecordType).unwrap().to_string(), "alt_sync_avg");
        assert_eq!(header.value(Field::ProcessingDone).unwrap().to_string(), "preprocessed");
        assert_eq!(header.value(Field::ResArray1), None);
        assert_eq!(layout(&draft).unwrap().data, 320..328);
    }
}

#[test]
fn the_family_follows_the_template_and_other_names_are_the_long_form() {
    let mut draft = Draft::two_x(ByteOrder::Little);
    draft.raw(16, b"WAVEACE\0\0\0\0\0\0\0\0\0");
    assert_eq!(parse(&draft).unwrap().family(), Family::TwoX);
    assert_eq!(parse(&draft).unwrap().template(), "WAVEACE");

    let mut draft = Draft::one_zero(ByteOrder::Little);
    draft.raw(16, b"7200_1_0\0\0");
    assert_eq!(parse(&draft).unwrap().family(), Family::OneZero);
}

#[test]
fn an_order_or_a_width_that_no_template_has_is_malformed() {
    for bytes in [[0, 1], [2, 0], [1, 1], [0xff, 0xff]] {
        let mut draft = Draft::two_x(ByteOrder::Little);
        draft.raw(34, &bytes);
        let error = parse(&draft).unwrap_err();
        assert_eq!(error, FormatError::UnknownOrder { found: bytes });
        assert_eq!(error.status(), Status::Malformed);
    }
    for order in BOTH {
        for width in [2, -1, 256] {
            let mut draft = Draft::two_x(order);
            draft.word(32, width);
            let error = parse(&draft).unwrap_err();
            assert_eq!(error, FormatError::UnknownWidth { found: width });
            assert_eq!(error.status(), Status::Malformed);
        }
    }
}

#[test]
fn the_descriptors_own_length_rules_and_cannot_be_too_short() {
    for (mut draft, fixed) in [
        (Draft::two_x(ByteOrder::Big), 346),
        (Draft::one_zero(ByteOrder::Big), 320),
    ] {
        draft.long(36, fixed + 4);
        draft.bytes.extend([0; 4]);
        let start = u64::from(fixed.unsigned_abs());
        assert_eq!(layout(&draft).unwrap().data, start + 4..start + 12);
        for length in [fixed - 1, 0, -1, i32::MIN] {
            draft.long(36, length);
            let error = parse(&draft).unwrap_err();
            assert!(
                matches!(error, FormatError::ShortDescriptor { found, .. } if found == length),
                "{error}"
            );
        }
    }
}

#[test]
fn a_file_that_ends_inside_its_descriptor_is_cut_short() {
    let draft = Draft::two_x(ByteOrder::Little);
    let file = draft.file();
    for length in 8..346 {
        let error = Header::parse(&file[..length]).unwrap_err();
        let FormatError::Truncated { expected, found, block } = error else {
            panic!("{length}: {error}");
        };
        // From byte 76 on all lengths are known, and with them the size of the whole file.
        let known = if length < 76 { 346 } else { 354 };
        assert_eq!((expected, found), (Bytes(known), Bytes::from(length)), "{length}");
        assert_eq!(block, Field::WaveDescriptor);
    }
    assert!(Header::parse(&file[..346]).is_ok());
}

/// One block of each kind, each of another length, in the order of the document.
#[test]
fn blocks_lie_behind_one_another_in_the_documents_order() {
    for order in BOTH {
        let mut draft = Draft::two_x(order);
        draft.prefix = b"#9000000000".to_vec();
        draft.word(32, 0);
        // USER_TEXT, RES_DESC1, TRIGTIME, RIS_TIME, RES_ARRAY1, WAVE_ARRAY_1, WAVE_ARRAY_2, RES_ARRAY2, RES_ARRAY3
        for (at, length) in (40..).step_by(4).zip([3, 5, 32, 16, 7, 10, 6, 9, 1]) {
            draft.long(at, length);
        }
        draft.long(116, 10);
        draft.long(144, 2);
        draft.bytes.resize(346 + 89, 0);
        let found = layout(&draft).unwrap();
        let start = 11 + 346;
        assert_eq!(
            found.shape,
            Shape {
                segments: 2,
                samples: 5
            }
        );
        assert_eq!(found.trigtime, Some(start + 8..start + 40));
        assert_eq!(found.data, start + 63..start + 73);
        assert_eq!(found.segment(0), start + 63..start + 68);
        assert_eq!(found.segment(1), start + 68..start + 73);
        assert_eq!(found.second_array, Bytes(6));
        // Its six bytes as two rows of their own.
        let header = parse(&draft).unwrap();
        let second = header.layout_of(WaveArray::Second, Bytes(start + 89)).unwrap();
        assert_eq!((second.shape.segments, second.shape.samples), (2, 3));
        assert_eq!(second.segment(1), start + 76..start + 79);
        assert_eq!(
            (second.trigtime.clone(), second.end),
            (found.trigtime.clone(), found.end)
        );
        assert_eq!(found.end, start + 89);
        assert_eq!((found.missing_times, found.count_mismatch), (0, None));

        // Cut by one byte in each block: the block is named, also where the samples themselves are whole.
        let header = parse(&draft).unwrap();
        for (size, block) in [
            (start + 88, Field::ResArray3),
            (start + 87, Field::ResArray2),
            (start + 78, Field::WaveArray2),
            (start + 72, Field::WaveArray1),
            (start + 62, Field::ResArray1),
            (start + 2, Field::UserText),
        ] {
            let error = header.layout(Bytes(size)).unwrap_err();
            assert_eq!(
                error,
                FormatError::Truncated {
                    expected: Bytes(start + 89),
                    found: Bytes(size),
                    block
                }
            );
            assert_eq!(error.status(), Status::Truncated);
        }
        // Bytes behind the last block are padding.
        assert_eq!(header.layout(Bytes(start + 90)).unwrap(), found);
    }
}

#[test]
fn negative_lengths_are_named_with_their_value() {
    for (at, field) in [
        (40, Field::UserText),
        (44, Field::ResDesc1),
        (48, Field::TrigtimeArray),
        (52, Field::RisTimeArray),
        (56, Field::ResArray1),
        (60, Field::WaveArray1),
        (64, Field::WaveArray2),
        (68, Field::ResArray2),
        (72, Field::ResArray3),
        (144, Field::SubarrayCount),
    ] {
        let mut draft = Draft::two_x(ByteOrder::Little);
        draft.long(at, -7);
        let error = layout(&draft).unwrap_err();
        assert_eq!(error, FormatError::Negative { field, value: -7 });
        assert_eq!(error.status(), Status::Malformed);
    }
}

#[test]
fn the_largest_lengths_overflow_nothing() {
    let mut draft = Draft::two_x(ByteOrder::Little);
    draft.word(32, 0);
    for at in (36..76).step_by(4) {
        draft.long(at, i32::MAX);
    }
    let error = layout(&draft).unwrap_err();
    assert_eq!(
        error,
        FormatError::Truncated {
            expected: Bytes(10 * 2_147_483_647),
            found: Bytes(354),
            block: Field::WaveDescriptor
        }
    );
}

#[test]
fn samples_must_be_there_whole_and_even() {
    let with = |bytes: i32, segments: i32| {
        let mut draft = Draft::two_x(ByteOrder::Little);
        draft.long(60, bytes);
        draft.long(144, segments);
        layout(&draft)
    };
    assert_eq!(with(0, 1).unwrap_err(), FormatError::NoSamples);
    assert_eq!(
        with(7, 1).unwrap_err(),
        FormatError::HalfSample {
            array: WaveArray::First,
            bytes: 7
        }
    );
    assert_eq!(
        with(8, 3).unwrap_err(),
        FormatError::Uneven {
            array: WaveArray::First,
            samples: 4,
            segments: 3
        }
    );
    assert_eq!(
        with(8, i32::MAX).unwrap_err().status(),
        Status::Malformed,
        "more segments than samples"
    );
    for (segments, rows) in [(0, 1), (1, 1), (2, 2), (4, 4)] {
        let shape = with(8, segments).unwrap().shape;
        assert_eq!((shape.segments, shape.samples), (rows, 4 / rows));
    }
}

#[test]
fn the_length_in_bytes_rules_over_the_count() {
    for named in [3, 5, 0, -1] {
        let mut draft = Draft::two_x(ByteOrder::Little);
        draft.long(116, named);
        let found = layout(&draft).unwrap();
        assert_eq!(found.shape.samples, 4);
        assert_eq!(found.count_mismatch, Some(CountMismatch { named, found: 4 }));
    }
}

#[test]
fn segments_without_a_time_are_counted() {
    let with = |trigtime: i32| {
        let mut draft = Draft::two_x(ByteOrder::Little);
        draft.long(48, trigtime);
        draft.long(144, 4);
        draft.bytes.resize(346 + 8 + 80, 0);
        layout(&draft).unwrap()
    };
    for (bytes, entries, missing) in [(0, 0, 4), (15, 0, 4), (40, 2, 2), (64, 4, 0), (80, 4, 0)] {
        let found = with(bytes);
        let expected = (entries > 0).then(|| 346..346 + 16 * entries);
        assert_eq!((found.trigtime, found.missing_times), (expected, missing), "{bytes}");
        assert_eq!(found.data.start, 346 + u64::from(bytes.unsigned_abs()));
    }
    let header = parse(&Draft::two_x(ByteOrder::Little)).unwrap();
    assert_eq!(header.time_without_entry(0).time.to_bits(), 0);
    assert!(header.time_without_entry(1).time.is_nan());
    // A single sweep has no such array and lacks nothing.
    assert_eq!(layout(&Draft::two_x(ByteOrder::Little)).unwrap().missing_times, 0);
}

#[test]
fn a_scale_that_is_no_number_is_named() {
    for (at, field) in [(156, Field::VerticalGain), (160, Field::VerticalOffset)] {
        for (value, shown) in [
            (f32::NAN, Some(Unscaled::NaN)),
            (f32::NEG_INFINITY, Some(Unscaled::Infinite)),
            (f32::MAX, None),
        ] {
            for order in BOTH {
                let mut draft = Draft::two_x(order);
                draft.float(at, value);
                let wanted = shown.map_or(Ok(()), |value| Err(FormatError::NotFinite { field, value }));
                assert_eq!(parse(&draft).unwrap().check_scale(), wanted, "{field}: {value}");
            }
        }
    }
    let error = FormatError::NotFinite {
        field: Field::VerticalGain,
        value: Unscaled::NaN,
    };
    assert_eq!(error.status(), Status::Malformed);
    assert_eq!(
        error.to_string(),
        "malformed header: VERTICAL_GAIN must be a number, found NaN"
    );
}

#[test]
fn trigger_times_are_read_in_order() {
    for order in BOTH {
        let mut draft = Draft::two_x(order);
        for (i, value) in (0_i16..).zip([0.0, -1e-7, 0.5, -2e-7]) {
            draft.double(usize::try_from(i).unwrap() * 8, value);
        }
        let read: Vec<_> = segment_times(&draft.bytes[..32], order)
            .map(|t| (t.time, t.offset))
            .collect();
        assert_eq!(read, [(0.0, -1e-7), (0.5, -2e-7)]);
        assert_eq!(segment_times(&draft.bytes[..31], order).len(), 1);
        assert_eq!(segment_times(&[], order).len(), 0);
    }
}

#[test]
fn channels_of_the_header_are_those_that_exist() {
    for (code, channel) in [
        (0, Some("C1")),
        (3, Some("C4")),
        (7, Some("C8")),
        (8, None),
        (9, None),
        (-1, None),
    ] {
        let mut draft = Draft::two_x(ByteOrder::Little);
        draft.word(344, code);
        assert_eq!(
            parse(&draft).unwrap().wave_source(),
            channel.map(|c| c.parse().unwrap()),
            "{code}"
        );
    }
    let mut draft = Draft::one_zero(ByteOrder::Little);
    for (code, channel) in [(0, None), (1, Some("C1")), (i16::MIN, None)] {
        draft.word(296, code);
        assert_eq!(
            parse(&draft).unwrap().wave_source(),
            channel.map(|c| c.parse().unwrap()),
            "{code}"
        );
    }
}

#[test]
fn fields_are_shown_with_their_names_and_unknown_enums_as_numbers() {
    let mut draft = Draft::two_x(ByteOrder::Big);
    draft.word(324, 21);
    draft.word(326, 4);
    draft.word(332, 27);
    draft.word(344, 4);
    let header = parse(&draft).unwrap();
    let all: serde_json::Map<_, _> = header
        .fields()
        .map(|(field, value)| (field.to_string(), serde_json::to_value(value).unwrap()))
        .collect();
    assert_eq!(all.len(), 56);
    for (name, value) in [
        ("TEMPLATE_NAME", serde_json::json!("LECROY_2_3")),
        ("COMM_TYPE", "word".into()),
        ("COMM_ORDER", "HIFIRST".into()),
        ("TIMEBASE", "10_us/div".into()),
        ("VERT_COUPLING", "AC,_1MOhm".into()),
        ("FIXED_VERT_GAIN", "1_kV/div".into()),
        ("WAVE_SOURCE", 4.into()),
        ("TRIGGER_TIME", serde_json::Value::Null),
        ("WAVE_ARRAY_1", 8.into()),
    ] {
        assert_eq!(all[name], value, "{name}");
    }
    let old = parse(&Draft::one_zero(ByteOrder::Big)).unwrap();
    assert_eq!(old.fields().count(), 42);
    assert!(old.fields().any(|(field, _)| field == Field::WaveSrcChannel));
}

#[test]
fn files_differ_where_a_value_does_and_not_where_its_bytes_do() {
    let set = |fields: &[Field]| fields.iter().copied().collect::<FieldSet>();
    let plain = Draft::two_x(ByteOrder::Little);
    let header = parse(&plain).unwrap();
    assert!(header.differing(&header).is_empty());

    let mut other = plain.clone();
    other.float(156, 0.5);
    other.raw(304, &[1]);
    other.double(180, f64::NAN);
    // Behind a NUL, and minus zero: the same value.
    other.raw(16, b"LECROY_2_3\0junk");
    other.float(160, -0.0);
    let other = parse(&other).unwrap();
    let expected = set(&[Field::VerticalGain, Field::HorizOffset, Field::TriggerTime]);
    assert_eq!(header.differing(&other), expected);
    assert_eq!(other.differing(&header), expected);
    assert!(other.differing(&other.clone()).is_empty(), "NaN is like itself");

    // A prefix is no field.
    let mut moved = plain.clone();
    moved.prefix = b"#15".to_vec();
    assert!(header.differing(&parse(&moved).unwrap()).is_empty());

    // The other order says the same values in other bytes.
    let big = parse(&Draft::two_x(ByteOrder::Big)).unwrap();
    assert_eq!(header.differing(&big), set(&[Field::CommOrder]));

    // Fields that only one family has differ; those stored in other widths are compared by value.
    let old = parse(&Draft::one_zero(ByteOrder::Little)).unwrap();
    let against_old = header.differing(&old);
    for field in [
        Field::TemplateName,
        Field::WaveDescriptor,
        Field::ResDesc1,
        Field::WaveSource,
        Field::WaveSrcChannel,
    ] {
        assert!(against_old.contains(field), "{field}");
    }
    for field in [Field::WaveArray1, Field::MaxValue, Field::NomSubarrayCount] {
        assert!(!against_old.contains(field), "{field}");
    }
}
