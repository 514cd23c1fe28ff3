//! A service over real data: what Larder is for, one file for each concern.
//!
//! ```sh
//! cargo run -p larder-service                                  # memory alone
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p larder-service # Redis behind it, shared by all processes
//! ```
//!
//! `cities.rs` and `favourites.rs` hold the annotated functions, `routes.rs` says what is cached and limited, `sessions.rs` who is
//! signed in and what an outage of Redis means for that; the readme tells the rest.

mod cities;
mod config;
mod db;
mod favourites;
mod limits;
mod metrics;
mod problem;
mod routes;
mod sessions;
mod ticket;

#[cfg(test)]
mod tests;

use std::{error::Error, net::SocketAddr};

use larder::Cache;
use tokio::{net::TcpListener, signal};

use crate::{config::Config, routes::Service};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    metrics::record()?;
    let config = Config::from_env()?;
    let cache = Cache::from_env().await?;
    larder::init(cache.clone())?;
    let app = routes::app(Service::new(&config, &cache)?, config.requests_per_minute)?;

    let listener = TcpListener::bind(config.address).await?;
    tracing::info!("http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(asked_to_end())
        .await?;
    // What Redis has still to be told is told now.
    cache.shutdown().await?;
    tracing::info!("ended; {}", cache.stats());
    Ok(())
}

async fn asked_to_end() {
    let interrupted = signal::ctrl_c();
    #[cfg(unix)]
    match signal::unix::signal(signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => drop(interrupted.await),
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}
