#[allow(unused_mut, reason = "an example")]
async fn patterns(__arg0: (u32, String), x: Point) -> u32 {
    ::larder::__private::inventory::submit! {
        ::larder::__private::Record::new(::larder::__private::Kind::CacheAside,
        ::core::module_path!(), "patterns", ::core::file!(), ::core::line!())
        .value("u32").value_type(::larder::__private::named:: < u32 >)
        .key("p:{a}:{0}:{x.y}", & []).tags(& ["of:{a}"]).ttl("life(a)")
    }
    let miss = match {
        #[allow(unused_variables)]
        let (a, b) = &__arg0;
        let result = ::larder::__private::lookup::<
            ::larder::__private::PlainShape,
            u32,
        >(
            __patterns_b4f2_needs_in_impl(),
            ::larder::__private::current(),
            &[
                ::larder::__private::part(&a),
                ::larder::__private::part(&__arg0),
                ::larder::__private::part(&x.y),
            ],
        );
        result
    } {
        ::core::result::Result::Ok(hit) => return hit,
        ::core::result::Result::Err(miss) => miss,
    };
    let miss = {
        #[allow(unused_variables)]
        let (a, b) = &__arg0;
        let result = miss
            .tagged(&[::larder::__private::part(&a)])
            .ttl({
                let ttl: ::core::time::Duration = life(a);
                ttl
            });
        result
    };
    ::std::boxed::Box::pin(
            miss
                .load::<
                    ::larder::__private::PlainShape,
                    u32,
                    _,
                >(
                    ::larder::__private::sharing::Probe::none(),
                    patterns_uncached(__arg0, x),
                ),
        )
        .await
}
#[doc(hidden)]
#[allow(unused_mut, reason = "an example")]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn __patterns_b4f2_needs_in_impl() -> &'static ::larder::__private::Spec<u32> {
    const {
        &::larder::__private::Spec::<
            u32,
        >::new(
                ::larder::__private::shared::<u32>(),
                ::core::module_path!(),
                "patterns",
                &["p:", ":", ":", ""],
            )
            .tags(&[&["of:", ""]])
    }
}
/// What `patterns` does, without the cache.
#[expect(unused_mut, reason = "an example")]
#[allow(dead_code, unreachable_pub, async_fn_in_trait)]
#[allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]
async fn patterns_uncached(
    #[allow(unused_variables)]
    (a, mut b): (u32, String),
    #[allow(unused_variables)]
    mut x: Point,
) -> u32 {
    a
}
/// The entry of `patterns` for these arguments.
#[allow(unused_mut, reason = "an example")]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn patterns_entry(__arg0: (u32, String), x: Point) -> ::larder::Entry<u32> {
    {
        #[allow(unused_variables)]
        let (a, b) = &__arg0;
        let result = ::larder::__private::entry(
                __patterns_b4f2_needs_in_impl(),
                ::larder::__private::current(),
                &[
                    ::larder::__private::part(&a),
                    ::larder::__private::part(&__arg0),
                    ::larder::__private::part(&x.y),
                ],
            )
            .tagged(&[::larder::__private::part(&a)])
            .ttl_override({
                let ttl: ::core::time::Duration = life(a);
                ttl
            });
        result
    }
}
/// Everything that `patterns` has stored.
#[allow(unused_mut, reason = "an example")]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn patterns_cache() -> ::larder::FnCache {
    ::larder::__private::fn_cache(
        __patterns_b4f2_needs_in_impl(),
        ::larder::__private::current(),
    )
}
