//! The boot ROM through its serial port: banner, strapping pins, serial loader, uploaded programs, boot from
//! flash.

use esp32c3::{Chip, ChipConfig, Firmware, Output, Port, ResetCause, Stop};
use sim::Instant;

const SYNC: &[u8] =
    b"\xC0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU\xC0";
const IRAM: u32 = 0x4038_0000;

/// A chip, its serial output and everything else that it reported.
struct Bench {
    chip: Chip,
    serial: Vec<u8>,
    other: Vec<(Instant, Output)>,
}

impl Bench {
    fn new(flash: Vec<u8>) -> Bench {
        let config = ChipConfig {
            boot_rom: true,
            flash,
            ..ChipConfig::default()
        };
        Bench {
            chip: Chip::from_flash(config, None).expect("a good configuration"),
            serial: Vec::new(),
            other: Vec::new(),
        }
    }

    /// A chip whose loader has received a SYNC.
    fn download(flash: Vec<u8>) -> Bench {
        let mut bench = Bench::new(flash);
        bench.strap_and_reset(Some(false));
        bench.run_ms(30);
        bench.ask(SYNC, 30);
        bench
    }

    fn strap_and_reset(&mut self, gpio9: Option<bool>) {
        self.chip.set_pin(9, gpio9);
        self.chip.reset(ResetCause::PowerOn);
        self.chip.set_pin(9, None);
        self.serial.clear();
        self.other.clear();
    }

    fn run_ms(&mut self, ms: u64) {
        let end = Instant::from_nanos(self.chip.now().as_nanos() + ms * 1_000_000);
        loop {
            let stop = self.chip.run_until(end);
            for (at, output) in self.chip.take_outputs() {
                match output {
                    Output::Serial {
                        port: Port::Uart0,
                        byte,
                    } => self.serial.push(byte),
                    other => self.other.push((at, other)),
                }
            }
            if stop == Stop::Time {
                return;
            }
        }
    }

    /// Sends `bytes` and returns the chip's output within `ms`.
    fn ask(&mut self, bytes: &[u8], ms: u64) -> Vec<u8> {
        self.serial.clear();
        self.chip.serial_in(Port::Uart0, bytes);
        self.run_ms(ms);
        std::mem::take(&mut self.serial)
    }

    fn command(&mut self, op: u8, data: &[u8]) -> Vec<u8> {
        let checksum = match op {
            0x03 | 0x07 => data[16..].iter().fold(0xEF, |sum, byte| sum ^ byte),
            _ => 0,
        };
        let mut packet = vec![0, op];
        packet.extend((data.len() as u16).to_le_bytes());
        packet.extend([checksum, 0, 0, 0]);
        packet.extend(data);
        let mut framed = vec![0xC0];
        for byte in packet {
            match byte {
                0xC0 => framed.extend([0xDB, 0xDC]),
                0xDB => framed.extend([0xDB, 0xDD]),
                other => framed.push(other),
            }
        }
        framed.push(0xC0);
        self.ask(&framed, 700)
    }

