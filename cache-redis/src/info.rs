//! What the servers say about themselves.

use cache_store::{Result, SharedInfo};

use crate::{RedisStore, batch::Batch, reply::Replies, session::field, sweep::Broom};

impl RedisStore {
    /// One round trip to one server; to a cluster one for its map and one to each of its masters, all at the same time.
    pub(crate) async fn ask_info(&self) -> Result<SharedInfo> {
        let broom = Broom::new(self.link.clone(), self.names.clone());
        let names = broom.masters().await?;
        let ask = |name: String| Batch::new(name).with(redis::cmd("INFO"));
        let answers = self.link.send_each(names.into_iter().map(ask).collect()).await;
        let mut all: Option<SharedInfo> = None;
        for answer in answers {
            let one = parse(&Replies::new(answer?).next_text()?);
            all = Some(match all {
                Some(others) => sum(others, one),
                None => one,
            });
        }
        Ok(all.unwrap_or_default())
    }
}

fn parse(text: &str) -> SharedInfo {
    let number = |name| field(text, name)?.parse::<u64>().ok();
    let text_of = |name| field(text, name).map(str::to_owned);
    let valkey = text_of("valkey_version");
    let mut info = SharedInfo::default();
    info.servers = 1;
    info.server = text_of("server_name").or_else(|| Some("redis".to_owned()));
    // Valkey tells as Redis's the version that it is compatible with.
    info.version = valkey.or_else(|| text_of("redis_version"));
    info.memory_used = number("used_memory");
    info.memory_limit = number("maxmemory").filter(|limit| *limit > 0);
    info.keys = Some(keys(text));
    info.evictions = number("evicted_keys");
    info.hits = number("keyspace_hits");
    info.misses = number("keyspace_misses");
    info
}

/// From lines such as `db0:keys=3,expires=1,avg_ttl=0`. A database without keys has none.
fn keys(text: &str) -> u64 {
    let of = |line: &str| {
        let (name, rest) = line.split_once(":keys=")?;
        name.strip_prefix("db")?.parse::<u32>().ok()?;
        rest.split(',').next()?.trim().parse::<u64>().ok()
    };
    text.lines().filter_map(of).sum()
}

fn sum(one: SharedInfo, two: SharedInfo) -> SharedInfo {
    let add = |one: Option<u64>, two: Option<u64>| Some(one?.saturating_add(two?));
    let mut info = SharedInfo::default();
    info.servers = one.servers + two.servers;
    info.server = one.server.or(two.server);
    info.version = [one.version, two.version].into_iter().flatten().min_by_key(|it| order(it));
    info.memory_used = add(one.memory_used, two.memory_used);
    // Without a limit on one of them there is none on all.
    info.memory_limit = add(one.memory_limit, two.memory_limit);
    info.keys = add(one.keys, two.keys);
    info.evictions = add(one.evictions, two.evictions);
    info.hits = add(one.hits, two.hits);
    info.misses = add(one.misses, two.misses);
    info
}

/// 7.10 comes after 7.9.
fn order(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Server\r\nredis_version:7.2.10\r\nused_memory:1000\r\nused_memory_human:1K\r\nmaxmemory:0\r\n\
        evicted_keys:4\r\nkeyspace_hits:3\r\nkeyspace_misses:1\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\n\
        db12:keys=4,expires=0,avg_ttl=0\r\n";

    #[test]
    fn the_text_of_a_server_is_read_and_what_it_does_not_say_is_not_known() {
        let info = parse(TEXT);
        assert_eq!(info.version.as_deref(), Some("7.2.10"));
        assert_eq!(info.server.as_deref(), Some("redis"));
        assert_eq!((info.memory_used, info.memory_limit), (Some(1000), None));
        assert_eq!((info.keys, info.evictions), (Some(7), Some(4)));
        assert_eq!(info.hit_rate(), Some(0.75));
        assert_eq!(parse("").memory_used, None);
    }

    #[test]
    fn valkey_is_told_from_what_it_is_compatible_with() {
        let text = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n";
        let info = parse(text);
        assert_eq!(info.server.as_deref(), Some("valkey"));
        assert_eq!(info.version.as_deref(), Some("8.1.0"));
    }

    #[test]
    fn servers_add_up_and_the_oldest_version_is_told() {
        let limited = TEXT.replace("maxmemory:0", "maxmemory:5000").replace("7.2.10", "7.2.9");
        let both = sum(parse(TEXT), parse(&limited));
        assert_eq!((both.servers, both.keys, both.hits), (2, Some(14), Some(6)));
        assert_eq!(both.version.as_deref(), Some("7.2.9"));
        assert_eq!(both.memory_limit, None);
        assert_eq!(sum(parse(&limited), parse(&limited)).memory_limit, Some(10_000));
    }
}
