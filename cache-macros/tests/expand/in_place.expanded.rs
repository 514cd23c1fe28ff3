async fn in_place(__arg0: (u64, Vec<u8>)) -> Result<Box<dyn Shape>, DbError>
where
    u8: Copy,
{
    my::cache::__private::inventory::submit! {
        my::cache::__private::Record::new(my::cache::__private::Kind::CacheAside,
        ::core::module_path!(), "in_place", ::core::file!(), ::core::line!())
        .value("Box<dyn Shape>").key("p:{id}", & [])
    }
    let spec = const {
        &my::cache::__private::Spec::<
            Box<dyn Shape>,
        >::new(
            my::cache::__private::shared::<Box<dyn Shape>>(),
            ::core::module_path!(),
            "in_place",
            &["p:", ""],
        )
    };
    let miss = match {
        #[allow(unused_variables)]
        let (id, list) = &__arg0;
        let result = my::cache::__private::lookup::<
            my::cache::__private::ResultShape,
            Result<Box<dyn Shape>, DbError>,
        >(spec, my::cache::__private::current(), &[my::cache::__private::part(&id)]);
        result
    } {
        ::core::result::Result::Ok(hit) => return hit,
        ::core::result::Result::Err(miss) => miss,
    };
    ::std::boxed::Box::pin(
            miss
                .load::<
                    my::cache::__private::ResultShape,
                    Result<Box<dyn Shape>, DbError>,
                    _,
                >(
                    {
                        #[allow(unused_imports)]
                        use my::cache::__private::sharing::*;
                        (&Probe::<DbError>::new()).share()
                    },
                    async move {
                        #[allow(unreachable_code, clippy::all, clippy::pedantic)]
                        if false {
                            let fake: Result<Box<dyn Shape>, DbError> = loop {};
                            return fake;
                        }
                        #[allow(unused_variables)]
                        let (id, mut list) = __arg0;
                        {
                            list.push(1);
                            Ok(Box::new(Square))
                        }
                    },
                ),
        )
        .await
}
