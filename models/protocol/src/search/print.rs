//! A state in 96 bits.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use xxhash_rust::xxh3::xxh3_128;

/// Stands for a state: a search remembers these and not the states.
///
/// Two states with one print would be taken for one. Among a billion states that happens with a probability of 10⁻¹¹.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Print([u32; 3]);

/// Hashes prints, which are random already.
pub(crate) type ByItself = BuildHasherDefault<First>;

/// What a [`Print`] begins with.
#[derive(Default)]
pub(crate) struct First(u64);

/// Collects what a state is made of; every number in it fits into a byte.
struct Bytes {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Print {
    pub(crate) fn of(state: &impl Hash) -> Self {
        let mut bytes = Bytes { bytes: [0; Bytes::MOST], len: 0 };
        state.hash(&mut bytes);
        let hash = xxh3_128(&bytes.bytes[..bytes.len]);
        Self([hash as u32, (hash >> 32) as u32, (hash >> 64) as u32])
    }

    /// One of `shards`; independent of the hash below.
    pub(crate) fn shard(self, shards: usize) -> usize {
        self.0[2] as usize % shards
    }
}

impl Hash for Print {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.0[1]) << 32 | u64::from(self.0[0]));
    }
}

impl Hasher for First {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a print writes one number");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Bytes {
    const MOST: usize = 768;

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }
}

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.push(*byte));
    }

    fn write_u8(&mut self, byte: u8) {
        self.push(byte);
    }

    // Which variant of an enum it is, and how long an array is.
    fn write_isize(&mut self, number: isize) {
        self.push(number as u8);
    }

    fn write_usize(&mut self, number: usize) {
        self.push(number as u8);
    }

    fn finish(&self) -> u64 {
        unreachable!("the bytes are hashed as a whole")
    }
}
