impl Methods {
    pub async fn get(self: &Arc<Self>, id: &Filter) -> Option<User> {
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
                ::larder::__private::Record::new(::larder::__private::Kind::StampedeProtect,
                ::core::module_path!(), "get", ::core::file!(), ::core::line!())
                .value("User").value_type(larder_value::named)
                .key("m:{self.region}:{id:hash}", & [])
            }
        };
        let miss = match ::larder::__private::lookup::<
            ::larder::__private::OptionShape,
            Option<User>,
        >(
            Self::__get_in_a_trait_impl_needs_companions_false(&self),
            ::larder::__private::current(),
            &[
                ::larder::__private::part(&self.region),
                ::larder::__private::part(&::larder::__private::hashed(&id)),
            ],
        ) {
            ::core::result::Result::Ok(hit) => return hit,
            ::core::result::Result::Err(miss) => miss,
        };
        ::std::boxed::Box::pin(
                miss
                    .load::<
                        ::larder::__private::OptionShape,
                        Option<User>,
                        _,
                    >(
                        ::larder::__private::sharing::Probe::none(),
                        Self::get_uncached(self, id),
                    ),
            )
            .await
    }
    #[doc(hidden)]
    #[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
    fn __get_in_a_trait_impl_needs_companions_false(
        &self,
    ) -> &'static ::larder::__private::Spec<User> {
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
                    "get",
                    &["m:", ":", ""],
                )
                .lease(60000u64, ::core::option::Option::None)
        }
    }
    /// What `get` does, without the cache.
    #[allow(dead_code, unreachable_pub, async_fn_in_trait)]
    #[allow(
        clippy::missing_errors_doc,
        clippy::missing_panics_doc,
        clippy::must_use_candidate
    )]
    pub async fn get_uncached(
        self: &Arc<Self>,
        #[allow(unused_variables)]
        id: &Filter,
    ) -> Option<User> {
        None
    }
    /// The entry of `get` for these arguments.
    #[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
    pub fn get_entry(&self, id: &Filter) -> ::larder::Entry<User> {
        ::larder::__private::entry(
            Self::__get_in_a_trait_impl_needs_companions_false(&self),
            ::larder::__private::current(),
            &[
                ::larder::__private::part(&self.region),
                ::larder::__private::part(&::larder::__private::hashed(&id)),
            ],
        )
    }
    /// Everything that `get` has stored.
    #[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
    pub fn get_cache(&self) -> ::larder::FnCache {
        ::larder::__private::fn_cache(
            Self::__get_in_a_trait_impl_needs_companions_false(&self),
            ::larder::__private::current(),
        )
    }
}
