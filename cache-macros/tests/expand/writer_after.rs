#[write_through(entry = get_user(tenant, value.id), invalidates = [self.find(value.name)], invalidate_tags = ["of:{value.team}:{self.region}"])]
async fn create(self, tenant: String) -> Option<User> {
    None
}
