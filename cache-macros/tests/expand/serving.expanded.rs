async fn get_user(db: &Db, user_id: u64, name: &str) -> Result<User, DbError> {
    ::larder::__private::inventory::submit! {
        ::larder::__private::Record::new(::larder::__private::Kind::CacheAside,
        ::core::module_path!(), "get_user", ::core::file!(), ::core::line!())
        .value("User").value_type(::larder::__private::named:: < User >)
        .key("user:{user_id}", & [::larder::__private::Texts::Integer]).tags(&
        ["name:{name}"])
    }
    let share = {
        #[allow(unused_imports)]
        use ::larder::__private::sharing::*;
        (&Probe::<DbError>::new()).share()
    };
    let looked = ::larder::__private::look::<
        ::larder::__private::ResultShape,
        Result<User, DbError>,
    >(
        __get_user_0a1c_needs_in_impl(),
        ::larder::__private::current(),
        &[::larder::__private::part(&user_id)],
    );
    let loading = match match looked {
        ::core::result::Result::Ok(served) => served,
        ::core::result::Result::Err(miss) => {
            ::std::boxed::Box::pin(
                    miss
                        .tagged(&[::larder::__private::part(&name)])
                        .enter::<
                            ::larder::__private::ResultShape,
                            Result<User, DbError>,
                        >(share),
                )
                .await
        }
    } {
        ::larder::__private::Served::Hit(hit) => return hit,
        ::larder::__private::Served::Due(hit, renewal) => {
            if let ::core::option::Option::Some(renewal) = renewal
                .tagged(&[::larder::__private::part(&name)])
                .begin(share)
            {
                let db = ::larder::__private::keep_ref(db);
                let user_id = ::larder::__private::keep(&user_id);
                let name = ::larder::__private::keep_ref(name);
                renewal
                    .run::<
                        ::larder::__private::ResultShape,
                        Result<User, DbError>,
                        _,
                    >(
                        share,
                        async move {
                            ::larder::__private::timeout(
                                    2000u64,
                                    ::larder::__private::times_out::<
                                        ::larder::__private::ResultShape,
                                        Result<User, DbError>,
                                    >(),
                                    get_user_uncached(
                                        ::larder::__private::lend(&db),
                                        user_id,
                                        ::larder::__private::lend(&name),
                                    ),
                                )
                                .await
                        },
                    );
            }
            return hit;
        }
        ::larder::__private::Served::Miss(loading) => loading,
    };
    ::std::boxed::Box::pin(
            loading
                .run::<
                    ::larder::__private::ResultShape,
                    Result<User, DbError>,
                    _,
                >(
                    share,
                    ::larder::__private::timeout(
                        2000u64,
                        ::larder::__private::times_out::<
                            ::larder::__private::ResultShape,
                            Result<User, DbError>,
                        >(),
                        get_user_uncached(db, user_id, name),
                    ),
                ),
        )
        .await
}
#[doc(hidden)]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn __get_user_0a1c_needs_in_impl() -> &'static ::larder::__private::Spec<User> {
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
            .tags(&[&["name:", ""]])
            .stale(30000u64, 3600000u64, false)
            .timeout(2000u64)
    }
}
/// What `get_user` does, without the cache.
#[allow(dead_code, unreachable_pub, async_fn_in_trait)]
#[allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]
async fn get_user_uncached(
    db: &Db,
    #[allow(unused_variables)]
    user_id: u64,
    #[allow(unused_variables)]
    name: &str,
) -> Result<User, DbError> {
    db.user(user_id, name).await
}
/// The entry of `get_user` for these arguments.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn get_user_entry(user_id: u64, name: &str) -> ::larder::Entry<User> {
    ::larder::__private::entry(
            __get_user_0a1c_needs_in_impl(),
            ::larder::__private::current(),
            &[::larder::__private::part(&user_id)],
        )
        .tagged(&[::larder::__private::part(&name)])
}
/// Everything that `get_user` has stored.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn get_user_cache() -> ::larder::FnCache {
    ::larder::__private::fn_cache(
        __get_user_0a1c_needs_in_impl(),
        ::larder::__private::current(),
    )
}
