//! Decimal digits without the formatting machinery.

use super::bytes::Bytes;

/// Digits of `u64::MAX`.
const MOST: usize = 20;

/// `00` to `99`, because a division by 100 costs no more than one by 10.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

#[inline]
pub(super) fn push(text: &mut Bytes<256>, mut value: u64) {
    let count = value.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut digits = [0; MOST];
    let mut end = count;
    while value >= 10 {
        end -= 2;
        digits[end..end + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if end > 0 {
        digits[0] = b'0' + value as u8;
    }
    text.extend_from(&digits, count);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: u64) -> String {
        let mut out = Bytes::new();
        push(&mut out, value);
        String::from_utf8(out.as_slice().to_vec()).unwrap()
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
