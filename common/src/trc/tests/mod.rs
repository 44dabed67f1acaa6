//! Headers built by hand, byte by byte, from the format's document; real files; and bytes that mean nothing.

mod headers;
mod samples;

use super::ByteOrder;

/// A file being put together: offsets are those of the document, counted from WAVEDESC.
#[derive(Clone)]
struct Draft {
    prefix: Vec<u8>,
    bytes: Vec<u8>,
    order: ByteOrder,
}

impl Draft {
    /// A descriptor of 346 bytes and 4 16-bit samples behind it.
    fn two_x(order: ByteOrder) -> Self {
        let mut draft = Self {
            prefix: Vec::new(),
            bytes: vec![0; 346 + 8],
            order,
        };
        draft.text(0, "WAVEDESC");
        draft.text(16, "LECROY_2_3");
        draft.word(32, 1);
        draft.word(34, i16::from(order == ByteOrder::Little));
        draft.long(36, 346);
        draft.long(60, 8);
        draft.long(116, 4);
        draft.long(144, 1);
        draft
    }

    /// A descriptor of 320 bytes and 4 16-bit samples behind it.
    fn one_zero(order: ByteOrder) -> Self {
        let mut draft = Self {
            prefix: Vec::new(),
            bytes: vec![0; 320 + 8],
            order,
        };
        draft.text(0, "WAVEDESC");
        draft.text(16, "LECROY_1_0");
        draft.word(32, 1);
        draft.word(34, i16::from(order == ByteOrder::Little));
        draft.long(36, 320);
        draft.long(48, 8);
        draft.long(92, 4);
        draft.long(108, 1);
        draft
    }

    fn raw(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn text(&mut self, at: usize, text: &str) {
        self.raw(at, text.as_bytes());
    }

    fn number<const N: usize>(&mut self, at: usize, mut little: [u8; N]) {
        if self.order == ByteOrder::Big {
            little.reverse();
        }
        self.raw(at, &little);
    }

    fn word(&mut self, at: usize, value: i16) {
        self.number(at, value.to_le_bytes());
    }

    fn long(&mut self, at: usize, value: i32) {
        self.number(at, value.to_le_bytes());
    }

    fn float(&mut self, at: usize, value: f32) {
        self.number(at, value.to_le_bytes());
    }

    fn double(&mut self, at: usize, value: f64) {
        self.number(at, value.to_le_bytes());
    }

    fn file(&self) -> Vec<u8> {
        [&self.prefix[..], &self.bytes].concat()
    }
}
