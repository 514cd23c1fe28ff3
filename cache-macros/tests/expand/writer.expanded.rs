impl Methods {
    async fn update_user(&mut self, user_id: u64, id: String) -> Result<User, DbError> {
        ::larder::__private::inventory::submit! {
            ::larder::__private::Record::new(::larder::__private::Kind::WriteThrough,
            ::core::module_path!(), "update_user", ::core::file!(), ::core::line!())
            .entry("users::get_user(user_id)").invalidates(& ["list_users(*)",
            "self.repo.find::<User>(&id)"]).invalidate_patterns(& ["users:{id}:*"])
        }
        {
            #[allow(unused_imports)]
            use ::larder::__private::PlainOk as _;
            ::larder::__private::Plainly::<User>::new().check();
        }
        let write = ::larder::__private::write_through::<
            User,
            _,
        >(users::get_user_entry(::core::clone::Clone::clone(&user_id)))
            .target(list_users_cache())
            .target(self.repo.find_entry::<User>(&id))
            .pattern(&["users:", ":*"], &[::larder::__private::part(&id)]);
        ::std::boxed::Box::pin(
                write
                    .run::<
                        ::larder::__private::ResultShape,
                        _,
                        _,
                    >(async move {
                        #[allow(unreachable_code, clippy::all, clippy::pedantic)]
                        if false {
                            let fake: Result<User, DbError> = loop {};
                            return fake;
                        }
                        { self.save(id).await }
                    }),
            )
            .await
    }
}
