impl Methods {
    async fn price(&self, item: String) -> Result<u64, DbError> {
        ::larder::__private::inventory::submit! {
            ::larder::__private::Record::new(::larder::__private::Kind::CacheAside,
            ::core::module_path!(), "price", ::core::file!(), ::core::line!())
            .value("u64").value_type(::larder::__private::named:: < u64 >)
            .key("price:{self.shop}:{item}", & [])
        }
        let share = {
            #[allow(unused_imports)]
            use ::larder::__private::sharing::*;
            (&Probe::<DbError>::new()).share()
        };
        let looked = ::larder::__private::look::<
            ::larder::__private::ResultShape,
            Result<u64, DbError>,
        >(
            Self::__price_in_a_trait_impl_needs_companions_false(&self),
            ::larder::__private::current(),
            &[::larder::__private::part(&self.shop), ::larder::__private::part(&item)],
        );
        let loading = match match looked {
            ::core::result::Result::Ok(served) => served,
            ::core::result::Result::Err(miss) => {
                ::std::boxed::Box::pin(
                        miss
                            .enter::<
                                ::larder::__private::ResultShape,
                                Result<u64, DbError>,
                            >(share),
                    )
                    .await
            }
        } {
            ::larder::__private::Served::Hit(hit) => return hit,
            ::larder::__private::Served::Due(hit, renewal) => {
                if let ::core::option::Option::Some(renewal) = renewal.begin(share) {
                    let this = ::larder::__private::keep_ref(self);
                    let item = ::larder::__private::keep(&item);
                    renewal
                        .run::<
                            ::larder::__private::ResultShape,
                            Result<u64, DbError>,
                            _,
                        >(
                            share,
                            async move {
                                Self::price_uncached(::larder::__private::lend(&this), item)
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
                    .run_softly::<
                        ::larder::__private::ResultShape,
                        Result<u64, DbError>,
                        _,
                    >(
                        share,
                        {
                            let this = ::larder::__private::keep_ref(self);
                            let item = ::larder::__private::keep(&item);
                            async move {
                                Self::price_uncached(::larder::__private::lend(&this), item)
                                    .await
                            }
                        },
                    ),
            )
            .await
    }
    #[doc(hidden)]
    #[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
    fn __price_in_a_trait_impl_needs_companions_false(
        &self,
    ) -> &'static ::larder::__private::Spec<u64> {
        const {
            &::larder::__private::Spec::<
                u64,
            >::new(
                    ::larder::__private::shared::<u64>(),
                    ::core::module_path!(),
                    "price",
                    &["price:", ":", ""],
                )
                .stale(0u64, 3600000u64, false)
                .soft_timeout(100u64)
        }
    }
    /// What `price` does, without the cache.
    #[allow(dead_code, unreachable_pub, async_fn_in_trait)]
    #[allow(
        clippy::missing_errors_doc,
        clippy::missing_panics_doc,
        clippy::must_use_candidate
    )]
    async fn price_uncached(
        &self,
        #[allow(unused_variables)]
        item: String,
    ) -> Result<u64, DbError> {
        self.source.price(item).await
    }
    /// The entry of `price` for these arguments.
    #[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
    fn price_entry(&self, item: String) -> ::larder::Entry<u64> {
        ::larder::__private::entry(
            Self::__price_in_a_trait_impl_needs_companions_false(&self),
            ::larder::__private::current(),
            &[::larder::__private::part(&self.shop), ::larder::__private::part(&item)],
        )
    }
    /// Everything that `price` has stored.
    #[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
    fn price_cache(&self) -> ::larder::FnCache {
        ::larder::__private::fn_cache(
            Self::__price_in_a_trait_impl_needs_companions_false(&self),
            ::larder::__private::current(),
        )
    }
}
