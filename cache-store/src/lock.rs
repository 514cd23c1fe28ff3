use std::time::Duration;

/// What became of a try to take a lock; the answer of [`Store::acquire_lock`](crate::Store::acquire_lock), with an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The caller has it, with this fencing token.
    ///
    /// A token is greater than that of every earlier acquisition of the same name. A store that lost its count begins
    /// again at its clock (microseconds since 1970), so tokens still grow unless that clock was set back.
    Acquired(u64),
    /// Another acquisition has it; it ends after this time unless it is renewed.
    Held(Duration),
}
