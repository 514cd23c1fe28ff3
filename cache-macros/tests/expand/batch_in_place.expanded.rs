impl Methods {
    fn rates(&self, days: Vec<u32>) -> Rates {
        ::larder::__private::inventory::submit! {
            ::larder::__private::Record::new(::larder::__private::Kind::Memoize,
            ::core::module_path!(), "rates", ::core::file!(), ::core::line!())
            .value("Rates").key("rate:{day}", & [::larder::__private::Texts::Integer])
            .tags(& ["day:{day}"]).layer(::larder::__private::Layer::Memory)
        }
        {
            #[allow(unused_imports)]
            use ::larder::__private::EachOk as _;
            ::larder::__private::EachPlainly::<
                ::larder::__private::BatchValue<u32, Rates>,
            >::new()
                .check();
        }
        let spec = const {
            &::larder::__private::Spec::<
                ::larder::__private::BatchValue<u32, Rates>,
            >::new(
                    ::larder::__private::memory::<
                        ::larder::__private::BatchValue<u32, Rates>,
                    >(),
                    ::core::module_path!(),
                    "rates",
                    &["rate:", ""],
                )
                .tags(&[&["day:", ""]])
                .layer(::larder::__private::Layer::Memory)
        };
        let mut batch = ::larder::__private::batch::<
            u32,
            _,
        >(
            spec,
            ::larder::__private::current(),
            &days,
            |day, look| {
                look
                    .at(&[::larder::__private::part(&day)])
                    .map(|miss| miss.tagged(&[::larder::__private::part(&day)]))
            },
        );
        let missing = batch.missing_sync();
        let body = match missing {
            ::core::option::Option::Some(missing) => {
                ::core::option::Option::Some(
                    batch
                        .watch_sync(|| {
                            let mut days = missing;
                            (move || -> Rates {
                                {
                                    days.sort();
                                    self.rates_of(days)
                                }
                            })()
                        }),
                )
            }
            ::core::option::Option::None => ::core::option::Option::None,
        };
        batch
            .finish_sync(
                ::larder::__private::returns::<
                    ::larder::__private::PlainShape,
                    Rates,
                    u32,
                    _,
                >(),
                body,
            )
    }
}
