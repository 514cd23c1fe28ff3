fn risk(portfolio: &str, factor: f64) -> f64 {
    ::larder::__private::inventory::submit! {
        ::larder::__private::Record::new(::larder::__private::Kind::Memoize,
        ::core::module_path!(), "risk", ::core::file!(), ::core::line!()).value("f64")
        .value_type(::larder::__private::named:: < f64 >)
        .key_behind_path("risk:{portfolio}:{factor}", & [])
        .layer(::larder::__private::Layer::Memory)
    }
    let miss = match ::larder::__private::lookup::<
        ::larder::__private::PlainShape,
        f64,
    >(
        __risk_6a8e_needs_in_impl(),
        ::larder::__private::current(),
        &[
            ::larder::__private::part(
                &::larder::__private::here_part(__risk_6a8e_needs_in_impl()),
            ),
            ::larder::__private::part(&portfolio),
            ::larder::__private::part(&factor),
        ],
    ) {
        ::core::result::Result::Ok(hit) => return hit,
        ::core::result::Result::Err(miss) => miss,
    };
    miss.load_sync::<
            ::larder::__private::PlainShape,
            f64,
        >(
        ::larder::__private::sharing::Probe::none(),
        move || risk_uncached(portfolio, factor),
    )
}
#[doc(hidden)]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn __risk_6a8e_needs_in_impl() -> &'static ::larder::__private::Spec<f64> {
    {
        fn here() {}
        const {
            &::larder::__private::Spec::<
                f64,
            >::new(
                    ::larder::__private::memory::<f64>(),
                    ::core::module_path!(),
                    "risk",
                    &["", ":", ":", ""],
                )
                .here(|| ::larder::__private::marker(&here))
                .layer(::larder::__private::Layer::Memory)
        }
    }
}
/// What `risk` does, without the cache.
#[allow(dead_code, unreachable_pub, async_fn_in_trait)]
#[allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]
fn risk_uncached(
    #[allow(unused_variables)]
    portfolio: &str,
    #[allow(unused_variables)]
    factor: f64,
) -> f64 {
    portfolio.len() as f64 * factor
}
/// The entry of `risk` for these arguments.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn risk_entry(portfolio: &str, factor: f64) -> ::larder::blocking::Entry<f64> {
    ::larder::__private::entry_sync(
        __risk_6a8e_needs_in_impl(),
        ::larder::__private::current(),
        &[
            ::larder::__private::part(
                &::larder::__private::here_part(__risk_6a8e_needs_in_impl()),
            ),
            ::larder::__private::part(&portfolio),
            ::larder::__private::part(&factor),
        ],
    )
}
/// Everything that `risk` has stored.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn risk_cache() -> ::larder::blocking::FnCache {
    ::larder::__private::fn_cache_sync(
        __risk_6a8e_needs_in_impl(),
        ::larder::__private::current(),
    )
}
