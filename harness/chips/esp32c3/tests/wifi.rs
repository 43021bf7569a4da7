//! The committed firmware on the chip, with a scripted access point: association, DHCP, a lost connection, a
//! wrong password. The image is built by `firmware-under-test/build.sh --fixture`.

use std::time::Duration;

use esp32c3::{Chip, ChipConfig, Firmware, Output, Stop};
use sim::air::{ApInfo, AuthMode, FromAir, Mac, Reason, ToAir};
use sim::{EventQueue, Instant};

const AP_MAC: Mac = [0x02, 0, 0, 0, 0, 0xA9];
const AP_IP: [u8; 4] = [192, 168, 4, 1];
const STATION_IP: [u8; 4] = [192, 168, 4, 2];

/// Partition table and provisioning as `docs/provisioning.md` describes them.
fn flash() -> Vec<u8> {
    let mut flash = vec![0xFF; 0x30_3000];
    let partitions: [(&str, u8, u8, u32, u32); 5] = [
        ("nvs", 1, 2, 0x9000, 0x6000),
        ("phy_init", 1, 1, 0xF000, 0x1000),
        ("factory", 0, 0, 0x1_0000, 0x2F_0000),
        ("provision", 1, 0x40, 0x30_0000, 0x1000),
        ("token", 1, 0x41, 0x30_1000, 0x2000),
    ];
    for (n, (name, kind, subtype, offset, size)) in partitions.into_iter().enumerate() {
        let entry = &mut flash[0x8000 + 32 * n..][..32];
        entry.fill(0);
        entry[..4].copy_from_slice(&[0xAA, 0x50, kind, subtype]);
        entry[4..8].copy_from_slice(&offset.to_le_bytes());
        entry[8..12].copy_from_slice(&size.to_le_bytes());
        entry[12..12 + name.len()].copy_from_slice(name.as_bytes());
    }
    let text = "wifi.ssid=bench\nwifi.password=secret-password\nserver.host=192.168.4.1\n\
                device.registration_token=oc_reg_test\nntp.server=192.168.4.1\n";
    let header = &mut flash[0x30_0000..];
    header[..4].copy_from_slice(b"ORPV");
    header[4..8].copy_from_slice(&1u32.to_le_bytes());
    header[8..12].copy_from_slice(&(text.len() as u32).to_le_bytes());
    header[12..16].copy_from_slice(&image::checksum::crc32(text.as_bytes()).to_le_bytes());
    header[16..16 + text.len()].copy_from_slice(text.as_bytes());
    flash
}

/// A chip and an access point.
struct Bench {
    chip: Chip,
    air: EventQueue<FromAir>,
    password: &'static str,
    /// Messages that the station sent, with times.
    sent: Vec<(Instant, ToAir)>,
    /// All other outputs of the chip.
    reports: Vec<Output>,
    serial: Vec<u8>,
}

