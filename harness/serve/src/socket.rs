//! hyper on sockets of tokio: bytes and time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant as Wall};

use http_service::server::Activity;
use hyper::rt::{ReadBufCursor, Sleep, Timer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes that are read at once.
const STEP: usize = 4096;

/// A socket that remembers when something last moved.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    activity: Rc<Activity>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, activity: Rc<Activity>) -> Socket {
        Socket { stream, activity }
    }
}

impl hyper::rt::Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; STEP];
        let room = buf.remaining().min(STEP);
        let mut read = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        self.activity.touch();
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.activity.touch();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// tokio's timer for hyper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

struct Pause(Pin<Box<tokio::time::Sleep>>);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl Sleep for Pause {}

impl Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Pause(Box::pin(tokio::time::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Wall) -> Pin<Box<dyn Sleep>> {
        Box::pin(Pause(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }

    fn now(&self) -> Wall {
        Instant::now().into_std()
    }
}
