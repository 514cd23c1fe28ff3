//! Encrypted connections, with certificates made for the occasion.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]
#![cfg(feature = "tls")]

mod common;

use cache_redis::RedisStore;
use cache_store::ErrorKind;
use common::{certificates::Certificates, *};

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

/// What connecting ends with.
async fn refused(settings: cache_redis::RedisConfig) -> String {
    let error = RedisStore::connect(settings).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    error.to_string()
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_by_connect() {
    let (certificates, others) = (Certificates::new("right"), Certificates::new("others"));
    let (_server, port) = certificates.serve("no");
    let at = |host: &str| config(&format!("rediss://{host}:{port}"));
    let error = refused(at("127.0.0.1").root_certificate(others.read("ca.crt"))).await;
    assert!(error.contains("root_certificate"), "another authority: {error}");
    let error = refused(at("localhost").root_certificate(certificates.read("ca.crt"))).await;
    assert!(error.contains("not valid for name"), "another name: {error}");

    let expired = Certificates::in_force("expired", -1);
    let (_server, port) = expired.serve("no");
    let settings = config(&format!("rediss://127.0.0.1:{port}"));
    let error = refused(settings.root_certificate(expired.read("ca.crt"))).await;
    assert!(error.contains(": Expired"), "{error}");
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_reached_over_tls_and_its_changes_are_heard() {
    use common::server::{Cluster, free_port};

    let certificates = Certificates::new("cluster");
    let ports = [free_port(), free_port(), free_port()];
    let start = |port: &u16| {
        let mut arguments = certificates.arguments(*port, "no");
        let more = ["--tls-cluster", "yes", "--cluster-enabled", "yes"];
        arguments.extend(more.map(str::to_owned));
        Server::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // Encrypted, the nodes know each other by their encrypted ports.
    let _cluster = Cluster::at(ports.iter().map(start).collect(), &ports);
    let url = format!("rediss-cluster://127.0.0.1:{}", ports[1]);
    let trusting = config(&url).root_certificate(certificates.read("ca.crt"));
    let store = RedisStore::connect(trusting).await.unwrap();
    let ears = Ears::attentive(&store).await;
    for key in (0..20).map(|n| format!("key:{n}")) {
        assert!(put(&store, &key, "body", MINUTE).await);
        assert_eq!(get(&store, &key).await.as_deref(), Some("body"));
        assert!(ears.told(&store).await.contains(&format!("key {key}")));
    }
    let error = refused(config(&url)).await;
    assert!(error.contains("root_certificate"), "{error}");
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
