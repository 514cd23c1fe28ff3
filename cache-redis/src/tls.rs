//! Certificates, and which cryptography rustls uses.

use cache_store::{Error, ErrorKind, Result};
use redis::{Client, ClientTlsConfig, ConnectionInfo, TlsCertificates};

use crate::config::RedisConfig;

/// The configured certificates, if there are any.
pub(crate) fn certificates(config: &RedisConfig) -> Option<TlsCertificates> {
    if config.root_certificate.is_none() && config.client_certificate.is_none() {
        return None;
    }
    let client_tls = config
        .client_certificate
        .clone()
        .map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    Some(TlsCertificates { client_tls, root_cert: config.root_certificate.clone() })
}

/// The connection with these certificates.
pub(crate) fn apply(info: ConnectionInfo, certificates: TlsCertificates) -> Result<ConnectionInfo> {
    let client = Client::build_with_tls(info, certificates).map_err(|_| {
        Error::new(ErrorKind::Config, "the TLS certificates or their key do not parse as PEM")
    })?;
    Ok(client.get_connection_info().clone())
}

/// redis-rs brings rustls without any cryptography, and rustls panics then. A provider that the program installed
/// itself stays.
pub(crate) fn ensure_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race means that somebody else has just installed one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
