//! Files that must be read, and what is special about each.

use super::{Fixture, fixture, forms};
use crate::trace::{Bits, ByteOrder, Prefix, Segment, Template, TraceFile, TriggerTime};

/// Codes that show a swapped byte, a lost sign, a shifted start: no two neighbours alike, both extremes, no palindrome.
pub(super) fn codes(bits: Bits, samples: usize, salt: i16) -> Vec<i16> {
    let mut state = salt.wrapping_mul(7919).wrapping_add(12345);
    let mut codes: Vec<i16> = (0..samples)
        .map(|_| {
            state = state.wrapping_mul(25173).wrapping_add(13849);
            match bits {
                Bits::Eight => state >> 8,
                Bits::Sixteen => state,
            }
        })
        .collect();
    let extremes = match bits {
        Bits::Eight => [i16::from(i8::MIN), i16::from(i8::MAX), 0, -1, 1],
        Bits::Sixteen => [i16::MIN, i16::MAX, 0, -1, 1],
    };
    for (code, extreme) in codes.iter_mut().skip(3).zip(extremes) {
        *code = extreme;
    }
    codes
}

fn segments(bits: Bits, count: i16, samples: usize) -> Vec<Segment> {
    (0..count)
        .map(|k| Segment {
            time: f64::from(k) * 0.007_458_397_749,
            offset: -3.645e-7 + f64::from(k) * 2.5e-11,
            codes: codes(bits, samples, k),
        })
        .collect()
}

fn plain() -> TraceFile {
    TraceFile::single(codes(Bits::Sixteen, 502, 1))
}

/// A single sweep with one thing changed.
fn plain_but(name: &str, change: impl FnOnce(&mut TraceFile)) -> Fixture {
    let mut file = plain();
    change(&mut file);
    fixture(name, &file)
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let mut all = Vec::new();
    all.extend(every_form());
    all.extend(prefixes());
    all.extend(blocks());
    all.extend(sequences());
    all.extend(labels());
    all.extend(scales());
    all.extend(times());
    all
}

/// Both forms of the descriptor, in both orders and widths, as one sweep, as a sequence and with all blocks at once.
fn every_form() -> Vec<Fixture> {
    let mut all = Vec::new();
    for (template, order, form) in forms() {
        for (bits, width) in [(Bits::Eight, "8 bit"), (Bits::Sixteen, "16 bit")] {
            let shape = |file: TraceFile| TraceFile {
                template: template.clone(),
                order,
                bits,
                ..file
            };
            let single = shape(TraceFile::single(codes(bits, 502, 1)));
            let several = shape(TraceFile::sequence(segments(bits, 4, 27)));
            all.push(fixture(format!("{form} {width} single"), &single));
            all.push(fixture(format!("{form} {width} sequence"), &several));
            let mut loaded = TraceFile {
                user_text: b"WAVEDESC is written here by the operator".to_vec(),
                second_array: codes(bits, 108, 9),
                descriptor_extra: 13,
                trailing: b"\n".to_vec(),
                prefix: Prefix::Block { digits: 9 },
                ..several
            };
            if template != Template::Lecroy1_0 {
                loaded.res_desc1 = vec![0xa1; 5];
                loaded.ris_time = vec![1e-11, 2e-11, 3e-11];
                loaded.res_array1 = vec![0xa2; 3];
                loaded.res_array2 = vec![0xa3; 7];
                loaded.res_array3 = vec![0xa4; 9];
            }
            all.push(fixture(format!("{form} {width} every block"), &loaded));
        }
    }
    all
}

fn prefixes() -> Vec<Fixture> {
    let with = |name: &str, prefix| plain_but(name, |file| file.prefix = prefix);
    let mut all: Vec<Fixture> = (1..=9)
        .map(|digits| with(&format!("block header of {digits} digits"), Prefix::Block { digits }))
        .collect();
    all.extend([
        with("answer to WF ALL", Prefix::Answer("C1:WF ALL,".into())),
        with("answer to WF DAT1", Prefix::Answer("C1:WF DAT1,".into())),
        with("answer with spaces", Prefix::Answer("TA:WAVEFORM ALL , ".into())),
        with("indefinite block header", Prefix::Raw(b"#0".to_vec())),
        with(
            "a start that looks like the name",
            Prefix::Raw(b"WAVEDES WAVE".to_vec()),
        ),
        with("56 bytes before", Prefix::Raw(vec![b'.'; 56])),
    ]);
    all.push(fixture(
        "answer, big-endian LECROY_1_0",
        &TraceFile {
            prefix: Prefix::Answer("C2:WF ALL,".into()),
            template: Template::Lecroy1_0,
            order: ByteOrder::Big,
            ..plain()
        },
    ));
    all
}

fn blocks() -> Vec<Fixture> {
    vec![
        plain_but("user text", |file| file.user_text = b"bias 50 mV\0\xb5".to_vec()),
        plain_but("reserved descriptor block", |file| file.res_desc1 = vec![7; 101]),
        plain_but("RIS array", |file| {
            file.ris_time = vec![0.0, 2.5e-11, 5e-11, 7.5e-11];
            file.record_type = 8;
        }),
        plain_but("reserved array 1", |file| file.res_array1 = vec![8; 33]),
        plain_but("reserved arrays 2 and 3", |file| {
            file.res_array2 = vec![8; 33];
            file.res_array3 = vec![9; 10];
        }),
        plain_but("extrema: a second array", |file| {
            file.second_array = codes(Bits::Sixteen, 502, 2);
            file.record_type = 6;
        }),
        plain_but("complex: a second array", |file| {
            file.second_array = codes(Bits::Sixteen, 502, 3);
            file.record_type = 5;
        }),
        plain_but("longer descriptor", |file| file.descriptor_extra = 54),
        plain_but("longer descriptor than the head", |file| file.descriptor_extra = 1000),
        plain_but("longer LECROY_1_0 descriptor", |file| {
            file.template = Template::Lecroy1_0;
            file.descriptor_extra = 26;
        }),
        plain_but("trailing newline", |file| file.trailing = b"\n".to_vec()),
        plain_but("trailing padding", |file| file.trailing = vec![0; 4096]),
        fixture("one sample", &TraceFile::single(vec![-77])),
        fixture("two samples", &TraceFile::single(vec![-77, 78])),
        fixture(
            "odd number of bytes",
            &TraceFile {
                bits: Bits::Eight,
                ..TraceFile::single(codes(Bits::Eight, 10_001, 4))
            },
        ),
    ]
}

