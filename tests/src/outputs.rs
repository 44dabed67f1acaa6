//! The files that a conversion leaves, read by the shortest code that can: bytes at their places.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Output files by name.
pub type Outputs = BTreeMap<String, Vec<u8>>;

/// The finished outputs of a folder, none where it is not there; without the reports, which tell of the day and
/// the machine.
///
/// # Panics
/// Where they cannot be read.
pub fn outputs(out: &Path) -> Outputs {
    let listing = match fs::read_dir(out) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Outputs::new(),
        listing => listing.unwrap_or_else(|error| panic!("{}: {error}", out.display())),
    };
    listing
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            let is_output = !["report.json", "report.html"].contains(&name.as_str()) && !name.starts_with('.');
            is_output.then(|| (name, fs::read(&path).expect("an output can be read")))
        })
        .collect()
}

/// Where `found` is not exactly `expected`: the first name or byte that differs.
pub fn difference(found: &Outputs, expected: &Outputs) -> Option<String> {
    let (found_names, names) = (found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    if found_names != names {
        return Some(format!("{found_names:?} is there, {names:?} is expected"));
    }
    found.iter().find_map(|(name, bytes)| {
        let wanted = &expected[name];
        let (len, wanted_len) = (bytes.len(), wanted.len());
        let at = bytes.iter().zip(wanted).position(|(a, b)| a != b);
        let at = at.or_else(|| (len != wanted_len).then_some(len.min(wanted_len)))?;
        Some(format!(
            "{name} differs from byte {at} on: {len} bytes, {wanted_len} expected"
        ))
    })
}

/// Fails where the folder does not hold exactly `expected`, which is not nothing.
///
/// # Panics
/// With the first name or byte that differs.
pub fn must_equal(out: &Path, expected: &Outputs) {
    assert!(!expected.is_empty());
    assert_eq!(difference(&outputs(out), expected), None, "{}", out.display());
}

/// Fails where a file is there under a final name and is not, byte for byte, the one of `expected`.
///
/// # Panics
/// With its name.
pub fn must_be_whole(out: &Path, expected: &Outputs) {
    for (name, bytes) in outputs(out) {
        let wanted = expected
            .get(&name)
            .unwrap_or_else(|| panic!("{name} belongs to no output"));
        assert!(bytes == *wanted, "{name} differs from that of an undisturbed run");
    }
}

/// An NPY file: its header's text and its data.
#[derive(Clone, Debug)]
pub struct Npy {
    /// `{'descr': ..., 'fortran_order': False, 'shape': (...), }`
    pub header: String,
    /// Everything behind the header.
    pub data: Vec<u8>,
}

impl Npy {
    /// Reads a file whose data begin at byte 4096.
    ///
    /// # Panics
    /// Where it is no such file.
    pub fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(bytes.len() >= 4096, "{}: {} bytes", path.display(), bytes.len());
        // Version 1.0, and a header of 4096 - 10 bytes.
        assert_eq!(bytes[..10], *b"\x93NUMPY\x01\x00\xf6\x0f", "{}", path.display());
        let header = std::str::from_utf8(&bytes[10..4096]).expect("the header is ASCII");
        assert!(header.ends_with('\n'), "{}: {header:?}", path.display());
        Self {
            header: header.trim_end().to_owned(),
            data: bytes[4096..].to_vec(),
        }
    }

    /// The data as `<f4`.
    pub fn f32(&self) -> Vec<f32> {
        self.data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
    }

    /// The data as `<i2`.
    pub fn i16(&self) -> Vec<i16> {
        self.data.as_chunks().0.iter().map(|&b| i16::from_le_bytes(b)).collect()
    }

    /// The data as `i1`.
    pub fn i8(&self) -> Vec<i8> {
        self.data.iter().map(|&b| i8::from_le_bytes([b])).collect()
    }
}

/// One row of the index.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names of the design's table")]
pub struct Record {
    pub time: i64,
    pub trigger_offset: f64,
    pub horiz_offset: f64,
    pub baseline: f64,
    pub horiz_interval: f32,
    pub gain: f32,
    pub offset: f32,
    pub baseline_std: f32,
    pub min: f32,
    pub max: f32,
    pub file: u32,
    pub segment: u32,
    pub samples: u32,
    pub status: u8,
}

impl Record {
    /// All records of an index.
    ///
    /// # Panics
    /// Where the file is no index.
    pub fn read_all(path: &Path) -> Vec<Self> {
        let npy = Npy::read(path);
        let (records, rest) = npy.data.as_chunks::<72>();
        assert!(rest.is_empty(), "{}: {} bytes left over", path.display(), rest.len());
        records.iter().map(Self::of).collect()
    }

    fn of(bytes: &[u8; 72]) -> Self {
        let f64 = |at: usize| f64::from_le_bytes(*bytes[at..].first_chunk().expect("72 bytes"));
        let f32 = |at: usize| f32::from_le_bytes(*bytes[at..].first_chunk().expect("72 bytes"));
        let u32 = |at: usize| u32::from_le_bytes(*bytes[at..].first_chunk().expect("72 bytes"));
        assert_eq!(bytes[69..], [0; 3], "the padding is zeros");
        Self {
            time: i64::from_le_bytes(*bytes.first_chunk().expect("72 bytes")),
            trigger_offset: f64(8),
            horiz_offset: f64(16),
            baseline: f64(24),
            horiz_interval: f32(32),
            gain: f32(36),
            offset: f32(40),
            baseline_std: f32(44),
            min: f32(48),
            max: f32(52),
            file: u32(56),
            segment: u32(60),
            samples: u32(64),
            status: bytes[68],
        }
    }
}
