//! Tests of the access point's control: hostapd's interface, simulated by a socket, and declared commands.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use board::{AccessPoint, AccessPointControl, Argv, BoardError, Mac};

const STATION: Mac = Mac([0x60, 0x55, 0xf9, 0x0a, 0xbc, 0xde]);

/// Sends one answer for each request; returns the requests.
fn hostapd(path: &Path, answers: &'static [&'static str]) -> std::thread::JoinHandle<Vec<String>> {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let mut buffer = [0; 256];
            let (len, from) = socket.recv_from(&mut buffer).unwrap();
            asked.push(String::from_utf8(buffer[..len].to_vec()).unwrap());
            let from = from.as_pathname().unwrap();
            socket
                .send_to(b"<3>AP-STA-CONNECTED 60:55:f9:0a:bc:de", from)
                .unwrap();
            socket.send_to(answer.as_bytes(), from).unwrap();
        }
        asked
    })
}

#[test]
fn hostapd_is_told_in_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wlan0");
    let served = hostapd(&path, &["PONG\n", "OK\n", "OK\n", "OK\n", "FAIL\n"]);
    let ap = AccessPoint::new(AccessPointControl::Hostapd(path));
    assert!(ap.can_switch() && ap.can_deauthenticate());
    ap.check().unwrap();
    ap.switch(false).unwrap();
    ap.switch(true).unwrap();
    ap.deauthenticate(STATION, 7).unwrap();
    let error = ap.deauthenticate(STATION, 7).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("hostapd answers `FAIL` to `DEAUTHENTICATE 60:55:f9:0a:bc:de reason=7`"),
        "{error}"
    );
    assert_eq!(
        served.join().unwrap(),
        [
            "PING",
            "DISABLE",
            "ENABLE",
            "DEAUTHENTICATE 60:55:f9:0a:bc:de reason=7",
            "DEAUTHENTICATE 60:55:f9:0a:bc:de reason=7",
        ]
    );
}

#[test]
fn hostapd_that_does_not_run_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let ap = AccessPoint::new(AccessPointControl::Hostapd(dir.path().join("wlan0")));
    let error = ap.check().unwrap_err();
    assert!(matches!(error, BoardError::AccessPoint { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot reach hostapd"), "{error}");
}

#[test]
fn declared_commands_do_it_too_and_what_is_not_declared_is_told() {
    let argv = |words: &[&str]| Argv::new(words.iter().map(|w| (*w).to_owned()).collect());
    let ap = AccessPoint::new(AccessPointControl::Commands {
        off: None,
        on: None,
        deauthenticate: argv(&["test", "{mac}/{reason}", "=", "60:55:f9:0a:bc:de/3"]),
        timeout: Duration::from_secs(5),
    });
    assert!(!ap.can_switch() && ap.can_deauthenticate());
    ap.check().unwrap();
    ap.deauthenticate(STATION, 3).unwrap();
    let error = ap.deauthenticate(STATION, 4).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`access-point.deauthenticate` (test 60:55:f9:0a:bc:de/4 = "),
        "{error}"
    );
    let error = ap.switch(false).unwrap_err();
    assert!(
        error.to_string().contains("declares no `access-point.off`"),
        "{error}"
    );
}

/// The real hostapd, with a driver that needs no radio.
#[test]
#[ignore = "needs hostapd on the machine"]
fn the_real_hostapd_understands() {
    let dir = tempfile::tempdir().unwrap();
    let control = dir.path().join("ctrl");
    let file = dir.path().join("hostapd.conf");
    let text = format!(
        "interface=wlan0\ndriver=none\nctrl_interface={}\nssid=bench\nhw_mode=g\nchannel=6\n",
        control.display()
    );
    std::fs::write(&file, text).unwrap();
    let mut hostapd = std::process::Command::new("hostapd")
        .arg(&file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let path = control.join("wlan0");
    let ap = AccessPoint::new(AccessPointControl::Hostapd(path.clone()));
    let mut waited = 0;
    while ap.check().is_err() && waited < 100 {
        std::thread::sleep(Duration::from_millis(50));
        waited += 1;
    }
    let told = [
        ap.check(),
        ap.switch(false),
        ap.switch(true),
        ap.deauthenticate(STATION, 7),
    ];
    hostapd.kill().unwrap();
    hostapd.wait().unwrap();
    for done in told {
        done.unwrap();
    }
    assert!(ap.check().is_err());
}