impl Bench {
    fn new(password: &'static str) -> Bench {
        let image = include_bytes!("../../../../fixtures/oceanremote-device.elf.gz");
        let firmware = Firmware::parse(image).expect("the fixture is a firmware");
        let chip = Chip::new(
            ChipConfig {
                flash: flash(),
                ..ChipConfig::default()
            },
            &firmware,
        )
        .expect("the fixture boots");
        let (sent, reports, serial) = (Vec::new(), Vec::new(), Vec::new());
        Bench {
            chip,
            air: EventQueue::new(),
            password,
            sent,
            reports,
            serial,
        }
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let next = self.air.next_due().map_or(end, |at| at.min(end));
            let stop = self.chip.run_until(next);
            for (at, output) in self.chip.take_outputs() {
                match output {
                    Output::Air(message) => {
                        self.answer(at, &message);
                        self.sent.push((at, message));
                    }
                    Output::Serial { byte, .. } => self.serial.push(byte),
                    other => self.reports.push(other),
                }
            }
            while let Some((_, message)) = self.air.pop_due(self.chip.now()) {
                self.chip.air(message);
            }
            if stop == Stop::Time && self.chip.now() >= end {
                return;
            }
        }
    }

    /// Runs until the log holds `text`, at most until `end`.
    fn run_until_said(&mut self, text: &str, end: Instant) {
        while !self.log().contains(text) {
            assert!(
                self.chip.now() < end,
                "{text:?} was not said by {end}:\n{}",
                self.log()
            );
            self.run_until(self.chip.now() + Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&self.serial).into_owned()
    }

    fn answer(&mut self, at: Instant, message: &ToAir) {
        let ap = ApInfo {
            ssid: "bench".to_owned(),
            bssid: AP_MAC,
            channel: 6,
            rssi_dbm: -52,
            auth: AuthMode::Wpa2Psk,
        };
        match message {
            ToAir::Scan { .. } => {
                self.air
                    .push(at + Duration::from_millis(300), FromAir::ScanDone(vec![ap]));
            }
            ToAir::Connect { ssid, password, .. } if ssid == "bench" && password == self.password => {
                self.air
                    .push(at + Duration::from_millis(200), FromAir::Connected { ap, aid: 1 });
            }
            ToAir::Connect { .. } => {
                self.lose(at + Duration::from_secs(3), Reason::FOUR_WAY_HANDSHAKE_TIMEOUT)
            }
            ToAir::Disconnect => self.lose(at, Reason::ASSOC_LEAVE),
            ToAir::Vanish => {}
            ToAir::Frame(frame) => {
                if let Some(reply) = dhcp_reply(frame) {
                    self.air
                        .push(at + Duration::from_millis(2), FromAir::Frame(reply));
                }
            }
        }
    }

    fn lose(&mut self, at: Instant, reason: Reason) {
        let ssid = "bench".to_owned();
        self.air.push(
            at,
            FromAir::Disconnected {
                ssid,
                bssid: AP_MAC,
                reason,
                rssi_dbm: -90,
            },
        );
    }

    fn dhcp_messages(&self) -> Vec<u8> {
        self.sent
            .iter()
            .filter_map(|(_, m)| {
                if let ToAir::Frame(frame) = m {
                    dhcp_kind(frame)
                } else {
                    None
                }
            })
            .collect()
    }
}

/// The message type of a DHCP request (RFC 2132, 9.6): 1 discover, 3 request.
fn dhcp_kind(frame: &[u8]) -> Option<u8> {
    let is_udp_to_server =
        frame.len() > 282 && frame[12..14] == [0x08, 0x00] && frame[23] == 17 && frame[36..38] == [0, 67];
    let mut options = is_udp_to_server.then(|| &frame[282..])?;
    while let [code, len, rest @ ..] = options {
        match code {
            53 => return rest.first().copied(),
            0 => options = &options[1..],
            255 => return None,
            _ => options = rest.get(usize::from(*len)..)?,
        }
    }
    None
}

/// An offer for a discover, an acknowledgement for a request.
fn dhcp_reply(frame: &[u8]) -> Option<Vec<u8>> {
    let answer = match dhcp_kind(frame)? {
        1 => 2,
        3 => 5,
        _ => return None,
    };
    let mut bootp = vec![0; 240];
    bootp[..4].copy_from_slice(&[2, 1, 6, 0]);
    bootp[4..12].copy_from_slice(&frame[46..54]);
    bootp[16..20].copy_from_slice(&STATION_IP);
    bootp[28..34].copy_from_slice(&frame[70..76]);
    bootp[236..240].copy_from_slice(&[99, 130, 83, 99]);
    bootp.extend_from_slice(&[53, 1, answer, 1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 0x0E, 0x10]);
    for option in [54, 3, 6] {
        bootp.extend_from_slice(&[option, 4]);
        bootp.extend_from_slice(&AP_IP);
    }
    bootp.push(255);
    let mut out = Vec::new();
    out.extend_from_slice(&frame[6..12]);
    out.extend_from_slice(&AP_MAC);
    out.extend_from_slice(&[0x08, 0x00]);
    let length = |n: usize| (n as u16).to_be_bytes();
    let mut ip = vec![0x45, 0];
    ip.extend_from_slice(&length(28 + bootp.len()));
    ip.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0]);
    ip.extend_from_slice(&AP_IP);
    ip.extend_from_slice(&STATION_IP);
    let sum = ip
        .chunks(2)
        .fold(0u32, |s, w| s + u32::from(u16::from_be_bytes([w[0], w[1]])));
    let folded = !(sum + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&folded.to_be_bytes());
    out.extend_from_slice(&ip);
    out.extend_from_slice(&[0, 67, 0, 68]);
    out.extend_from_slice(&length(8 + bootp.len()));
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&bootp);
    Some(out)
}

