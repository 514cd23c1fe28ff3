//! The protocol's Lua scripts and how a batch calls them.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// One script: sent by its hash, and whole to a server that does not know the hash.
pub(crate) struct Lua {
    code: &'static str,
    hash: String,
}

impl Lua {
    fn new(code: &'static str) -> Self {
        Self { code, hash: Script::new(code).get_hash().to_owned() }
    }

    /// `EVALSHA hash numkeys key…`; the arguments follow.
    pub(crate) fn call(&self, keys: &[&str]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hash).arg(keys.len()).arg(keys);
        command
    }

    /// `EVAL code numkeys key…`; the arguments follow.
    pub(crate) fn call_whole(&self, keys: &[&str]) -> Cmd {
        self.whole(&self.call(keys))
    }

    /// The same call with the whole script instead of its hash.
    fn whole(&self, call: &Cmd) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(self.code);
        for argument in call.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }
}

/// The `EVAL` for an `EVALSHA` that the server answered with NOSCRIPT; `None` when the call is none of ours.
pub(crate) fn whole(call: &Cmd) -> Option<Cmd> {
    let hash = match call.args_iter().nth(1) {
        Some(redis::Arg::Simple(hash)) => hash,
        _ => return None,
    };
    SCRIPTS.iter().find(|lua| lua.hash.as_bytes() == hash).map(|lua| lua.whole(call))
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub(crate) static $name: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!($file)));)*
        static SCRIPTS: [&LazyLock<Lua>; [$($file),*].len()] = [$(&$name),*];
    };
}

scripts! {
    READ = "scripts/read.lua";
    FILL = "scripts/fill.lua";
    RENEW = "scripts/renew.lua";
    RELEASE = "scripts/release.lua";
    UNLEASE = "scripts/unlease.lua";
    CAPTURE = "scripts/capture.lua";
    STAMP = "scripts/stamp.lua";
    BEGIN = "scripts/begin.lua";
    FINISH = "scripts/finish.lua";
    PATTERN = "scripts/pattern.lua";
    UNTAG = "scripts/untag.lua";
    BEGIN_TAGS = "scripts/begin_tags.lua";
    FINISH_TAGS = "scripts/finish_tags.lua";
    INDEX = "scripts/index.lua";
    PROLONG = "scripts/prolong.lua";
    SWEEP = "scripts/sweep.lua";
    PROBE = "scripts/probe.lua";
    LOCK = "scripts/lock.lua";
    RELOCK = "scripts/relock.lua";
    UNLOCK = "scripts/unlock.lua";
    LIMIT_WINDOW = "scripts/limit_window.lua";
    LIMIT_LOG = "scripts/limit_log.lua";
    LIMIT_BUCKET = "scripts/limit_bucket.lua";
    SESSION = "scripts/session.lua";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_hash_becomes_the_whole_script_with_the_same_arguments() {
        let mut call = RENEW.call(&["l:{a}"]);
        call.arg(b"\x00\xff").arg(25);
        let again = whole(&call).unwrap();
        let mut expected = redis::cmd("EVAL");
        expected
            .arg(include_str!("scripts/renew.lua"))
            .arg(1)
            .arg("l:{a}")
            .arg(b"\x00\xff")
            .arg(25);
        assert_eq!(again.get_packed_command(), expected.get_packed_command());
    }

    #[test]
    fn another_ones_script_is_left_alone() {
        let mut call = redis::cmd("EVALSHA");
        call.arg("0000").arg(0);
        assert!(whole(&call).is_none());
    }
}
