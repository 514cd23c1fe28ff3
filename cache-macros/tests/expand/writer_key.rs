#[write_through(key = "user:{id}", ttl = 60, tags = ["user"])]
fn store(id: u64, user: User) -> User {
    user
}
