//! Unsigned intervals of 32-bit values: the values that a register can hold in any iteration of a polling
//! loop.
//!
//! Every operation returns an interval that contains all results for all members of its operands. If only
//! some of the results wrap around, the interval is all of `u32`.

use crate::exec::mulhu;

/// The values from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) low: u32,
    pub(crate) high: u32,
    /// Intervals with the same mark (not 0) have the same value, even if that value is not known.
    pub(crate) mark: u32,
}

const SIGN: u32 = 1 << 31;

impl Interval {
    pub(crate) const ALL: Interval = Interval::new(0, u32::MAX);

    pub(crate) const fn new(low: u32, high: u32) -> Interval {
        Interval { low, high, mark: 0 }
    }

    pub(crate) const fn exactly(value: u32) -> Interval {
        Interval::new(value, value)
    }

    /// The value, if the interval has only one.
    pub(crate) fn constant(self) -> Option<u32> {
        (self.low == self.high).then_some(self.low)
    }

    fn is_same(self, other: Interval) -> bool {
        self.mark != 0 && self.mark == other.mark
    }

    /// Mask of the low bits in which members can differ.
    fn loose(self) -> u32 {
        u32::MAX
            .checked_shr((self.low ^ self.high).leading_zeros())
            .unwrap_or(0)
    }

    pub(crate) fn add(self, other: Interval) -> Interval {
        let (low, wraps_low) = self.low.overflowing_add(other.low);
        let (high, wraps_high) = self.high.overflowing_add(other.high);
        if wraps_low == wraps_high {
            Interval::new(low, high)
        } else {
            Interval::ALL
        }
    }

    pub(crate) fn sub(self, other: Interval) -> Interval {
        if self.is_same(other) {
            return Interval::exactly(0);
        }
        let (low, wraps_low) = self.low.overflowing_sub(other.high);
        let (high, wraps_high) = self.high.overflowing_sub(other.low);
        if wraps_low == wraps_high {
            Interval::new(low, high)
        } else {
            Interval::ALL
        }
    }

    pub(crate) fn and(self, other: Interval) -> Interval {
        self.bitwise(other, |a, b| a & b)
    }

    pub(crate) fn or(self, other: Interval) -> Interval {
        self.bitwise(other, |a, b| a | b)
    }

    pub(crate) fn xor(self, other: Interval) -> Interval {
        if self.is_same(other) {
            return Interval::exactly(0);
        }
        self.bitwise(other, |a, b| a ^ b)
    }

    fn bitwise(self, other: Interval, op: impl Fn(u32, u32) -> u32) -> Interval {
        let loose = self.loose() | other.loose();
        let fixed = op(self.low, other.low) & !loose;
        if other.loose() == 0 || self.loose() == 0 {
            let (moving, constant) = if other.loose() == 0 {
                (self, other.low)
            } else {
                (other, self.low)
            };
            // A constant for which the operation leaves the loose bits unchanged keeps the order of the
            // members.
            if op(0, constant) & loose == 0 && op(loose, constant) & loose == loose {
                return Interval::new(op(moving.low, constant), op(moving.high, constant));
            }
            // Otherwise the loose bits that the operation does not fix may have any value.
            let varies = (op(0, constant) ^ op(u32::MAX, constant)) & loose;
            let rest = op(0, constant) & loose & !varies;
            return Interval::new(fixed | rest, fixed | rest | varies);
        }
        Interval::new(fixed, fixed | loose)
    }

    /// Shift left by a constant.
    pub(crate) fn sll(self, by: u32) -> Interval {
        let lost = |value: u32| u64::from(value) << by >> 32;
        if lost(self.low) == lost(self.high) {
            Interval::new(self.low << by, self.high << by)
        } else {
            Interval::ALL
        }
    }

    /// Shift right by a constant.
    pub(crate) fn srl(self, by: u32) -> Interval {
        Interval::new(self.low >> by, self.high >> by)
    }

    /// Arithmetic shift right by a constant.
    pub(crate) fn sra(self, by: u32) -> Interval {
        if (self.low ^ self.high) & SIGN != 0 {
            return Interval::ALL;
        }
        Interval::new(
            ((self.low as i32) >> by) as u32,
            ((self.high as i32) >> by) as u32,
        )
    }

    /// Low half of the product.
    pub(crate) fn mul(self, other: Interval) -> Interval {
        let (low, high) = (
            u64::from(self.low) * u64::from(other.low),
            u64::from(self.high) * u64::from(other.high),
        );
        if low >> 32 == high >> 32 {
            Interval::new(low as u32, high as u32)
        } else {
            Interval::ALL
        }
    }

    /// High half of the unsigned product.
    pub(crate) fn mulhu(self, other: Interval) -> Interval {
        Interval::new(mulhu(self.low, other.low), mulhu(self.high, other.high))
    }

    /// Quotient by a constant that is not 0.
    pub(crate) fn divu(self, by: u32) -> Interval {
        Interval::new(self.low / by, self.high / by)
    }

    /// Remainder by a constant that is not 0.
    pub(crate) fn remu(self, by: u32) -> Interval {
        if self.low / by == self.high / by {
            Interval::new(self.low % by, self.high % by)
        } else {
            Interval::new(0, by - 1)
        }
    }

