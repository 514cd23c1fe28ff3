//! The names of the protocol's keys.

use cache_store::{Error, ErrorKind, LimitCheck, LimitStrategy, News, Result};
use cache_template::Glob;
use redis::Cmd;

use crate::limit::micros;

/// The namespace when the prefix is empty: a hash tag cannot be.
const DEFAULT_NAMESPACE: &str = "larder";

/// The names of one namespace. What belongs to a key shares the key's hash slot, the rest shares the namespace's.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    namespace: String,
    newest_pattern: Cmd,
}

impl Names {
    /// The names under `prefix`, whose trailing `:` does not count.
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let namespace = prefix.strip_suffix(':').unwrap_or(prefix);
        if namespace.contains(['{', '}']) {
            return Err(refused(prefix, "`{` and `}` delimit the hash slot"));
        }
        // `a` with the key `b:k:x` and `a:k:b` with the key `x` would both be `{a:k:b:k:x}`.
        if namespace.split(':').skip(1).any(|segment| segment == "k") {
            return Err(refused(prefix, "the segment `k` separates the namespace from the key"));
        }
        let namespace = if namespace.is_empty() { DEFAULT_NAMESPACE } else { namespace };
        let mut newest_pattern = redis::cmd("LINDEX");
        newest_pattern.arg(["d:{", namespace, "}"].concat()).arg(-1);
        Ok(Self { namespace: namespace.to_owned(), newest_pattern })
    }

    /// `v:{ns:k:KEY}`, the value.
    pub(crate) fn value(&self, key: &str) -> String {
        self.of_key("v:{", key)
    }

    /// `d:{ns:k:KEY}`, the key's nonce.
    pub(crate) fn dependency(&self, key: &str) -> String {
        self.of_key("d:{", key)
    }

    /// `l:{ns:k:KEY}`, the lease.
    pub(crate) fn lease(&self, key: &str) -> String {
        self.of_key("l:{", key)
    }

    /// `w:{ns:k:KEY}`, the writers at work.
    pub(crate) fn writers(&self, key: &str) -> String {
        self.of_key("w:{", key)
    }

    /// `x:{ns:k:NAME}`, a lock of the application's.
    pub(crate) fn lock(&self, name: &str) -> String {
        self.of_key("x:{", name)
    }

    /// `f:{ns:k:NAME}`, the newest fencing token of that lock.
    pub(crate) fn fence(&self, name: &str) -> String {
        self.of_key("f:{", name)
    }

    /// `r:{ns:k:NAME}sPER`, the calls that were counted for a rate limit: by the first letter of the strategy, in a window of
    /// so many microseconds.
    pub(crate) fn limit(&self, check: &LimitCheck<'_>) -> String {
        let kind = match check.strategy {
            LimitStrategy::FixedWindow => 'f',
            LimitStrategy::SlidingWindow => 's',
            LimitStrategy::TokenBucket { .. } => 'b',
        };
        format!("{}{kind}{}", self.of_key("r:{", check.name), micros(check.per))
    }

    /// Sessions of one name in one shard, and the lists of their users.
    pub(crate) fn sessions(&self, name: &str, shard: u16) -> SessionNames {
        let rest = format!(":{{{}:s:{shard:03x}}}{name}:", self.namespace);
        SessionNames { sessions: ["i", &rest].concat(), lists: ["u", &rest].concat() }
    }

    /// `d:{ns}`, the pattern log.
    pub(crate) fn pattern_log(&self) -> String {
        ["d:{", &self.namespace, "}"].concat()
    }

    /// What asks for the newest record of the pattern log, as every read does.
    pub(crate) fn newest_pattern(&self) -> Cmd {
        self.newest_pattern.clone()
    }

    /// `g:{ns}`, the tag log.
    pub(crate) fn tag_log(&self) -> String {
        ["g:{", &self.namespace, "}"].concat()
    }

    /// `d:{ns}t:TAG`, a tag's nonce.
    pub(crate) fn tag(&self, tag: &str) -> String {
        ["d:{", &self.namespace, "}t:", tag].concat()
    }

    /// `w:{ns}t`, the tags that are being changed.
    pub(crate) fn changing(&self) -> String {
        ["w:{", &self.namespace, "}t"].concat()
    }

    /// `w:{ns}t:TAG`, who changes a tag.
    pub(crate) fn changers(&self, tag: &str) -> String {
        ["w:{", &self.namespace, "}t:", tag].concat()
    }

    /// `w:{ns}`, which nobody writes.
    pub(crate) fn unused(&self) -> String {
        ["w:{", &self.namespace, "}"].concat()
    }

    /// The beginnings of the names whose changes are news: of every dependency in the namespace, and of nothing in
    /// another one, since no prefix has a segment `k`. Redis wants no beginning to be part of another.
    pub(crate) fn tracked(&self) -> [String; 2] {
        [["d:{", &self.namespace, ":k:"].concat(), self.pattern_log()]
    }

    /// What a change of the key `name` means; `None` for a name that this protocol never makes, on which nothing can
    /// depend.
    pub(crate) fn told<'a>(&self, name: &'a [u8]) -> Option<News<'a>> {
        let rest = name.strip_prefix(b"d:{")?.strip_prefix(self.namespace.as_bytes())?;
        let text = |bytes: &'a [u8]| str::from_utf8(bytes).ok();
        if rest == b"}" {
            return Some(News::Patterns);
        }
        if let Some(tag) = rest.strip_prefix(b"}t:") {
            return text(tag).map(News::Tag);
        }
        text(rest.strip_prefix(b":k:")?.strip_suffix(b"}")?).map(News::Key)
    }

    /// `s:{ns:t:TAG}`, the keys that were stored with a tag. One slot for each tag: together they may be as large as all
    /// that is cached, which is too much for the namespace's slot.
    ///
    /// The namespaces `a` and `a:t:b` may share a set. Its members' nonces tell them apart.
    pub(crate) fn tag_set(&self, tag: &str) -> String {
        ["s:{", &self.namespace, ":t:", tag, "}"].concat()
    }

    /// A glob in Redis's syntax that matches the values of all keys that `glob` matches, and maybe others: Redis's `?` is
    /// a byte, and it has no `{}`. Of keys that were too long to be kept whole it may miss some.
    pub(crate) fn values_matching(&self, glob: &Glob) -> String {
        self.matching("v:{", glob)
    }

    /// `t:{ns:k:TOPIC}`, the channel of a topic.
    pub(crate) fn topic(&self, topic: &str) -> String {
        self.of_key("t:{", topic)
    }

    /// The topic of this channel.
    pub(crate) fn topic_of<'a>(&self, channel: &'a str) -> Option<&'a str> {
        let rest = channel.strip_prefix("t:{")?.strip_prefix(self.namespace.as_str())?;
        rest.strip_prefix(":k:")?.strip_suffix('}')
    }

    /// The same as [`values_matching`](Self::values_matching) for the channels of topics.
    pub(crate) fn topics_matching(&self, glob: &Glob) -> String {
        self.matching("t:{", glob)
    }

    fn matching(&self, kind: &str, glob: &Glob) -> String {
        let mut redis = kind.to_owned();
        self.namespace.chars().for_each(|c| push_literal(&mut redis, c));
        redis.push_str(":k:");
        let mut text = glob.as_str().chars();
        while let Some(c) = text.next() {
            match c {
                '*' | '?' | '{' => redis.push('*'),
                // The other half of `{}`; alone it is `\}`.
                '}' => {}
                '\\' => text.next().into_iter().for_each(|c| push_literal(&mut redis, c)),
                c => push_literal(&mut redis, c),
            }
        }
        redis.push('}');
        redis
    }

    /// The key whose value has this name.
    pub(crate) fn key_of_value<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_prefix("v:{")?.strip_prefix(self.namespace.as_str())?;
        rest.strip_prefix(":k:")?.strip_suffix('}')
    }

    /// Writes [`value`](Self::value) over what is in `name`.
    pub(crate) fn write_value(&self, name: &mut String, key: &str) {
        self.write(name, "v:{", key);
    }

    /// Writes [`dependency`](Self::dependency) over what is in `name`.
    pub(crate) fn write_dependency(&self, name: &mut String, key: &str) {
        self.write(name, "d:{", key);
    }

    fn of_key(&self, kind: &str, key: &str) -> String {
        [kind, &self.namespace, ":k:", key, "}"].concat()
    }

    fn write(&self, name: &mut String, kind: &str, key: &str) {
        name.clear();
        [kind, &self.namespace, ":k:", key, "}"].into_iter().for_each(|part| name.push_str(part));
    }
}

