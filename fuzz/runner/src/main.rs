//! libFuzzer around the target that `LARDER_FUZZ` names.
#![no_main]

use std::{fs::File, os::unix::fs::FileExt, sync::OnceLock};

struct Run {
    target: fn(&[u8]),
    /// Holds the input that is being tried: where the stack overflows libFuzzer cannot save it.
    current: Option<File>,
}

static RUN: OnceLock<Run> = OnceLock::new();

fn named() -> Run {
    let name = std::env::var("LARDER_FUZZ").unwrap_or_default();
    let found = larder_fuzz::TARGETS.into_iter().find(|target| target.name == name);
    let Some(target) = found else { panic!("LARDER_FUZZ names no target: `{name}`") };
    let current = std::env::var_os("LARDER_FUZZ_CURRENT");
    let current = current.map(|path| File::create(path).expect("the folder is there"));
    Run { target: target.run, current }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let run = RUN.get_or_init(named);
    if let Some(file) = &run.current {
        // Should this fail, only the help with a stack overflow is lost.
        let _ = file.set_len(bytes.len() as u64);
        let _ = file.write_all_at(bytes, 0);
    }
    (run.target)(bytes);
});
