//! Which bytes of a shard go where. Pure.

use crate::shard::Header;

/// What a file system can share between two files, and what no thread may write while another one's bytes in it are
/// being shared: a page.
const PAGE: u64 = 4096;
/// Bytes that are looked at and copied at a time.
pub(super) const BLOCK: u64 = 1 << 20;

/// Bytes that go from one file to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) len: u64,
    /// Whether they are whole pages of both files.
    pub(super) whole_pages: bool,
}

/// The elements behind a shard's header, in order, at most a block each: what shares its first or last page with other
/// rows apart from the whole pages between.
pub(super) fn pieces(header: &Header) -> impl Iterator<Item = Piece> {
    let (start, end) = (header.len(), header.len() + header.payload);
    let place = header.place;
    let mut at = start;
    std::iter::from_fn(move || {
        if at == end {
            return None;
        }
        let whole = at.is_multiple_of(PAGE) && end - at >= PAGE;
        let next = if whole {
            (at + BLOCK).min(end / PAGE * PAGE)
        } else if at.is_multiple_of(PAGE) {
            end
        } else {
            at.next_multiple_of(PAGE).min(end)
        };
        let piece = Piece {
            from: at,
            to: place + (at - start),
            len: next - at,
            whole_pages: whole,
        };
        at = next;
        Some(piece)
    })
}

/// All whole pages, as one piece; none where the elements have no page to themselves.
pub(super) fn whole_pages(header: &Header) -> Option<Piece> {
    let start = header.len().next_multiple_of(PAGE);
    let end = (header.len() + header.payload) / PAGE * PAGE;
    (start < end).then(|| Piece {
        from: start,
        to: header.place + (start - header.len()),
        len: end - start,
        whole_pages: true,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(length: u64, payload: u64, place: u64) -> Header {
        Header {
            bytes: vec![0; usize::try_from(length).unwrap()],
            payload,
            place,
        }
    }

    fn plain(header: &Header) -> Vec<(u64, u64, u64, bool)> {
        let plain = |piece: Piece| (piece.from, piece.to, piece.len, piece.whole_pages);
        pieces(header).map(plain).collect()
    }

    #[test]
    fn whole_pages_are_apart_from_those_that_other_rows_share() {
        assert_eq!(plain(&header(4096, 8192, 4096)), [(4096, 4096, 8192, true)]);
        assert_eq!(plain(&header(4196, 10, 12_388)), [(4196, 12_388, 10, false)]);
        assert_eq!(
            plain(&header(4196, 10_000, 12_388)),
            [
                (4196, 12_388, 3996, false),
                (8192, 16_384, 4096, true),
                (12_288, 20_480, 1908, false)
            ]
        );
        assert_eq!(
            plain(&header(4096, BLOCK + 5000, 4096)),
            [
                (4096, 4096, BLOCK, true),
                (4096 + BLOCK, 4096 + BLOCK, 4096, true),
                (8192 + BLOCK, 8192 + BLOCK, 904, false)
            ]
        );
        assert_eq!(plain(&header(4096, 0, 4096)), []);
    }

    proptest! {
        #[test]
        fn the_pieces_are_all_bytes_once_in_order(
            before in 0..100_000_u64, payload in 0..3 * BLOCK,
        ) {
            let place = 4096 + before;
            let header = header(4096 + place % 4096, payload, place);
            let mut at = 0;
            let whole: Vec<_> = pieces(&header).filter(|piece| piece.whole_pages).collect();
            let one = whole_pages(&header);
            prop_assert_eq!(one.map_or(0, |one| one.len), whole.iter().map(|piece| piece.len).sum::<u64>());
            prop_assert_eq!(one.map(|one| (one.from, one.to)), whole.first().map(|piece| (piece.from, piece.to)));
            for piece in pieces(&header) {
                prop_assert_eq!((piece.from, piece.to), (header.len() + at, place + at));
                prop_assert!(piece.len > 0 && piece.len <= BLOCK);
                let edges = [piece.from, piece.to, piece.from + piece.len, piece.to + piece.len];
                prop_assert_eq!(piece.whole_pages, edges.iter().all(|edge| edge % 4096 == 0));
                at += piece.len;
            }
            prop_assert_eq!(at, payload);
        }
    }
}
