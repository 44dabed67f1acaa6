//! In which fields the files of a channel differ from its first one, asked of every file.

use super::fields::Field;
use super::header::{FIXED_BYTES, Header};
use super::{ByteOrder, Family, FieldSet, SampleWidth};

/// Finds fields that differ from a reference and were not known to differ before.
///
/// Most files of a run differ from the first in their trigger time, and sooner or later in the same few fields more: once
/// these are known, their bytes are looked at no more, and a file costs a few vector instructions.
#[derive(Clone, Debug)]
pub struct Variation {
    reference: Header,
    known: FieldSet,
    /// Ones where the bytes are still of interest.
    mask: [u8; FIXED_BYTES],
}

impl Variation {
    /// Nothing is known to differ from `reference`.
    pub fn from(reference: Header) -> Self {
        Self {
            reference,
            known: FieldSet::EMPTY,
            mask: [u8::MAX; FIXED_BYTES],
        }
    }

    /// The fields in which `header` differs, but for those that are known to.
    pub fn new_in(&self, header: &Header) -> FieldSet {
        if form(header) == form(&self.reference) && !self.differs_anew(header) {
            return FieldSet::EMPTY;
        }
        header.differing(&self.reference).without(self.known)
    }

    /// From now on these are known.
    pub fn know(&mut self, fields: FieldSet) {
        let fields = fields.without(self.known);
        if fields.is_empty() {
            return;
        }
        self.known = self.known.union(fields);
        for (at, byte) in self.mask.iter_mut().enumerate() {
            if Field::at(self.reference.family(), at).is_some_and(|field| fields.contains(field)) {
                *byte = 0;
            }
        }
    }

    fn differs_anew(&self, header: &Header) -> bool {
        let bytes = header.bytes().iter().zip(self.reference.bytes()).zip(&self.mask);
        // Without an early end: the compiler makes vector code of it.
        bytes.fold(0, |found, ((a, b), mask)| found | ((a ^ b) & mask)) != 0
    }
}

/// Only headers of one form have the same fields in the same places.
fn form(header: &Header) -> (Family, ByteOrder, SampleWidth) {
    (header.family(), header.order(), header.width())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(changes: &[(usize, u8)]) -> Header {
        let mut bytes = vec![0; 346];
        bytes[..8].copy_from_slice(b"WAVEDESC");
        bytes[16..26].copy_from_slice(b"LECROY_2_3");
        bytes[32..38].copy_from_slice(&[1, 0, 1, 0, 0x5a, 1]);
        for &(at, value) in changes {
            bytes[at] = value;
        }
        Header::parse(&bytes).expect("the changed bytes are behind those that must be right")
    }

    proptest! {
        /// What is found new, file by file, adds up to what plain comparing finds.
        #[test]
        fn nothing_is_lost_by_knowing_more(
            files in prop::collection::vec(prop::collection::vec((40..346_usize, any::<u8>()), 0..6), 1..8),
        ) {
            let reference = header(&[]);
            let mut variation = Variation::from(reference.clone());
            let (mut all, mut found) = (FieldSet::EMPTY, FieldSet::EMPTY);
            for changes in &files {
                let header = header(changes);
                let plainly = header.differing(&reference);
                let new = variation.new_in(&header);
                prop_assert_eq!(new, plainly.without(found));
                variation.know(new);
                found = found.union(new);
                all = all.union(plainly);
            }
            prop_assert_eq!(found, all);
        }
    }
}
