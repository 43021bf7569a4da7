//! Tests of the access point's commands: by the control socket and by hostapd's interface.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::rig::Rig;

const WIFI: &[(&str, &str)] = &[
    ("wifi.ssid", "harbour"),
    ("wifi.password", "low-tide-7"),
    ("server.host", "192.168.4.1"),
    ("device.registration_token", "reg-token-0123456789"),
];

#[test]
fn hostapd_commands_reach_the_device() {
    let rig = Rig::with_firmware(WIFI, |options| {
        options.ssid = "harbour".to_owned();
        options.password = "low-tide-7".to_owned();
        options.hostapd = Some(options.port.with_extension("ap"));
    });
    let client = UnixDatagram::bind(rig.dir.path().join("client")).unwrap();
    client.connect(rig.dir.path().join("c3.ap")).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hear = || {
        let mut answer = [0; 1024];
        let len = client.recv(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..len]).into_owned()
    };
    let say = |command: &str| {
        client.send(command.as_bytes()).unwrap();
        hear()
    };
    assert_eq!(say("ATTACH"), "OK\n");
    let mut terminal = rig.open_at_boot();
    terminal.until("[WIFI] Connected, IP 192.168.4.100");
    assert_eq!(hear(), "<3>AP-STA-CONNECTED 02:00:00:c3:00:01");
    assert!(say("STATUS").contains("ssid[0]=harbour\nnum_sta[0]=1\n"));

    assert_eq!(say("DEAUTHENTICATE 02:00:00:c3:00:01 reason=7"), "OK\n");
    assert_eq!(hear(), "<3>AP-STA-DISCONNECTED 02:00:00:c3:00:01");
    terminal.until("[WIFI] Disconnected, reason 7");
    terminal.until("[WIFI] Connected");
    assert_eq!(hear(), "<3>AP-STA-CONNECTED 02:00:00:c3:00:01");

    assert_eq!(say("DISABLE"), "OK\n");
    terminal.until("[WIFI] Disconnected, reason 3");
    terminal.until("reason 201");
    assert_eq!(rig.status()["ap"], false);
    rig.tell("ap on");
    terminal.until("[WIFI] Connected");
    rig.tell("deauthenticate 4");
    terminal.until("[WIFI] Disconnected, reason 4");
}
