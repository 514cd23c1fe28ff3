pub async fn forget(id: u64) {
    ::larder::__private::inventory::submit! {
        ::larder::__private::Record::new(::larder::__private::Kind::CacheInvalidate,
        ::core::module_path!(), "forget", ::core::file!(), ::core::line!())
        .invalidate_keys(& ["user:{id}"]).invalidate_tags(& ["user"])
    }
    let write = ::larder::__private::writer(::larder::__private::current())
        .key(&["user:", ""], &[::larder::__private::part(&id)])
        .tag(&["user"], &[]);
    ::std::boxed::Box::pin(
            write
                .run::<
                    ::larder::__private::PlainShape,
                    _,
                    _,
                >(async move {
                    #[allow(unreachable_code, clippy::all, clippy::pedantic)]
                    if false {
                        let fake: () = loop {};
                        return fake;
                    }
                    {}
                }),
        )
        .await
}
