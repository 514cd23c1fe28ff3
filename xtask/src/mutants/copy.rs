//! A copy of the workspace in `target/mutants`, in which guards can be broken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::list::Mutant;
use crate::failure::{Failure, Result};
use crate::host::{Host, root};

/// The copy, with a target directory of its own, so that a mutant builds what depends on its file and nothing else.
pub(super) struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Brings the copy up to date with the sources, uncommitted ones too.
    pub(super) fn of_workspace(host: &Host) -> Result<Self> {
        let mutants = root().join("target/mutants");
        let copy = Self { tree: mutants.join("tree"), target: mutants.join("target") };
        let mut list = host.command("git");
        list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let files = host
            .output(&mut list)
            .ok_or_else(|| Failure::new("`git ls-files` did not list the sources"))?;
        let files: Vec<&str> = files.lines().filter(|file| root().join(file).is_file()).collect();
        copy.forget_all_but(&files)?;
        for file in files {
            copy_changed(&root().join(file), &copy.tree.join(file))?;
        }
        Ok(copy)
    }

    /// Sources that are gone would still be compiled: modules and tests are found by their place.
    fn forget_all_but(&self, files: &[&str]) -> Result<()> {
        let mut left = vec![self.tree.clone()];
        while let Some(directory) = left.pop() {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                let known = path.strip_prefix(&self.tree).ok().and_then(Path::to_str);
                if path.is_dir() {
                    left.push(path);
                } else if known.is_none_or(|path| !files.contains(&path)) {
                    fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
                }
            }
        }
        Ok(())
    }

    /// Breaks a guard, until what is returned is dropped.
    pub(super) fn broken(&self, mutant: &Mutant) -> Result<Broken> {
        let path = self.tree.join(mutant.file);
        let whole = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
        let text = mutant.applied_to(&whole)?;
        fs::write(&path, text).map_err(|error| failed(&path, &error))?;
        Ok(Broken { path, whole })
    }

    /// Builds the simulation; where its program is.
    pub(super) fn build(&self, host: &Host) -> Result<PathBuf> {
        let mut command = self.cargo(host);
        command
            .args(["build", "--quiet", "--release", "--locked", "--package", "larder-simulation"])
            // A mutant is built more often than its seeds are many.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "64");
        build(&mut command)?;
        Ok(self.target.join("release/simulate"))
    }

    /// Runs one test; whether it passes.
    pub(super) fn passes(&self, host: &Host, test: [&str; 3]) -> Result<bool> {
        let [package, target, name] = test;
        let words = ["test", "--locked", "--all-features", "--package", package, target];
        build(self.cargo(host).args(words).arg("--no-run"))?;
        let mut command = self.cargo(host);
        let output = command.args(words).arg(name).stdin(Stdio::null()).output();
        let output = output.map_err(|error| Failure::new(error.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match output.status.success() {
            true if text.contains("test result: ok. 0 passed") => {
                Err(Failure::new(format!("{package} {target} has no test {name}")))
            }
            true => Ok(true),
            false if text.contains("test result: FAILED") => Ok(false),
            false => Err(Failure::new(format!("{name} ended badly:\n{text}"))),
        }
    }

    fn cargo(&self, host: &Host) -> Command {
        let mut command = host.cargo();
        command
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // Broken guards leave things unused.
            .env("RUSTFLAGS", "--cap-lints=allow");
        command
    }
}

/// A file with a guard broken. Dropped, it is whole again.
pub(super) struct Broken {
    path: PathBuf,
    whole: String,
}

impl Drop for Broken {
    fn drop(&mut self) {
        // Should this fail, the next run copies the file anew, for it is not the same.
        let _ = fs::write(&self.path, &self.whole);
    }
}

impl Mutant {
    /// The file's text with the guard broken.
    ///
    /// # Errors
    ///
    /// The guard is not there, or there more than once.
    pub(super) fn applied_to(&self, text: &str) -> Result<String> {
        let mut text = text.to_owned();
        for (guard, instead) in self.edits {
            let times = text.matches(guard).count();
            if times != 1 {
                return Err(Failure::new(format!(
                    "{}: {} has this {times} times and not once; renew it in xtask/src/mutants/list.rs:\n{guard}",
                    self.name, self.file
                )));
            }
            text = text.replace(guard, instead);
        }
        Ok(text)
    }
}

fn build(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|error| Failure::new(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("the copy does not build:\n{problem}")))
}

/// Leaves a file alone that is the same, so that it is not compiled again.
fn copy_changed(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).map_err(|error| failed(from, &error))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    }
    fs::write(to, new).map_err(|error| failed(to, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
