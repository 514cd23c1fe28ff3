//! Hashing what is a hash already.

use std::hash::Hasher;

/// For keys that write a hash of themselves with a seed of the process: nobody outside can choose what collides, so this only
/// spreads it over all bits.
#[derive(Default)]
pub(super) struct Mixed(u64);

/// The odd number next to 2^64 divided by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0.rotate_left(29) ^ number) * u128::from(FACTOR);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
