//! A private server on a free port, for as long as one command runs.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use crate::failure::{Failure, Result};
use crate::host::Host;
use crate::testing::forget_foreign_settings;
use crate::tools::{Tools, Wanted};

/// How long a server may take to answer its first `PING`.
const START: Duration = Duration::from_secs(10);

/// How often another port is tried when somebody else took the free one first.
const ATTEMPTS: usize = 5;

/// Waits for the end of its input, then ends the server by its process id and removes its directory. However this
/// process ends (a signal included), the input ends with it, so nothing is ever left behind.
const KEEPER: &str = r#"trap '' INT
directory=$1
shift
"$@" --dir "$directory" >/dev/null </dev/null &
while read -r _; do :; done
kill $!
wait $!
rmdir "$directory""#;

/// Runs a command with `REDIS_URL` set to a server that is started for it and ended after it.
///
/// # Errors
///
/// There is no server, it does not start, or the command fails.
pub(crate) fn run_beside(
    host: &Host,
    wanted: Wanted,
    program: &str,
    arguments: &[String],
) -> Result<()> {
    let tools = Tools::obtain(host, wanted)?;
    let server = Server::start(&tools)?;
    let mut command = host.command(program);
    tools.export(&mut command);
    forget_foreign_settings(&mut command);
    host.run(command.args(arguments).env("REDIS_URL", server.url()))
}

/// A running server without persistence, in a directory of its own.
struct Server {
    keeper: Child,
    address: SocketAddr,
    directory: PathBuf,
}

impl Server {
    fn start(tools: &Tools) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            let server = Self::spawn(tools)?;
            if server.answers() {
                return Ok(server);
            }
        }
        Err(Failure::new(format!("{} did not start", tools.server.display())))
    }

    fn spawn(tools: &Tools) -> Result<Self> {
        let failed = |error: std::io::Error| Failure::new(format!("no private server: {error}"));
        let address = free_address().map_err(failed)?;
        let directory =
            env::temp_dir().join(format!("larder-{}-{}", process::id(), address.port()));
        fs::create_dir_all(&directory).map_err(failed)?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&directory)
            .arg(&tools.server)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &address.port().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        Ok(Self { keeper, address, directory })
    }

    fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    fn answers(&self) -> bool {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if answers_from(self.address, &self.directory).unwrap_or(false) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// An address of this machine at which nobody listens.
pub(crate) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Whether the server at that address is the one that works in `directory`, not one that was faster to take the port.
fn answers_from(address: SocketAddr, directory: &Path) -> std::io::Result<bool> {
    let limit = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"CONFIG GET dir\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    let name = directory.file_name().unwrap_or_default();
    Ok(answer.contains(&*name.to_string_lossy()))
}

#[cfg(test)]
mod checks {
    use super::*;

    fn server() -> Server {
        Server::start(&Tools::obtain(&Host::current(), Wanted::Any).unwrap()).unwrap()
    }

    #[test]
    fn two_private_servers_run_side_by_side() {
        let (one, other) = (server(), server());
        assert_ne!(one.url(), other.url());
        assert!(answers_from(one.address, &one.directory).unwrap());
        assert!(answers_from(other.address, &other.directory).unwrap());
    }

    #[test]
    fn a_foreign_server_is_not_taken_for_ones_own() {
        let (one, other) = (server(), server());
        assert!(!answers_from(one.address, &other.directory).unwrap());
    }

    #[test]
    fn a_server_ends_with_its_owner_and_leaves_nothing_behind() {
        let server = server();
        let (address, directory) = (server.address, server.directory.clone());
        drop(server);
        assert!(TcpStream::connect(address).is_err());
        assert!(!directory.exists());
    }

    #[test]
    fn a_command_finds_its_server_in_redis_url() {
        let host = Host::current();
        let script = "case $REDIS_URL in redis://127.0.0.1:*/0) exit 0;; *) exit 3;; esac";
        let run = run_beside(&host, Wanted::Any, "sh", &["-c".into(), script.into()]);
        assert!(run.is_ok());
    }

    #[test]
    fn the_exit_code_of_the_command_is_handed_on() {
        let exit = ["-c".into(), "exit 9".into()];
        let failure = run_beside(&Host::current(), Wanted::Any, "sh", &exit).unwrap_err();
        assert_eq!(failure.code(), 9);
    }
}
