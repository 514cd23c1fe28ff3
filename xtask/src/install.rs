//! Installing a Redis server with whatever package manager the system has.

use std::io::{IsTerminal, stdin};
use std::{env, fs, process};

use crate::failure::{Failure, Result};
use crate::host::Host;
use crate::tools::Wanted;

/// One command line of a package manager, without the program's name.
type Step = &'static [&'static str];

/// A package manager and the ways to get a server from it, tried in this order.
struct Manager {
    program: &'static str,
    needs_root: bool,
    /// To whatever server it has.
    any: &'static [&'static [Step]],
    valkey: &'static [&'static [Step]],
    by_hand: [&'static str; 2],
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: APT,
        needs_root: true,
        // Fresh containers come without package lists; everybody else is spared the update.
        any: &[
            &[&["install", "-y", "--no-install-recommends", "redis-server"]],
            &[&["update"], &["install", "-y", "--no-install-recommends", "redis-server"]],
        ],
        // Before Debian 13 it is in the backports alone: see `from_backports`.
        valkey: &[
            &[&["install", "-y", "--no-install-recommends", "valkey-server"]],
            &[&["update"], &["install", "-y", "--no-install-recommends", "valkey-server"]],
        ],
        by_hand: [
            "sudo apt-get update && sudo apt-get install -y redis-server",
            "sudo apt-get update && sudo apt-get install -y valkey-server    (Debian 12: -t bookworm-backports)",
        ],
    },
    Manager {
        program: "dnf",
        needs_root: true,
        // Newer Fedora releases have replaced Redis by Valkey.
        any: &[&[&["install", "-y", "redis"]], &[&["install", "-y", "valkey"]]],
        valkey: &[&[&["install", "-y", "valkey"]]],
        by_hand: ["sudo dnf install -y redis    (or: valkey)", "sudo dnf install -y valkey"],
    },
    Manager {
        program: "apk",
        needs_root: true,
        any: &[&[&["add", "--no-cache", "redis"]], &[&["add", "--no-cache", "valkey"]]],
        valkey: &[
            &[&["add", "--no-cache", "valkey", "valkey-cli"]],
            &[&["add", "--no-cache", "valkey"]],
        ],
        by_hand: ["sudo apk add redis    (or: valkey)", "sudo apk add valkey valkey-cli"],
    },
    Manager {
        program: "pacman",
        needs_root: true,
        any: &[&[&["-Sy", "--noconfirm", "valkey"]], &[&["-Sy", "--noconfirm", "redis"]]],
        valkey: &[&[&["-Sy", "--noconfirm", "valkey"]]],
        by_hand: ["sudo pacman -Sy valkey    (or: redis)", "sudo pacman -Sy valkey"],
    },
    Manager {
        program: "brew",
        needs_root: false,
        any: &[&[&["install", "redis"]]],
        valkey: &[&[&["install", "valkey"]]],
        by_hand: ["brew install redis", "brew install valkey"],
    },
];

const APT: &str = "apt-get";

/// Installs a server, saying aloud what is run.
///
/// # Errors
///
/// No package manager that is known, or none of its commands went through; the message holds the command to run by
/// hand.
pub(crate) fn server(host: &Host, wanted: Wanted) -> Result<()> {
    let (name, at) = match wanted {
        Wanted::Any | Wanted::Redis => ("Redis", 0),
        Wanted::Valkey => ("Valkey", 1),
    };
    let Some(manager) = MANAGERS.iter().find(|manager| host.find(manager.program).is_some()) else {
        return Err(Failure::new(format!(
            "no {name} server was found, and no package manager that is known here (apt-get, dnf, apk, pacman, brew). \
             Install Redis 6 or newer, or Valkey, or set REDIS_SERVER=/path/to/redis-server, and run the task again."
        )));
    };
    println!("No {name} server was found: installing one with {}.", manager.program);
    let ways = [manager.any, manager.valkey][at];
    let installed = ways.iter().any(|steps| run_all(host, manager, steps).is_ok());
    if installed || (wanted == Wanted::Valkey && from_backports(host, manager).is_ok()) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "no {name} server was found and it could not be installed. Run this by hand, then the task again:\n    {}\n\
         or set REDIS_SERVER=/path/to/redis-server.",
        manager.by_hand[at]
    )))
}

/// Debian's stable releases get Valkey from their backports, which few machines have among their sources. They are where
/// the rest of the release is, so that is asked; the machine's own list of sources stays as it is.
fn from_backports(host: &Host, manager: &Manager) -> Result<()> {
    if manager.program != APT {
        return Err(Failure::new("only Debian has backports"));
    }
    let (place, release) = release(host)
        .ok_or_else(|| Failure::new("apt-get does not say which release of Debian this is"))?;
    let directory = env::temp_dir().join(format!("larder-backports-{}", process::id()));
    let list = directory.join("sources.list");
    let sources = format!("deb {place} {release} main\ndeb {place} {release}-backports main\n");
    let written = fs::create_dir_all(&directory).and_then(|()| fs::write(&list, sources));
    let outcome = written
        .map_err(|error| Failure::new(format!("no list of sources: {error}")))
        .and_then(|()| {
            let list = format!("Dir::Etc::SourceList={}", list.display());
            let none = format!("Dir::Etc::SourceParts={}", directory.join("none").display());
            // What is known of the machine's other sources is kept.
            let only = ["-o", &list, "-o", &none, "-o", "APT::Get::List-Cleanup=0"];
            let backports = format!("{release}-backports");
            let install =
                ["install", "-y", "--no-install-recommends", "-t", &backports, "valkey-server"];
            run_step(host, manager, &[only.as_slice(), &["update"]].concat())?;
            run_step(host, manager, &[only.as_slice(), &install].concat())
        });
    let _ = fs::remove_dir_all(&directory);
    outcome
}

/// Where the packages of this release of Debian come from, and its name.
fn release(host: &Host) -> Option<(String, String)> {
    let mut command = host.command(host.find(APT)?);
    command.args(["indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(RELEASE)"]);
    let targets = host.output(command.arg("Created-By: Packages"))?;
    targets.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        // Not its updates.
        ["Debian", place, release] if !release.contains('-') => {
            Some((place.to_owned(), release.to_owned()))
        }
        _ => None,
    })
}

fn run_all(host: &Host, manager: &Manager, steps: &[Step]) -> Result<()> {
    steps.iter().try_for_each(|step| run_step(host, manager, step))
}

fn run_step(host: &Host, manager: &Manager, step: &[&str]) -> Result<()> {
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
