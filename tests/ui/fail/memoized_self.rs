use larder::memoize;

struct Service;

impl Service {
    #[memoize]
    fn get(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
