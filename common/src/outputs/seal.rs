//! A JSON that vouches for itself: its last key is the CRC32C of its own text.

use serde::Serialize;

use crate::convert::Checksum;

/// What stands around the eight digits at the end of a sealed text.
const BEFORE: &str = ",\n  \"crc32c\": \"";
const AFTER: &str = "\"\n}\n";
const DIGITS: usize = 8;

/// Pretty JSON of an object with one key more at its end: `crc32c`, the CRC32C of the whole text with zeros in the place
/// of these eight digits.
pub(crate) fn sealed(object: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(object).expect("what is sealed holds nothing that JSON cannot");
    let open = text.len() - "\n}".len();
    assert_eq!(&text[open..], b"\n}", "only an object with keys can be sealed");
    text.truncate(open);
    text.extend_from_slice(BEFORE.as_bytes());
    text.extend_from_slice(&[b'0'; DIGITS]);
    text.extend_from_slice(AFTER.as_bytes());
    let digits = place(&text).expect("just written");
    let crc = format!("{:08x}", Checksum::of(&text).crc);
    text[digits].copy_from_slice(crc.as_bytes());
    text
}

/// What a text's seal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// The text is as it was written.
    Intact,
    /// It has none.
    Absent,
    /// It is another text than was written.
    Broken {
        /// The digits in the text.
        written: String,
        /// Those that belong to it.
        found: String,
    },
}

/// Compares a text with its seal.
pub(crate) fn check(text: &[u8]) -> Seal {
    let Some(digits) = place(text) else {
        return Seal::Absent;
    };
    let written = String::from_utf8_lossy(&text[digits.clone()]).into_owned();
    let mut blank = text.to_vec();
    blank[digits].fill(b'0');
    let found = format!("{:08x}", Checksum::of(&blank).crc);
    // As text: `A` for `a` is a flipped bit too.
    if written == found {
        Seal::Intact
    } else {
        Seal::Broken { written, found }
    }
}

fn place(text: &[u8]) -> Option<std::ops::Range<usize>> {
    let end = text.strip_suffix(AFTER.as_bytes())?.len();
    let start = end.checked_sub(DIGITS)?;
    text[..start].ends_with(BEFORE.as_bytes()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_breaks_the_seal_or_takes_it_away() {
        let text = sealed(&serde_json::json!({"format": "x", "shape": [1, 2]}));
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(json["shape"][1], 2);
        assert_eq!(check(&text), Seal::Intact);
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(check(&flipped), Seal::Intact, "bit {bit}");
        }
        assert_eq!(check(b"{}\n"), Seal::Absent);
    }

    #[test]
    fn the_digits_are_those_of_the_text_with_zeros_in_their_place() {
        // Computed bit by bit from the polynomial, in Python.
        let text = String::from_utf8(sealed(&serde_json::json!({"a": 1}))).unwrap();
        let zeros = "{\n  \"a\": 1,\n  \"crc32c\": \"00000000\"\n}\n";
        let digits = &text[text.len() - 12..text.len() - 4];
        assert_eq!(text.replace(digits, "00000000"), zeros);
        assert_eq!(digits, "1a2b1942");
    }
}
