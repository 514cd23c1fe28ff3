//! Decimal digits without the formatting machinery.

use smallvec::SmallVec;

/// Digits of `u64::MAX`.
const MOST: usize = 20;

#[inline]
pub(super) fn push(text: &mut SmallVec<[u8; 256]>, mut value: u64) {
    let mut digits = [0; MOST];
    let mut first = MOST;
    loop {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: u64) -> String {
        let mut out = SmallVec::new();
        push(&mut out, value);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn the_smallest_and_the_largest_number_have_their_digits() {
        assert_eq!(text(0), "0");
        assert_eq!(text(u64::MAX), u64::MAX.to_string());
    }

    proptest! {
        #[test]
        fn digits_are_those_of_display(value: u64, bits in 0u32..64) {
            prop_assert_eq!(text(value >> bits), (value >> bits).to_string());
        }
    }
}
