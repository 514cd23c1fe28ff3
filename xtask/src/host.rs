//! The machine the tasks run on: where programs are found, and how they are run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};

/// Places of system packages that a user's `PATH` may leave out.
const SYSTEM_DIRECTORIES: [&str; 5] =
    ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/opt/homebrew/bin"];

/// Where programs are looked for. Tests make one of their own.
pub(crate) struct Host {
    directories: Vec<PathBuf>,
    variable: fn(&str) -> Option<OsString>,
}

impl Host {
    /// This machine, with this process's environment.
    pub(crate) fn current() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut directories: Vec<PathBuf> = env::split_paths(&path).collect();
        directories.extend(SYSTEM_DIRECTORIES.iter().map(PathBuf::from));
        Self { directories, variable: |name| env::var_os(name) }
    }

    /// A machine that has only the programs in `directory`, and no variables set.
    #[cfg(test)]
    pub(crate) fn with_programs_in(directory: &Path) -> Self {
        Self { directories: vec![directory.to_owned()], variable: |_| None }
    }

    /// The value of an environment variable; an empty one counts as not set.
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// The first program of that name.
    pub(crate) fn find(&self, program: &str) -> Option<PathBuf> {
        self.directories.iter().map(|directory| directory.join(program)).find(|path| path.is_file())
    }

    /// A command that will run in the root of the repository.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(root());
        command
    }

    /// The `cargo` that runs this task, so that the toolchain is the same one.
    pub(crate) fn cargo(&self) -> Command {
        self.command(self.variable("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Prints the command, runs it and waits for it.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        println!("$ {}", shown(command));
        let status = command.status().map_err(|error| not_started(command, &error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::ended(&shown(command), status.code()))
    }

    /// What a command prints, if it can be run and ends well.
    pub(crate) fn output(&self, command: &mut Command) -> Option<String> {
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// A command as one would type it, with the program's directory left out.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` could not be started: {error}", shown(command)))
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn the_exit_code_of_a_program_is_handed_on() {
        let host = Host::current();
        let failure = host.run(host.command("sh").args(["-c", "exit 7"])).unwrap_err();
        assert_eq!(failure.code(), 7);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let host = Host::current();
        let failure = host.run(&mut host.command("no-such-program")).unwrap_err();
        assert!(failure.to_string().contains("no-such-program"), "{failure}");
    }
}
