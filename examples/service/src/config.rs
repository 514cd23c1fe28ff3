//! What the environment says. The cache reads its own part (`REDIS_URL`, `CACHE_…`) itself.

use std::{env, error::Error, net::SocketAddr, path::PathBuf};

pub(crate) struct Config {
    /// `SERVICE_ADDRESS`
    pub(crate) address: SocketAddr,
    /// `SERVICE_DATABASE`: processes that share a Redis share it.
    pub(crate) database: PathBuf,
    /// `SERVICE_REQUESTS_PER_MINUTE`, of one address.
    pub(crate) requests_per_minute: u64,
    /// `SERVICE_PASSWORD`, of everybody: it stands for a table of people and a password hash.
    pub(crate) password: String,
    /// `SERVICE_SECRET`, the same in all processes: what tickets are signed with.
    pub(crate) secret: [u8; 32],
    /// `SERVICE_SECURE_COOKIES`: `false` where browsers come by `http`.
    pub(crate) secure_cookies: bool,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, Box<dyn Error>> {
        let database = match env::var_os("SERVICE_DATABASE") {
            Some(path) => path.into(),
            None => env::current_exe()?.with_extension("sqlite"),
        };
        Ok(Self {
            address: parsed("SERVICE_ADDRESS", "127.0.0.1:3000")?,
            database,
            requests_per_minute: parsed("SERVICE_REQUESTS_PER_MINUTE", "600")?,
            password: parsed("SERVICE_PASSWORD", "larder")?,
            secret: secret()?,
            secure_cookies: parsed("SERVICE_SECURE_COOKIES", "true")?,
        })
    }
}

fn parsed<T>(name: &str, otherwise: &str) -> Result<T, Box<dyn Error>>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let value = env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    value.parse().map_err(|error| format!("{name}: {error}").into())
}

/// Made up where none is given: then a ticket of one process says nothing to another.
fn secret() -> Result<[u8; 32], Box<dyn Error>> {
    match env::var("SERVICE_SECRET") {
        Ok(secret) if secret.len() < 32 => Err("SERVICE_SECRET: less than 32 characters".into()),
        Ok(secret) => Ok(blake3::derive_key("larder-service 2026-12 tickets", secret.as_bytes())),
        Err(_) => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret)?;
            Ok(secret)
        }
    }
}
