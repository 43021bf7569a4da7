//! A simulated guest for the tests: its OS adapter, heap and callbacks.

use std::time::Duration;

use sim::air::{ApInfo, AuthMode, Reason};

use crate::services::*;
use crate::testing::{FakeCpu, FlatMemory};
use image::Symbol;

pub(super) const RAM: u32 = 0x3FC8_0000;
/// Addresses of the OS adapter's table, the init configuration, scratch memory and the heap of the simulated
/// guest.
pub(super) const TABLE: u32 = RAM + 0x1000;
pub(super) const CONFIG: u32 = RAM + 0x1200;
pub(super) const SCRATCH: u32 = RAM + 0x1400;
pub(super) const HEAP: u32 = RAM + 0x2000;
pub(super) const STACK: u32 = RAM + 0x8000;
/// Addresses of the simulated guest's functions.
pub(super) const EVENT_POST: u32 = 0x4201_0000;
pub(super) const MALLOC: u32 = 0x4201_0010;
pub(super) const FREE: u32 = 0x4201_0020;
pub(super) const READ_MAC: u32 = 0x4201_0030;
pub(super) const RX_CALLBACK: u32 = 0x4201_0040;
pub(super) const TX_DONE: u32 = 0x4201_0050;
/// Program counter of the guest between calls.
pub(super) const CALLER: u32 = 0x4200_0004;

pub(super) const DRIVER: [&str; 22] = [
    "esp_wifi_init_internal",
    "esp_wifi_deinit_internal",
    "esp_wifi_set_mode",
    "esp_wifi_get_mode",
    "esp_wifi_set_config",
    "esp_wifi_get_config",
    "esp_wifi_start",
    "esp_wifi_stop",
    "esp_wifi_connect_internal",
    "esp_wifi_disconnect_internal",
    "esp_wifi_scan_start",
    "esp_wifi_scan_get_ap_num",
    "esp_wifi_scan_get_ap_record",
    "esp_wifi_sta_get_rssi",
    "esp_wifi_sta_get_ap_info",
    "esp_wifi_set_channel",
    "esp_wifi_internal_reg_rxcb",
    "esp_wifi_set_tx_done_cb",
    "esp_wifi_internal_tx",
    "esp_wifi_internal_free_rx_buffer",
    "esp_wifi_set_ps",
    "esp_now_init",
];

/// A guest function that was called, with its arguments and what its pointers pointed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Event(u32, Vec<u8>),
    Malloc(u32),
    Free(u32),
    Received(Vec<u8>, u32),
    TxDone(u16, bool),
}

pub(super) struct Guest {
    pub(super) services: Services,
    pub(super) cpu: FakeCpu,
    pub(super) mem: FlatMemory,
    pub(super) now: Instant,
    pub(super) seen: Vec<Seen>,
    /// Address that the guest's malloc returns.
    pub(super) heap: u32,
    /// True if the receive callback frees the frame before it returns.
    pub(super) frees_at_once: bool,
}

impl Guest {
    pub(super) fn new() -> Guest {
        let function = |(n, name): (usize, &&str)| Symbol {
            addr: 0x4202_0000 + 16 * n as u32,
            size: 16,
            name: (*name).to_owned(),
            is_function: true,
        };
        let mut symbols: Vec<Symbol> = DRIVER.iter().enumerate().map(function).collect();
        for (addr, name) in [
            (0x4200_0000, "main"),
            (0x4203_0000, "_RNvCs1_7___rustc17rust_begin_unwind"),
        ] {
            symbols.push(Symbol {
                addr,
                size: 64,
                name: name.to_owned(),
                is_function: true,
            });
        }
        let firmware = Firmware {
            entry: 0,
            segments: [].into(),
            symbols: Arc::new(SymbolTable::new(symbols)),
            app: None,
        };
        let mut cpu = FakeCpu::default();
        cpu.set_x(reg::SP, STACK);
        cpu.set_pc(CALLER);
        cpu.set_mstatus(0x1888);
        let mut mem = FlatMemory::new(RAM, 0x8000);
        for (offset, word) in [
            (0, 9),
            (176, FREE),
            (180, EVENT_POST),
            (220, READ_MAC),
            (344, MALLOC),
            (476, 0xDEAD_BEAF),
        ] {
            mem.write_u32(TABLE + offset, word).unwrap();
        }
        for (offset, word) in [(0, TABLE), (56, 4), (60, 3), (72, 2), (152, 0x1F2F_3F4F)] {
            mem.write_u32(CONFIG + offset, word).unwrap();
        }
        Guest {
            services: Services::new(&firmware),
            cpu,
            mem,
            now: Instant::from_secs(1),
            seen: Vec::new(),
            heap: HEAP,
            frees_at_once: false,
        }
    }

    /// A guest in station mode whose driver is initialised and has callbacks.
    pub(super) fn ready() -> Guest {
        let mut guest = Guest::new();
        assert_eq!(guest.call("esp_wifi_init_internal", &[CONFIG]), 0);
        assert_eq!(guest.call("esp_wifi_internal_reg_rxcb", &[0, RX_CALLBACK]), 0);
        assert_eq!(guest.call("esp_wifi_set_tx_done_cb", &[TX_DONE]), 0);
        assert_eq!(guest.call("esp_wifi_set_mode", &[1]), 0);
        guest.mem.put(SCRATCH, &[0; 184]);
        guest.mem.put(SCRATCH, b"bench");
        guest.mem.put(SCRATCH + 32, b"password");
        assert_eq!(guest.call("esp_wifi_set_config", &[0, SCRATCH]), 0);
        guest
    }