    /// True if every member is less than every member of `other` (unsigned), false if none is, `None` if it
    /// depends.
    pub(crate) fn ltu(self, other: Interval) -> Option<bool> {
        if self.is_same(other) || self.low >= other.high {
            return Some(false);
        }
        (self.high < other.low).then_some(true)
    }

    /// Like [`Interval::ltu`], for signed values.
    pub(crate) fn lt(self, other: Interval) -> Option<bool> {
        let flip = |i: Interval| {
            let same_sign = (i.low ^ i.high) & SIGN == 0;
            if same_sign {
                Interval {
                    low: i.low ^ SIGN,
                    high: i.high ^ SIGN,
                    ..i
                }
            } else {
                Interval {
                    mark: i.mark,
                    ..Interval::ALL
                }
            }
        };
        flip(self).ltu(flip(other))
    }

    /// True if all members are equal to all of `other`, false if none is equal to any, `None` if it depends.
    pub(crate) fn eq(self, other: Interval) -> Option<bool> {
        if self.is_same(other) {
            return Some(true);
        }
        match (self.constant(), other.constant()) {
            (Some(a), Some(b)) => Some(a == b),
            _ => (self.high < other.low || other.high < self.low).then_some(false),
        }
    }
}

/// A comparison as a value: 0, 1, or either of them.
pub(crate) fn flag(decision: Option<bool>) -> Interval {
    match decision {
        Some(decided) => Interval::exactly(u32::from(decided)),
        None => Interval::new(0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn i(low: u32, high: u32) -> Interval {
        Interval::new(low, high)
    }

    #[test]
    fn every_result_lies_in_the_interval() {
        // All small intervals around the values at which an operation wraps, all members, all operations.
        let edges = [0_u32, 3, 7, 0x7fff_fffd, 0x8000_0000, 0xffff_fff9];
        let spans = [0_u32, 1, 2, 5];
        let intervals: Vec<Interval> = edges
            .iter()
            .flat_map(|&e| {
                spans
                    .iter()
                    .filter_map(move |&s| e.checked_add(s).map(|high| i(e, high)))
            })
            .collect();
        for &a in &intervals {
            for &b in &intervals {
                for x in a.low..=a.high {
                    for y in b.low..=b.high {
                        check(a, b, x, y);
                    }
                }
            }
        }
    }

    fn check(a: Interval, b: Interval, x: u32, y: u32) {
        let signed = |v: u32| v as i32;
        for (name, result, value) in [
            ("add", a.add(b), x.wrapping_add(y)),
            ("sub", a.sub(b), x.wrapping_sub(y)),
            ("and", a.and(b), x & y),
            ("or", a.or(b), x | y),
            ("xor", a.xor(b), x ^ y),
            ("mul", a.mul(b), x.wrapping_mul(y)),
            ("mulhu", a.mulhu(b), mulhu(x, y)),
            ("ltu", flag(a.ltu(b)), u32::from(x < y)),
            ("lt", flag(a.lt(b)), u32::from(signed(x) < signed(y))),
            ("eq", flag(a.eq(b)), u32::from(x == y)),
        ] {
            assert!(
                (result.low..=result.high).contains(&value),
                "{name} of {x:x} in {a:x?} and {y:x} in {b:x?}"
            );
        }
        if let Some(by) = b.constant() {
            let shift = by & 31;
            for (name, result, value) in [
                ("sll", a.sll(shift), x << shift),
                ("srl", a.srl(shift), x >> shift),
                ("sra", a.sra(shift), (signed(x) >> shift) as u32),
                ("divu", a.divu(by.max(1)), x / by.max(1)),
                ("remu", a.remu(by.max(1)), x % by.max(1)),
            ] {
                assert!(
                    (result.low..=result.high).contains(&value),
                    "{name} of {x:x} in {a:x?} by {by:x}"
                );
            }
        }
    }

    #[test]
    fn what_a_timer_loop_needs_stays_exact() {
        assert_eq!(i(0x100, 0x1ff).srl(4), i(0x10, 0x1f));
        assert_eq!(
            i(0x10, 0x1f).or(Interval::exactly(0x3000_0000)),
            i(0x3000_0010, 0x3000_001f)
        );
        assert_eq!(i(5, 9).sub(Interval::exactly(5)), i(0, 4));
        assert_eq!(i(4, 9).sub(Interval::exactly(5)), Interval::ALL);
        assert_eq!(
            i(0x1234, 0x1238).and(Interval::exactly(0xffff_ff00)),
            Interval::exactly(0x1200)
        );
        assert_eq!(i(5, 9).ltu(Interval::exactly(10)), Some(true));
        assert_eq!(i(5, 10).ltu(Interval::exactly(10)), None);
        assert_eq!(i(10, 11).ltu(Interval::exactly(10)), Some(false));
    }

    #[test]
    fn a_mark_makes_equal_what_is_not_known() {
        let (a, b) = (Interval { mark: 1, ..i(0, 9) }, Interval { mark: 2, ..i(0, 9) });
        assert_eq!((a.eq(a), a.eq(b)), (Some(true), None));
        assert_eq!((a.ltu(a), a.ltu(b)), (Some(false), None));
        assert_eq!((a.sub(a), a.xor(a)), (Interval::exactly(0), Interval::exactly(0)));
    }
}
