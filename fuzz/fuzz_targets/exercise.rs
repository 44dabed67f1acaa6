//! What is done with each input: shared by the fuzzer and by the ordinary test that runs its corpus.

use trc2npy_common::trc::decode::{Codes, Extrema, LevelSums, MedianFinder, octets, volts, volts_from_level, words};
use trc2npy_common::trc::{Field, HEAD_BYTES, Header, Layout, WaveArray, row_time, segment_times};
use trc2npy_common::units::Bytes;

/// Takes the bytes as a file and reads all that can be read. Panics where the reader does, or where what it says
/// cannot be true.
pub(crate) fn header(file: &[u8]) {
    let head = &file[..file.len().min(HEAD_BYTES)];
    let header = match Header::parse(head) {
        Ok(header) => header,
        Err(error) => {
            assert!(!error.status().is_good());
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(
        Header::parse(file).as_ref(),
        Ok(&header),
        "bytes behind the head must not matter"
    );
    assert!(header.start() < 64);
    let shown: Vec<String> = header
        .fields()
        .map(|(field, value)| {
            format!(
                "{field}: {value} {}",
                serde_json::to_string(&value).expect("a plain value")
            )
        })
        .collect();
    assert!(shown.len() > 40);
    compare(&header);
    let _ = (header.wave_source(), header.template(), header.instrument());

    // Sizes that no disk has must do no harm either.
    let _ = header
        .layout(Bytes(u64::MAX))
        .map(|layout| layout.segment(layout.shape.segments - 1));
    if let Ok(layout) = header.layout(Bytes::from(file.len())) {
        assert_eq!(header.shape(), Ok(layout.shape));
        rows(&header, &layout, file);
    }
    if let Ok(layout) = header.layout_of(WaveArray::Second, Bytes::from(file.len())) {
        assert_eq!(header.shape_of(WaveArray::Second), Ok(layout.shape));
        rows(&header, &layout, file);
    }
}

fn compare(header: &Header) {
    let mut bytes = [0; 346];
    bytes[..8].copy_from_slice(b"WAVEDESC");
    bytes[16..26].copy_from_slice(b"LECROY_2_3");
    bytes[38..40].copy_from_slice(&346_u16.to_be_bytes());
    let plain = Header::parse(&bytes).expect("a descriptor that names no blocks");
    let differing = header.differing(&plain);
    assert_eq!(differing, plain.differing(header));
    assert_eq!(differing.contains(Field::CommOrder), header.order() != plain.order());
    assert!(header.differing(&header.clone()).is_empty());
}

fn rows(header: &Header, layout: &Layout, file: &[u8]) {
    let part = |range: &std::ops::Range<u64>| {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).expect("inside the file"));
        &file[start..end]
    };
    assert!(layout.end <= file.len() as u64);
    let times = layout.trigtime.as_ref().map_or(&[][..], part);
    for time in segment_times(times, header.order()) {
        let _ = row_time(header.trigger_time(), time.time);
    }
    let mut extrema = Extrema::NONE;
    let mut values = Vec::new();
    let mut codes_out = Vec::new();
    let mut finder = MedianFinder::new();
    for k in 0..layout.shape.segments {
        let codes = Codes {
            bytes: part(&layout.segment(k)),
            width: header.width(),
            order: header.order(),
        };
        assert_eq!(codes.len(), layout.shape.samples as usize);
        values.resize(codes.len(), 0.0);
        codes_out.resize(codes.len(), 0);
        let of_row = words(codes, &mut codes_out);
        assert_eq!(of_row, volts(codes, header.gain(), header.offset(), &mut values));
        let mut sums = LevelSums::new();
        sums.add(codes);
        assert!(sums.deviation() >= 0.0);
        assert_eq!(of_row, volts_from_level(codes, header.gain(), sums.mean(), &mut values));
        finder.clear();
        finder.add(codes);
        assert!((f64::from(of_row.min)..=f64::from(of_row.max)).contains(&finder.median()));
        let _ = octets(codes, &mut vec![0; codes.len()]);
        extrema = extrema.merge(of_row);
    }
    assert!(extrema.min <= extrema.max);
}
