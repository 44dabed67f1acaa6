//! The descriptor's bytes in both of its forms, at the offsets that the instrument's template gives.

use crate::trace::{Bits, ByteOrder, Template, TraceFile};

/// Bytes of each block, in the order in which they stand in the file.
pub(crate) struct Blocks {
    descriptor: usize,
    user_text: usize,
    res_desc1: usize,
    trigtime: usize,
    ris_time: usize,
    res_array1: usize,
    wave_array_1: usize,
    wave_array_2: usize,
    res_array2: usize,
    res_array3: usize,
}

impl Blocks {
    pub(crate) fn of(file: &TraceFile) -> Self {
        let fixed = if file.template == Template::Lecroy1_0 { 320 } else { 346 };
        let blocks = Self {
            descriptor: fixed + file.descriptor_extra,
            user_text: file.user_text.len(),
            res_desc1: file.res_desc1.len(),
            trigtime: if file.trigtime { 16 * file.segments.len() } else { 0 },
            ris_time: 8 * file.ris_time.len(),
            res_array1: file.res_array1.len(),
            wave_array_1: file.sample_count() * file.bits.bytes(),
            wave_array_2: file.second_array.len() * file.bits.bytes(),
            res_array2: file.res_array2.len(),
            res_array3: file.res_array3.len(),
        };
        assert!(
            file.template != Template::Lecroy1_0
                || [
                    blocks.res_desc1,
                    blocks.ris_time,
                    blocks.res_array1,
                    blocks.res_array2,
                    blocks.res_array3
                ] == [0; 5],
            "LECROY_1_0 has neither reserved blocks nor a RIS array"
        );
        blocks
    }

    pub(crate) fn total(&self) -> usize {
        self.descriptor
            + self.user_text
            + self.res_desc1
            + self.trigtime
            + self.ris_time
            + self.res_array1
            + self.wave_array_1
            + self.wave_array_2
            + self.res_array2
            + self.res_array3
    }
}

/// Appends the descriptor.
pub(crate) fn write(file: &TraceFile, blocks: &Blocks, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + blocks.descriptor, 0);
    let mut fields = Fields {
        bytes: &mut out[start..],
        order: file.order,
    };
    fields.text::<16>(0, b"WAVEDESC");
    fields.text::<16>(16, file.template.name().as_bytes());
    fields.word(32, i16::from(file.bits == Bits::Sixteen));
    fields.word(34, i16::from(file.order == ByteOrder::Little));
    fields.length(36, blocks.descriptor);
    fields.length(40, blocks.user_text);
    if file.template == Template::Lecroy1_0 {
        write_1_0(file, blocks, &mut fields);
    } else {
        write_2_x(file, blocks, &mut fields);
    }
}

fn write_2_x(file: &TraceFile, blocks: &Blocks, to: &mut Fields<'_>) {
    let facts = Facts::of(file);
    for (at, length) in [
        (44, blocks.res_desc1),
        (48, blocks.trigtime),
        (52, blocks.ris_time),
        (56, blocks.res_array1),
        (60, blocks.wave_array_1),
        (64, blocks.wave_array_2),
        (68, blocks.res_array2),
        (72, blocks.res_array3),
    ] {
        to.length(at, length);
    }
    to.text::<16>(76, &file.instrument);
    to.long(92, file.serial);
    to.text::<16>(96, &file.trace_label);
    for (at, value) in [
        (116, facts.count),
        (120, facts.points_per_screen),
        (124, 0),               // FIRST_VALID_PNT
        (128, facts.count - 1), // LAST_VALID_PNT
        (132, 0),               // FIRST_POINT
        (136, 1),               // SPARSING_FACTOR
        (140, 0),               // SEGMENT_INDEX
        (144, facts.segments),
        (148, file.sweeps),
    ] {
        to.long(at, value);
    }
    to.float(156, file.gain);
    to.float(160, file.offset);
    to.float(164, facts.max_value);
    to.float(168, -facts.max_value);
    to.word(172, file.nominal_bits);
    to.word(174, facts.nominal_segments);
    to.float(176, file.horiz_interval);
    to.double(180, file.horiz_offset);
    to.double(188, file.horiz_offset);
    to.text::<48>(196, &file.vert_unit);
    to.text::<48>(244, &file.hor_unit);
    to.float(292, 1e-12); // HORIZ_UNCERTAINTY
    to.timestamp(296, file);
    to.float(312, 0.0); // ACQ_DURATION
    to.word(316, file.record_type);
    to.word(318, file.processing_done);
    to.word(322, facts.ris_sweeps);
    to.word(324, file.timebase);
    to.word(326, file.coupling);
    to.float(328, file.probe);
    to.word(332, file.fixed_vert_gain);
    to.word(334, file.bandwidth_limit);
    to.float(336, 1.0); // VERTICAL_VERNIER
    to.float(340, file.offset);
    to.word(344, file.wave_source);
}

