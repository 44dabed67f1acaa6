//! One connection that may be answered, and what it must do to stay.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;
use trc2npy_proto::link::Wire;

use super::door::Caller;
use crate::callers::Place;

/// What whoever speaks HTTP/2 says first (RFC 9113, 3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Who takes nothing of what is sent for so long does not read.
const STUCK: Duration = Duration::from_secs(30);

type Alarm = Pin<Box<Sleep>>;
type End = Pin<Box<dyn Future<Output = ()> + Send>>;
/// What it takes as long as it lives: of all connections, of those of its address, and as one of those without a certificate.
pub(super) type Places = (OwnedSemaphorePermit, Place, Option<Place>);

/// A connection of a caller who is known as far as it has to be.
pub(crate) struct Connection {
    wire: Wire,
    caller: Caller,
    /// What has been read of it already, and how much of that was taken.
    said: ([u8; PREFACE.len()], usize),
    /// Until it has begun to speak: how much is missing, and when it is too late.
    silent: Option<(usize, Alarm)>,
    /// While it does not take what is sent: when that is too long.
    stuck: Option<Alarm>,
    /// When it ends in any case.
    ends: Option<End>,
    _places: Places,
}

impl Connection {
    pub(super) fn new(wire: Wire, caller: Caller, places: Places) -> Self {
        Self {
            wire,
            caller,
            said: ([0; PREFACE.len()], PREFACE.len()),
            silent: None,
            stuck: None,
            ends: None,
            _places: places,
        }
    }

    /// This much of it was read before.
    pub(super) fn that_has_said(mut self, said: [u8; PREFACE.len()]) -> Self {
        self.said = (said, 0);
        self
    }

    pub(super) fn that_must_speak_within(mut self, time: Duration) -> Self {
        self.silent = Some((PREFACE.len(), Box::pin(sleep(time))));
        self
    }

    pub(super) fn that_ends_with(mut self, end: impl Future<Output = ()> + Send + 'static) -> Self {
        self.ends = Some(Box::pin(end));
        self
    }

    /// What came of a write, or that it has been waited for in vain.
    fn patiently<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(STUCK)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let is_late = |alarm: &mut Alarm, cx: &mut Context<'_>| alarm.as_mut().poll(cx).is_ready();
        if self.silent.as_mut().is_some_and(|(_, late)| is_late(late, cx))
            || self.ends.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready())
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let (said, taken) = self.said;
        if taken < said.len() {
            let next = &said[taken..said.len().min(taken + buffer.remaining())];
            buffer.put_slice(next);
            self.said.1 += next.len();
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        let came = buffer.filled().len() - before;
        if let Some((missing, _)) = &mut self.silent {
            *missing = missing.saturating_sub(came);
            if *missing == 0 {
                self.silent = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write(cx, bytes);
        self.patiently(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write_vectored(cx, slices);
        self.patiently(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.wire).poll_flush(cx);
        self.patiently(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.wire).poll_shutdown(cx);
        self.patiently(cx, closed)
    }
}
