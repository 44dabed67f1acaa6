//! NPY files: headers and the index record.
//!
//! Source: `numpy/lib/format.py`, format version 1.0.

pub mod index;

/// Where the elements of every NPY file written here begin, in bytes: a page boundary, so that rows can be mapped.
pub const DATA_START: u64 = 4096;

const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";

/// The first [`DATA_START`] bytes of an NPY 1.0 file in C order: [`header_of`] that length.
pub fn header(descr: &str, shape: &[u64]) -> Vec<u8> {
    header_of(DATA_START, descr, shape)
}

/// What stands before the elements of an NPY 1.0 file in C order, `length` bytes: at least [`DATA_START`] and less than
/// 10,000, which is what numpy reads. `descr` is the element type as it stands in the
/// header's dict: `'<f4'` with its quotes, or a list of fields. The shapes and types in use fit many times over; one
/// that does not is a mistake of the caller and panics.
pub fn header_of(length: u64, descr: &str, shape: &[u64]) -> Vec<u8> {
    let total = usize::try_from(length).expect("two pages");
    let axes: Vec<String> = shape.iter().map(u64::to_string).collect();
    // Python writes a tuple of one with a comma.
    let comma = if axes.len() == 1 { "," } else { "" };
    let dict = format!(
        "{{'descr': {descr}, 'fortran_order': False, 'shape': ({}{comma}), }}",
        axes.join(", ")
    );
    let text = total - MAGIC.len() - 2;
    assert!(dict.len() < text, "the header's dict must fit: {dict}");
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&u16::try_from(text).expect("below two pages").to_le_bytes());
    bytes.extend_from_slice(dict.as_bytes());
    bytes.resize(total - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};
    use ndarray_npy::ReadNpyExt;

    use super::*;

    #[test]
    fn the_dict_stands_as_numpy_writes_it() {
        for (shape, tuple) in [
            (&[3, 4][..], "(3, 4)"),
            (&[5], "(5,)"),
            (&[], "()"),
            (&[u64::MAX, 0, 1], "(18446744073709551615, 0, 1)"),
        ] {
            let bytes = header("'<f4'", shape);
            assert_eq!(bytes.len(), 4096);
            assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\xf6\x0f");
            let text = std::str::from_utf8(&bytes[10..]).unwrap();
            let expected = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple}, }}");
            assert_eq!(text.strip_suffix('\n').unwrap().trim_end_matches(' '), expected);
        }
    }

    #[test]
    fn another_reader_finds_the_elements() {
        let mut file = header("'<i2'", &[2, 3]);
        file.extend([1_i16, 2, 3, -4, 5, i16::MIN].iter().flat_map(|x| x.to_le_bytes()));
        let read = Array2::<i16>::read_npy(file.as_slice()).unwrap();
        assert_eq!(read, array![[1, 2, 3], [-4, 5, i16::MIN]]);
        let mut file = header("'<f4'", &[1]);
        file.extend(2.5_f32.to_le_bytes());
        assert_eq!(Array1::<f32>::read_npy(file.as_slice()).unwrap(), array![2.5]);
    }
}
