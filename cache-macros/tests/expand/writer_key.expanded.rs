fn store(id: u64, user: User) -> User {
    let write = ::larder::__private::write_through::<
        User,
        _,
    >(
        ::larder::__private::entry(
            const {
                &::larder::__private::Spec::<
                    User,
                >::new(
                        ::larder::__private::shared::<User>(),
                        ::core::module_path!(),
                        "store",
                        &["user:", ""],
                    )
                    .tags(&[&["user"]])
                    .ttl(::larder::__private::Ttl::millis(60000u64))
            },
            ::larder::__private::current(),
            &[::larder::__private::part(&id)],
        ),
    );
    write.run_sync::<::larder::__private::PlainShape, _>(move || -> User { { user } })
}
