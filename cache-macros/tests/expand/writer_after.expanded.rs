impl Methods {
    async fn create(self, tenant: String) -> Option<User> {
        ::larder::__private::inventory::submit! {
            ::larder::__private::Record::new(::larder::__private::Kind::WriteThrough,
            ::core::module_path!(), "create", ::core::file!(), ::core::line!())
            .entry("get_user(tenant, value.id)").invalidates(& ["self.find(value.name)"])
            .invalidate_tags(& ["of:{value.team}:{self.region}"])
        }
        {
            #[allow(unused_imports)]
            use ::larder::__private::PlainOk as _;
            ::larder::__private::Plainly::<User>::new().check();
        }
        let write = ::larder::__private::writer::<User>(::larder::__private::current())
            .after({
                let tenant = ::core::clone::Clone::clone(&tenant);
                let this = <Self as ::core::clone::Clone>::clone(&self);
                let part0 = ::core::clone::Clone::clone(&self.region);
                move |value, after| {
                    after
                        .entry(
                            get_user_entry(
                                ::core::clone::Clone::clone(&tenant),
                                ::core::clone::Clone::clone(&value.id),
                            ),
                        );
                    after
                        .target(
                            this.find_entry(::core::clone::Clone::clone(&value.name)),
                        );
                    after
                        .tag(
                            &["of:", ":", ""],
                            &[
                                ::larder::__private::part(&value.team),
                                ::larder::__private::part(&part0),
                            ],
                        );
                }
            });
        ::std::boxed::Box::pin(
                write
                    .run::<
                        ::larder::__private::OptionShape,
                        _,
                        _,
                    >(async move {
                        #[allow(unreachable_code, clippy::all, clippy::pedantic)]
                        if false {
                            let fake: Option<User> = loop {};
                            return fake;
                        }
                        { None }
                    }),
            )
            .await
    }
}
