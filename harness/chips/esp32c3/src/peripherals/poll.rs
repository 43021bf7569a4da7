//! Values of registers for polling loops that are skipped: the values read while time is the only thing that
//! changes them.

use rv32::PollRead;

/// Selects the half of a counter of more than 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Low,
    High,
}

/// A register that keeps its value until the next deadline or write.
pub(crate) fn constant(value: u32) -> PollRead {
    PollRead::Register {
        low: value,
        high: value,
        latched: false,
    }
}

/// A register whose value lies between two others and depends on time alone.
pub(crate) fn between(a: u32, b: u32) -> PollRead {
    PollRead::Register {
        low: a.min(b),
        high: a.max(b),
        latched: false,
    }
}

/// Half of a counter that is latched by a write: now it holds `latched`, and the counter goes from `from` to `to`.
/// `None` if its values are no interval.
pub(crate) fn latched(latched: u64, from: u64, to: u64, half: Half) -> Option<PollRead> {
    let (low, high) = (latched.min(from), latched.max(to));
    if from > to {
        return None;
    }
    match half {
        Half::High => Some(PollRead::Register {
            low: (low >> 32) as u32,
            high: (high >> 32) as u32,
            latched: true,
        }),
        Half::Low if low >> 32 == high >> 32 => Some(PollRead::Register {
            low: low as u32,
            high: high as u32,
            latched: true,
        }),
        Half::Low => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latched_counter_spans_from_the_old_value_to_the_last() {
        let range = |low, high| {
            Some(PollRead::Register {
                low,
                high,
                latched: true,
            })
        };
        assert_eq!(latched(5, 10, 20, Half::Low), range(5, 20));
        assert_eq!(latched(5, 10, 1 << 32, Half::Low), None);
        assert_eq!(latched(5, 10, 1 << 32, Half::High), range(0, 1));
        assert_eq!(
            latched(30, 10, 20, Half::Low),
            range(10, 30),
            "it was loaded with less"
        );
        assert_eq!(latched(0, 20, 10, Half::Low), None, "counting down");
    }
}
