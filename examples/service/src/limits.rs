//! How much one address may ask for.

use std::net::SocketAddr;

use axum::{extract::ConnectInfo, http::request};
use cache_http::{RateLimitLayer, address_key};
use larder::{Cache, Result};

/// Of one address, whatever it asks for. While Redis is away nobody counts, and requests go on.
pub(crate) fn of_all(cache: &Cache, per_minute: u64) -> Result<RateLimitLayer> {
    let layer = RateLimitLayer::new(cache.clone()).policy("requests");
    layer.limit(per_minute).per("1m").by(peer).checked()
}

/// Tries to sign in: counted among all processes, and in each for itself besides.
///
/// Guessing passwords must not become free when Redis is away. To refuse everybody then (`WhenAway::Closed`) would be an outage
/// of our own; the count of each process holds instead. It never refuses what the first one allows.
pub(crate) fn of_sign_ins(cache: &Cache) -> Result<(RateLimitLayer, RateLimitLayer)> {
    let tries = |cache| {
        let layer = RateLimitLayer::new(cache).policy("sign-in").limit(10).per("1m");
        layer.by(peer)
    };
    // The first one is around the second one.
    Ok((tries(Cache::memory()).headers([]).checked()?, tries(cache.clone()).checked()?))
}

fn peer(request: &request::Parts) -> Option<String> {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(peer)| address_key(peer.ip()))
}
