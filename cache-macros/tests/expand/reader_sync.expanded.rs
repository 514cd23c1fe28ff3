pub(crate) fn score(c: &Cache, name: &str) -> u64 {
    ::larder::__private::inventory::submit! {
        ::larder::__private::Record::new(::larder::__private::Kind::CacheAside,
        ::core::module_path!(), "score", ::core::file!(), ::core::line!()).value("u64")
        .value_type(::larder::__private::named:: < u64 >).key("score:{name}", & [])
        .layer(::larder::__private::Layer::Memory).cache("c")
    }
    let miss = match ::larder::__private::lookup::<
        ::larder::__private::PlainShape,
        u64,
    >(
        __score_4243_needs_in_impl(),
        ::larder::__private::given(&c),
        &[::larder::__private::part(&name)],
    ) {
        ::core::result::Result::Ok(hit) => return hit,
        ::core::result::Result::Err(miss) => miss,
    };
    miss.load_sync::<
            ::larder::__private::PlainShape,
            u64,
        >(::larder::__private::sharing::Probe::none(), move || score_uncached(c, name))
}
#[doc(hidden)]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn __score_4243_needs_in_impl() -> &'static ::larder::__private::Spec<u64> {
    const {
        &::larder::__private::Spec::<
            u64,
        >::new(
                ::larder::__private::memory::<u64>(),
                ::core::module_path!(),
                "score",
                &["score:", ""],
            )
            .layer(::larder::__private::Layer::Memory)
            .cache_if(|v| *v > 0)
    }
}
/// What `score` does, without the cache.
#[allow(dead_code, unreachable_pub, async_fn_in_trait)]
#[allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]
pub(crate) fn score_uncached(
    #[allow(unused_variables)]
    c: &Cache,
    #[allow(unused_variables)]
    name: &str,
) -> u64 {
    name.len() as u64
}
/// The entry of `score` for these arguments.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub(crate) fn score_entry(c: &Cache, name: &str) -> ::larder::blocking::Entry<u64> {
    ::larder::__private::entry_sync(
        __score_4243_needs_in_impl(),
        ::larder::__private::given(&c),
        &[::larder::__private::part(&name)],
    )
}
/// Everything that `score` has stored.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub(crate) fn score_cache(c: &Cache) -> ::larder::blocking::FnCache {
    ::larder::__private::fn_cache_sync(
        __score_4243_needs_in_impl(),
        ::larder::__private::given(&c),
    )
}
