//! The permanent token in flash: two slots, the newer one counts, the older one is written.

use esp_println::println;
use esp_storage::FlashStorage;
use oceanremote_logic::defects::{Defect, Defects};
use oceanremote_logic::token::{self, COMMIT_OFFSET, RECORD_LEN, Record, Slot, Token};

use crate::settings::{Aligned, Partition, find};

const SECTOR: u32 = FlashStorage::SECTOR_SIZE;

/// The partition `token`.
pub struct TokenStore {
    flash: FlashStorage<'static>,
    partition: Option<Partition>,
    defects: Defects,
    slots: [Slot; 2],
}

fn letter(slot: usize) -> char {
    if slot == 0 { 'A' } else { 'B' }
}

impl TokenStore {
    /// Reads both slots and says what they hold.
    pub fn open(mut flash: FlashStorage<'static>, defects: Defects) -> Self {
        let partition = find(&mut flash, "token").filter(|partition| partition.len >= 2 * SECTOR);
        if partition.is_none() {
            println!("[TOKEN] No partition named token with two sectors: the token will not be kept");
        }
        let mut store = Self {
            flash,
            partition,
            defects,
            slots: [Slot::Empty, Slot::Empty],
        };
        for slot in 0..2 {
            store.slots[slot] = store.read(slot);
            if let Slot::Damaged(why) = store.slots[slot] {
                println!("[TOKEN] Slot {} is damaged ({why}), ignored", letter(slot));
            }
        }
        match store.newest() {
            Some((slot, record)) => {
                println!(
                    "[TOKEN] Permanent token found in slot {}, number {}",
                    letter(slot),
                    record.sequence
                );
            }
            None => println!("[TOKEN] No permanent token in flash"),
        }
        store
    }

    /// The permanent token, if there is one.
    pub fn token(&self) -> Option<Token> {
        let (_, record) = self.newest()?;
        if self.defects.has(Defect::PrintToken) {
            println!("[TOKEN] Permanent token: {}", record.token);
        }
        Some(record.token.clone())
    }

    fn newest(&self) -> Option<(usize, &Record)> {
        let slot = token::newest(&self.slots)?;
        match &self.slots[slot] {
            Slot::Valid(record) => Some((slot, record)),
            _ => None,
        }
    }

    fn address(&self, slot: usize) -> Option<u32> {
        Some(self.partition?.offset + slot as u32 * SECTOR)
    }

    fn read(&mut self, slot: usize) -> Slot {
        let mut record = Aligned([0; RECORD_LEN]);
        match self.address(slot) {
            Some(address) if self.flash.read_nor(address, &mut record.0).is_ok() => {
                match self.defects.has(Defect::IgnoresTokenChecksum) {
                    true => token::decode_blindly(&record.0),
                    false => token::decode(&record.0),
                }
            }
            Some(_) => Slot::Damaged("flash cannot be read"),
            None => Slot::Empty,
        }
    }

    /// Keeps a new token, and tells whether that worked. Until the last word is written, the old one stays the
    /// valid one.
    pub fn save(&mut self, token: &str) -> bool {
        let (slot, sequence) = match self.newest() {
            // In place: one slot only, and while it is erased there is no token at all.
            _ if self.defects.has(Defect::TokenWriteInPlace) => (0, 1),
            Some((slot, record)) => (1 - slot, record.sequence.wrapping_add(1)),
            None => (0, 1),
        };
        if self.defects.has(Defect::PrintToken) {
            println!("[TOKEN] Permanent token: {token}");
        }
        let written = self.write(slot, token, sequence);
        match written {
            Ok(()) => println!(
                "[TOKEN] Permanent token saved in slot {}, number {sequence}",
                letter(slot)
            ),
            Err(why) => println!("[TOKEN] Permanent token could not be saved: {why}"),
        }
        self.slots[slot] = self.read(slot);
        written.is_ok()
    }

    fn write(&mut self, slot: usize, token: &str, sequence: u32) -> Result<(), &'static str> {
        let address = self.address(slot).ok_or("no partition")?;
        let record = Aligned(token::encode(token, sequence).ok_or("token too long")?);
        let mut check = Aligned([0; RECORD_LEN]);
        let body = &record.0[..COMMIT_OFFSET];
        self.flash
            .erase(address, address + SECTOR)
            .map_err(|_| "erase failed")?;
        self.flash.write_nor(address, body).map_err(|_| "write failed")?;
        self.flash
            .read_nor(address, &mut check.0)
            .map_err(|_| "read failed")?;
        if check.0[..COMMIT_OFFSET] != *body {
            return Err("verification failed");
        }
        let commit = Aligned(token::COMMIT);
        self.flash
            .write_nor(address + COMMIT_OFFSET as u32, &commit.0)
            .map_err(|_| "commit failed")
    }
}
