//! The programs of a Redis server: found, or installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::host::Host;
use crate::install;

/// The oldest release that knows what the shared tier asks for (RESP3 and `CLIENT TRACKING`).
const OLDEST: (u32, u32) = (6, 0);

const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];
const CLIENTS: [&str; 2] = ["redis-cli", "valkey-cli"];

/// A server and its command line client, both known to be there.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) server: PathBuf,
    pub(crate) client: PathBuf,
}

impl Tools {
    /// Finds the programs, or installs them, and checks that the server is recent enough.
    ///
    /// # Errors
    ///
    /// Nothing usable was found and nothing could be installed. Tests are never skipped for that.
    pub(crate) fn obtain(host: &Host) -> Result<Self> {
        let tools = match Self::find(host)? {
            Some(tools) => tools,
            None => {
                install::redis(host)?;
                Self::find(host)?.ok_or_else(|| {
                    Failure::new(
                        "the installation ended well, but there is still no redis-server and redis-cli in PATH; \
                         set REDIS_SERVER=/path/to/redis-server and REDIS_CLI=/path/to/redis-cli",
                    )
                })?
            }
        };
        tools.check_version(host)?;
        Ok(tools)
    }

    /// Tells a program that is about to be run where they are.
    pub(crate) fn export(&self, command: &mut Command) {
        command.env("REDIS_SERVER", &self.server).env("REDIS_CLI", &self.client);
    }

    fn find(host: &Host) -> Result<Option<Self>> {
        let server = named_or_found(host, "REDIS_SERVER", &SERVERS)?;
        let client = named_or_found(host, "REDIS_CLI", &CLIENTS)?;
        Ok(server.zip(client).map(|(server, client)| Self { server, client }))
    }

    fn check_version(&self, host: &Host) -> Result<()> {
        let server = self.server.display();
        let text = host.output(host.command(&self.server).arg("--version")).ok_or_else(|| {
            Failure::new(format!("`{server} --version` failed: is it a Redis server?"))
        })?;
        let (major, minor) = version(&text).ok_or_else(|| {
            Failure::new(format!("`{server} --version` names no version: {}", text.trim()))
        })?;
        if (major, minor) < OLDEST {
            return Err(Failure::new(format!(
                "{server} is version {major}.{minor}, but {}.{} or newer is needed; \
                 set REDIS_SERVER=/path/to/redis-server to use another one",
                OLDEST.0, OLDEST.1
            )));
        }
        println!("Redis: {server}, version {major}.{minor}");
        Ok(())
    }
}

/// A program that a variable names must exist: falling back to another one would test something else.
fn named_or_found(host: &Host, variable: &str, names: &[&str]) -> Result<Option<PathBuf>> {
    match host.variable(variable) {
        None => Ok(names.iter().find_map(|name| host.find(name))),
        Some(value) => {
            let path = Path::new(&value);
            let found = if path.components().count() > 1 {
                path.is_file().then(|| path.to_owned())
            } else {
                host.find(&value.to_string_lossy())
            };
            found.map(Some).ok_or_else(|| {
                Failure::new(format!("{variable} names {}, which is not there", path.display()))
            })
        }
    }
}

/// Major and minor number in `Redis server v=7.0.15 sha=…`.
fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod checks;
