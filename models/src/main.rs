//! Plays one scene on one mutant: `cargo run -p larder-models --bin mutant -- forgets_purged_tags`.
//!
//! A process of its own, because a deadlock that loom finds ends in an abort.

use std::process::ExitCode;

use larder_models::cases::CASES;

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    match CASES.iter().find(|case| case.mutant == wanted) {
        Some(case) => {
            (case.play)();
            println!("the scene passes: nothing guards against {wanted}");
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("there is no mutant `{wanted}`");
            ExitCode::FAILURE
        }
    }
}