#[test]
fn the_firmware_connects_and_gets_an_address() {
    let mut bench = Bench::new("secret-password");
    bench.run_until_said(
        "[WIFI] Connected, IP 192.168.4.2, RSSI -52 dBm",
        Instant::from_secs(10),
    );
    // embassy-net starts its client twice when the link comes up.
    assert_eq!(bench.dhcp_messages(), [1, 1, 3]);
    let connect = bench
        .sent
        .iter()
        .find(|(_, m)| matches!(m, ToAir::Connect { .. }));
    let Some((_, ToAir::Connect { mac, bssid, .. })) = connect else {
        panic!("{:?}", bench.sent)
    };
    assert_eq!((*mac, *bssid), (ChipConfig::default().mac, None));
    // No driver or ROM function was unmodelled, and no event was lost.
    let radio: Vec<&Output> = bench
        .reports
        .iter()
        .filter(|o| matches!(o, Output::Radio(_)))
        .collect();
    assert_eq!(radio, Vec::<&Output>::new());
    assert!(
        !bench
            .reports
            .iter()
            .any(|o| matches!(o, Output::Panic { .. } | Output::Exception(_)))
    );
}

#[test]
fn a_burst_of_frames_is_taken_one_by_one() {
    let mut bench = Bench::new("secret-password");
    bench.run_until_said("[WIFI] Connected", Instant::from_secs(10));
    // An ARP request for the station's address, 100 times at once: each is answered, and the heap does not
    // run out.
    let mut question = vec![0xFF; 6];
    question.extend_from_slice(&AP_MAC);
    question.extend_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    question.extend_from_slice(&AP_MAC);
    question.extend_from_slice(&AP_IP);
    question.extend_from_slice(&[0; 6]);
    question.extend_from_slice(&STATION_IP);
    for _ in 0..100 {
        bench.air.push(bench.chip.now(), FromAir::Frame(question.clone()));
    }
    bench.sent.clear();
    bench.run_until(bench.chip.now() + Duration::from_millis(500));
    let answers = bench
        .sent
        .iter()
        .filter(|(_, m)| matches!(m, ToAir::Frame(f) if f[12..14] == [8, 6] && f[21] == 2));
    assert_eq!(answers.count(), 100);
    assert!(!bench.reports.iter().any(|o| matches!(o, Output::Radio(_))));
}

#[test]
fn a_lost_connection_is_noticed_and_made_again() {
    let mut bench = Bench::new("secret-password");
    bench.run_until_said("[WIFI] Connected", Instant::from_secs(10));
    bench.lose(bench.chip.now(), Reason::BEACON_TIMEOUT);
    bench.run_until_said(
        "[WIFI] Disconnected, reason 200 (beacon timeout)",
        Instant::from_secs(11),
    );
    bench.serial.clear();
    bench.run_until_said("[WIFI] Connected, IP 192.168.4.2", Instant::from_secs(60));
}

#[test]
fn a_wrong_password_is_told_from_a_missing_network() {
    let mut bench = Bench::new("another-password");
    bench.run_until_said("[WIFI] Connection failed, reason 15", Instant::from_secs(20));
    assert!(!bench.log().contains("[WIFI] Connected"));
    assert_eq!(bench.dhcp_messages(), []);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = || {
        let mut bench = Bench::new("secret-password");
        bench.run_until(Instant::from_secs(8));
        (bench.serial, bench.sent, bench.chip.instructions())
    };
    let (first, second) = (run(), run());
    assert!(!first.0.is_empty());
    assert_eq!(first, second);
}

#[test]
fn a_clone_of_the_chip_goes_on_as_the_chip_does() {
    let mut bench = Bench::new("secret-password");
    bench.run_until_said("[WIFI] Connected", Instant::from_secs(10));
    let mut copy = bench.chip.clone();
    let end = bench.chip.now() + Duration::from_secs(5);
    let mut outputs = [Vec::new(), Vec::new()];
    for (chip, out) in [&mut bench.chip, &mut copy].into_iter().zip(&mut outputs) {
        while chip.run_until(end) == Stop::Output {
            out.extend(chip.take_outputs());
        }
    }
    assert!(!outputs[0].is_empty());
    assert_eq!(outputs[0], outputs[1]);
}
