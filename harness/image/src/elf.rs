//! Reads a firmware from its ELF file, plain or compressed by gzip.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, Sym};

use crate::chip::{self, Architecture, Chip, ESP32C3};
use crate::symbols::{Symbol, SymbolTable};

/// An ELF larger than this, decompressed, is refused.
pub const MAX_ELF_SIZE: u64 = 256 << 20;
/// `ESP_APP_DESC_MAGIC_WORD` of ESP-IDF's `esp_app_desc.h`.
const APP_DESCRIPTION_MAGIC: u32 = 0xABCD_5432;
/// First byte of an ESP application image (ESP-IDF `esp_app_format.h`, `ESP_IMAGE_HEADER_MAGIC`).
const ESP_IMAGE_MAGIC: u8 = 0xE9;

/// Reason why a file is not a firmware for this chip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Neither ELF nor gzip.
    #[error("not an ELF file")]
    NotElf,
    /// An application image (.bin), as it is written to flash; it has no symbols.
    #[error(
        "this is an application image (.bin), which has no symbols: give the ELF file that it was made from"
    )]
    EspImage,
    /// The gzip stream is damaged.
    #[error("cannot decompress: {0}")]
    Gzip(String),
    /// Decompressed, it is larger than any firmware.
    #[error("larger than {} MiB", MAX_ELF_SIZE >> 20)]
    TooLarge,
    /// Part of the file is missing.
    #[error("truncated: {what} ends at byte {needs}, the file has {has}")]
    Truncated {
        /// The part that is missing.
        what: &'static str,
        /// Length that the file needs to contain it, bytes.
        needs: u64,
        /// Length of the file, bytes.
        has: u64,
    },
    /// The ELF structures contradict each other.
    #[error("damaged ELF file: {0}")]
    Damaged(String),
    /// A 64-bit ELF, such as a host program.
    #[error("a 64-bit ELF file, not a firmware for the {wanted}")]
    Is64Bit {
        /// The chip that was wanted, with its instruction set.
        wanted: String,
    },
    /// Another instruction set.
    #[error("built for {machine}, not for the {wanted}")]
    OtherMachine {
        /// Name of the instruction set.
        machine: String,
        /// The chip that was wanted, with its instruction set.
        wanted: String,
    },
    /// RISC-V, but linked for addresses that this chip does not have.
    #[error("linked for {chip}, not for the {wanted}: a segment lies at {addr:#010x}")]
    OtherChip {
        /// The chips that have such addresses.
        chip: String,
        /// The name of the chip that was wanted.
        wanted: &'static str,
        /// Address of the segment.
        addr: u32,
    },
    /// An ELF without loadable segments: an object file or a shared library.
    #[error("not an executable: it has no segments to load")]
    NothingToLoad,
    /// An ELF without a symbol table.
    #[error(
        "stripped: without its symbol table the WiFi driver's functions cannot be found; build without \
         `strip` (`debug = 0` is fine)"
    )]
    Stripped,
}

/// Bytes to be loaded into the guest's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Guest address of the first byte.
    pub addr: u32,
    /// Contents from the file.
    pub data: Vec<u8>,
    /// Size in memory, bytes; the part after `data` is zero.
    pub mem_size: u32,
}

/// Application descriptor of a firmware (ESP-IDF's `esp_app_desc_t`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppDescription {
    /// Name of the project.
    pub project: String,
    /// Version of the firmware.
    pub version: String,
    /// Version of ESP-IDF, or name of the tool that made the image.
    pub idf_version: String,
    /// Build date and time as text.
    pub built: String,
    /// SHA-256 of the ELF, zeros until an image is made from it.
    pub elf_sha256: [u8; 32],
}

/// A firmware that can be loaded into a chip. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// Guest address of the first instruction.
    pub entry: u32,
    /// Segments with contents in file order, those without contents too.
    pub segments: Arc<[Segment]>,
    /// Functions and objects by address and by name.
    pub symbols: Arc<SymbolTable>,
    /// The application descriptor, if there is one.
    pub app: Option<AppDescription>,
}

impl Firmware {
    /// Reads an ELF file for the ESP32-C3, plain or gzip.
    ///
    /// # Errors
    /// When the file is none, damaged, for another chip, or stripped.
    pub fn parse(file: &[u8]) -> Result<Firmware, ElfError> {
        Firmware::parse_for(file, &ESP32C3)
    }

    /// Reads an ELF file for `chip`, plain or gzip.
    ///
    /// # Errors
    /// When the file is none, damaged, for another chip, or stripped.
    pub fn parse_for(file: &[u8], chip: &Chip) -> Result<Firmware, ElfError> {
        Firmware::parse_elf(&gunzip(file)?, chip)
    }

    fn parse_elf(data: &[u8], chip: &Chip) -> Result<Firmware, ElfError> {
        check_identity(data, chip)?;
        let header = elf::FileHeader32::<LittleEndian>::parse(data).map_err(damaged)?;
        check_extent(header, data)?;
        let segments = read_segments(header, data, chip)?;
        let symbols = read_symbols(header, data, chip)?;
        let app = find_app_description(&segments, &symbols, chip);
        Ok(Firmware {
            entry: header.e_entry(LittleEndian),
            segments: segments.into(),
            symbols: Arc::new(symbols),
            app,
        })
    }

