//! Seeded dice: the same seed throws the same numbers on every machine.

/// A linear congruential generator, good enough for shuffling.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    /// A number from 0 up to, but not including, `limit`.
    pub(crate) fn up_to(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let high = (self.0 >> 33) as usize;
        high % limit
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.up_to(100) < percent
    }
}
