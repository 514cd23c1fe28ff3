//! Encrypted connections, with certificates made for the occasion.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]
#![cfg(feature = "tls")]

mod common;

use std::{fs, path::PathBuf, process::Command};

use cache_redis::RedisStore;
use cache_store::ErrorKind;
use common::*;

/// A certificate authority, and a certificate for 127.0.0.1 that it signed.
struct Certificates(PathBuf);

impl Certificates {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("larder-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let this = Self(dir);
        this.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test ca",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
        ]);
        this.openssl(&[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=127.0.0.1",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
        ]);
        fs::write(this.0.join("san"), "subjectAltName=IP:127.0.0.1").unwrap();
        this.openssl(&[
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-days",
            "2",
            "-set_serial",
            "1",
            "-extfile",
            "san",
            "-out",
            "server.crt",
        ]);
        this
    }

    fn openssl(&self, arguments: &[&str]) {
        let made = Command::new("openssl").args(arguments).current_dir(&self.0).output();
        let made =
            made.expect("these tests need openssl: install it with `apt-get install openssl`");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    /// A server that takes plain connections on its port and encrypted ones on the second.
    fn serve(&self, clients: &str) -> (Server, u16) {
        let port = common::server::free_port();
        let server = Server::start(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &self.path("server.crt"),
            "--tls-key-file",
            &self.path("server.key"),
            "--tls-ca-cert-file",
            &self.path("ca.crt"),
            "--tls-auth-clients",
            clients,
        ]);
        (server, port)
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_trusted_server_is_reached_over_tls_and_an_untrusted_one_is_an_error_of_connect() {
    let certificates = Certificates::new("trust");
    let (_server, port) = certificates.serve("no");
    let url = format!("rediss://127.0.0.1:{port}");
    let trusting = config(&url).root_certificate(certificates.read("ca.crt"));
    let store = RedisStore::connect(trusting).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);
    assert_eq!(get(&store, "a").await.as_deref(), Some("body"));

    let error = RedisStore::connect(config(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.to_string().contains("TLS"), "{error}");
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_it() {
    let certificates = Certificates::new("client");
    let (_server, port) = certificates.serve("yes");
    let trusting =
        config(&format!("rediss://127.0.0.1:{port}")).root_certificate(certificates.read("ca.crt"));
    let error = RedisStore::connect(trusting.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    let known = trusting
        .client_certificate(certificates.read("server.crt"), certificates.read("server.key"));
    let store = RedisStore::connect(known.clone()).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);
    assert!(!format!("{known:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn an_unreachable_server_is_no_matter_of_trust() {
    let url = format!("rediss://127.0.0.1:{}", common::server::free_port());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    assert_eq!(read(&store, "a").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn a_certificate_that_does_not_parse_is_an_error_of_the_settings() {
    let broken = config("rediss://host").root_certificate("-----BEGIN CERTIFICATE-----\n%%%");
    assert_eq!(broken.validate().unwrap_err().kind(), ErrorKind::Config);
}