    /// A firmware of which nothing is known: for a chip whose flash holds an application without its ELF.
    pub fn unknown() -> Firmware {
        Firmware {
            entry: 0,
            segments: Arc::new([]),
            symbols: Arc::new(SymbolTable::default()),
            app: None,
        }
    }

    /// True if the vendor's WiFi driver is linked in.
    pub fn has_wifi_driver(&self) -> bool {
        self.symbols.find("esp_wifi_init_internal").is_some()
    }
}

/// The symbols of an ELF file for `chip`, plain or gzip, wherever it is linked.
///
/// # Errors
/// When the file is none, damaged, for another instruction set, or stripped.
pub fn symbols_for(file: &[u8], chip: &Chip) -> Result<SymbolTable, ElfError> {
    let data = gunzip(file)?;
    check_identity(&data, chip)?;
    let header = elf::FileHeader32::<LittleEndian>::parse(&*data).map_err(damaged)?;
    check_extent(header, &data)?;
    read_symbols(header, &data, chip)
}

fn damaged(error: impl std::fmt::Display) -> ElfError {
    ElfError::Damaged(error.to_string())
}

/// A file as it is, or what it holds if it is compressed by gzip.
///
/// # Errors
/// When the compressed file is damaged, or holds more than [`MAX_ELF_SIZE`] bytes.
pub fn gunzip(file: &[u8]) -> Result<Cow<'_, [u8]>, ElfError> {
    if !file.starts_with(&[0x1F, 0x8B]) {
        return Ok(Cow::Borrowed(file));
    }
    let mut out = Vec::new();
    let mut stream = flate2::read::MultiGzDecoder::new(file).take(MAX_ELF_SIZE + 1);
    stream
        .read_to_end(&mut out)
        .map_err(|e| ElfError::Gzip(e.to_string()))?;
    if out.len() as u64 > MAX_ELF_SIZE {
        Err(ElfError::TooLarge)
    } else {
        Ok(Cow::Owned(out))
    }
}

/// Magic, class, byte order and machine, which decide what the rest means.
fn check_identity(data: &[u8], chip: &Chip) -> Result<(), ElfError> {
    if data.first() == Some(&ESP_IMAGE_MAGIC) {
        return Err(ElfError::EspImage);
    }
    if !data.starts_with(&elf::ELFMAG) {
        return Err(ElfError::NotElf);
    }
    need("the file header", 0x34, data)?;
    let wanted = format!("{} ({})", chip.name, chip.architecture.name());
    if data[4] == 2 {
        return Err(ElfError::Is64Bit { wanted });
    }
    let machine = u16::from_le_bytes([data[0x12], data[0x13]]);
    let other = |machine: &str| {
        Err(ElfError::OtherMachine {
            machine: machine.to_owned(),
            wanted: wanted.clone(),
        })
    };
    match machine {
        _ if data[4] != 1 || data[5] != 1 => other("a big-endian machine"),
        n if n == chip.architecture.elf_machine() => Ok(()),
        n if n == Architecture::RiscV.elf_machine() => other("RISC-V (ESP32-C and ESP32-H)"),
        n if n == Architecture::Xtensa.elf_machine() => other("Xtensa (ESP32, ESP32-S2 or ESP32-S3)"),
        40 => other("ARM"),
        3 => other("x86"),
        n => other(&format!("ELF machine {n}")),
    }
}

fn need(what: &'static str, needs: u64, data: &[u8]) -> Result<(), ElfError> {
    let has = data.len() as u64;
    if needs > has {
        Err(ElfError::Truncated { what, needs, has })
    } else {
        Ok(())
    }
}

/// Checks that both header tables and the ranges they refer to lie inside the file.
fn check_extent(header: &elf::FileHeader32<LittleEndian>, data: &[u8]) -> Result<(), ElfError> {
    let le = LittleEndian;
    let table = |offset: u32, count: u16, size: u16| u64::from(offset) + u64::from(count) * u64::from(size);
    need(
        "the program headers",
        table(
            header.e_phoff(le),
            header.e_phnum.get(le),
            header.e_phentsize.get(le),
        ),
        data,
    )?;
    for segment in header.program_headers(le, data).map_err(damaged)? {
        need(
            "a segment",
            u64::from(segment.p_offset(le)) + u64::from(segment.p_filesz(le)),
            data,
        )?;
    }
    need(
        "the section headers",
        table(
            header.e_shoff(le),
            header.e_shnum.get(le),
            header.e_shentsize.get(le),
        ),
        data,
    )?;
    for section in header.section_headers(le, data).map_err(damaged)? {
        if section.sh_type(le) != elf::SHT_NOBITS {
            need(
                "a section",
                u64::from(section.sh_offset(le)) + u64::from(section.sh_size(le)),
                data,
            )?;
        }
    }
    Ok(())
}