fn sequences() -> Vec<Fixture> {
    let sequence_but = |name: &str, change: fn(&mut TraceFile)| {
        let mut file = TraceFile::sequence(segments(Bits::Sixteen, 5, 101));
        change(&mut file);
        fixture(name, &file)
    };
    vec![
        sequence_but("sequence that stopped early", |file| file.nominal_segments = Some(100)),
        sequence_but("segments without their times", |file| file.trigtime = false),
        sequence_but("sequence with user text", |file| file.user_text = vec![b'x'; 3]),
        sequence_but("sequence of one segment", |file| file.segments.truncate(1)),
        sequence_but("sequence of one sample each", |file| {
            file.segments = segments(Bits::Sixteen, 40, 1);
        }),
        plain_but("segment count 0", |file| file.subarray_count = Some(0)),
        plain_but("segment count 0 in LECROY_1_0", |file| {
            file.subarray_count = Some(0);
            file.template = Template::Lecroy1_0;
            file.order = ByteOrder::Big;
        }),
    ]
}

/// Names and numbers that only people read.
fn labels() -> Vec<Fixture> {
    vec![
        plain_but("template WAVEACE", |file| {
            file.template = Template::Other("WAVEACE".into());
        }),
        plain_but("template of 16 bytes", |file| {
            file.template = Template::Other("LECROY_2_3_LONG_".into());
        }),
        plain_but("template without a name", |file| {
            file.template = Template::Other(String::new());
        }),
        plain_but("unknown enums", |file| {
            file.record_type = 77;
            file.processing_done = -3;
            file.timebase = 100;
            file.coupling = 99;
            file.fixed_vert_gain = 1234;
            file.bandwidth_limit = 8;
            file.wave_source = 9;
        }),
        plain_but("eighth channel", |file| file.wave_source = 7),
        plain_but("Latin-1 texts", |file| {
            file.instrument = b"M\xfcnchen \xb5\xff".to_vec();
            file.trace_label = b"\xe9chantillon".to_vec();
            file.vert_unit = b"\xb5V".to_vec();
        }),
        plain_but("texts that fill their fields", |file| {
            file.instrument = vec![b'I'; 16];
            file.trace_label = vec![b'L'; 16];
            file.vert_unit = vec![b'V'; 48];
            file.hor_unit = vec![b'S'; 48];
        }),
        plain_but("texts that are empty", |file| {
            for text in [&mut file.instrument, &mut file.vert_unit, &mut file.hor_unit] {
                text.clear();
            }
        }),
        plain_but("average of 64 sweeps", |file| file.sweeps = 64),
    ]
}

/// Numbers that values are made from.
fn scales() -> Vec<Fixture> {
    vec![
        plain_but("sample count too high", |file| file.wave_array_count = Some(504)),
        plain_but("sample count too low", |file| file.wave_array_count = Some(500)),
        plain_but("sample count 0", |file| file.wave_array_count = Some(0)),
        plain_but("negative gain", |file| {
            file.gain = -3.051_757_8e-5;
            file.offset = 0.125;
        }),
        plain_but("gain that rounds", |file| {
            file.gain = 0.1;
            file.offset = 0.3;
        }),
        plain_but("gain 0", |file| {
            file.gain = 0.0;
            file.offset = -0.0;
        }),
        plain_but("8-bit codes in 16-bit words", |file| {
            file.nominal_bits = 8;
            file.segments[0].codes = codes(Bits::Eight, 502, 5).iter().map(|code| code << 8).collect();
        }),
        plain_but("interval of 20 ns", |file| {
            file.horiz_interval = 2e-8;
            file.horiz_offset = -1.234_567_89e-6;
        }),
    ]
}

fn times() -> Vec<Fixture> {
    let at = |year, months, days, hours, minutes, seconds| TriggerTime {
        seconds,
        minutes,
        hours,
        days,
        months,
        year,
    };
    [
        ("trigger time all zeros", TriggerTime::default()),
        ("trigger time 59.9999999 s", at(2022, 11, 9, 9, 59, 59.999_999_9)),
        (
            "trigger time rounds into the next year",
            at(2023, 12, 31, 23, 59, 59.999_999_999_9),
        ),
        ("trigger time on a leap day", at(2024, 2, 29, 12, 0, 0.5)),
        ("trigger time of 1990", at(1990, 6, 30, 1, 2, 3.25)),
        ("trigger time before 1970", at(1969, 12, 31, 23, 59, 58.75)),
        ("trigger time in month 13", at(2022, 13, 9, 9, 23, 1.0)),
        ("trigger time on 30 February", at(2022, 2, 30, 9, 23, 1.0)),
        ("trigger time that is no number", at(2022, 2, 3, 9, 23, f64::NAN)),
    ]
    .into_iter()
    .map(|(name, trigger_time)| {
        fixture(
            name,
            &TraceFile {
                trigger_time,
                ..plain()
            },
        )
    })
    .collect()
}
