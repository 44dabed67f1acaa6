//! NPY files: headers that place the data at a page boundary, and the index record.
//!
//! Only header bytes are made here; reading and viewing NPY is ndarray-npy's.

pub mod index;

use std::fmt::Write as _;

/// Where the data of every output begin, in bytes: a page, so that they can be mapped, and blocks shared.
pub const DATA_START: u64 = 4096;

/// The first [`DATA_START`] bytes of an NPY 1.0 file in C order.
///
/// `descr` stands in the header as it is given: `'<f4'` with its quotes, or a list of fields. numpy's own form
/// (`numpy.lib.format`), padded with blanks.
pub fn header(descr: &str, shape: &[u64]) -> Vec<u8> {
    let mut dict = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (");
    for (i, extent) in shape.iter().enumerate() {
        let between = if i > 0 { " " } else { "" };
        write!(dict, "{between}{extent},").expect("writing to a String cannot fail");
    }
    if shape.len() > 1 {
        dict.pop();
    }
    dict.push_str("), }");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let length = DATA_START - 10;
    bytes.extend_from_slice(&u16::try_from(length).expect("4086 fits").to_le_bytes());
    bytes.extend_from_slice(dict.as_bytes());
    assert!(
        bytes.len() < 4096,
        "a shape and the descriptions used here take a few hundred bytes"
    );
    bytes.resize(4095, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_numpys_own_form_and_fills_a_page() {
        let bytes = header("'<f4'", &[3, 4]);
        assert_eq!(bytes.len() as u64, DATA_START);
        let text = String::from_utf8_lossy(&bytes[10..]);
        assert!(
            text.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   "),
            "{text}"
        );
        assert!(text.ends_with(" \n"));
        assert!(String::from_utf8_lossy(&header("'<f4'", &[7])[10..]).contains("'shape': (7,), }"));
    }

    #[test]
    fn the_header_is_read_by_the_library_that_reads_npy() {
        let mut bytes = header("'<f4'", &[2, 3]);
        let values: Vec<f32> = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.5];
        values
            .iter()
            .for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        let array: ndarray::Array2<f32> = ndarray_npy::ReadNpyExt::read_npy(&bytes[..]).unwrap();
        assert_eq!(array.shape(), [2, 3]);
        assert_eq!(array.into_raw_vec_and_offset().0, values);
    }
}
