//! The searches that need no server: `cargo xtask model` and `cargo xtask simulate`.

use crate::failure::Result;
use crate::host::Host;
use crate::mutants;

/// Searches the model of the coherence protocol; `arguments` are the search's own (`--large` takes minutes).
///
/// # Errors
///
/// A promise was broken.
pub(crate) fn model(host: &Host, arguments: &[String]) -> Result<()> {
    run(host, "larder-protocol", arguments)
}

/// Runs seeds of the simulation; `arguments` are its own.
///
/// # Errors
///
/// A seed showed something that no guarantee allows; with `--mutants`, no seed noticed that a guard was broken.
pub(crate) fn simulate(host: &Host, arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "--mutants") {
        return mutants::run(host, arguments);
    }
    run(host, "larder-simulation", arguments)
}

fn run(host: &Host, package: &str, arguments: &[String]) -> Result<()> {
    let mut command = host.cargo();
    command.args(["run", "--quiet", "--release", "--package", package, "--"]);
    host.run(command.args(arguments))
}
