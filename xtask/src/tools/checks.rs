//! The search and the installation, on made-up machines: a directory of shell scripts is all they have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const REDIS_7: &str = "echo 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'";

const VALKEY_8: &str = "echo 'Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'";

/// A directory of programs that goes away with the test.
struct Programs(PathBuf);

impl Programs {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("larder-xtask-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn with(self, name: &str, script: &str) -> Self {
        let source = self.0.join(format!("{name}.source"));
        fs::write(&source, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Copied by a process of its own: a program that this one has open for writing cannot be run.
        let copied =
            Command::new("install").arg("-m755").arg(&source).arg(self.0.join(name)).status();
        assert!(copied.unwrap().success());
        self
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn tools(&self) -> Result<Tools> {
        self.wanted(Wanted::Any)
    }

    fn wanted(&self, wanted: Wanted) -> Result<Tools> {
        Tools::obtain(&Host::with_programs_in(&self.0), wanted)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What an installation of the two programs does, in the directory of the machine.
fn installs(directory: &Path) -> String {
    installs_one("redis", REDIS_7, directory)
}

fn installs_one(name: &str, script: &str, directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "printf '#!/bin/sh\\n%s\\n' \"{script}\" > {directory}/{name}-server\n\
         cp {directory}/{name}-server {directory}/{name}-cli\n\
         chmod 755 {directory}/{name}-server {directory}/{name}-cli"
    )
}

#[test]
fn a_server_that_is_there_is_used_and_nothing_is_installed() {
    let machine = Programs::new()
        .with("redis-server", REDIS_7)
        .with("redis-cli", "exit 0")
        .with("apt-get", "exit 1");
    assert_eq!(machine.tools().unwrap().server, machine.path().join("redis-server"));
}

#[test]
fn a_valkey_server_will_do() {
    let machine = Programs::new()
        .with("valkey-server", "echo 'Valkey server v=8.1.0 sha=00000000:0'")
        .with("valkey-cli", "exit 0");
    assert_eq!(machine.tools().unwrap().client, machine.path().join("valkey-cli"));
}

#[test]
fn a_missing_server_is_installed_with_the_package_manager() {
    let machine = Programs::new().with("id", "echo 0");
    let script = installs(machine.path());
    let machine = machine.with("apt-get", &script);
    assert_eq!(machine.tools().unwrap().server, machine.path().join("redis-server"));
}

#[test]
fn an_installation_that_fails_is_repeated_after_an_update() {
    let machine = Programs::new();
    let lists = machine.path().join("lists");
    let (lists, install) = (lists.display(), installs(machine.path()));
    let script = format!(
        "case $1 in update) touch {lists};; *) [ -e {lists} ] || exit 100\n{install};; esac"
    );
    let machine = machine.with("apt-get", &script);
    assert!(machine.tools().is_ok());
}

#[test]
fn the_server_that_is_asked_for_is_used_whichever_else_there_is() {
    let machine = Programs::new()
        .with("redis-server", REDIS_7)
        .with("redis-cli", "exit 0")
        .with("valkey-server", VALKEY_8)
        .with("valkey-cli", "exit 0");
    let server = |wanted| machine.wanted(wanted).unwrap().server;
    assert_eq!(server(Wanted::Any), machine.path().join("redis-server"));
    assert_eq!(server(Wanted::Redis), machine.path().join("redis-server"));
    assert_eq!(server(Wanted::Valkey), machine.path().join("valkey-server"));
    let failure = Programs::new()
        .with("redis-server", REDIS_7)
        .with("redis-cli", "exit 0")
        .with("apt-get", "exit 100")
        .wanted(Wanted::Valkey)
        .unwrap_err();
    assert!(failure.to_string().contains("no Valkey server was found"), "{failure}");
}

#[test]
fn where_a_release_of_debian_has_valkey_in_its_backports_alone_it_is_taken_from_there() {
    let machine = Programs::new().with("id", "echo 0");
    let install = installs_one("valkey", VALKEY_8, machine.path());
    let script = format!(
        "case \"$*\" in\n\
         indextargets*) echo 'Elsewhere mirror:/x other'; echo 'Debian mirror:/security bookworm-security'; \
         echo 'Debian mirror:/debian bookworm';;\n\
         *' update') grep -qx 'deb mirror:/debian bookworm-backports main' \"${{2#*=}}\" || exit 100;;\n\
         *'-t bookworm-backports valkey-server') {install};;\n\
         update) ;;\n\
         *) exit 100;; esac"
    );
    let machine = machine.with("apt-get", &script);
    assert_eq!(
        machine.wanted(Wanted::Valkey).unwrap().server,
        machine.path().join("valkey-server")
    );
}

#[test]
fn the_option_comes_first_and_names_one_of_two_servers() {
    let strings = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let all = strings("--server valkey -- -p larder");
    assert_eq!(Wanted::take(&all).unwrap(), (Wanted::Valkey, &all[2..]));
    let all = strings("--server=redis");
    assert_eq!(Wanted::take(&all).unwrap(), (Wanted::Redis, &all[1..]));
    let all = strings("-- --server valkey");
    assert_eq!(Wanted::take(&all).unwrap(), (Wanted::Any, &all[..]));
    for line in ["--server", "--server memcached"] {
        assert_eq!(Wanted::take(&strings(line)).unwrap_err().code(), 2, "{line}");
    }
}

#[test]
fn a_server_that_cannot_be_installed_is_a_failure_with_the_command_to_run() {
    let failure = Programs::new().with("apt-get", "exit 100").tools().unwrap_err();
    assert!(failure.to_string().contains("sudo apt-get install -y redis-server"), "{failure}");
    assert_eq!(failure.code(), 1);
}

#[test]
fn a_machine_without_a_package_manager_is_told_what_is_needed() {
    let failure = Programs::new().tools().unwrap_err();
    assert!(failure.to_string().contains("REDIS_SERVER="), "{failure}");
}

#[test]
fn a_server_that_is_too_old_is_a_failure() {
    let machine = Programs::new()
        .with("redis-server", "echo 'Redis server v=5.0.14 sha=00000000:0'")
        .with("redis-cli", "exit 0");
    let failure = machine.tools().unwrap_err();
    assert!(failure.to_string().contains("version 5.0, but 6.0"), "{failure}");
}

#[test]
fn the_version_is_read_from_what_the_server_says() {
    assert_eq!(version("Redis server v=7.0.15 sha=0:0 bits=64"), Some((7, 0)));
    assert_eq!(version("Valkey server v=8.1.3 sha=0:0"), Some((8, 1)));
    assert_eq!(version("v=seven"), None);
}
