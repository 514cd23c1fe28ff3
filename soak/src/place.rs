//! Where the servers keep their files.

use std::{env, os::unix::process::CommandExt, path::Path, process::Command};

use rustix::fs::statvfs;

const MEMORY: &str = "/dev/shm";
const ENOUGH: u64 = 512 << 20;
/// Set for the process that has begun anew.
const AGAIN: &str = "LARDER_SOAK_IN_PLACE";
/// A file that may not grow is an error to whoever writes it, as a full disk is, and not the end of the process.
const WITHOUT_SIGNAL: &str = r#"trap '' XFSZ; exec "$0" "$@""#;

/// Begins anew with a directory in memory for temporary files, where the machine has one and nobody has named another, and
/// without the signal that ends whoever writes more to a file than is allowed.
///
/// The servers write to their files before they confirm anything. Servers that are killed, and never the machine, need no
/// disk for that, and on a disk that others use as well they would do little but wait for it.
pub(crate) fn begin_anew() {
    if env::var_os(AGAIN).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut again = Command::new("sh");
    again.args(["-c", WITHOUT_SIGNAL]).arg(program).args(env::args_os().skip(1)).env(AGAIN, "");
    if env::var_os("TMPDIR").is_none() && has_room(Path::new(MEMORY)) {
        again.env("TMPDIR", MEMORY);
    }
    // It takes this process's place, unless it fails.
    eprintln!("files stay on the disk: {}", again.exec());
}

fn has_room(directory: &Path) -> bool {
    statvfs(directory).is_ok_and(|there| there.f_bavail.saturating_mul(there.f_frsize) >= ENOUGH)
}
