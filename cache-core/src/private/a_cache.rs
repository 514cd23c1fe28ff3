//! What `cache = expr` may be.

use crate::Cache;

/// What `cache = expr` may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no cache",
    label = "neither a `Cache` nor a reference to one",
    note = "write `cache = self.cache` for a field, `cache = *CACHE` for a `LazyLock` of a cache"
)]
pub trait ACache {
    /// The cache.
    fn cache(&self) -> &Cache;
}

#[diagnostic::do_not_recommend]
impl<C: AsRef<Cache> + ?Sized> ACache for C {
    #[inline]
    fn cache(&self) -> &Cache {
        self.as_ref()
    }
}
