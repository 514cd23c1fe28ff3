//! Installing a Redis server with whatever package manager the system has.

use std::io::{IsTerminal, stdin};

use crate::failure::{Failure, Result};
use crate::host::Host;

/// One command line of a package manager, without the program's name.
type Step = &'static [&'static str];

/// A package manager and the ways to get a server from it, tried in this order.
struct Manager {
    program: &'static str,
    needs_root: bool,
    ways: &'static [&'static [Step]],
    by_hand: &'static str,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        needs_root: true,
        // Fresh containers come without package lists; everybody else is spared the update.
        ways: &[
            &[&["install", "-y", "--no-install-recommends", "redis-server"]],
            &[&["update"], &["install", "-y", "--no-install-recommends", "redis-server"]],
        ],
        by_hand: "sudo apt-get update && sudo apt-get install -y redis-server",
    },
    Manager {
        program: "dnf",
        needs_root: true,
        // Newer Fedora releases have replaced Redis by Valkey.
        ways: &[&[&["install", "-y", "redis"]], &[&["install", "-y", "valkey"]]],
        by_hand: "sudo dnf install -y redis    (or: valkey)",
    },
    Manager {
        program: "apk",
        needs_root: true,
        ways: &[&[&["add", "--no-cache", "redis"]], &[&["add", "--no-cache", "valkey"]]],
        by_hand: "sudo apk add redis    (or: valkey)",
    },
    Manager {
        program: "pacman",
        needs_root: true,
        ways: &[&[&["-Sy", "--noconfirm", "valkey"]], &[&["-Sy", "--noconfirm", "redis"]]],
        by_hand: "sudo pacman -Sy valkey    (or: redis)",
    },
    Manager {
        program: "brew",
        needs_root: false,
        ways: &[&[&["install", "redis"]]],
        by_hand: "brew install redis",
    },
];

/// Installs a Redis server, saying aloud what is run.
///
/// # Errors
///
/// No package manager that is known, or none of its commands went through; the message holds the command to run by
/// hand.
pub(crate) fn redis(host: &Host) -> Result<()> {
    let Some(manager) = MANAGERS.iter().find(|manager| host.find(manager.program).is_some()) else {
        return Err(Failure::new(
            "no Redis server was found, and no package manager that is known here (apt-get, dnf, apk, pacman, brew). \
             Install Redis 6 or newer, or set REDIS_SERVER=/path/to/redis-server, and run the task again.",
        ));
    };
    println!("No Redis server was found: installing one with {}.", manager.program);
    if manager.ways.iter().any(|steps| run_all(host, manager, steps).is_ok()) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "no Redis server was found and it could not be installed. Run this by hand, then the task again:\n    {}\n\
         or set REDIS_SERVER=/path/to/redis-server.",
        manager.by_hand
    )))
}

fn run_all(host: &Host, manager: &Manager, steps: &[Step]) -> Result<()> {
    steps.iter().try_for_each(|step| run_step(host, manager, step))
}

fn run_step(host: &Host, manager: &Manager, step: Step) -> Result<()> {
    // `find` has just succeeded for this program; the bare name is only a second chance.
    let program = host.find(manager.program).unwrap_or_else(|| manager.program.into());
    let mut command = match host.find("sudo") {
        Some(sudo) if manager.needs_root && !is_root(host) => {
            let mut command = host.command(sudo);
            if !stdin().is_terminal() {
                command.arg("-n");
            }
            command.arg(program);
            command
        }
        _ => host.command(program),
    };
    host.run(command.args(step).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_root(host: &Host) -> bool {
    host.output(host.command("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}
