//! How much room an envelope will need: about as much as the last one of its type.

use std::cell::Cell;

/// For types of which nothing was stored yet.
const FIRST: usize = 512;
/// More than this is not reserved in advance: values of one type may differ.
const MOST: usize = 1 << 20;

thread_local! {
    /// By type. Two that share a place take turns with their hints, which are no more than that.
    static LAST: [Cell<usize>; 64] = const { [const { Cell::new(FIRST) }; 64] };
}

/// What the next envelope of this type may need.
pub(crate) fn capacity(type_name: &'static str) -> usize {
    LAST.with(|last| last[place(type_name)].get())
}

/// Remembers the length of an envelope of this type.
pub(crate) fn remember(type_name: &'static str, length: usize) {
    // Somewhat more, so that one that is a little longer fits as well.
    LAST.with(|last| last[place(type_name)].set((length + length / 8).clamp(FIRST, MOST)));
}

fn place(type_name: &'static str) -> usize {
    (type_name.as_ptr() as usize >> 3 ^ type_name.len()) % 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_of_a_type_has_room_for_what_the_last_one_needed_within_a_bound() {
        assert_eq!(capacity("app::User"), FIRST);
        remember("app::User", 10_000);
        assert!((10_000..12_000).contains(&capacity("app::User")));
        remember("app::User", usize::MAX / 2);
        assert_eq!(capacity("app::User"), MOST);
        remember("app::User", 1);
        assert_eq!(capacity("app::User"), FIRST);
    }
}
