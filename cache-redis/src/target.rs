//! What a URL means: one server, Sentinel or a cluster.

use std::fmt;

use cache_store::{Error, ErrorKind, Result};
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, io::tcp::TcpSettings,
};

use crate::config::RedisConfig;

/// Where to connect.
#[derive(Clone)]
pub(crate) enum Target {
    /// To this server.
    Node(ConnectionInfo),
    /// To the master that one of the sentinels names.
    Sentinel(SentinelTarget),
    /// To the cluster that these nodes belong to.
    Cluster(Vec<ConnectionInfo>),
}

/// A service and who knows its master.
#[derive(Clone)]
pub(crate) struct SentinelTarget {
    /// The sentinels, with credentials of their own.
    pub(crate) sentinels: Vec<ConnectionInfo>,
    /// The name of the service.
    pub(crate) service: String,
    /// How to connect to the master; its address does not count.
    pub(crate) master: ConnectionInfo,
}

/// The pieces of a URL that may name several hosts. Borrowed from a secret: not for showing.
struct Parts<'a> {
    kind: Kind,
    /// The scheme that redis-rs knows.
    scheme: &'static str,
    /// With the `@`, or empty.
    credentials: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
    /// With the `#`, or empty.
    fragment: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Node,
    Sentinel,
    Cluster,
}

impl Target {
    /// Parses the configured URL. No error shows any part of it that may be secret.
    pub(crate) fn parse(config: &RedisConfig) -> Result<Self> {
        let scheme_of_all = config.url.split("://").next().unwrap_or_default();
        let url = config.url.replace(&format!(",{scheme_of_all}://"), ",");
        let parts = Parts::of(&url)?;
        parts.check_features()?;
        let target = match parts.kind {
            Kind::Node => Self::Node(parts.connect_info(parts.hosts[0], parts.path)?),
            Kind::Sentinel => Self::Sentinel(parts.sentinel()?),
            Kind::Cluster => Self::Cluster(parts.cluster()?),
        };
        #[cfg(feature = "tls")]
        let target = target.with_certificates(config)?;
        Ok(target)
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.any().addr(), ConnectionAddr::TcpTls { .. })
    }

    /// Whether the server can push.
    pub(crate) fn is_pushed_to(&self) -> bool {
        self.any().redis_settings().protocol() == ProtocolVersion::RESP3
    }

    /// What all connections have in common.
    pub(crate) fn any(&self) -> &ConnectionInfo {
        match self {
            Self::Node(info) => info,
            Self::Sentinel(target) => &target.master,
            Self::Cluster(nodes) => &nodes[0],
        }
    }

    #[cfg(feature = "tls")]
    fn with_certificates(self, config: &RedisConfig) -> Result<Self> {
        let Some(certificates) = crate::tls::certificates(config) else { return Ok(self) };
        let apply = |info: ConnectionInfo| crate::tls::apply(info, certificates.clone());
        Ok(match self {
            Self::Node(info) => Self::Node(apply(info)?),
            Self::Sentinel(target) => Self::Sentinel(SentinelTarget {
                sentinels: target.sentinels.into_iter().map(apply).collect::<Result<_>>()?,
                service: target.service,
                master: apply(target.master)?,
            }),
            Self::Cluster(nodes) => {
                Self::Cluster(nodes.into_iter().map(apply).collect::<Result<_>>()?)
            }
        })
    }
}

/// The addresses, without credentials.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(info) => write!(f, "Redis at {}", info.addr()),
            Self::Sentinel(target) => {
                write!(f, "Sentinel service {} at ", target.service)?;
                write_addresses(f, &target.sentinels)
            }
            Self::Cluster(nodes) => {
                f.write_str("Redis Cluster at ")?;
                write_addresses(f, nodes)
            }
        }
    }
}

