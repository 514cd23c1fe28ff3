//! What redis-rs reports, as the toolkit's own [`Error`].

use cache_store::{Error, ErrorKind};
use redis::{RedisError, ServerError};

/// Answers that mean "not now": the same request may succeed when the server has room, a master, or its data again.
const REFUSALS: [&str; 12] = [
    "OOM",
    "READONLY",
    "LOADING",
    "BUSY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "MISCONF",
    "UNKILLABLE",
    "MOVED",
    "ASK",
];

/// What to do about a key that another server has. A cluster's client follows such answers until it has followed too many.
const ELSEWHERE: &str = " (another server has the key's slot. A Redis Cluster needs redis-cluster:// or ?cluster=true; where \
                         that is written, the slot is being moved: nothing is to be changed, a later request finds it)";

/// What a user needs who may not do something.
const GRANTS: &str = " (the user needs the keys and commands of Larder. For the prefix `cache:` that is: ACL SETUSER <user> \
                      ~?:{cache* +@read +@write +@scripting +@connection -@dangerous +time +info +role +cluster, and for \
                      topics &?:{cache* +@pubsub; the \
                      guide \"Redis and Valkey\" says what each of them is for)";

/// How Redis 7.0 and Valkey 8 begin to say, without NOPERM, that a script did what its user may not.
const IN_SCRIPT: [&str; 2] = ["The user executing the script", "ACL failure in script"];

/// The error for a request that failed as a whole.
pub(crate) fn from_redis(error: &RedisError) -> Error {
    if let Some(code) = error.code() {
        return from_code(code, error.detail().unwrap_or_default());
    }
    let kind = match error.kind() {
        redis::ErrorKind::AuthenticationFailed => ErrorKind::Unauthorized,
        redis::ErrorKind::Io if error.is_timeout() => ErrorKind::Timeout,
        redis::ErrorKind::Parse
        | redis::ErrorKind::UnexpectedReturnType
        | redis::ErrorKind::RESP3NotSupported => ErrorKind::Protocol,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, error.to_string())
}

/// The error for one command of a batch.
pub(crate) fn from_server(error: &ServerError) -> Error {
    from_code(error.code(), error.details().unwrap_or_default())
}

/// The error for a reply that this protocol does not know.
pub(crate) fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("unexpected reply: {what}"))
}

fn from_code(code: &str, detail: &str) -> Error {
    let kind = match code {
        "WRONGPASS" | "NOAUTH" | "NOPERM" => ErrorKind::Unauthorized,
        "ERR" if IN_SCRIPT.iter().any(|begin| detail.starts_with(begin)) => ErrorKind::Unauthorized,
        "ERR" if detail.starts_with("max number of clients") => ErrorKind::Refused,
        _ if REFUSALS.contains(&code) => ErrorKind::Refused,
        _ => ErrorKind::Protocol,
    };
    let advice = match code {
        "MOVED" | "ASK" => ELSEWHERE,
        "NOPERM" => GRANTS,
        "ERR" if kind == ErrorKind::Unauthorized => GRANTS,
        _ => "",
    };
    Error::new(kind, format!("{code} {}{advice}", without_user(detail)))
}

/// The detail of NOPERM begins with the user's name, and some providers put a secret there.
fn without_user(detail: &str) -> String {
    match detail.find(" has no permissions") {
        Some(end) => format!("the user{}", &detail[end..]),
        None => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(code: &str) -> ErrorKind {
        from_code(code, "").kind()
    }

    #[test]
    fn an_error_code_says_whether_to_try_again() {
        for code in ["WRONGPASS", "NOAUTH", "NOPERM"] {
            assert_eq!(kind_of(code), ErrorKind::Unauthorized, "{code}");
        }
        for code in ["OOM", "READONLY", "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"]
        {
            assert_eq!(kind_of(code), ErrorKind::Refused, "{code}");
        }
        for code in ["NOREPLICAS", "MISCONF"] {
            assert_eq!(kind_of(code), ErrorKind::Refused, "{code}");
        }
        for code in ["WRONGTYPE", "ERR", "EXECABORT"] {
            assert_eq!(kind_of(code), ErrorKind::Protocol, "{code}");
        }
        let full = from_code("ERR", "max number of clients reached");
        assert_eq!(full.kind(), ErrorKind::Refused);
    }

    #[test]
    fn a_slot_that_is_elsewhere_says_what_to_write_and_when_there_is_nothing_to_write() {
        let error = from_code("MOVED", "1234 127.0.0.1:7001");
        assert_eq!(error.kind(), ErrorKind::Refused);
        for part in
            ["MOVED 1234 127.0.0.1:7001", "redis-cluster://", "?cluster=true", "is being moved"]
        {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn a_refused_right_does_not_name_the_user() {
        let error = from_code("NOPERM", "User s3cret has no permissions to run the 'eval' command");
        let shown = error.to_string();
        assert!(
            shown.starts_with("NOPERM the user has no permissions to run the 'eval' command (")
        );
        assert!(shown.contains("+@scripting"), "{shown}");
    }

    #[test]
    fn a_right_that_a_script_lacks_is_a_refused_right() {
        for detail in [
            "The user executing the script can't run this command or subcommand script: 2cc4",
            "ACL failure in script: User s3cret has no permissions to run the 'set' command script: 7f1c",
        ] {
            let error = from_code("ERR", detail);
            assert_eq!(error.kind(), ErrorKind::Unauthorized);
            assert!(error.to_string().contains("+@write"), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_broken_line_is_unavailable_and_a_late_answer_is_a_timeout() {
        let of = |kind: std::io::ErrorKind| from_redis(&std::io::Error::from(kind).into()).kind();
        assert_eq!(of(std::io::ErrorKind::ConnectionRefused), ErrorKind::Unavailable);
        assert_eq!(of(std::io::ErrorKind::BrokenPipe), ErrorKind::Unavailable);
        assert_eq!(of(std::io::ErrorKind::TimedOut), ErrorKind::Timeout);
    }
}