/// The beginnings of names that end with a digest: which has no `:`, so that the rest is the application's name.
pub(crate) struct SessionNames {
    sessions: String,
    lists: String,
}

impl SessionNames {
    /// `i:{ns:s:SHARD}NAME:DIGEST`, a session.
    pub(crate) fn session(&self, digest: &str) -> String {
        [&self.sessions, digest].concat()
    }

    /// `u:{ns:s:SHARD}NAME:USER`, the list of a user's sessions.
    pub(crate) fn list(&self, user: &str) -> String {
        [&self.lists, user].concat()
    }
}

/// Escapes what Redis's globs know.
fn push_literal(glob: &mut String, c: char) {
    if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
        glob.push('\\');
    }
    glob.push(c);
}

fn refused(prefix: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the prefix `{prefix}` cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(name: &str) -> LimitCheck<'_> {
        let (per, strategy) = (Duration::from_secs(60), LimitStrategy::SlidingWindow);
        LimitCheck { name, limit: 5, per, cost: 1, strategy }
    }

    #[test]
    fn a_channel_names_one_topic_of_one_namespace() {
        let (names, other) = (Names::new("cache:").unwrap(), Names::new("cache:k2").unwrap());
        for topic in ["orders", "orders:k:1", "}", "{}", "a}b", " ", "\0"] {
            let channel = names.topic(topic);
            assert_eq!(names.topic_of(&channel), Some(topic));
            assert_eq!(other.topic_of(&channel), None);
        }
        for foreign in ["orders", "t:{cache:k:orders", "t:{cache:orders}", "v:{cache:k:orders}"] {
            assert_eq!(names.topic_of(foreign), None, "{foreign}");
        }
        let glob = Glob::parse(r"*?\*\[").unwrap();
        assert_eq!(names.topics_matching(&glob), r"t:{cache:k:**\*\[}");
    }

    #[test]
    fn two_counts_have_two_names() {
        let names = Names::new("ns").unwrap();
        let strategies = [
            LimitStrategy::FixedWindow,
            LimitStrategy::SlidingWindow,
            LimitStrategy::TokenBucket { burst: 5 },
        ];
        let mut all = std::collections::HashSet::new();
        for name in ["a", "a}s1", "a}s10", "a}f60000000", "}", "a{"] {
            for strategy in strategies {
                for per in [Duration::from_micros(1), Duration::from_secs(60)] {
                    assert!(all.insert(names.limit(&LimitCheck { strategy, per, ..check(name) })));
                }
            }
        }
        // What the limit is does not tell counts apart.
        assert!(!all.insert(names.limit(&LimitCheck { limit: 9, cost: 2, ..check("a") })));
    }

    #[test]
    fn the_key_stands_whole_in_the_names() {
        let names = Names::new("cache:").unwrap();
        assert_eq!(names.value("user:42"), "v:{cache:k:user:42}");
        assert_eq!(names.dependency("user:42"), "d:{cache:k:user:42}");
        assert_eq!(names.lease("user:42"), "l:{cache:k:user:42}");
        assert_eq!(names.writers("user:42"), "w:{cache:k:user:42}");
        assert_eq!(names.lock("import"), "x:{cache:k:import}");
        assert_eq!(names.fence("import"), "f:{cache:k:import}");
        assert_eq!(names.limit(&check("login")), "r:{cache:k:login}s60000000");
        let sessions = names.sessions("web", 0xab);
        assert_eq!(sessions.session("12"), "i:{cache:s:0ab}web:12");
        assert_eq!(sessions.list("34"), "u:{cache:s:0ab}web:34");
        assert_eq!(names.pattern_log(), "d:{cache}");
        assert_eq!(names.tag_log(), "g:{cache}");
        assert_eq!(names.tag("vip"), "d:{cache}t:vip");
        assert_eq!(names.tag_set("vip"), "s:{cache:t:vip}");
    }

    #[test]
    fn an_empty_prefix_has_a_namespace_of_its_own() {
        assert_eq!(Names::new("").unwrap().pattern_log(), "d:{larder}");
        assert_eq!(Names::new("shop").unwrap().value("a"), Names::new("shop:").unwrap().value("a"));
    }

    #[test]
    fn a_prefix_that_could_name_another_ones_keys_is_refused() {
        for prefix in ["a{b", "a}", "a:k:b", "a:k:", "a:k"] {
            let error = Names::new(prefix).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{prefix}");
            assert!(error.to_string().contains(prefix), "{error}");
        }
        assert!(Names::new("k:").is_ok());
    }

    #[test]
    fn what_is_tracked_is_every_dependency_of_the_namespace_and_nothing_of_another() {
        let is_tracked = |name: &str| {
            let names = Names::new("ns").unwrap();
            names.tracked().iter().filter(|beginning| name.starts_with(beginning.as_str())).count()
        };
        let names = Names::new("ns").unwrap();
        for name in [names.dependency("a:k:}{"), names.pattern_log(), names.tag("}t:")] {
            assert_eq!(is_tracked(&name), 1, "{name}");
        }
        for name in [names.value("a"), names.lease("a"), names.writers("a"), names.tag_log()]
            .into_iter()
            .chain([names.lock("a"), names.fence("a"), names.limit(&check("a"))])
            .chain([names.sessions("a", 0).session("b"), names.sessions("a", 0).list("b")])
        {
            assert_eq!(is_tracked(&name), 0, "{name}");
        }
        for other in ["ns2", "n", "ns:k2", "ns:x", "ns:", "ns:kk:x", "k"] {
            let other = Names::new(&format!("{other}:")).unwrap();
            for name in [other.dependency("a"), other.pattern_log(), other.tag("a")] {
                assert_eq!(is_tracked(&name), 0, "{name}");
                assert_eq!(names.told(name.as_bytes()), None, "{name}");
            }
        }
        let [first, second] = names.tracked();
        assert!(!first.starts_with(&second) && !second.starts_with(&first));
    }

    #[test]
    fn a_changed_name_is_told_as_what_it_is() {
        let names = Names::new("ns").unwrap();
        for text in ["user:42", "", "}", "a}t:b", ":k:", "\u{e9}"] {
            assert_eq!(names.told(names.dependency(text).as_bytes()), Some(News::Key(text)));
            assert_eq!(names.told(names.tag(text).as_bytes()), Some(News::Tag(text)));
        }
        assert_eq!(names.told(names.pattern_log().as_bytes()), Some(News::Patterns));
        for name in
            [&b"d:{ns:k:\xff}"[..], b"d:{ns}t:\xff", b"d:{ns}x", b"d:{ns:k:a", b"d:{ns", b""]
        {
            assert_eq!(names.told(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_glob_for_redis_matches_at_least_what_ours_does() {
        let names = Names::new("s*op:").unwrap();
        for (ours, redis) in [
            ("users:*", r"v:{s\*op:k:users:*}"),
            ("user:?:x", r"v:{s\*op:k:user:*:x}"),
            ("user:{}:{}", r"v:{s\*op:k:user:*:*}"),
            (r"what\?:\[1\]\{\}", r"v:{s\*op:k:what\?:\[1\]{}}"),
            ("a^b", r"v:{s\*op:k:a\^b}"),
        ] {
            assert_eq!(names.values_matching(&Glob::parse(ours).unwrap()), redis, "{ours}");
        }
    }

    #[test]
    fn the_key_of_a_value_is_found_in_its_name_and_only_there() {
        let names = Names::new("cache:").unwrap();
        for key in ["user:42", "", "a}b", "ключ"] {
            assert_eq!(names.key_of_value(&names.value(key)), Some(key));
        }
        for other in
            ["v:{cache2:k:a}", "v:{cache:x:a}", "d:{cache:k:a}", "v:cache:k:a", "v:{cache:k:a"]
        {
            assert_eq!(names.key_of_value(other), None);
        }
    }
}
