//! Pseudo-random numbers from the scenario's seed.
//!
//! Each part of the simulation draws from a stream of its own, named by a string, so that one more draw in
//! one part does not change the numbers of another.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng};

/// A stream of random numbers: ChaCha8, the same on every machine.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream with this name for the scenario's `seed`.
    pub fn stream(seed: u64, name: &str) -> Rng {
        // FNV-1a spreads the name over the key; the cipher does the mixing.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&hash.to_le_bytes());
        Rng(ChaCha8Rng::from_seed(key))
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// A number in `0..bound`, by the multiply-shift method; `bound` must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "an empty range has no random member");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True in `numerator` of `denominator` cases. No floats: a probability is a fraction.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// `bytes` random bytes as lower-case hexadecimal text.
    pub fn hex(&mut self, bytes: usize) -> String {
        let mut raw = vec![0u8; bytes];
        self.fill(&mut raw);
        raw.iter().map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_seed_and_name() {
        let draw = |seed, name| Rng::stream(seed, name).next_u64();
        assert_eq!(draw(1, "loss"), draw(1, "loss"));
        assert_ne!(draw(1, "loss"), draw(2, "loss"));
        assert_ne!(draw(1, "loss"), draw(1, "jitter"));
    }

    #[test]
    fn the_numbers_are_the_same_on_every_machine() {
        // A literal: if this value changes, every recorded seed gives another run.
        assert_eq!(Rng::stream(0, "").next_u64(), 1_363_016_631_820_581_037);
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::stream(3, "below");
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert!(!rng.chance(0, 100) && rng.chance(100, 100));
    }
}
