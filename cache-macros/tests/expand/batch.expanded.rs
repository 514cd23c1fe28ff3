async fn get_users(db: &Db, ids: &[u64]) -> Result<HashMap<u64, User>, DbError> {
    ::larder::__private::inventory::submit! {
        ::larder::__private::Record::new(::larder::__private::Kind::CacheAside,
        ::core::module_path!(), "get_users", ::core::file!(), ::core::line!())
        .value("User").value_type(::larder::__private::named:: < User >).key("user:{id}",
        & [::larder::__private::Texts::Integer]).tags(& ["user",
        "tenant:{value.tenant_id}"]).ttl("5m")
    }
    let mut batch = ::larder::__private::batch::<
        u64,
        _,
    >(
        __get_users_7cba_needs_in_impl(),
        ::larder::__private::current(),
        ids,
        |id, look| look.at(&[::larder::__private::part(&id)]),
    );
    let missing = ::std::boxed::Box::pin(batch.missing()).await;
    let body = match &missing {
        ::core::option::Option::Some(missing) => {
            ::core::option::Option::Some(
                ::std::boxed::Box::pin(batch.watch(get_users_uncached(db, missing)))
                    .await,
            )
        }
        ::core::option::Option::None => ::core::option::Option::None,
    };
    ::std::boxed::Box::pin(
            batch
                .finish(
                    ::larder::__private::returns::<
                        ::larder::__private::ResultShape,
                        Result<HashMap<u64, User>, DbError>,
                        u64,
                        _,
                    >(),
                    body,
                ),
        )
        .await
}
#[doc(hidden)]
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn __get_users_7cba_needs_in_impl() -> &'static ::larder::__private::Spec<User> {
    {
        #[allow(unused_imports)]
        use ::larder::__private::EachOk as _;
        ::larder::__private::EachPlainly::<User>::new().check();
    }
    const {
        &::larder::__private::Spec::<
            User,
        >::new(
                ::larder::__private::shared::<User>(),
                ::core::module_path!(),
                "get_users",
                &["user:", ""],
            )
            .tags(&[&["user"]])
            .ttl(::larder::__private::Ttl::millis(300000u64))
            .learned(
                &["tenant:{value.tenant_id}"],
                |value, _, tags| {
                    tags.add(
                        &["tenant:", ""],
                        &[::larder::__private::part(&value.tenant_id)],
                    );
                },
            )
    }
}
/// What `get_users` does, without the cache.
#[allow(dead_code, unreachable_pub, async_fn_in_trait)]
#[allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]
async fn get_users_uncached(
    db: &Db,
    #[allow(unused_variables)]
    ids: &[u64],
) -> Result<HashMap<u64, User>, DbError> {
    db.users(ids).await
}
/// The entry of `get_users` for these arguments.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn get_users_entry(id: u64) -> ::larder::Entry<User> {
    {
        let id = &id;
        let result = ::larder::__private::entry(
            __get_users_7cba_needs_in_impl(),
            ::larder::__private::current(),
            &[::larder::__private::part(&id)],
        );
        result
    }
}
/// Everything that `get_users` has stored.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
fn get_users_cache() -> ::larder::FnCache {
    ::larder::__private::fn_cache(
        __get_users_7cba_needs_in_impl(),
        ::larder::__private::current(),
    )
}
