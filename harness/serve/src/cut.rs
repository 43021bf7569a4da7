//! A stream whose writing side ends after so many bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_service::server::ByteStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// TCP that lets only so many bytes out.
#[derive(Debug)]
pub(crate) struct Cut {
    stream: TcpStream,
    /// Bytes that may still leave; `None` is all.
    left: Option<usize>,
}

impl Cut {
    pub(crate) fn new(stream: TcpStream, after: Option<usize>) -> Cut {
        Cut { stream, left: after }
    }
}

impl ByteStream for Cut {
    fn abort_on_drop(&self) {
        self.stream.abort_on_drop();
    }
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cut {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(left) = self.left else {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        };
        if left == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "cut off on purpose",
            )));
        }
        let step = left.min(bytes.len());
        let written = Pin::new(&mut self.stream).poll_write(cx, &bytes[..step]);
        if let Poll::Ready(Ok(n)) = &written {
            self.left = Some(left - n);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
