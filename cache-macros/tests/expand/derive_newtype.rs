#[derive(KeyPart)]
struct Id<T>(Option<T>);