    /// A guest that is connected and has received the event of it.
    pub(super) fn connected() -> Guest {
        let mut guest = Guest::ready();
        guest.call("esp_wifi_start", &[]);
        guest.call("esp_wifi_connect_internal", &[]);
        guest.hear(FromAir::Connected { ap: ap(), aid: 1 });
        guest.services.take_to_air();
        guest.seen.clear();
        guest
    }

    /// Calls a driver function as the guest does and simulates the guest until it returns.
    pub(super) fn call(&mut self, name: &str, args: &[u32]) -> u32 {
        let addr = 0x4202_0000 + 16 * DRIVER.iter().position(|n| *n == name).unwrap() as u32;
        let back = self.cpu.pc();
        for n in 0..8 {
            self.cpu.set_x(reg::A0 + n, args.get(n).copied().unwrap_or(0));
        }
        self.cpu.set_x(reg::RA, CALLER + 0x20);
        self.cpu.set_pc(addr);
        self.run_until(CALLER + 0x20);
        self.cpu.set_pc(back);
        self.cpu.x(reg::A0)
    }

    pub(super) fn run_until(&mut self, pc: u32) {
        for _ in 0..1000 {
            if self.cpu.pc() == pc {
                return;
            }
            if self.services.hooks().contains(self.cpu.pc()) {
                let cx = Context {
                    mem: &mut self.mem,
                    now: self.now,
                };
                match self.services.on_hook(&mut self.cpu, cx) {
                    Outcome::Continue => {}
                    Outcome::Advance(d) => self.now += d,
                    other => panic!("{other:?}"),
                }
            } else {
                self.play();
            }
        }
        panic!("never came back to {pc:#x}, stands at {:#x}", self.cpu.pc());
    }

    /// Simulates the guest function at pc.
    pub(super) fn play(&mut self) {
        let a = |n: usize| self.cpu.x(reg::A0 + n);
        let (a0, a1, a2, a3) = (a(0), a(1), a(2), a(3));
        let mut result = 0;
        match self.cpu.pc() {
            EVENT_POST => {
                let data = if a3 == 0 {
                    Vec::new()
                } else {
                    self.mem.get(a2, a3 as usize)
                };
                self.seen.push(Seen::Event(a1, data));
            }
            MALLOC => {
                self.seen.push(Seen::Malloc(a0));
                result = self.heap;
                self.heap += if self.heap == 0 { 0 } else { 0x600 };
            }
            FREE => self.seen.push(Seen::Free(a0)),
            READ_MAC => {
                assert_eq!(a1, 0, "the station's address");
                self.mem.put(a0, &[0x7C, 0xDF, 0xA1, 1, 2, 3]);
            }
            RX_CALLBACK => {
                let frame = self.mem.get(a0, a1 as usize);
                self.seen.push(Seen::Received(frame, a2));
                if self.frees_at_once {
                    let ra = self.cpu.x(reg::RA);
                    self.call("esp_wifi_internal_free_rx_buffer", &[a2]);
                    self.cpu.set_x(reg::RA, ra);
                }
            }
            TX_DONE => {
                let len = self.mem.read_u16(a2).unwrap();
                self.seen.push(Seen::TxDone(len, a3 != 0));
            }
            pc => panic!("no guest function at {pc:#x}"),
        }
        // A callee may change all registers but the saved ones.
        for n in [5, 6, 7, 12, 13, 28, 31] {
            self.cpu.set_x(n, 0xBAD0_0000 + n as u32);
        }
        self.cpu.set_x(reg::A0, result);
        self.cpu.set_pc(self.cpu.x(reg::RA));
    }

    /// Delivers the waiting notifications, between two instructions of the guest.
    pub(super) fn deliver(&mut self) {
        while self.services.wants_delivery() {
            let before = self.cpu.clone();
            let cx = Context {
                mem: &mut self.mem,
                now: self.now,
            };
            if self.services.deliver(&mut self.cpu, cx) {
                self.run_until(before.pc());
                assert_eq!(self.cpu, before, "the guest notices nothing");
            }
        }
    }

    /// Lets simulated time pass.
    pub(super) fn pass(&mut self, d: Duration) {
        let end = self.now + d;
        while let Some(at) = self.services.next_deadline().filter(|at| *at <= end) {
            self.now = at;
            self.services.poll(at);
            self.deliver();
        }
        self.now = end;
    }

    pub(super) fn hear(&mut self, message: FromAir) {
        self.services.receive(self.now, message);
        self.deliver();
    }

    pub(super) fn events(&self) -> Vec<u32> {
        self.seen
            .iter()
            .filter_map(|s| {
                if let Seen::Event(id, _) = s {
                    Some(*id)
                } else {
                    None
                }
            })
            .collect()
    }
}

pub(super) fn ap() -> ApInfo {
    ApInfo {
        ssid: "bench".to_owned(),
        bssid: [2, 0, 0, 0, 0, 1],
        channel: 6,
        rssi_dbm: -52,
        auth: AuthMode::Wpa2Psk,
    }
}

pub(super) fn lost(reason: Reason) -> FromAir {
    FromAir::Disconnected {
        ssid: "bench".to_owned(),
        bssid: [2, 0, 0, 0, 0, 1],
        reason,
        rssi_dbm: -90,
    }
}

pub(super) fn frame(len: usize) -> Vec<u8> {
    (0..len).map(|n| n as u8).collect()
}
