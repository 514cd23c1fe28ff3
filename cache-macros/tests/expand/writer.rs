#[write_through(entry = users::get_user(user_id), invalidates = [list_users(*), self.repo.find::<User>(&id)], invalidate_patterns = ["users:{id}:*"])]
async fn update_user(&mut self, user_id: u64, id: String) -> Result<User, DbError> {
    self.save(id).await
}
