//! A program that runs until its owner ends, however that ends.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::failure::{Failure, Result};

/// Tells the program's process id, waits for the end of its input, and ends the program by that id. Whatever ends this process ends the
/// input.
const KEEPER: &str = r#"trap '' INT
log=$1
shift
"$@" >>"$log" 2>&1 </dev/null &
echo $!
while read -r _; do :; done
kill $!
wait $!"#;

pub(super) struct Kept {
    program: PathBuf,
    log: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, String)>,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    id: u32,
    killed: bool,
}

impl Kept {
    pub(super) fn new(program: &Path, log: PathBuf) -> Self {
        let (arguments, variables) = (Vec::new(), Vec::new());
        Self { program: program.to_owned(), log, arguments, variables, running: None }
    }

    pub(super) fn arguments<'a>(
        &mut self,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> &mut Self {
        self.arguments.extend(arguments.into_iter().map(OsString::from));
        self
    }

    pub(super) fn set(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Starts it, also again.
    pub(super) fn start(&mut self) -> Result<()> {
        self.end()?;
        let failed = |what: &dyn std::fmt::Display| {
            Failure::new(format!("{} was not started: {what}", self.program.display()))
        };
        // The log is there from the beginning, whoever looks at it.
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(|error| failed(&error))?;
        let mut command = Command::new("sh");
        crate::testing::forget_foreign_settings(&mut command);
        let mut keeper = command
            .args(["-c", KEEPER, "keeper"])
            .arg(&self.log)
            .arg(&self.program)
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(&error))?;
        let mut line = String::new();
        let told = keeper.stdout.take().map(|told| BufReader::new(told).read_line(&mut line));
        let id = line.trim().parse().map_err(|_| failed(&format!("{told:?} instead of its id")))?;
        self.running = Some(Running { keeper, id, killed: false });
        Ok(())
    }

    /// Kills it at once: nothing is written, nothing told.
    pub(super) fn kill(&mut self) -> Result<()> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let id = running.id.to_string();
        running.killed = true;
        match Command::new("kill").args(["-KILL", &id]).status() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(Failure::new(format!("process {id} could not be killed"))),
        }
    }

    /// Asks it to end and waits for that.
    ///
    /// # Errors
    ///
    /// It ended otherwise than well, and was not killed.
    pub(super) fn end(&mut self) -> Result<()> {
        let Some(Running { mut keeper, killed, .. }) = self.running.take() else { return Ok(()) };
        drop(keeper.stdin.take());
        let status = keeper.wait().map_err(|error| Failure::new(error.to_string()))?;
        if status.success() || killed {
            return Ok(());
        }
        Err(Failure::ended(&self.program.to_string_lossy(), status.code()))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    fn sleeper(log: &str) -> Kept {
        let log = std::env::temp_dir().join(format!("larder-{log}-{}", std::process::id()));
        let mut kept = Kept::new(Path::new("sleep"), log);
        kept.arguments(["1000"]);
        kept.start().unwrap();
        kept
    }

    fn lives(id: u32) -> bool {
        let asked =
            Command::new("kill").args(["-0", &id.to_string()]).stderr(Stdio::null()).status();
        asked.unwrap().success()
    }

    #[test]
    fn a_program_ends_with_its_owner() {
        let kept = sleeper("ends");
        let (id, log) = (kept.running.as_ref().unwrap().id, kept.log.clone());
        assert!(lives(id));
        drop(kept);
        assert!(!lives(id));
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_program_that_was_killed_is_started_again() {
        let mut kept = sleeper("again");
        let first = kept.running.as_ref().unwrap().id;
        kept.kill().unwrap();
        kept.start().unwrap();
        let second = kept.running.as_ref().unwrap().id;
        assert!(!lives(first) && lives(second));
        std::fs::remove_file(kept.log.clone()).unwrap();
    }

    #[test]
    fn a_program_that_failed_is_told() {
        let log = std::env::temp_dir().join(format!("larder-failed-{}", std::process::id()));
        let mut kept = Kept::new(Path::new("sh"), log.clone());
        kept.arguments(["-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done"]);
        kept.start().unwrap();
        // Before that the signal would end it.
        while std::fs::read_to_string(&log).unwrap() != "up\n" {
            std::thread::yield_now();
        }
        assert_eq!(kept.end().unwrap_err().code(), 3);
        std::fs::remove_file(log).unwrap();
    }
}
