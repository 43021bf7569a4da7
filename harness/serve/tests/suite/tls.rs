//! TLS, and what can be wrong with it, seen by rustls as a client and by openssl and curl where they are.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};
use serde_json::json;
use serve::{TlsFault, TlsOptions};

use crate::bench::*;

fn tls() -> TlsOptions {
    TlsOptions {
        names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        ..TlsOptions::default()
    }
}

/// The status of a request over TLS, or the error.
fn status(server: &Running, versions: &[&'static SupportedProtocolVersion]) -> Result<u16, String> {
    let pem = server.ca_pem.as_ref().expect("there is an authority");
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM"))
        .expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("known versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let stream = TcpStream::connect(server.cloud).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let mut stream = StreamOwned::new(connection, stream);
    stream
        .write_all(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .map_err(|error| error.to_string())?;
    let mut reply = String::new();
    stream
        .read_to_string(&mut reply)
        .map_err(|error| error.to_string())?;
    Ok(parted(&reply).0)
}

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

#[test]
fn a_client_that_trusts_the_authority_is_served_in_both_versions() {
    let server = with_tls(tls());
    assert_eq!(status(&server, BOTH), Ok(404));
    assert_eq!(status(&server, &[&version::TLS12]), Ok(404));
    assert_eq!(status(&server, &[&version::TLS13]), Ok(404));
    let other = with_tls(tls());
    let mut stranger = with_tls(tls());
    stranger.ca_pem.clone_from(&other.ca_pem);
    assert!(
        status(&stranger, BOTH).is_err(),
        "another authority is not trusted"
    );
}

#[test]
fn each_fault_is_seen_as_what_it_is_and_healed() {
    let server = with_tls(tls());
    for (fault, seen) in [
        ("expired", "certificate expired"),
        ("not-yet-valid", "certificate not valid yet"),
        ("wrong-name", "certificate not valid for name"),
        ("unknown-ca", "invalid peer certificate: BadSignature"),
        ("handshake-cut-off", ""),
    ] {
        let (set, _) = server.control("PUT", "/v1/tls", &json!({"fault": fault, "times": 1}).to_string());
        assert_eq!(set, 200);
        let error = status(&server, BOTH).expect_err(fault);
        assert!(error.contains(seen), "{fault}: {error}");
        assert_eq!(server.get("/v1/tls").1, json!({"fault": "none", "times": null}));
        assert_eq!(status(&server, BOTH), Ok(404), "{fault} was for one handshake");
    }
    for (fault, served, refused) in [
        ("only-tls12", &version::TLS12, &version::TLS13),
        ("only-tls13", &version::TLS13, &version::TLS12),
    ] {
        server.control("PUT", "/v1/tls", &json!({ "fault": fault }).to_string());
        assert_eq!(status(&server, &[served]), Ok(404), "{fault}");
        assert!(status(&server, &[refused]).is_err(), "{fault}");
    }
    let journal = server.control_text("GET", "/v1/journal", "");
    assert!(journal.contains("failed (fault: expired)"), "{journal}");
    assert!(
        journal.contains("failed (fault: handshake-cut-off): cut off on purpose"),
        "{journal}"
    );
}

#[test]
fn a_fault_of_the_plan_goes_before_what_was_set_by_hand() {
    let server = with_tls(tls());
    let post = |action: &str| {
        let fault = format!(r#"{{"name":"it","when":"1ns","do":{{"tls":"{action}"}}}}"#);
        assert_eq!(server.control("POST", "/v1/faults", &fault).0, 201, "{fault}");
    };
    server.control("PUT", "/v1/tls", r#"{"fault":"wrong-name","times":1}"#);
    for (fault, seen) in [
        ("expired", "certificate expired"),
        ("not-yet-valid", "certificate not valid yet"),
        ("unknown-ca", "BadSignature"),
        ("handshake-cut-off", ""),
    ] {
        post(fault);
        let error = status(&server, BOTH).expect_err(fault);
        assert!(error.contains(seen), "{fault}: {error}");
        assert_eq!(server.control("DELETE", "/v1/faults/it", "").0, 200);
    }
    let error = status(&server, BOTH).expect_err("set by hand");
    assert!(error.contains("certificate not valid for name"), "{error}");
    assert_eq!(status(&server, BOTH), Ok(404));
    for (fault, served, refused) in [
        ("only-tls12", &version::TLS12, &version::TLS13),
        ("only-tls13", &version::TLS13, &version::TLS12),
    ] {
        post(fault);
        assert_eq!(status(&server, &[served]), Ok(404), "{fault}");
        assert!(status(&server, &[refused]).is_err(), "{fault}");
        server.control("DELETE", "/v1/faults/it", "");
    }
    let without = plain();
    let fault = r#"{"name":"it","when":"1s","do":{"tls":"expired"}}"#;
    let (status, answer) = without.control("POST", "/v1/faults", fault);
    assert_eq!(status, 422, "{answer}");
    assert!(answer.to_string().contains("started with --tls"), "{answer}");
}

#[test]
fn a_fault_may_be_there_from_the_start_and_wrong_wishes_are_refused() {
    let server = with_tls(TlsOptions {
        fault: TlsFault::Expired,
        ..tls()
    });
    assert!(status(&server, BOTH).is_err());
    for (body, status) in [
        (r#"{"fault":"tls10"}"#, 400),
        (r#"{"fault":"expired","times":0}"#, 422),
        (r#"{"fault":"expired","after-byte":1}"#, 422),
        (r#"{"fault":"handshake-cut-off","after-byte":0}"#, 200),
        ("", 400),
    ] {
        assert_eq!(server.control("PUT", "/v1/tls", body).0, status, "{body}");
    }
    let without = plain();
    assert_eq!(without.get("/v1/tls").0, 409);
    assert_eq!(without.get("/v1/tls/ca.pem").0, 409);
}

#[test]
fn an_authority_that_is_kept_is_trusted_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let kept = || TlsOptions {
        dir: Some(dir.path().join("ca")),
        ..tls()
    };
    let first = with_tls(kept()).ca_pem.clone();
    let second = with_tls(kept());
    assert_eq!(first, second.ca_pem);
    assert_eq!(status(&second, BOTH), Ok(404));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let key = std::fs::metadata(dir.path().join("ca/ca.key")).expect("the key is kept");
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn openssl_and_curl_agree() {
    if [("openssl", "version"), ("curl", "--version")]
        .iter()
        .any(|(tool, arg)| Command::new(tool).arg(arg).output().is_err())
    {
        println!("SKIPPED: there is no openssl or no curl");
        return;
    }
    let server = with_tls(tls());
    let dir = tempfile::tempdir().expect("a directory");
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, server.ca_pem.as_ref().expect("an authority")).expect("it can be written");
    let verified = || {
        let output = Command::new("openssl")
            .args([
                "s_client",
                "-verify_return_error",
                "-verify_hostname",
                "localhost",
                "-servername",
                "localhost",
            ])
            .args(["-connect", &server.cloud.to_string(), "-CAfile"])
            .arg(&ca)
            .stdin(Stdio::null())
            .output()
            .expect("openssl starts");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said)
    };
    let fetched = || {
        let output = Command::new("curl")
            .args([
                "-sS",
                "--max-time",
                "10",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "--cacert",
            ])
            .arg(&ca)
            .arg(format!("https://localhost:{}/nothing", server.cloud.port()))
            .output()
            .expect("curl starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (good, said) = verified();
    assert!(good && said.contains("Verify return code: 0 (ok)"), "{said}");
    assert_eq!(fetched(), "404");
    for (fault, seen) in [
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        ("wrong-name", "ostname mismatch"),
        ("unknown-ca", "verif"),
        ("handshake-cut-off", ""),
    ] {
        server.control("PUT", "/v1/tls", &json!({ "fault": fault }).to_string());
        let (good, said) = verified();
        assert!(!good && said.contains(seen), "{fault}: {said}");
        assert_eq!(fetched(), "000", "{fault}");
    }
}
