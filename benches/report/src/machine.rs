//! On what, and from what, the figures come.

use std::{fs, process::Command, thread};

/// Lines that tell the machine, the compiler and the commit. What cannot be found out is left out.
pub(crate) fn told() -> Vec<String> {
    let cores = thread::available_parallelism().map(|cores| format!("{cores} cores"));
    let processor = [processor(), cores.ok()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let commit =
        printed("git", &["describe", "--always", "--dirty"]).map(|it| format!("commit {it}"));
    let compiler = printed("rustc", &["--version"]);
    [Some(processor), compiler, commit]
        .into_iter()
        .flatten()
        .filter(|line| !line.is_empty())
        .collect()
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
