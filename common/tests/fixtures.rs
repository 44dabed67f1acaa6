//! The reader against the writer that shares no code with it: every kind of file is read as it was meant.

use trc2npy_common::status::Status;
use trc2npy_common::trc::decode::{self, Codes};
use trc2npy_common::trc::{
    self, ByteOrder, CountMismatch, Family, FormatError, HEAD_BYTES, Header, Layout, SampleWidth, SegmentTime, Shape,
};
use trc2npy_common::units::Bytes;
use trc2npy_synth::{Bits, Expected, Fixture, Refusal, catalog};

/// Header and layout, from no more of the file than a reader is promised to need.
fn read(bytes: &[u8]) -> Result<(Header, Layout), FormatError> {
    let header = Header::parse(&bytes[..bytes.len().min(HEAD_BYTES)])?;
    let layout = header.layout(Bytes::from(bytes.len()))?;
    Ok((header, layout))
}

fn part(bytes: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    &bytes[Bytes(range.start).as_usize()..Bytes(range.end).as_usize()]
}

fn good() -> impl Iterator<Item = (Fixture, Expected, Header, Layout)> {
    catalog().into_iter().filter_map(|fixture| {
        let expected = fixture.expected.clone().ok()?;
        let (header, layout) = read(&fixture.bytes).unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        Some((fixture, expected, header, layout))
    })
}

#[test]
fn headers_say_what_was_written() {
    for (fixture, expected, header, _) in good() {
        let name = &fixture.name;
        assert_eq!(header.start(), expected.start, "{name}: start");
        assert_eq!(header.template(), expected.template, "{name}: template");
        assert_eq!(
            header.family() == Family::OneZero,
            expected.template == "LECROY_1_0",
            "{name}: family"
        );
        let order = match expected.order {
            trc2npy_synth::ByteOrder::Little => ByteOrder::Little,
            trc2npy_synth::ByteOrder::Big => ByteOrder::Big,
        };
        assert_eq!(header.order(), order, "{name}: order");
        let width = match expected.bits {
            Bits::Eight => SampleWidth::Eight,
            Bits::Sixteen => SampleWidth::Sixteen,
        };
        assert_eq!(header.width(), width, "{name}: width");
        assert_eq!(header.gain().to_bits(), expected.gain.to_bits(), "{name}: gain");
        assert_eq!(header.offset().to_bits(), expected.offset.to_bits(), "{name}: offset");
        assert_eq!(
            header.horiz_interval().to_bits(),
            expected.horiz_interval.to_bits(),
            "{name}: interval"
        );
        assert_eq!(
            header.horiz_offset().to_bits(),
            expected.horiz_offset.to_bits(),
            "{name}: horizontal offset"
        );
        assert_eq!(header.trigger_time(), expected.trigger_time, "{name}: trigger time");
        assert_eq!(header.instrument(), expected.instrument, "{name}: instrument");
        assert_eq!(header.vert_unit(), expected.vert_unit, "{name}: vertical unit");
        assert_eq!(header.hor_unit(), expected.hor_unit, "{name}: horizontal unit");
        assert_eq!(header.record_type(), expected.record_type, "{name}: record type");
    }
}

#[test]
fn layouts_find_every_block() {
    for (fixture, expected, header, layout) in good() {
        let name = &fixture.name;
        let shape = Shape {
            segments: expected.segments,
            samples: expected.samples,
        };
        assert_eq!(layout.shape, shape, "{name}: shape");
        assert_eq!(header.shape().unwrap(), shape, "{name}: shape by the header");
        assert_eq!(layout.trigtime.is_some(), expected.has_trigtime, "{name}: TRIGTIME");
        assert_eq!(
            layout.second_array,
            Bytes(expected.second_array),
            "{name}: second array"
        );
        let mismatch = layout
            .count_mismatch
            .map(|CountMismatch { named, found }| (u32::try_from(named).unwrap(), found));
        assert_eq!(mismatch, expected.count_mismatch, "{name}: sample count");
        assert_eq!(
            layout.end + expected.trailing,
            fixture.bytes.len() as u64,
            "{name}: end"
        );
        assert_eq!(layout.segment(0).start, layout.data.start, "{name}: first segment");
        assert_eq!(
            layout.segment(expected.segments - 1).end,
            layout.data.end,
            "{name}: last segment"
        );
    }
}

