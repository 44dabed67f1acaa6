use super::*;

/// Every offset of the 346-byte form, written out by hand.
#[test]
fn the_346_bytes_stand_where_the_template_puts_them() {
    let file = TraceFile {
        user_text: vec![b'u'; 3],
        res_desc1: vec![b'd'; 5],
        ris_time: vec![0.5, 0.25],
        res_array1: vec![b'1'; 7],
        second_array: vec![9; 4],
        res_array2: vec![b'2'; 11],
        res_array3: vec![b'3'; 13],
        trailing: b"\n".to_vec(),
        trace_label: b"label".to_vec(),
        gain: 2.0,
        offset: 0.5,
        wave_source: 3,
        ..TraceFile::sequence(vec![
            Segment {
                time: 0.0,
                offset: -1.5,
                codes: vec![258, -2],
            },
            Segment {
                time: 2.0,
                offset: -1.25,
                codes: vec![3, 4],
            },
        ])
    };
    let bytes = file.to_bytes();
    let long = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let double = |at: usize| f64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert!(bytes.starts_with(b"WAVEDESC\0\0\0\0\0\0\0\0LECROY_2_3\0\0\0\0\0\0\x01\0\x01\0"));
    let lengths: Vec<i32> = (36..76).step_by(4).map(long).collect();
    assert_eq!(lengths, [346, 3, 5, 32, 16, 7, 8, 8, 11, 13]);
    assert!(bytes[76..].starts_with(b"LECROYSYNTH\0"));
    assert!(bytes[96..].starts_with(b"label\0"));
    assert_eq!((long(92), long(116), long(144)), (4711, 4, 2));
    assert_eq!(bytes[156..164], [0, 0, 0, 0x40, 0, 0, 0, 0x3f]);
    assert_eq!(bytes[176..180], 1e-9_f32.to_le_bytes());
    assert_eq!(double(180).to_bits(), (-1.5_f64).to_bits());
    assert_eq!((&bytes[196..198], &bytes[244..246]), (&b"V\0"[..], &b"S\0"[..]));
    assert_eq!(bytes[304..310], [23, 9, 9, 11, 0xe6, 0x07]);
    assert_eq!(bytes[344..346], [3, 0]);
    assert_eq!(&bytes[346..354], b"uuuddddd");
    let times: Vec<u64> = (354..402).step_by(8).map(|at| double(at).to_bits()).collect();
    assert_eq!(times, [0.0, -1.5, 2.0, -1.25, 0.5, 0.25].map(f64::to_bits));
    assert_eq!(&bytes[402..409], b"1111111");
    assert_eq!(bytes[409..417], [2, 1, 0xfe, 0xff, 3, 0, 4, 0]);
    assert_eq!(bytes[417..425], [9, 0, 9, 0, 9, 0, 9, 0]);
    assert_eq!(
        &bytes[425..],
        b"22222222222\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\n"
    );
}

#[test]
fn the_320_bytes_stand_where_the_template_puts_them() {
    let file = TraceFile {
        template: Template::Lecroy1_0,
        order: ByteOrder::Big,
        user_text: vec![b'u'; 3],
        second_array: vec![9; 2],
        gain: 2.0,
        wave_source: 1,
        ..TraceFile::single(vec![258, -2])
    };
    let bytes = file.to_bytes();
    let long = |at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert!(bytes.starts_with(b"WAVEDESC\0\0\0\0\0\0\0\0LECROY_1_0\0\0\0\0\0\0\0\x01\0\0"));
    let lengths: Vec<i32> = (36..56).step_by(4).map(long).collect();
    assert_eq!(lengths, [320, 3, 0, 4, 4]);
    assert!(bytes[56..].starts_with(b"LECROYSYNTH\0"));
    assert_eq!((long(92), long(108), long(112)), (2, 1, 1));
    assert_eq!(bytes[120..124], [0x40, 0, 0, 0]);
    assert_eq!(bytes[134..138], 1e-9_f32.to_be_bytes());
    assert_eq!(bytes[138..146], (-1e-7_f64).to_be_bytes());
    assert_eq!((bytes[154], bytes[202]), (b'V', b'S'));
    assert_eq!(bytes[258..264], [23, 9, 9, 11, 0x07, 0xe6]);
    assert_eq!(bytes[296..298], [0, 2]);
    assert_eq!(&bytes[320..323], b"uuu");
    assert_eq!(bytes[323..], [1, 2, 0xff, 0xfe, 0, 9, 0, 9]);
}

#[test]
fn prefixes_name_the_payload() {
    let with = |prefix| TraceFile {
        prefix,
        ..TraceFile::single(vec![1])
    };
    let opening = |prefix, n| with(prefix).to_bytes()[..n].to_vec();
    assert_eq!(opening(Prefix::Block { digits: 9 }, 19), b"#9000000348WAVEDESC");
    assert_eq!(opening(Prefix::Block { digits: 3 }, 13), b"#3348WAVEDESC");
    assert_eq!(opening(Prefix::Block { digits: 1 }, 11), b"#18WAVEDESC");
    assert_eq!(
        opening(Prefix::Answer("C1:WF ALL,".into()), 29),
        b"C1:WF ALL,#9000000348WAVEDESC"
    );
    assert_eq!(with(Prefix::Raw(vec![0; 56])).descriptor_start(), 56);
}

#[test]
#[should_panic(expected = "does not fit eight bits")]
fn codes_beyond_eight_bits_are_a_mistake() {
    let _ = TraceFile {
        bits: Bits::Eight,
        ..TraceFile::single(vec![128])
    }
    .to_bytes();
}

#[test]
fn choices_are_read_as_people_write_them() {
    assert_eq!("lecroy_1_0".parse(), Ok(Template::Lecroy1_0));
    assert_eq!("WAVEACE".parse(), Ok(Template::Other("WAVEACE".into())));
    assert!("A NAME WITH SPACES".parse::<Template>().is_err());
    assert_eq!(
        ("be".parse(), "LE".parse()),
        (Ok(ByteOrder::Big), Ok(ByteOrder::Little))
    );
    assert_eq!(("8".parse(), "16".parse()), (Ok(Bits::Eight), Ok(Bits::Sixteen)));
    assert!("12".parse::<Bits>().is_err());
}
