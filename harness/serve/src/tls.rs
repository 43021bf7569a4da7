//! TLS of the server: its settings, what can be wrong with it, and the configurations for both.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{ServerConfig, SupportedProtocolVersion, version};
use serde::{Deserialize, Serialize};
use sim::UnixTime;

use crate::ServeError;
use crate::authority::{Authority, Leaf, Validity};

/// What is wrong with TLS.
///
/// TLS 1.0 and 1.1 are not among it: rustls does not speak them, so the oldest version that can be forced on a
/// client is 1.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFault {
    /// Nothing.
    #[default]
    None,
    /// The certificate ended yesterday.
    Expired,
    /// The certificate begins in 30 days.
    NotYetValid,
    /// The certificate is for another name.
    WrongName,
    /// The certificate was signed by an authority of the same name and another key.
    UnknownCa,
    /// The connection is torn down in the middle of the server's first flight.
    HandshakeCutOff,
    /// The server speaks nothing newer than TLS 1.2.
    OnlyTls12,
    /// The server speaks nothing older than TLS 1.3.
    OnlyTls13,
}

impl From<scenario::action::TlsFault> for TlsFault {
    fn from(planned: scenario::action::TlsFault) -> TlsFault {
        use scenario::action::TlsFault as Planned;
        match planned {
            Planned::Expired => TlsFault::Expired,
            Planned::NotYetValid => TlsFault::NotYetValid,
            Planned::WrongName => TlsFault::WrongName,
            Planned::UnknownCa => TlsFault::UnknownCa,
            Planned::HandshakeCutOff => TlsFault::HandshakeCutOff,
            Planned::OnlyTls12 => TlsFault::OnlyTls12,
            Planned::OnlyTls13 => TlsFault::OnlyTls13,
        }
    }
}

impl TlsFault {
    /// All of them.
    pub const ALL: [TlsFault; 8] = [
        TlsFault::None,
        TlsFault::Expired,
        TlsFault::NotYetValid,
        TlsFault::WrongName,
        TlsFault::UnknownCa,
        TlsFault::HandshakeCutOff,
        TlsFault::OnlyTls12,
        TlsFault::OnlyTls13,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            TlsFault::None => "none",
            TlsFault::Expired => "expired",
            TlsFault::NotYetValid => "not-yet-valid",
            TlsFault::WrongName => "wrong-name",
            TlsFault::UnknownCa => "unknown-ca",
            TlsFault::HandshakeCutOff => "handshake-cut-off",
            TlsFault::OnlyTls12 => "only-tls12",
            TlsFault::OnlyTls13 => "only-tls13",
        }
    }
}

/// How TLS is set up.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Where the authority lives; without, a new one is made at each start.
    pub dir: Option<PathBuf>,
    /// Names and addresses that the certificate is for.
    pub names: Vec<String>,
    /// What is wrong from the start.
    pub fault: TlsFault,
}

/// What the next handshakes are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsState {
    pub(crate) fault: TlsFault,
    /// For how many handshakes; `None` is until further notice.
    pub(crate) times: Option<u32>,
    /// For [`TlsFault::HandshakeCutOff`]: bytes of the server's that still leave.
    pub(crate) after_byte: usize,
}

/// Bytes that leave before a handshake is cut off, unless told otherwise: in the middle of the server's first
/// flight, which with one certificate has 800 to 900.
pub(crate) const CUT_AFTER: usize = 400;

/// The configurations for all faults, made once.
pub(crate) struct TlsSwitch {
    pub(crate) ca_pem: String,
    state: RefCell<TlsState>,
    good: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    not_yet_valid: Arc<ServerConfig>,
    wrong_name: Arc<ServerConfig>,
    unknown_ca: Arc<ServerConfig>,
    only_tls12: Arc<ServerConfig>,
    only_tls13: Arc<ServerConfig>,
}

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

fn config(
    leaf: Leaf,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ServerConfig>, ServeError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.certificate], leaf.key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Every handshake is a whole one: a session that is taken up again would show no certificate.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(Arc::new(config))
}

impl TlsSwitch {
    pub(crate) fn new(options: &TlsOptions, now: UnixTime) -> Result<TlsSwitch, ServeError> {
        let authority = match &options.dir {
            Some(dir) => Authority::in_dir(dir, now)?,
            None => Authority::new(now)?,
        };
        let stranger = Authority::new(now)?;
        let valid = Validity {
            from_days: -1,
            to_days: 397,
        };
        let names = &options.names;
        let wrong = ["wrong.invalid".to_owned()];
        let leaf = |valid| authority.leaf(names, now, valid);
        Ok(TlsSwitch {
            good: config(leaf(valid)?, BOTH)?,
            expired: config(
                leaf(Validity {
                    from_days: -90,
                    to_days: -1,
                })?,
                BOTH,
            )?,
            not_yet_valid: config(
                leaf(Validity {
                    from_days: 30,
                    to_days: 397,
                })?,
                BOTH,
            )?,
            wrong_name: config(authority.leaf(&wrong, now, valid)?, BOTH)?,
            unknown_ca: config(stranger.leaf(names, now, valid)?, BOTH)?,
            only_tls12: config(leaf(valid)?, &[&version::TLS12])?,
            only_tls13: config(leaf(valid)?, &[&version::TLS13])?,
            state: RefCell::new(TlsState {
                fault: options.fault,
                times: None,
                after_byte: CUT_AFTER,
            }),
            ca_pem: authority.pem,
        })
    }

    pub(crate) fn state(&self) -> TlsState {
        *self.state.borrow()
    }

    pub(crate) fn set(&self, state: TlsState) {
        *self.state.borrow_mut() = state;
    }

    /// What this handshake is like, with what the fault plan says; counts it.
    pub(crate) fn next(&self, planned: Option<TlsFault>) -> (Arc<ServerConfig>, TlsState) {
        let mut state = self.state.borrow_mut();
        let mut this = *state;
        if let Some(fault) = planned {
            // The fault plan goes before what was set by hand, which waits for its turn.
            (this.fault, this.after_byte) = (fault, CUT_AFTER);
        } else if let Some(times) = &mut state.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                *state = TlsState {
                    after_byte: CUT_AFTER,
                    ..TlsState::default()
                };
            }
        }
        let config = match this.fault {
            TlsFault::None | TlsFault::HandshakeCutOff => &self.good,
            TlsFault::Expired => &self.expired,
            TlsFault::NotYetValid => &self.not_yet_valid,
            TlsFault::WrongName => &self.wrong_name,
            TlsFault::UnknownCa => &self.unknown_ca,
            TlsFault::OnlyTls12 => &self.only_tls12,
            TlsFault::OnlyTls13 => &self.only_tls13,
        };
        (config.clone(), this)
    }
}
