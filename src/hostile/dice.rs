//! Chance that can be repeated: the same seed gives the same search on every machine.

/// A `SplitMix64` generator. Not for secrets.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The dice of one input: those of other names and places fall differently.
    pub fn of(seed: u64, name: &str, place: u64) -> Self {
        let mut dice = Self(seed);
        for byte in name.bytes() {
            dice.0 = dice.draw() ^ u64::from(byte);
        }
        dice.0 = dice.draw() ^ place;
        Self(dice.draw())
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % end).unwrap_or(0)
    }

    /// One of several, if there is any.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    pub fn byte(&mut self) -> u8 {
        self.draw().to_le_bytes()[0]
    }
}
