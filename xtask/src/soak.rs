//! `cargo xtask soak` and `chaos`: real processes and servers while things break.

use crate::failure::Result;
use crate::host::Host;
use crate::testing::forget_foreign_settings;
use crate::tools::{Tools, Wanted};

/// Runs the soak, or the mode of it that `mode` names; `arguments` are its own.
///
/// # Errors
///
/// A promise was broken, or there is no Redis server and none could be installed.
pub(crate) fn run(host: &Host, wanted: Wanted, mode: &[&str], arguments: &[String]) -> Result<()> {
    let tools = Tools::obtain(host, wanted)?;
    let mut command = host.cargo();
    command.args(["run", "--quiet", "--package", "larder-soak", "--"]).args(mode).args(arguments);
    tools.export(&mut command);
    forget_foreign_settings(&mut command);
    host.run(&mut command)
}
