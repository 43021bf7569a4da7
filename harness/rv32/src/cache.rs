//! Decoded code: straight runs of ops, found by their pc.
//!
//! A block starts at a jump target and continues across branches that are not taken, up to an unconditional
//! jump, an instruction that the hart must execute, a hook or [`MAX_INSTRS`]. A slot at which control leaves
//! the block caches the block that followed last time. These links and the lookup table are only hints: a
//! block is entered only if its `pc` is the right one. So to forget code it is enough to drop blocks.

use std::cell::Cell;

use crate::bus::Bus;
use crate::decode::decode;
use crate::op::Op;

/// Greatest number of instructions in one block: a position within a block fits in a byte.
pub(crate) const MAX_INSTRS: u64 = 63;

/// Greatest number of slots of all blocks (8 MiB); beyond it all code is dropped and decoded again.
const MAX_SLOTS: usize = 512 * 1024;

const TABLE_SIZE: usize = 8192;

/// The `pc` of a dropped block: no code is at an odd address, so the block is never found.
const DEAD: u32 = 1;

/// An op and its position in its block.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) op: Op,
    /// Hint: the block to which control went from here last time.
    pub(crate) link: Cell<u32>,
    /// Instructions of the block before this one.
    pub(crate) at: u8,
    /// Bytes of the block before this one.
    pub(crate) offset: u8,
}

/// A decoded block: a run of slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) pc: u32,
    start: u32,
    end: u32,
    bytes: u32,
    /// Number of instructions if no branch is taken.
    pub(crate) instrs: u32,
}

/// All decoded blocks.
#[derive(Debug)]
pub(crate) struct Cache {
    slots: Vec<Slot>,
    blocks: Vec<Block>,
    table: Vec<u32>,
}

impl Default for Cache {
    fn default() -> Self {
        Cache {
            slots: Vec::new(),
            blocks: Vec::new(),
            table: vec![0; TABLE_SIZE],
        }
    }
}

impl Clone for Cache {
    /// Returns an empty cache: decoded code is not part of the state.
    fn clone(&self) -> Self {
        Cache::default()
    }
}

fn hash(pc: u32) -> usize {
    ((pc >> 1) ^ (pc >> 14)) as usize % TABLE_SIZE
}

impl Cache {
    /// The block at `pc`, if it is decoded.
    #[inline(always)]
    pub(crate) fn find(&self, pc: u32) -> Option<u32> {
        let id = self.table[hash(pc)];
        self.is_at(id, pc).then_some(id)
    }

    /// True if `id` is the block at `pc`.
    #[inline(always)]
    pub(crate) fn is_at(&self, id: u32, pc: u32) -> bool {
        self.blocks.get(id as usize).is_some_and(|b| b.pc == pc)
    }

    #[inline(always)]
    pub(crate) fn block(&self, id: u32) -> &Block {
        &self.blocks[id as usize]
    }

    #[inline(always)]
    pub(crate) fn slots(&self, block: &Block) -> &[Slot] {
        &self.slots[block.start as usize..block.end as usize]
    }

    /// Decodes and stores the block at `pc`.
    pub(crate) fn add<B: Bus>(&mut self, bus: &mut B, pc: u32) {
        if self.slots.len() > MAX_SLOTS {
            self.clear();
        }
        let start = self.slots.len() as u32;
        let (instrs, bytes) = decode_run(bus, pc, MAX_INSTRS, true, &mut self.slots);
        self.table[hash(pc)] = self.blocks.len() as u32;
        self.blocks.push(Block {
            pc,
            start,
            end: self.slots.len() as u32,
            bytes,
            instrs,
        });
    }

    /// Drops all blocks.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.blocks.clear();
    }

    /// Drops the blocks that overlap `len` bytes at `addr`.
    pub(crate) fn clear_range(&mut self, addr: u32, len: u32) {
        let (from, to) = (u64::from(addr), u64::from(addr) + u64::from(len));
        for block in &mut self.blocks {
            let pc = u64::from(block.pc);
            if block.pc != DEAD && pc < to && from < pc + u64::from(block.bytes) {
                block.pc = DEAD;
            }
        }
    }
}

/// Decodes at most `max` instructions at `pc` into `slots`; the last slot ends the run. Returns the number of
/// instructions and of bytes.
pub(crate) fn decode_run<B: Bus>(
    bus: &mut B,
    pc: u32,
    max: u64,
    hooks: bool,
    slots: &mut Vec<Slot>,
) -> (u32, u32) {
    let mut at = 0;
    let mut offset = 0;
    let mut push = |op, at: u32, offset: u32| {
        slots.push(Slot {
            op,
            link: Cell::new(u32::MAX),
            at: at as u8,
            offset: offset as u8,
        });
    };
    loop {
        let here = pc.wrapping_add(offset);
        if hooks && bus.is_hook(here) {
            push(
                if at == 0 {
                    Op::Hook
                } else {
                    Op::Fall { target: here }
                },
                at,
                offset,
            );
            break;
        }
        if u64::from(at) == max.min(MAX_INSTRS) {
            push(Op::Fall { target: here }, at, offset);
            break;
        }
        let (op, len) = fetch(bus, here);
        if at > 0 && matches!(op, Op::FetchFault { .. }) {
            push(Op::Fall { target: here }, at, offset);
            break;
        }
        push(op, at, offset);
        at += 1;
        offset += u32::from(len);
        if op.ends_block() {
            break;
        }
    }
    (at, offset)
}

fn fetch<B: Bus>(bus: &mut B, pc: u32) -> (Op, u8) {
    let Ok(low) = bus.fetch(pc) else {
        return (Op::FetchFault { addr: pc }, 4);
    };
    if low & 3 != 3 {
        return decode(u32::from(low), pc);
    }
    let upper = pc.wrapping_add(2);
    match bus.fetch(upper) {
        Ok(high) => decode(u32::from(high) << 16 | u32::from(low), pc),
        Err(_) => (Op::FetchFault { addr: upper }, 4),
    }
}
