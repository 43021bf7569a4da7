//! Tests of `boards.toml`: valid files are read, errors are reported with their place.

use std::path::Path;
use std::time::Duration;

use board::{AccessPointControl, After, Before, Boards, ConfigError, Console, Mac};

fn parse(text: &str) -> Result<Boards, ConfigError> {
    Boards::parse(Path::new("boards.toml"), text)
}

#[test]
fn a_port_is_enough() {
    let boards = parse("[board.desk]\nport = '/dev/ttyUSB0'\n").unwrap();
    let desk = boards.get("desk").unwrap();
    assert_eq!(desk.name, "desk");
    assert_eq!(desk.port.as_deref(), Some("/dev/ttyUSB0"));
    assert_eq!(desk.chip, "esp32c3");
    assert_eq!((desk.baud, desk.flash_baud), (115_200, 460_800));
    assert_eq!(
        (desk.before, desk.after),
        (Before::DefaultReset, After::HardReset)
    );
    assert!(desk.stub && !desk.dns);
    assert_eq!(desk.reconnect, Duration::from_secs(10));
    assert_eq!(desk.tolerance, Duration::from_secs(2));
    assert_eq!(desk.commands.timeout, Duration::from_secs(10));
    assert_eq!(desk.access_point, None);
}

#[test]
fn everything_can_be_said() {
    let boards = parse(
        r#"
[board.lab]
mac = "60:55:F9:0A:BC:DE"
chip = "esp32c6"
baud = 921600
flash-baud = 115200
before = "usb-reset"
after = "no-reset"
stub = false
console = "usb-serial-jtag"
reconnect = "500ms"
host = "192.168.1.10"
ssid = "bench"
password = "hunter2hunter2"
dns = true
fixtures = ["relays", "power switch"]
tolerance = "1m"

[board.lab.commands]
reset = ["relay", "pulse", "1"]
download = ["relay", "boot"]
power-off = ["relay", "off", "2"]
power-on = ["relay", "on", "2"]
timeout = "3s"

[board.lab.access-point]
hostapd = "/var/run/hostapd/wlan0"
"#,
    )
    .unwrap();
    let lab = boards.get("lab").unwrap();
    assert_eq!(lab.mac, Some(Mac([0x60, 0x55, 0xf9, 0x0a, 0xbc, 0xde])));
    assert_eq!(
        (lab.before, lab.after, lab.stub),
        (Before::UsbReset, After::NoReset, false)
    );
    assert_eq!(lab.console, Some(Console::UsbSerialJtag));
    assert_eq!(lab.reconnect, Duration::from_millis(500));
    assert_eq!(lab.tolerance, Duration::from_secs(60));
    assert_eq!(lab.host.unwrap().to_string(), "192.168.1.10");
    assert_eq!(lab.password.as_ref().unwrap().reveal(), "hunter2hunter2");
    assert!(!format!("{lab:?}").contains("hunter2"), "a password in {lab:?}");
    assert!(lab.fixtures.contains("power switch") && lab.dns);
    assert_eq!(
        lab.commands.power_off.as_ref().unwrap().as_slice(),
        ["relay", "off", "2"]
    );
    assert_eq!(lab.commands.timeout, Duration::from_secs(3));
    assert!(matches!(&lab.access_point, Some(AccessPointControl::Hostapd(p)) if p.ends_with("wlan0")));
}

/// Invalid files, and the beginning of the message for each.
const WRONG: &[(&str, &str)] = &[
    (
        "[board.desk]\nprot = '/dev/ttyUSB0'\n",
        "boards.toml:2:1: unknown field `prot`, expected one of `port`, `mac`, `probe`, `chip`",
    ),
    (
        "[boards.desk]\n",
        "boards.toml:1:2: unknown field `boards`, expected `board`",
    ),
    (
        "[board.desk]\n",
        "boards.toml:1:8: the board `desk` needs `port = \"/dev/…\"` or `mac = \"aa:bb:cc:dd:ee:ff\"`",
    ),
    (
        "[board.desk]\nmac = '60:55:f9'\n",
        "boards.toml:2:7: `60:55:f9` is no MAC address: expected \"aa:bb:cc:dd:ee:ff\"",
    ),
    (
        "[board.desk]\nport = 'x'\nchip = 'esp8266'\n",
        "boards.toml:3:8: `esp8266` is no chip that can be flashed: expected one of esp32, esp32c2, esp32c3",
    ),
    (
        "[board.desk]\nport = 'x'\nbefore = 'reset'\n",
        "boards.toml:3:10: unknown variant `reset`, expected one of `default-reset`, `usb-reset`, `no-reset`",
    ),
    (
        "[board.desk]\nport = 'x'\nreconnect = '10'\n",
        "boards.toml:3:13: `10` is no length of time: expected a whole number with a unit",
    ),
    (
        "[board.desk]\nport = 'x'\nbaud = 0\n",
        "boards.toml:3:8: 0 is no usable baud rate",
    ),
    (
        "[board.desk]\nport = 'x'\n[board.desk.commands]\nreset = []\n",
        "boards.toml:4:9: a command needs a program",
    ),
    (
        "[board.desk]\nprobe = '303a'\n",
        "boards.toml:2:9: `303a` is no debug probe: expected \"VID:PID\" or \"VID:PID:SERIAL\"",
    ),
    (
        "[board.desk]\nport = 'x'\nhost = 'my-laptop'\n",
        "boards.toml:3:8: ",
    ),
    (
        "[board.desk]\nport = 'x'\n[board.desk.access-point]\nhostapd = '/x'\noff = ['x']\n",
        "boards.toml:3:1: the access point has `hostapd` or commands",
    ),
    (
        "[board.desk]\nport = 'x'\n[board.desk.access-point]\noff = ['x']\n",
        "boards.toml:3:1: an access point that can be switched needs both `off` and `on`",
    ),
    ("[board.desk\n", "boards.toml:1:12: "),
];

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_was_expected() {
    for (text, expected) in WRONG {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}\n  {error}\n  {expected}");
    }
}

#[test]
fn a_board_that_is_not_declared_is_told_with_those_that_are() {
    let boards = parse("[board.a]\nport = 'x'\n[board.b]\nport = 'y'\n").unwrap();
    assert_eq!(
        boards.get("c").unwrap_err().to_string(),
        "boards.toml has no board `c`; it has a, b"
    );
    assert_eq!(
        parse("").unwrap().get("c").unwrap_err().to_string(),
        "boards.toml has no board `c`; it has none"
    );
}

#[test]
fn a_password_can_come_from_the_environment() {
    // cargo sets this variable for tests.
    let boards = parse("[board.a]\nport = 'x'\npassword-env = 'CARGO_PKG_NAME'\n").unwrap();
    let a = boards.get("a").unwrap();
    assert_eq!(a.password.as_ref().unwrap().reveal(), "oceanrig-board");
    let error = parse("[board.a]\nport = 'x'\npassword-env = 'NO_SUCH_VARIABLE_HERE'\n").unwrap_err();
    assert!(error.to_string().contains("NO_SUCH_VARIABLE_HERE"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let error = Boards::load(Path::new("/no/such/boards.toml")).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot read /no/such/boards.toml"),
        "{error}"
    );
}
