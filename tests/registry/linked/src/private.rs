//! A private module.

#[larder::memoize(key = "linked:secret:{n}")]
fn secret(n: u32) -> u32 {
    n
}
