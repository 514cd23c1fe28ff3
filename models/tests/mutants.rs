//! Each guard is needed: a scene fails as soon as it is broken. The broken copies are listed in `build.rs`.

use std::process::Command;

use larder_models::cases::CASES;

#[test]
fn every_mutant_fails_in_the_way_its_guard_prevents() {
    let mut survivors = Vec::new();
    for case in CASES {
        let played =
            Command::new(env!("CARGO_BIN_EXE_mutant")).arg(case.mutant).output().expect("it runs");
        let said = String::from_utf8_lossy(&played.stderr);
        if played.status.success() || !said.contains(case.says) {
            survivors.push(format!("{}: {}\n{said}", case.mutant, played.status));
        }
    }
    assert!(survivors.is_empty(), "{} survive:\n{}", survivors.len(), survivors.join("\n"));
}

#[test]
fn every_broken_copy_is_played() {
    let mut written: Vec<_> = larder_models::MUTANTS.to_vec();
    let mut played: Vec<_> = CASES.iter().map(|case| case.mutant).collect();
    written.sort_unstable();
    played.sort_unstable();
    assert_eq!(written, played);
}