fn write_addresses(f: &mut fmt::Formatter<'_>, nodes: &[ConnectionInfo]) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{}", node.addr())?;
    }
    Ok(())
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| malformed("no scheme"))?;
        let (mut kind, scheme) = known_scheme(scheme)?;
        let (rest, fragment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if scheme == "unix" {
            return Ok(Self {
                kind,
                scheme,
                credentials: "",
                hosts: vec![""],
                path: rest,
                query,
                fragment,
            });
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (credentials, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let hosts: Vec<&str> = hosts.split(',').map(str::trim).collect();
        if hosts.iter().any(|host| host.is_empty()) {
            return Err(malformed("a host is missing"));
        }
        let asked = query.split('&').any(|pair| matches!(pair, "cluster=true" | "cluster=1"));
        if kind == Kind::Node && (asked || hosts.len() > 1) {
            kind = Kind::Cluster;
        }
        Ok(Self { kind, scheme, credentials, hosts, path, query, fragment })
    }

    fn check_features(&self) -> Result<()> {
        let missing = if self.scheme == "rediss" && !cfg!(feature = "tls") {
            ("TLS", "tls")
        } else if self.kind == Kind::Sentinel && !cfg!(feature = "sentinel") {
            ("Sentinel", "sentinel")
        } else if self.kind == Kind::Cluster && !cfg!(feature = "cluster") {
            ("a Redis Cluster", "cluster")
        } else {
            return Ok(());
        };
        let (what, feature) = missing;
        let message = format!(
            "the Redis URL asks for {what}: enable the feature `{feature}` of larder-redis \
             (`redis-{feature}` of larder)"
        );
        Err(Error::new(ErrorKind::Config, message))
    }

    /// One host's connection, as redis-rs reads it.
    fn connect_info(&self, host: &str, path: &str) -> Result<ConnectionInfo> {
        let Self { scheme, credentials, query, fragment, .. } = self;
        self.read(&format!("{scheme}://{credentials}{host}{path}?{query}{fragment}"))
    }

    fn cluster(&self) -> Result<Vec<ConnectionInfo>> {
        if !matches!(self.path, "" | "/" | "/0") {
            return Err(malformed("a cluster has no databases besides 0"));
        }
        self.hosts.iter().map(|host| self.connect_info(host, "")).collect()
    }

    fn sentinel(&self) -> Result<SentinelTarget> {
        let mut path = self.path.trim_matches('/').splitn(2, '/');
        let service = path.next().filter(|service| !service.is_empty());
        let service =
            service.ok_or_else(|| malformed("the Sentinel service is missing"))?.to_owned();
        let database = path.next().map(|database| format!("/{database}")).unwrap_or_default();
        let master = self.connect_info(self.hosts[0], &database)?;
        let sentinels =
            self.hosts.iter().map(|host| self.sentinel_info(host)).collect::<Result<_>>()?;
        Ok(SentinelTarget { sentinels, service, master })
    }

    fn sentinel_info(&self, host: &str) -> Result<ConnectionInfo> {
        let value = |name: &str| {
            let find = |pair: &'a str| pair.split_once('=').filter(|(key, _)| *key == name);
            self.query.split('&').find_map(find).map(|(_, value)| value)
        };
        let user = value("sentinel_username").unwrap_or_default();
        let credentials = match value("sentinel_password") {
            Some(password) => format!("{user}:{password}@"),
            None => String::new(),
        };
        let port =
            if host.rsplit(']').next().unwrap_or_default().contains(':') { "" } else { ":26379" };
        let Self { scheme, fragment, .. } = self;
        self.read(&format!("{scheme}://{credentials}{host}{port}/{fragment}"))
    }

    fn read(&self, url: &str) -> Result<ConnectionInfo> {
        let info = url.into_connection_info().map_err(|cause| {
            // The fixed part of redis-rs's message: the detail after it may quote the URL.
            malformed(cause.to_string().split(" - ").next().unwrap_or_default())
        })?;
        let resp2 =
            self.query.split('&').any(|pair| matches!(pair, "protocol=resp2" | "protocol=2"));
        let protocol = if resp2 { ProtocolVersion::RESP2 } else { ProtocolVersion::RESP3 };
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let settings = settings.set_lib_name("larder-redis", env!("CARGO_PKG_VERSION"));
        let tcp = TcpSettings::default().set_nodelay(true);
        Ok(info.set_redis_settings(settings).set_tcp_settings(tcp))
    }
}

fn known_scheme(scheme: &str) -> Result<(Kind, &'static str)> {
    Ok(match scheme {
        "redis" | "valkey" => (Kind::Node, "redis"),
        "rediss" | "valkeys" => (Kind::Node, "rediss"),
        "unix" | "redis+unix" | "valkey+unix" => (Kind::Node, "unix"),
        "redis-sentinel" | "valkey-sentinel" => (Kind::Sentinel, "redis"),
        "rediss-sentinel" | "valkeys-sentinel" => (Kind::Sentinel, "rediss"),
        "redis-cluster" | "valkey-cluster" => (Kind::Cluster, "redis"),
        "rediss-cluster" | "valkeys-cluster" => (Kind::Cluster, "rediss"),
        _ => {
            return Err(malformed(
                "the scheme is none of redis, rediss, unix, redis-sentinel, redis-cluster",
            ));
        }
    })
}

fn malformed(why: &str) -> Error {
    let message = format!(
        "the Redis URL is malformed ({why}); expected redis://[user:password@]host[:port][/db], special characters \
         percent-encoded"
    );
    Error::new(ErrorKind::Config, message)
}
