use larder::memoize;

#[memoize]
const fn constant(id: u64) -> u64 {
    id
}

#[memoize]
unsafe fn risky(id: u64) -> u64 {
    id
}

#[memoize]
extern "C" fn foreign(id: u64) -> u64 {
    id
}

fn main() {}