#[test]
fn segments_have_their_own_times() {
    for (fixture, expected, header, layout) in good() {
        let Some(range) = layout.trigtime.clone() else {
            continue;
        };
        let times: Vec<SegmentTime> = trc::segment_times(part(&fixture.bytes, range), header.order()).collect();
        assert_eq!(times.len(), expected.rows.len(), "{}", fixture.name);
        for (found, meant) in times.iter().zip(&expected.rows) {
            assert_eq!(found.time.to_bits(), meant.time.to_bits(), "{}: time", fixture.name);
            assert_eq!(
                found.offset.to_bits(),
                meant.offset.to_bits(),
                "{}: offset",
                fixture.name
            );
        }
    }
}

#[test]
fn samples_are_the_codes_that_were_written() {
    for (fixture, expected, header, layout) in good() {
        let name = &fixture.name;
        for (k, meant) in (0..).zip(expected.codes.chunks(expected.samples as usize)) {
            let codes = || Codes {
                bytes: part(&fixture.bytes, layout.segment(k)),
                width: header.width(),
                order: header.order(),
            };
            let mut words = vec![0; meant.len()];
            let extrema = decode::words(codes(), &mut words);
            assert_eq!(words, meant, "{name}: segment {k}");
            assert_eq!(
                (Some(extrema.min), Some(extrema.max)),
                (meant.iter().copied().min(), meant.iter().copied().max()),
                "{name}: extremes of segment {k}"
            );
            let mut volts = vec![0.0; meant.len()];
            decode::volts(codes(), header.gain(), header.offset(), &mut volts);
            for (i, (found, &code)) in volts.iter().zip(meant).enumerate() {
                let wanted = expected.gain * f32::from(code) - expected.offset;
                assert_eq!(found.to_bits(), wanted.to_bits(), "{name}: sample {i} of segment {k}");
            }
        }
    }
}

#[test]
fn octets_are_high_bytes_or_an_error() {
    let (mut narrowed, mut refused) = (0, 0);
    for (fixture, expected, header, layout) in good() {
        let codes = Codes {
            bytes: part(&fixture.bytes, layout.data.clone()),
            width: header.width(),
            order: header.order(),
        };
        let shift = match expected.bits {
            Bits::Eight => 0,
            Bits::Sixteen => 8,
        };
        let meant: Option<Vec<i8>> = expected
            .codes
            .iter()
            .map(|&code| {
                i8::try_from(code >> shift)
                    .ok()
                    .filter(|&high| i16::from(high) << shift == code)
            })
            .collect();
        let mut octets = vec![0; expected.codes.len()];
        match (decode::octets(codes, &mut octets), meant) {
            (Ok(_), Some(meant)) => {
                assert_eq!(octets, meant, "{}", fixture.name);
                narrowed += usize::from(shift == 8);
            }
            (Err(_), None) => refused += 1,
            (found, meant) => panic!("{}: {found:?}, codes that fit: {}", fixture.name, meant.is_some()),
        }
    }
    assert!(narrowed > 0 && refused > 0, "{narrowed} narrowed, {refused} refused");
}

#[test]
fn broken_files_are_refused_for_the_right_reason() {
    for fixture in catalog() {
        let Err(refusal) = fixture.expected else {
            continue;
        };
        let status = match refusal {
            Refusal::NotWaveform => Status::NotWaveform,
            Refusal::Truncated => Status::Truncated,
            Refusal::Malformed => Status::Malformed,
        };
        match read(&fixture.bytes) {
            Ok((_, layout)) => panic!("{}: was read as {:?}", fixture.name, layout.shape),
            Err(error) => assert_eq!(error.status(), status, "{}: {error}", fixture.name),
        }
    }
}
