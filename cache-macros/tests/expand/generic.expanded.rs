async fn generic<'a, S: Source<'a>, T>(source: &'a S, id: u64) -> Result<T, S::Error>
where
    T: Value,
    S: Sized,
{
    ::larder::__private::inventory::submit! {
        ::larder::__private::Record::new(::larder::__private::Kind::CacheAside,
        ::core::module_path!(), "generic", ::core::file!(), ::core::line!())
        .generics("S: Source<'a>, T").value("T").key("g:{T}:{id}", &
        [::larder::__private::Texts::Any, ::larder::__private::Texts::Integer])
    }
    let miss = match ::larder::__private::lookup::<
        ::larder::__private::ResultShape,
        Result<T, S::Error>,
    >(
        __generic_c33a_needs_in_impl::<T>(),
        ::larder::__private::current(),
        &[
            ::larder::__private::part(&::larder::__private::type_part::<T>()),
            ::larder::__private::part(&id),
        ],
    ) {
        ::core::result::Result::Ok(hit) => return hit,
        ::core::result::Result::Err(miss) => miss,
    };
    ::std::boxed::Box::pin(
            miss
                .load::<
                    ::larder::__private::ResultShape,
                    Result<T, S::Error>,
                    _,
                >(
                    ::larder::__private::sharing::Probe::none(),
                    generic_uncached::<S, T>(source, id),
                ),
        )
        .await
}
#[doc(hidden)]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn __generic_c33a_needs_in_impl<T>() -> &'static ::larder::__private::Spec<T>
where
    T: Value,
{
    {
        #[allow(unused_imports)]
        use ::larder::__private::PlainOk as _;
        ::larder::__private::Plainly::<T>::new().check();
    }
    const {
        &::larder::__private::Spec::<
            T,
        >::new(
            ::larder::__private::shared::<T>(),
            ::core::module_path!(),
            "generic",
            &["g:", ":", ""],
        )
    }
}
/// What `generic` does, without the cache.
#[allow(dead_code, unreachable_pub, async_fn_in_trait)]
#[allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]
async fn generic_uncached<'a, S: Source<'a>, T>(
    source: &'a S,
    #[allow(unused_variables)]
    id: u64,
) -> Result<T, S::Error>
where
    T: Value,
    S: Sized,
{
    source.load(id).await
}
/// The entry of `generic` for these arguments.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn generic_entry<T>(id: u64) -> ::larder::Entry<T>
where
    T: Value,
{
    ::larder::__private::entry(
        __generic_c33a_needs_in_impl::<T>(),
        ::larder::__private::current(),
        &[
            ::larder::__private::part(&::larder::__private::type_part::<T>()),
            ::larder::__private::part(&id),
        ],
    )
}
/// Everything that `generic` has stored.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn generic_cache() -> ::larder::FnCache {
    ::larder::__private::fn_cache(
        const {
            &::larder::__private::Spec::<
                (),
            >::new(
                ::larder::__private::shared::<()>(),
                ::core::module_path!(),
                "generic",
                &["g:", ":", ""],
            )
        },
        ::larder::__private::current(),
    )
}
