//! Names for addresses: the firmware's symbol table.

use std::collections::BTreeMap;
use std::fmt;

/// A function or object of the firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Guest address of the symbol.
    pub addr: u32,
    /// Size in bytes; 0 if the assembler gave none, then the symbol extends to the next one.
    pub size: u32,
    /// The linker's name, mangled.
    pub name: String,
    /// True if it is code.
    pub is_function: bool,
}

/// An address within a symbol; prints as `core::panicking::panic_fmt+0x12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Demangled name, without the hash of legacy mangling.
    pub name: String,
    /// Bytes from the start of the symbol.
    pub offset: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", self.name, self.offset)
    }
}

/// All symbols of a firmware, by address and by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolTable {
    /// Sorted by address; symbols at one address keep the order of the file.
    symbols: Vec<Symbol>,
    by_name: BTreeMap<String, usize>,
}

impl SymbolTable {
    /// A table of `symbols`, in any order. Of several with one name the first by address counts.
    pub fn new(mut symbols: Vec<Symbol>) -> SymbolTable {
        symbols.sort_by_key(|s| s.addr);
        let mut by_name = BTreeMap::new();
        for (i, symbol) in symbols.iter().enumerate() {
            by_name.entry(symbol.name.clone()).or_insert(i);
        }
        SymbolTable { symbols, by_name }
    }

    /// True if the table has no symbols.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// All symbols by address.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter()
    }

    /// The symbol with the linker's name `name`.
    pub fn find(&self, name: &str) -> Option<&Symbol> {
        self.by_name.get(name).map(|&i| &self.symbols[i])
    }

    /// The symbol that contains `addr`. A function is preferred to an object, a sized symbol to a label.
    pub fn symbol_at(&self, addr: u32) -> Option<&Symbol> {
        /// A label without a size extends at most this far, bytes.
        const REACH: u32 = 0x1_0000;
        let end = self.symbols.partition_point(|s| s.addr <= addr);
        let mut label = None;
        let mut object = None;
        for symbol in self.symbols[..end]
            .iter()
            .rev()
            .take_while(|s| addr - s.addr < REACH)
        {
            let offset = addr - symbol.addr;
            match (symbol.size, symbol.is_function) {
                (0, true) => label = label.or(Some(symbol)),
                (size, true) if offset < size => return Some(symbol),
                (size, false) if offset < size => object = object.or(Some(symbol)),
                // A function with a size that ends before `addr`: symbols before it cannot contain `addr`
                // either.
                (_, true) => break,
                _ => {}
            }
        }
        object.or(label)
    }

    /// Name and offset of `addr`, demangled.
    pub fn locate(&self, addr: u32) -> Option<Location> {
        self.symbol_at(addr).map(|s| Location {
            name: demangle(&s.name),
            offset: addr - s.addr,
        })
    }

    /// True if `addr` lies in a function of this table.
    pub fn is_code(&self, addr: u32) -> bool {
        self.symbol_at(addr).is_some_and(|s| s.is_function)
    }
}

/// The readable form of a mangled Rust name; other names stay as they are.
pub fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(addr: u32, size: u32, name: &str, is_function: bool) -> Symbol {
        Symbol {
            addr,
            size,
            name: name.to_owned(),
            is_function,
        }
    }

    fn table() -> SymbolTable {
        SymbolTable::new(vec![
            symbol(
                0x4200_0200,
                0x40,
                "_ZN4core9panicking9panic_fmt17h0123456789abcdefE",
                true,
            ),
            symbol(0x4200_0100, 0x20, "esp_wifi_start", true),
            symbol(0x4038_0000, 0, "_start_trap", true),
            symbol(0x3FC8_0000, 8, "COUNTER", false),
        ])
    }

    #[test]
    fn an_address_gets_its_function_and_offset() {
        let table = table();
        assert_eq!(
            table.locate(0x4200_0212).unwrap().to_string(),
            "core::panicking::panic_fmt+0x12"
        );
        assert_eq!(
            table.locate(0x4200_0100).unwrap().to_string(),
            "esp_wifi_start+0x0"
        );
        assert_eq!(table.locate(0x4038_0040).unwrap().to_string(), "_start_trap+0x40");
        assert_eq!(table.locate(0x3FC8_0004).unwrap().to_string(), "COUNTER+0x4");
    }

    #[test]
    fn an_address_between_functions_has_no_name() {
        let table = table();
        assert_eq!(table.locate(0x4200_0120), None);
        assert_eq!(table.locate(0x4200_0240), None);
        assert_eq!(table.locate(0x100), None);
        assert!(!table.is_code(0x3FC8_0004));
        assert!(table.is_code(0x4200_011F));
    }

    #[test]
    fn a_name_gets_its_address() {
        assert_eq!(table().find("esp_wifi_start").unwrap().addr, 0x4200_0100);
        assert_eq!(table().find("esp_wifi_stop"), None);
    }
}
