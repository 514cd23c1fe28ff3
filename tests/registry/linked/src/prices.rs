//! A public module.

/// The price of an item.
#[larder::memoize(key = "linked:price:{item}")]
pub fn price(item: u32) -> u32 {
    item * 100
}

/// Anything by default.
#[larder::memoize(key = "linked:generic:{T}")]
pub fn generic<T: Default + Clone + Send + Sync + 'static>() -> T {
    T::default()
}
