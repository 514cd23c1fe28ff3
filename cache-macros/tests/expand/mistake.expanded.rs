/// One user.
pub async fn get_user(db: &Db, user_id: u64) -> Result<User, DbError> {
    db.user(user_id).await
}
#[allow(unused_variables)]
/// The entry of `get_user` for these arguments.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub fn get_user_entry(user_id: u64) -> ::larder::Entry<User> {
    ::core::panic!("this attribute has a mistake")
}
#[allow(unused_variables)]
/// Everything that `get_user` has stored.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub fn get_user_cache() -> ::larder::FnCache {
    ::core::panic!("this attribute has a mistake")
}
#[allow(dead_code, unused_variables, unused_mut, missing_docs)]
pub async fn get_user_uncached(db: &Db, user_id: u64) -> Result<User, DbError> {
    ::core::panic!("this attribute has a mistake")
}
::core::compile_error! {
    "a duration contains no white space: write `5m`"
}
::core::compile_error! {
    "unknown placeholder `{usr_id}`: did you mean `{user_id}`?\n\n    user:{usr_id}\n         ^^^^^^^^\n"
}
