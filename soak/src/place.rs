//! Where the servers keep their files.

use std::{env, os::unix::process::CommandExt, path::Path, process::Command};

use rustix::fs::statvfs;

const MEMORY: &str = "/dev/shm";
const ENOUGH: u64 = 512 << 20;

/// Begins anew with a directory in memory for temporary files, where the machine has one and nobody has named another.
///
/// The servers write to their files before they confirm anything. Servers that are killed, and never the machine, need no
/// disk for that, and on a disk that others use as well they would do little but wait for it.
pub(crate) fn go_to_memory() {
    if env::var_os("TMPDIR").is_some() || !has_room(Path::new(MEMORY)) {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let error = Command::new(program).args(env::args_os().skip(1)).env("TMPDIR", MEMORY).exec();
    // It takes this process's place, unless it fails.
    eprintln!("files stay on the disk: {error}");
}

fn has_room(directory: &Path) -> bool {
    statvfs(directory).is_ok_and(|there| there.f_bavail.saturating_mul(there.f_frsize) >= ENOUGH)
}
