async fn get_user(user_id: u64) -> User {
    ::larder::__private::inventory::submit! {
        ::larder::__private::Record::new(::larder::__private::Kind::CacheAside,
        ::core::module_path!(), "get_user", ::core::file!(), ::core::line!())
        .value("User").value_type(::larder::__private::named:: < User >)
        .key("user:{user_id}", & [::larder::__private::Texts::Integer])
    }
    let miss = match ::larder::__private::lookup::<
        ::larder::__private::PlainShape,
        User,
    >(
        __get_user_511c_needs_in_impl(),
        ::larder::__private::current(),
        &[::larder::__private::part(&user_id)],
    ) {
        ::core::result::Result::Ok(hit) => return hit,
        ::core::result::Result::Err(miss) => miss,
    };
    ::std::boxed::Box::pin(
            miss
                .load::<
                    ::larder::__private::PlainShape,
                    User,
                    _,
                >(
                    ::larder::__private::sharing::Probe::none(),
                    get_user_uncached(user_id),
                ),
        )
        .await
}
#[doc(hidden)]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn __get_user_511c_needs_in_impl() -> &'static ::larder::__private::Spec<User> {
    {
        #[allow(unused_imports)]
        use ::larder::__private::PlainOk as _;
        ::larder::__private::Plainly::<User>::new().check();
    }
    const {
        &::larder::__private::Spec::<
            User,
        >::new(
            ::larder::__private::shared::<User>(),
            ::core::module_path!(),
            "get_user",
            &["user:", ""],
        )
    }
}
/// What `get_user` does, without the cache.
#[allow(dead_code, unreachable_pub, async_fn_in_trait)]
#[allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]
async fn get_user_uncached(#[allow(unused_variables)] user_id: u64) -> User {
    half_typed!()
}
/// The entry of `get_user` for these arguments.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn get_user_entry(user_id: u64) -> ::larder::Entry<User> {
    ::larder::__private::entry(
        __get_user_511c_needs_in_impl(),
        ::larder::__private::current(),
        &[::larder::__private::part(&user_id)],
    )
}
/// Everything that `get_user` has stored.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn get_user_cache() -> ::larder::FnCache {
    ::larder::__private::fn_cache(
        __get_user_511c_needs_in_impl(),
        ::larder::__private::current(),
    )
}
