//! Certificates made on the spot: an authority, and leaves that are right or wrong in one way each.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sim::UnixTime;

use crate::ServeError;

/// The file of the authority's certificate.
pub(crate) const CA_FILE: &str = "ca.pem";
/// The file of its key.
const KEY_FILE: &str = "ca.key";
const DAY: u64 = 24 * 3600;

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, as clients want it.
    pub(crate) pem: String,
}

/// A leaf with its key.
pub(crate) struct Leaf {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// When a leaf is valid, days from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) from_days: i64,
    pub(crate) to_days: i64,
}

fn days_from(now: UnixTime, days: i64) -> u64 {
    let days_s = days.saturating_mul(i64::try_from(DAY).unwrap_or(i64::MAX));
    u64::try_from(now.as_secs().saturating_add(days_s)).unwrap_or(0)
}

fn params(
    common_name: &str,
    names: Vec<String>,
    now: UnixTime,
    valid: Validity,
) -> Result<CertificateParams, ServeError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(days_from(now, valid.from_days));
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(days_from(now, valid.to_days));
    Ok(params)
}

fn authority_params(now: UnixTime) -> Result<CertificateParams, ServeError> {
    // A device whose clock starts at 1970 still has to reject it for that reason alone, so it begins late.
    let mut params = params(
        "oceanrig test CA",
        Vec::new(),
        now,
        Validity {
            from_days: -365,
            to_days: 3650,
        },
    )?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

impl Authority {
    /// A new authority, known to nobody.
    pub(crate) fn new(now: UnixTime) -> Result<Authority, ServeError> {
        let key = KeyPair::generate()?;
        let params = authority_params(now)?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Authority {
            issuer: Issuer::new(params, key),
            pem,
        })
    }

    /// The authority of a directory, made when there is none: a device that was flashed with its certificate goes
    /// on trusting it.
    pub(crate) fn in_dir(dir: &Path, now: UnixTime) -> Result<Authority, ServeError> {
        let (ca, key) = (dir.join(CA_FILE), dir.join(KEY_FILE));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| ServeError::Authority { path, source }
        };
        if ca.exists() && key.exists() {
            let pem = fs::read_to_string(&ca).map_err(failed(&ca))?;
            let pair = KeyPair::from_pem(&fs::read_to_string(&key).map_err(failed(&key))?)?;
            // Leaves refer to it by name and key, which are the same again.
            return Ok(Authority {
                issuer: Issuer::new(authority_params(now)?, pair),
                pem,
            });
        }
        let authority = Authority::new(now)?;
        fs::create_dir_all(dir).map_err(failed(dir))?;
        write_secret(&key, &authority.issuer.key().serialize_pem()).map_err(failed(&key))?;
        fs::write(&ca, &authority.pem).map_err(failed(&ca))?;
        Ok(authority)
    }

    /// A certificate for a server with these names.
    pub(crate) fn leaf(&self, names: &[String], now: UnixTime, valid: Validity) -> Result<Leaf, ServeError> {
        let key = KeyPair::generate()?;
        let mut params = params("oceanrig mock cloud", names.to_vec(), now, valid)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Leaf {
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

/// Writes a file that only its owner may read.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(text.as_bytes())
}
