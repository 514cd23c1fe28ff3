use larder::KeyPart;

#[derive(KeyPart)]
struct Place {
    country: String,
    city: String,
}

#[derive(KeyPart)]
struct Nothing;

#[derive(KeyPart)]
enum Role {
    Guest,
    Member(u64),
    Owner { id: u64 },
}

pub struct Bare;

#[derive(KeyPart)]
struct Wrapped(Bare);

fn main() {}
