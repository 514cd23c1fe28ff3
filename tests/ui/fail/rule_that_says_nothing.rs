use larder::{InvalidationRules, Invalidations, cache_aside};

struct UserUpdated {
    id: u64,
}

#[cache_aside(key = "user:{id}")]
async fn get_user(id: u64) -> u64 {
    id
}

fn main() {
    // Not a key, not an entry: whatever it is, it says nothing.
    let _ = InvalidationRules::new().on::<UserUpdated>(|event| event.id);
    // The call, not its entry.
    let _ = InvalidationRules::new()
        .on::<UserUpdated>(|event| Invalidations::new().entry(get_user(event.id)));
    let _ = Invalidations::new().entry("user:42");
    // One is not all, and all is not one.
    let _ = Invalidations::new().everything_of(get_user_entry(42));
    let _ = Invalidations::new().entry(get_user_cache());
    // The event's fields are checked like any others.
    let _ = InvalidationRules::new().on::<UserUpdated>(|event| Invalidations::new().key(event.name));
}
