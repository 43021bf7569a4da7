//! Why the server cannot start.

use std::io;
use std::path::PathBuf;

use http_service::server::ListenError;

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The cloud cannot be set up.
    #[error("the cloud: {0}")]
    Cloud(#[from] oceanremote::CloudError),
    /// The cloud's address cannot be listened on.
    #[error("the cloud: {0}")]
    Listen(#[from] ListenError),
    /// The control interface's address cannot be listened on.
    #[error("the control interface: {0}")]
    Control(#[source] ListenError),
    /// The control interface would be open to the network.
    #[error(
        "the control interface at {0} can be reached from other machines and has no token: give --control-token or \
         set OCEANRIG_CONTROL_TOKEN"
    )]
    NoToken(std::net::SocketAddr),
    /// A token that can be guessed, or cannot stand in a header.
    #[error("the control token is not 16 to 200 visible ASCII characters")]
    BadToken,
    /// A certificate cannot be made.
    #[error("the certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The directory of the certificate authority cannot be used.
    #[error("cannot use {}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system does not tell an address.
    #[error("the system does not tell the address")]
    Address(#[source] io::Error),
}