fn write_1_0(file: &TraceFile, blocks: &Blocks, to: &mut Fields<'_>) {
    let facts = Facts::of(file);
    to.length(44, blocks.trigtime);
    to.length(48, blocks.wave_array_1);
    to.length(52, blocks.wave_array_2);
    to.text::<16>(56, &file.instrument);
    to.long(72, file.serial);
    to.text::<16>(76, &file.trace_label);
    for (at, value) in [
        (92, facts.count),
        (96, facts.points_per_screen),
        (100, 0),               // FIRST_VALID_PNT
        (104, facts.count - 1), // LAST_VALID_PNT
        (108, facts.segments),
        (112, i32::from(facts.nominal_segments)),
        (116, file.sweeps),
    ] {
        to.long(at, value);
    }
    to.float(120, file.gain);
    to.float(124, file.offset);
    to.word(128, i16::MAX);
    to.word(130, i16::MIN);
    to.word(132, file.nominal_bits);
    to.float(134, file.horiz_interval);
    to.double(138, file.horiz_offset);
    to.double(146, file.horiz_offset);
    to.text::<48>(154, &file.vert_unit);
    to.text::<48>(202, &file.hor_unit);
    to.timestamp(250, file);
    to.float(266, 0.0); // ACQ_DURATION
    to.word(270, file.record_type);
    to.word(272, file.processing_done);
    to.word(274, file.timebase);
    to.word(276, file.coupling);
    to.float(278, file.probe);
    to.word(282, file.fixed_vert_gain);
    to.word(284, file.bandwidth_limit);
    to.float(286, 1.0); // VERTICAL_VERNIER
    // Deliberately not VERTICAL_OFFSET: a reader that subtracts this one is found out.
    to.float(290, file.offset + 1.0);
    to.word(294, 0); // WAVE_SRC_PLUGIN
    to.word(296, file.wave_source + 1);
}

/// What both forms derive from the segments.
struct Facts {
    count: i32,
    points_per_screen: i32,
    segments: i32,
    nominal_segments: i16,
    max_value: f32,
    ris_sweeps: i16,
}

impl Facts {
    fn of(file: &TraceFile) -> Self {
        let true_count = long(file.sample_count());
        let true_segments = long(file.segments.len());
        let per_segment = long(file.segments.first().map_or(0, |first| first.codes.len()));
        Self {
            count: file.wave_array_count.unwrap_or(true_count),
            // Real instruments save two samples more than the screen shows.
            points_per_screen: (per_segment - 2).max(0),
            segments: file.subarray_count.unwrap_or(true_segments),
            nominal_segments: file
                .nominal_segments
                .unwrap_or_else(|| i16::try_from(true_segments).unwrap_or(i16::MAX)),
            max_value: match file.bits {
                Bits::Eight => 127.0,
                Bits::Sixteen => 32_512.0,
            },
            ris_sweeps: i16::try_from(file.ris_time.len().max(1)).unwrap_or(i16::MAX),
        }
    }
}

fn long(value: usize) -> i32 {
    i32::try_from(value).expect("a .trc file's lengths are signed 32-bit numbers")
}

/// A descriptor that is being filled in.
struct Fields<'a> {
    bytes: &'a mut [u8],
    order: ByteOrder,
}

impl Fields<'_> {
    fn put<const N: usize>(&mut self, at: usize, little: [u8; N]) {
        let field = &mut self.bytes[at..at + N];
        field.copy_from_slice(&little);
        if self.order == ByteOrder::Big {
            field.reverse();
        }
    }

    fn word(&mut self, at: usize, value: i16) {
        self.put(at, value.to_le_bytes());
    }

    fn long(&mut self, at: usize, value: i32) {
        self.put(at, value.to_le_bytes());
    }

    fn length(&mut self, at: usize, value: usize) {
        self.long(at, long(value));
    }

    fn float(&mut self, at: usize, value: f32) {
        self.put(at, value.to_le_bytes());
    }

    fn double(&mut self, at: usize, value: f64) {
        self.put(at, value.to_le_bytes());
    }

    fn text<const N: usize>(&mut self, at: usize, text: &[u8]) {
        self.bytes[at..at + N][..text.len()].copy_from_slice(text);
    }

    fn timestamp(&mut self, at: usize, file: &TraceFile) {
        let time = &file.trigger_time;
        self.double(at, time.seconds);
        for (i, value) in [time.minutes, time.hours, time.days, time.months]
            .into_iter()
            .enumerate()
        {
            self.put(at + 8 + i, value.to_le_bytes());
        }
        self.word(at + 12, time.year);
    }
}