fn read_segments(
    header: &elf::FileHeader32<LittleEndian>,
    data: &[u8],
    chip: &Chip,
) -> Result<Vec<Segment>, ElfError> {
    let le = LittleEndian;
    let mut segments = Vec::new();
    for segment in header.program_headers(le, data).map_err(damaged)? {
        if segment.p_type(le) != elf::PT_LOAD || segment.p_memsz(le) == 0 {
            continue;
        }
        let addr = segment.p_vaddr(le);
        let mem_size = segment.p_memsz(le);
        check_address(addr, mem_size, chip)?;
        let contents = segment
            .data(le, data)
            .map_err(|()| ElfError::Damaged("segment".to_owned()))?;
        segments.push(Segment {
            addr,
            data: contents.to_vec(),
            mem_size,
        });
    }
    if segments.is_empty() {
        Err(ElfError::NothingToLoad)
    } else {
        Ok(segments)
    }
}

fn check_address(addr: u32, size: u32, chip: &Chip) -> Result<(), ElfError> {
    if chip.holds(addr, size) {
        return Ok(());
    }
    let others = chip::others_with(addr, chip);
    let linked_for = match (addr, others.as_slice()) {
        // Not in the table.
        (0x4FF0_0000..0x5000_0000 | 0x4400_0000..0x4800_0000, []) => "an ESP32-P4".to_owned(),
        (_, []) => "another chip".to_owned(),
        (_, [one]) => format!("an {one}"),
        (_, [first @ .., last]) => format!("an {} or {last}", first.join(", ")),
    };
    Err(ElfError::OtherChip {
        chip: linked_for,
        wanted: chip.name,
        addr,
    })
}

fn read_symbols(
    header: &elf::FileHeader32<LittleEndian>,
    data: &[u8],
    chip: &Chip,
) -> Result<SymbolTable, ElfError> {
    let le = LittleEndian;
    let sections = header.sections(le, data).map_err(damaged)?;
    let table = sections.symbols(le, data, elf::SHT_SYMTAB).map_err(damaged)?;
    let mut symbols = Vec::new();
    for symbol in table.iter() {
        let kind = symbol.st_type();
        let wanted = matches!(kind, elf::STT_FUNC | elf::STT_OBJECT | elf::STT_NOTYPE);
        // Absolute symbols without a type are the linker script's constants, among them the ROM's addresses.
        if !wanted || symbol.is_undefined(le) || symbol.is_absolute(le) {
            continue;
        }
        let name = table.symbol_name(le, symbol).map_err(damaged)?;
        // Mapping symbols ($x, $d) and compiler-local labels are of no use in a backtrace.
        if name.is_empty() || name.starts_with(b"$") || name.starts_with(b".L") {
            continue;
        }
        let addr = symbol.st_value(le);
        symbols.push(Symbol {
            addr,
            size: symbol.st_size(le),
            name: String::from_utf8_lossy(name).into_owned(),
            is_function: kind == elf::STT_FUNC || (kind == elf::STT_NOTYPE && chip.is_code(addr)),
        });
    }
    let symbols = SymbolTable::new(symbols);
    if symbols.is_empty() {
        Err(ElfError::Stripped)
    } else {
        Ok(symbols)
    }
}

/// By symbol, or at the start of flash data, where ESP-IDF puts it.
fn find_app_description(segments: &[Segment], symbols: &SymbolTable, chip: &Chip) -> Option<AppDescription> {
    let named = ["esp_app_desc", "ESP_APP_DESC"]
        .iter()
        .find_map(|name| symbols.find(name))
        .map(|s| s.addr);
    let starts = segments
        .iter()
        .filter(|s| chip.flash_data.contains(&s.addr))
        .map(|s| s.addr);
    named
        .into_iter()
        .chain(starts)
        .find_map(|addr| read_app_description(segments, addr))
}

/// Layout of `esp_app_desc_t`: magic 0, version 16 [32], project 48 [32], time 80 [16], date 96 [16],
/// ESP-IDF version 112 [32], SHA-256 144 [32].
fn read_app_description(segments: &[Segment], addr: u32) -> Option<AppDescription> {
    describe(segments.iter().find_map(|s| {
        let start = usize::try_from(addr.checked_sub(s.addr)?).ok()?;
        s.data.get(start..)
    })?)
}

/// Reads a descriptor from its first byte on.
pub(crate) fn describe(raw: &[u8]) -> Option<AppDescription> {
    let raw = raw.get(..176)?;
    if raw[..4] != APP_DESCRIPTION_MAGIC.to_le_bytes() {
        return None;
    }
    let text = |from: usize, len: usize| {
        let field = &raw[from..from + len];
        let end = field.iter().position(|&b| b == 0).unwrap_or(len);
        String::from_utf8_lossy(&field[..end]).into_owned()
    };
    let mut elf_sha256 = [0; 32];
    elf_sha256.copy_from_slice(&raw[144..176]);
    Some(AppDescription {
        project: text(48, 32),
        version: text(16, 32),
        idf_version: text(112, 32),
        built: format!("{} {}", text(96, 16), text(80, 16)).trim().to_owned(),
        elf_sha256,
    })
}

#[cfg(test)]
mod tests;
