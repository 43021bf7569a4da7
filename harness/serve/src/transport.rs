//! The transports between the listener and HTTP: plain TCP, and TLS with what can be wrong with it.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use http_service::server::{Admission, ByteStream, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::cut::Cut;
use crate::shared::SharedState;
use crate::tls::{TlsFault, TlsSwitch};

/// TCP as it comes, under the server's admission.
pub(crate) struct Plain(pub(crate) Rc<SharedState>);

impl Transport for Plain {
    type Stream = TcpStream;

    fn is_secure(&self) -> bool {
        false
    }

    fn admit(&self, _: SocketAddr) -> Admission {
        self.0.admission()
    }

    async fn open(&self, stream: TcpStream, _: SocketAddr) -> io::Result<TcpStream> {
        Ok(stream)
    }
}

/// TLS, under the server's admission.
pub(crate) struct Tls(pub(crate) Rc<SharedState>, pub(crate) Rc<TlsSwitch>);

impl Transport for Tls {
    type Stream = Encrypted;

    fn is_secure(&self) -> bool {
        true
    }

    fn admit(&self, _: SocketAddr) -> Admission {
        self.0.admission()
    }

    async fn open(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<Encrypted> {
        let (config, state) = self.1.next(self.0.faults.tls().map(TlsFault::from));
        let cut = (state.fault == TlsFault::HandshakeCutOff).then_some(state.after_byte);
        if cut.is_some() {
            stream.abort_on_drop();
        }
        match TlsAcceptor::from(config).accept(Cut::new(stream, cut)).await {
            Ok(stream) => Ok(Encrypted(stream)),
            Err(error) => {
                self.0.note(format!(
                    "the TLS handshake with {peer} failed (fault: {}): {error}",
                    state.fault.name()
                ));
                Err(error)
            }
        }
    }
}

/// An encrypted stream.
pub(crate) struct Encrypted(TlsStream<Cut>);

impl ByteStream for Encrypted {
    fn abort_on_drop(&self) {
        self.0.get_ref().0.abort_on_drop();
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
