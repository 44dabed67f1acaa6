//! Messages through a pipe, each behind its length.

use std::io::{self, Read, Write};

use prost::Message;

/// Far more than the plan of ten million files.
const LARGEST: u32 = 1 << 31;

/// Writes one message.
pub fn send(to: &mut impl Write, message: &impl Message) -> io::Result<()> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a message too large for a pipe"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&bytes)?;
    to.flush()
}

/// Reads the next message; none where the pipe has ended.
pub fn receive<M: Message + Default>(from: &mut impl Read) -> io::Result<Option<M>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length);
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if length > LARGEST {
        return Err(invalid(format!("a message of {length} bytes cannot be")));
    }
    let mut bytes = Vec::new();
    from.take(length.into()).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    M::decode(bytes.as_slice())
        .map(Some)
        .map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Lease;

    #[test]
    fn messages_come_in_order_and_whole() {
        let mut pipe = Vec::new();
        let sent = [(1, 2), (0, 0), (3, u64::MAX)].map(|(epoch, attempt)| Lease { epoch, attempt });
        for lease in &sent {
            send(&mut pipe, lease).unwrap();
        }
        let mut from = pipe.as_slice();
        for lease in &sent {
            assert_eq!(receive::<Lease>(&mut from).unwrap().as_ref(), Some(lease));
        }
        assert_eq!(receive::<Lease>(&mut from).unwrap(), None);
        let mut cut = &pipe[..pipe.len() - 1];
        assert!(receive::<Lease>(&mut cut).is_ok() && receive::<Lease>(&mut cut).is_ok());
        assert!(receive::<Lease>(&mut cut).is_err());
        assert!(receive::<Lease>(&mut &[255, 255, 255, 255, 0][..]).is_err());
        assert!(receive::<Lease>(&mut &[1, 0, 0, 0, 255][..]).is_err());
    }
}
