//! Register maps: for each address of a block its name, its reset value, and how far it is modelled.
//!
//! Every register of a block is one of three kinds. *Modelled*: it behaves as the manual says. *Tagged*: it
//! is known and stored, with its reset value and writable bits, and has no other effect; this is harmless for
//! the firmware that the model is for. *Reserved*: every register that is not in the map; an access is
//! reported.

/// How far a register is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It behaves as the manual says.
    Modelled,
    /// It is stored and has no other effect.
    Tagged,
}

/// One register, or an array of equal ones four bytes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Byte offset from the block's base address.
    pub offset: u32,
    /// Number of registers, four bytes apart.
    pub count: u32,
    /// The name in the technical reference manual, without the block's prefix.
    pub name: &'static str,
    /// Value after reset (vendor's SVD).
    pub reset: u32,
    /// Bits that a write changes.
    pub writable: u32,
    /// Class of the register: modelled or only stored.
    pub class: Class,
}

impl Register {
    /// The same register `count` times, four bytes apart.
    const fn times(mut self, count: u32) -> Register {
        self.count = count;
        self
    }

    /// A single register.
    const fn new(offset: u32, name: &'static str, reset: u32, writable: u32, class: Class) -> Register {
        Register {
            offset,
            count: 1,
            name,
            reset,
            writable,
            class,
        }
    }
}

/// A register with the manual's behaviour.
pub(crate) const fn modelled(offset: u32, name: &'static str, reset: u32, writable: u32) -> Register {
    Register::new(offset, name, reset, writable, Class::Modelled)
}

/// A register that is only stored.
pub(crate) const fn tagged(offset: u32, name: &'static str, reset: u32, writable: u32) -> Register {
    Register::new(offset, name, reset, writable, Class::Tagged)
}

/// An array of `count` registers like `register`, four bytes apart.
pub(crate) const fn array(register: Register, count: u32) -> Register {
    register.times(count)
}

/// The stored values of a block's registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegisterFile {
    map: &'static [Register],
    words: Vec<Word>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Word {
    value: u32,
    writable: u32,
    known: bool,
}

impl RegisterFile {
    /// The registers of `map`, at their reset values.
    pub(crate) fn new(map: &'static [Register]) -> RegisterFile {
        let end = map.iter().map(|r| r.offset / 4 + r.count).max().unwrap_or(0);
        let mut words = vec![Word::default(); end as usize];
        for register in map {
            for n in 0..register.count {
                let word = &mut words[(register.offset / 4 + n) as usize];
                assert!(!word.known, "{} is mapped twice", register.name);
                *word = Word {
                    value: register.reset,
                    writable: register.writable,
                    known: true,
                };
            }
        }
        RegisterFile { map, words }
    }

    /// Sets all registers to their reset values.
    pub(crate) fn reset(&mut self) {
        *self = RegisterFile::new(self.map);
    }

    /// The stored value, or `None` if there is no register at `offset`.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        self.words
            .get(offset as usize / 4)
            .filter(|w| w.known)
            .map(|w| w.value)
    }

    /// Stores the writable bits of `value`. False if there is no register at `offset`.
    pub(crate) fn write(&mut self, offset: u32, value: u32) -> bool {
        match self.words.get_mut(offset as usize / 4) {
            Some(word) if word.known => {
                word.value = word.value & !word.writable | value & word.writable;
                true
            }
            _ => false,
        }
    }

    /// The value of a register that is in the map.
    pub(crate) fn get(&self, offset: u32) -> u32 {
        self.words[offset as usize / 4].value
    }

    /// Sets all bits of a register that is in the map, as the hardware does.
    pub(crate) fn set(&mut self, offset: u32, value: u32) {
        self.words[offset as usize / 4].value = value;
    }
}

/// The name of the register at `offset` in `map`.
pub(crate) fn name_at(map: &[Register], offset: u32) -> Option<&'static str> {
    let inside = |r: &&Register| (r.offset..r.offset + 4 * r.count).contains(&offset);
    map.iter().find(inside).map(|r| r.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &[Register] = &[
        modelled(0x00, "CONF", 0x1234, 0x00FF),
        array(tagged(0x08, "STORE", 7, 0xFFFF_FFFF), 2),
    ];

    #[test]
    fn registers_start_at_their_reset_value_and_keep_read_only_bits() {
        let mut file = RegisterFile::new(MAP);
        assert_eq!(file.read(0), Some(0x1234));
        assert!(file.write(0, 0xFFFF_FFFF));
        assert_eq!(file.read(0), Some(0x12FF));
        file.reset();
        assert_eq!(file.read(0), Some(0x1234));
    }

    #[test]
    fn what_is_not_in_the_map_is_reserved() {
        let mut file = RegisterFile::new(MAP);
        assert_eq!(file.read(4), None);
        assert!(!file.write(4, 1));
        assert_eq!(file.read(0x0C), Some(7));
        assert_eq!(file.read(0x10), None);
        assert_eq!(name_at(MAP, 0x0C), Some("STORE"));
        assert_eq!(name_at(MAP, 0x10), None);
    }
}
