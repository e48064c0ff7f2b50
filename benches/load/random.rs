//! Seeded randomness: cheap, repeatable, and good enough to choose keys. Not for secrets.

/// The SplitMix64 generator (Steele, Lea, Flood 2014).
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// A generator that gives the same sequence for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Random { state: seed }
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mixed(self.state)
    }

    /// A number below `bound`; the bias of the multiplication is below 2^-32 for every bound we use.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// SplitMix64's finaliser: a bijection of 64-bit numbers, so distinct inputs stay distinct.
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
