fn store(id: u64, user: User) -> User {
    const _: () = {
        #[allow(
            dead_code,
            unused_imports,
            unused_qualifications,
            non_camel_case_types,
            unreachable_pub,
            missing_debug_implementations,
            missing_copy_implementations,
            clippy::all,
            clippy::pedantic
        )]
        mod larder_value {
            mod larder_elsewhere {
                pub struct User;
            }
            use larder_elsewhere::*;
            pub fn named() -> (::core::any::TypeId, &'static str) {
                use super::*;
                (::core::any::TypeId::of::<User>(), ::core::any::type_name::<User>())
            }
        }
        ::larder::__private::inventory::submit! {
            ::larder::__private::Record::new(::larder::__private::Kind::WriteThrough,
            ::core::module_path!(), "store", ::core::file!(), ::core::line!())
            .value("User").value_type(larder_value::named).key("user:{id}", &
            [::larder::__private::Texts::Integer]).tags(& ["user"]).ttl("1m")
        }
    };
    {
        #[allow(unused_imports)]
        use ::larder::__private::PlainOk as _;
        ::larder::__private::Plainly::<User>::new().check();
    }
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
