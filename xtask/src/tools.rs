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

/// Which server is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What `REDIS_SERVER` names, otherwise Redis, otherwise Valkey.
    Any,
    Redis,
    Valkey,
}

impl Wanted {
    /// Takes `--server NAME` away, where the arguments begin with that.
    ///
    /// # Errors
    ///
    /// There is no server of that name.
    pub(crate) fn take(arguments: &[String]) -> Result<(Self, &[String])> {
        let (name, rest) = match arguments {
            [option, name, rest @ ..] if option == "--server" => (name.as_str(), rest),
            [option] if option == "--server" => ("", [].as_slice()),
            [joined, rest @ ..] if joined.starts_with("--server=") => {
                (joined.trim_start_matches("--server="), rest)
            }
            all => return Ok((Self::Any, all)),
        };
        match name {
            "redis" => Ok((Self::Redis, rest)),
            "valkey" => Ok((Self::Valkey, rest)),
            _ => Err(Failure::usage(format!("--server is redis or valkey, not `{name}`"))),
        }
    }

    /// What programs are called that will do.
    fn among(self, names: &'static [&'static str; 2]) -> &'static [&'static str] {
        match self {
            Self::Any => names,
            Self::Redis => &names[..1],
            Self::Valkey => &names[1..],
        }
    }
}

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
    pub(crate) fn obtain(host: &Host, wanted: Wanted) -> Result<Self> {
        let tools = match Self::find(host, wanted)? {
            Some(tools) => tools,
            None => {
                install::server(host, wanted)?;
                Self::find(host, wanted)?.ok_or_else(|| {
                    let (server, client) = (wanted.among(&SERVERS)[0], wanted.among(&CLIENTS)[0]);
                    Failure::new(format!(
                        "the installation ended well, but there is still no {server} and {client} in PATH; without \
                         --server, REDIS_SERVER=/path/to/{server} and REDIS_CLI=/path/to/{client} name them"
                    ))
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

    fn find(host: &Host, wanted: Wanted) -> Result<Option<Self>> {
        let find = |variable, names: &'static [&'static str; 2]| match wanted {
            Wanted::Any => named_or_found(host, variable, names),
            // Whoever says which one has not meant the one that the machine is set up for.
            Wanted::Redis | Wanted::Valkey => Ok(first_of(host, wanted.among(names))),
        };
        let (server, client) = (find("REDIS_SERVER", &SERVERS)?, find("REDIS_CLI", &CLIENTS)?);
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
        let name = text.split_whitespace().next().unwrap_or("Redis");
        println!("{name}: {server}, version {major}.{minor}");
        Ok(())
    }
}

fn first_of(host: &Host, names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| host.find(name))
}

/// A program that a variable names must exist: falling back to another one would test something else.
fn named_or_found(host: &Host, variable: &str, names: &[&str]) -> Result<Option<PathBuf>> {
    match host.variable(variable) {
        None => Ok(first_of(host, names)),
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