    /// Loads a program into RAM and starts it; returns the chip's output within `ms`.
    fn upload(&mut self, program: &[u32], ms: u64) -> Vec<u8> {
        let bytes = words(program);
        self.command(0x05, &words(&[bytes.len() as u32, 1, 0x1800, IRAM]));
        let mut block = words(&[bytes.len() as u32, 0, 0, 0]);
        block.extend(bytes);
        self.command(0x07, &block);
        self.ask(b"\xC0\x00\x06\x08\x00\0\0\0\0\0\0\0\0\0\0\x38\x40\xC0", ms)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.serial).into_owned()
    }

    fn resets(&self) -> Vec<ResetCause> {
        let cause = |output: &Output| match output {
            Output::Reset { cause, .. } => Some(*cause),
            _ => None,
        };
        self.other
            .iter()
            .filter_map(|(_, output)| cause(output))
            .collect()
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// `li rd, value` in two instructions.
fn li(rd: u32, value: u32) -> [u32; 2] {
    let upper = value.wrapping_add(0x800) & 0xFFFF_F000;
    let low = value.wrapping_sub(upper) & 0xFFF;
    [upper | rd << 7 | 0x37, low << 20 | rd << 15 | rd << 7 | 0x13]
}

const T0: u32 = 5;
const T1: u32 = 6;
const A0: u32 = 10;
/// `sw t1, 0(t0)`, `lw t1, 0(t0)`, `addi t1, t1, 1`, `jalr ra, 0(t0)`, `ret`, `j .`.
const STORE: u32 = 0x0062_A023;
const LOAD: u32 = 0x0002_A303;
const INCREMENT: u32 = 0x0013_0313;
const CALL: u32 = 0x0002_80E7;
const RET: u32 = 0x0000_8067;
const STAY: u32 = 0x0000_006F;

fn say(byte: u8) -> Vec<u32> {
    [li(T0, 0x6000_0000), li(T1, u32::from(byte))]
        .concat()
        .into_iter()
        .chain([STORE])
        .collect()
}

/// A call of a ROM function.
fn call(function: u32, args: &[u32]) -> Vec<u32> {
    let mut code: Vec<u32> = (A0..).zip(args).flat_map(|(reg, arg)| li(reg, *arg)).collect();
    code.extend(li(T0, function));
    code.push(CALL);
    code
}

/// An image with one segment in IRAM.
fn image(program: &[u32]) -> Vec<u8> {
    let code = words(program);
    let mut image = vec![0xE9, 1, 2, 0x2F];
    image.extend(IRAM.to_le_bytes());
    image.extend([0xEE, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0]);
    image.extend(words(&[IRAM, code.len() as u32]));
    image.extend(&code);
    let checksum = code.iter().fold(0xEF, |sum, byte| sum ^ byte);
    image.resize((image.len() + 1).next_multiple_of(16), 0);
    *image.last_mut().expect("not empty") = checksum;
    image
}

/// Bootloader, partition table and an application.
fn flash(program: &[u32]) -> Vec<u8> {
    let mut flash = image(&[STAY]);
    flash.resize(0x8000, 0xFF);
    flash.extend([0xAA, 0x50, 0, 0, 0, 0, 1, 0, 0, 0, 0x10, 0]);
    flash.resize(0x8020, 0);
    flash.resize(0x1_0000, 0xFF);
    flash.extend(image(program));
    flash
}

#[test]
fn an_empty_flash_is_what_the_rom_complains_about() {
    let mut bench = Bench::new(Vec::new());
    bench.run_ms(340);
    let text = bench.text();
    let start = "ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n\
                 rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\n\
                 invalid header: 0xffffffff\r\ninvalid header: 0xffffffff\r\n";
    assert!(text.starts_with(start), "{text}");
    let again = "rst:0x7 (TG0WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSaved PC:0x40048b82\r\n";
    assert!(text.contains(again), "{text}");
    assert_eq!(bench.resets(), [ResetCause::CoreMwdt0]);
    assert!(
        !bench
            .other
            .iter()
            .any(|(_, o)| matches!(o, Output::BootFailed(_)))
    );
}

#[test]
fn a_flash_with_everything_boots() {
    let mut bench = Bench::new(flash(&[say(b'K'), say(b'\n'), vec![STAY]].concat()));
    bench.run_ms(100);
    let text = bench.text();
    for line in [
        "SPIWP:0xee\r\nmode:DIO, clock div:1\r\nload:0x40380000,len:0x4\r\n",
        // The bootloader of this test has no hash.
        "SHA-256 comparison failed:\r\nCalculated: ",
        "\r\nAttempting to boot anyway...\r\nentry 0x40380000\r\nK\n",
    ] {
        assert!(text.contains(line), "{line:?} is missing in {text}");
    }
    assert!(bench.resets().is_empty());
}

#[test]
fn an_application_that_is_damaged_loops_through_the_bootloader() {
    let mut contents = flash(&[STAY]);
    contents[0x1_0021] ^= 1;
    let mut bench = Bench::new(contents);
    bench.run_ms(100);
    let text = bench.text();
    assert!(
        text.contains("esp_image: Checksum failed. Calculated 0x"),
        "{text}"
    );
    assert!(
        text.contains("boot: No bootable app partitions in the partition table\r\nESP-ROM:"),
        "{text}"
    );
    assert!(text.contains("rst:0x3 (RTC_SW_SYS_RST)"), "{text}");
    assert!(bench.resets().contains(&ResetCause::CoreSoftware));
    assert!(
        bench
            .other
            .iter()
            .any(|(_, o)| matches!(o, Output::BootFailed(_)))
    );
}

#[test]
fn the_loader_waits_where_gpio9_is_low_at_reset() {
    let mut bench = Bench::new(flash(&[STAY]));
    bench.run_ms(50);
    bench.strap_and_reset(Some(false));
    bench.run_ms(30);
    assert!(
        bench
            .text()
            .ends_with("rst:0x1 (POWERON),boot:0x4 (DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\n"),
        "{}",
        bench.text()
    );
    assert!(bench.chip.is_downloading());
    let answer = bench.ask(SYNC, 30);
    let once = b"\xC0\x01\x08\x04\x00\x07\x07\x12\x20\x00\x00\x00\x00\xC0";
    assert_eq!(answer, once.repeat(8));
    // Chip 5, ROM version 3, as revision 0.4 has it; and the word by which older tools recognise the chip.
    let info = bench.command(0x14, &[]);
    assert_eq!(info[9..29], words(&[0, 0, 0, 5, 3]));
    let magic = bench.command(0x0A, &words(&[0x4000_1000]));
    assert_eq!(magic[5..9], 0x1B31_506Fu32.to_le_bytes());
}

#[test]
fn straps_are_latched_until_the_chip_is_reset_as_a_whole() {
    let mut bench = Bench::download(flash(&[STAY]));
    bench.other.clear();
    bench.command(0x02, &words(&[0, 0, 0x400, 0, 0]));
    bench.command(0x04, &words(&[0]));
    bench.run_ms(50);
    assert_eq!(bench.resets(), [ResetCause::CoreSoftware]);
    assert!(
        bench.chip.is_downloading(),
        "a software reset does not sample the pin"
    );
    // esptool --after watchdog-reset: the RTC watchdog, which resets the whole chip.
    bench.ask(SYNC, 30);
    for (addr, value) in [
        (0x6000_80A8, 0x50D8_3AA1),
        (0x6000_8094, 2_000),
        (0x6000_8090, 0xD000_0102),
    ] {
        bench.command(0x09, &words(&[addr, value, u32::MAX, 0]));
    }
    bench.run_ms(100);
    assert!(
        bench.resets().ends_with(&[ResetCause::SystemRtcWdt]),
        "{:?}",
        bench.resets()
    );
    assert!(!bench.chip.is_downloading());
}

#[test]
fn software_can_ask_for_the_loader() {
    // RTC_CNTL OPTION1, FORCE_DOWNLOAD_BOOT; then OPTIONS0, SW_SYS_RST.
    let poke = |addr, value| [&li(T0, addr)[..], &li(T1, value), &[STORE]].concat();
    let restart = [poke(0x6000_80F4, 1), poke(0x6000_8000, 1 << 31), vec![STAY]].concat();
    let mut bench = Bench::new(flash(&restart));
    bench.run_ms(200);
    assert_eq!(bench.resets(), [ResetCause::CoreSoftware]);
    assert!(bench.chip.is_downloading(), "{}", bench.text());
    bench.strap_and_reset(None);
    assert!(!bench.chip.is_downloading(), "power-on forgets it");
}

#[test]
fn a_loader_that_waits_lets_its_driver_sleep() {
    let mut bench = Bench::download(Vec::new());
    bench.run_ms(50);
    let now = bench.chip.now();
    assert!(bench.chip.next_due() > Instant::from_nanos(now.as_nanos() + 100_000_000));
    bench.chip.serial_in(Port::Uart0, b"x");
    assert!(bench.chip.next_due() < Instant::from_nanos(now.as_nanos() + 100_000));
}

#[test]
fn the_rate_follows_the_host() {
    let mut bench = Bench::new(Vec::new());
    assert!(!bench.chip.offer_baud(460_800), "the loader does not run");
    bench.strap_and_reset(Some(false));
    bench.run_ms(30);
    assert!(bench.chip.offer_baud(460_800));
    assert!((456_000..465_000).contains(&bench.chip.baud(Port::Uart0).unwrap_or(0)));
    bench.ask(SYNC, 30);
    assert!(!bench.chip.offer_baud(9_600), "the rate is known by now");
    bench.other.clear();
    bench.command(0x0F, &words(&[921_600, 0]));
    let bauds: Vec<u32> = bench
        .other
        .iter()
        .filter_map(|(_, o)| match o {
            Output::Baud { baud, .. } => Some(*baud),
            _ => None,
        })
        .collect();
    assert_eq!(bauds, [922_190]);
}

#[test]
fn an_uploaded_program_runs_and_returns() {
    let mut bench = Bench::download(Vec::new());
    let answer = bench.upload(&[say(b'K'), vec![RET]].concat(), 30);
    assert!(answer.ends_with(b"\x00\xC0Kuser code done\r\n"), "{answer:?}");
    assert!(!bench.chip.is_downloading());
}

#[test]
fn interrupts_reach_a_program_even_while_the_rom_waits_for_the_flash() {
    let mut bench = Bench::download(vec![0; 0x1000]);
    // Attach a handler to the ROM's line 5, unmask it, erase sector 0 (45 ms), print a byte.
    let handler = IRAM + 0x400;
    let mut program = [
        call(0x4000_0604, &[5, handler, 0]),
        call(0x4000_060C, &[1 << 5]),
        call(0x4000_0128, &[0]),
        say(b'!'),
        vec![STAY],
    ]
    .concat();
    program.resize(0x100, 0);
    // Echoes the next letter.
    program.extend(li(T0, 0x6000_0000));
    program.extend([LOAD, INCREMENT, STORE, RET]);
    bench.upload(&program, 10);
    bench.serial.clear();
    bench.chip.serial_in(Port::Uart0, b"AB");
    bench.run_ms(5);
    assert_eq!(bench.text(), "B", "the handler took the first of two bytes");
    assert_eq!(bench.chip.flash().cells()[0], 0xFF);
    bench.run_ms(60);
    assert_eq!(bench.text(), "B!");
}

#[test]
fn a_driver_without_symbols_is_reported_once_for_each_reset() {
    let touch = [li(T0, 0x6003_3000).to_vec(), vec![LOAD, LOAD, STAY]].concat();
    let mut bench = Bench::new(flash(&touch));
    bench.run_ms(100);
    let reports = |bench: &Bench| {
        bench
            .other
            .iter()
            .filter(|(_, o)| {
                matches!(
                    o,
                    Output::RadioWithoutSymbols {
                        addr: 0x6003_3000,
                        ..
                    }
                )
            })
            .count()
    };
    assert_eq!(reports(&bench), 1);
    bench.chip.reset(ResetCause::PowerOn);
    bench.run_ms(100);
    assert_eq!(reports(&bench), 2);
}

#[test]
fn symbols_come_with_the_next_reset() {
    let elf = include_bytes!("../../../../fixtures/oceanremote-device.elf.gz");
    let firmware = Firmware::parse(elf).expect("a good fixture");
    let mut bench = Bench::new(flash(&[STAY]));
    bench.run_ms(50);
    assert!(!firmware.matches(bench.chip.flash().cells(), &image::chip::ESP32C3));
    bench.chip.set_symbols(Some(&firmware));
    assert!(!bench.chip.has_symbols());
    bench.chip.reset(ResetCause::PowerOn);
    assert!(bench.chip.has_symbols());
    bench.chip.set_symbols(None);
    bench.chip.power_off();
    bench.chip.power_on();
    assert!(!bench.chip.has_symbols());
}
