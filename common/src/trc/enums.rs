//! What the numbers of the descriptor's enums mean, in the spelling of the instrument's own templates.

/// The numbers that a template knows, with their names. Other numbers occur and are no error.
pub(super) type Names = &'static [(i16, &'static str)];

pub(super) const COMM_TYPE: Names = &[(0, "byte"), (1, "word")];
pub(super) const COMM_ORDER: Names = &[(0, "HIFIRST"), (1, "LOFIRST")];

pub(super) const RECORD_TYPE: Names = &[
    (0, "single_sweep"),
    (1, "interleaved"),
    (2, "histogram"),
    (3, "graph"),
    (4, "filter_coefficient"),
    (5, "complex"),
    (6, "extrema"),
    (7, "sequence_obsolete"),
    (8, "centered_RIS"),
    (9, "peak_detect"),
];

/// LECROY_1_0.
pub(super) const RECORD_TYPE_1_0: Names = &[
    (0, "single_sweep"),
    (1, "interleaved"),
    (2, "histogram"),
    (3, "trend"),
    (4, "filter_coefficient"),
    (5, "complex"),
    (6, "extrema"),
    (7, "sequence"),
    (8, "centered_RIS"),
    (9, "rolling"),
    (10, "alt_sync_avg"),
    (11, "str_seq"),
    (12, "uncorrected_str_seq"),
];

pub(super) const PROCESSING_DONE: Names = &[
    (0, "no_processing"),
    (1, "fir_filter"),
    (2, "interpolated"),
    (3, "sparsed"),
    (4, "autoscaled"),
    (5, "no_result"),
    (6, "rolling"),
    (7, "cumulative"),
];

/// LECROY_1_0.
pub(super) const PROCESSING_DONE_1_0: Names = &[
    (0, "no_processing"),
    (1, "fir_filter"),
    (2, "interpolated"),
    (3, "sparsed"),
    (4, "autoscaled"),
    (5, "no_result"),
    (6, "rolling"),
    (7, "preprocessed"),
    (8, "cumulative"),
];

pub(super) const TIMEBASE: Names = &[
    (0, "1_ps/div"),
    (1, "2_ps/div"),
    (2, "5_ps/div"),
    (3, "10_ps/div"),
    (4, "20_ps/div"),
    (5, "50_ps/div"),
    (6, "100_ps/div"),
    (7, "200_ps/div"),
    (8, "500_ps/div"),
    (9, "1_ns/div"),
    (10, "2_ns/div"),
    (11, "5_ns/div"),
    (12, "10_ns/div"),
    (13, "20_ns/div"),
    (14, "50_ns/div"),
    (15, "100_ns/div"),
    (16, "200_ns/div"),
    (17, "500_ns/div"),
    (18, "1_us/div"),
    (19, "2_us/div"),
    (20, "5_us/div"),
    (21, "10_us/div"),
    (22, "20_us/div"),
    (23, "50_us/div"),
    (24, "100_us/div"),
    (25, "200_us/div"),
    (26, "500_us/div"),
    (27, "1_ms/div"),
    (28, "2_ms/div"),
    (29, "5_ms/div"),
    (30, "10_ms/div"),
    (31, "20_ms/div"),
    (32, "50_ms/div"),
    (33, "100_ms/div"),
    (34, "200_ms/div"),
    (35, "500_ms/div"),
    (36, "1_s/div"),
    (37, "2_s/div"),
    (38, "5_s/div"),
    (39, "10_s/div"),
    (40, "20_s/div"),
    (41, "50_s/div"),
    (42, "100_s/div"),
    (43, "200_s/div"),
    (44, "500_s/div"),
    (45, "1_ks/div"),
    (46, "2_ks/div"),
    (47, "5_ks/div"),
    (100, "EXTERNAL"),
];

/// The template writes the last one with its comma.
pub(super) const VERT_COUPLING: Names = &[
    (0, "DC_50_Ohms"),
    (1, "ground"),
    (2, "DC_1MOhm"),
    (3, "ground"),
    (4, "AC,_1MOhm"),
];

pub(super) const FIXED_VERT_GAIN: Names = &[
    (0, "1_uV/div"),
    (1, "2_uV/div"),
    (2, "5_uV/div"),
    (3, "10_uV/div"),
    (4, "20_uV/div"),
    (5, "50_uV/div"),
    (6, "100_uV/div"),
    (7, "200_uV/div"),
    (8, "500_uV/div"),
    (9, "1_mV/div"),
    (10, "2_mV/div"),
    (11, "5_mV/div"),
    (12, "10_mV/div"),
    (13, "20_mV/div"),
    (14, "50_mV/div"),
    (15, "100_mV/div"),
    (16, "200_mV/div"),
    (17, "500_mV/div"),
    (18, "1_V/div"),
    (19, "2_V/div"),
    (20, "5_V/div"),
    (21, "10_V/div"),
    (22, "20_V/div"),
    (23, "50_V/div"),
    (24, "100_V/div"),
    (25, "200_V/div"),
    (26, "500_V/div"),
    (27, "1_kV/div"),
];

pub(super) const BANDWIDTH_LIMIT: Names = &[(0, "off"), (1, "on")];

pub(super) const WAVE_SOURCE: Names = &[
    (0, "CHANNEL_1"),
    (1, "CHANNEL_2"),
    (2, "CHANNEL_3"),
    (3, "CHANNEL_4"),
    (9, "UNKNOWN"),
];

/// LECROY_1_0's source fields, whose names are in no source at hand: shown as numbers.
pub(super) const UNNAMED: Names = &[];

/// The name of `code`, where the table has one.
pub(super) fn name(names: Names, code: i16) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}
