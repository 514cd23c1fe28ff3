use std::sync::{Mutex, PoisonError};

/// Damages bytes at random, in an order that a seed decides.
pub(super) struct Damage {
    generator: Mutex<fastrand::Rng>,
    share: f64,
}

impl Damage {
    pub(super) fn new(seed: u64, share: f64) -> Self {
        Self { generator: Mutex::new(fastrand::Rng::with_seed(seed)), share }
    }

    /// The bytes, or what damage leaves of them.
    pub(super) fn to(&self, bytes: Vec<u8>) -> Vec<u8> {
        // A generator is whole whatever panicked.
        let random = &mut self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        if random.f64() >= self.share {
            return bytes;
        }
        let damaged = damaged(bytes.clone(), random);
        if damaged != bytes {
            return damaged;
        }
        // Overwritten with what was there: another byte is other bytes for certain.
        [bytes.as_slice(), &[random.u8(..)]].concat()
    }
}

fn damaged(mut bytes: Vec<u8>, random: &mut fastrand::Rng) -> Vec<u8> {
    let kind = random.u8(..5);
    let at = random.usize(..=bytes.len());
    let until = random.usize(at..=bytes.len());
    match kind {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
        1 => random.fill(&mut bytes[at..until]),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..until)),
        _ => bytes.extend((0..random.usize(1..64)).map(|_| random.u8(..))),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_never_what_was_stored_whatever_its_length() {
        let damage = Damage::new(7, 1.0);
        for length in 0..200 {
            let bytes = vec![0; length];
            for _ in 0..50 {
                assert_ne!(damage.to(bytes.clone()), bytes);
            }
        }
    }

    #[test]
    fn every_kind_of_damage_comes_up() {
        let damage = Damage::new(1, 1.0);
        let bytes: Vec<u8> = (0..100).collect();
        let all: Vec<_> = (0..200).map(|_| damage.to(bytes.clone())).collect();
        let changed = |one: &Vec<u8>| one.iter().zip(&bytes).filter(|(a, b)| a != b).count();
        let same_length = |one: &&Vec<u8>| one.len() == bytes.len();
        assert!(all.iter().filter(same_length).any(|one| changed(one) == 1), "a flipped bit");
        assert!(all.iter().filter(same_length).any(|one| changed(one) > 10), "overwritten");
        assert!(all.iter().any(|one| one.len() < 100 && bytes.starts_with(one)), "cut off");
        assert!(all.iter().any(|one| one.len() < 100 && one.last() == bytes.last()), "a hole");
        assert!(all.iter().any(|one| one.len() > 100), "more than there was");
    }

    #[test]
    fn a_share_of_nothing_damages_nothing_and_the_seed_decides_the_rest() {
        let never = Damage::new(7, 0.0);
        assert!((0..100).all(|_| never.to(vec![1, 2, 3]) == [1, 2, 3]));
        let of = |seed| {
            let half = Damage::new(seed, 0.5);
            (0..100).map(|_| half.to(vec![1, 2, 3])).collect::<Vec<_>>()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let whole = of(1).iter().filter(|bytes| **bytes == [1, 2, 3]).count();
        assert!((20..80).contains(&whole), "{whole}");
    }
}
