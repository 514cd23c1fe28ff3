//! What an annotated function costs while compiling: a crate of 100 async functions over 100 value types, as it is, and
//! cached by Larder, by `cached`, and by a `moka` cache of its own for each function written by hand.
//!
//! The crates are written to the target folder. Dependencies are built once; then each round builds the crate itself, all
//! candidates in turn. `--quick` makes fewer rounds and leaves out the release build of the typed moka caches and the builds
//! from nothing, which take minutes. `--only check,edit,release,cold` chooses what is timed. Beside the time by the clock
//! stands that of the processors, which says more where the machine does other things as well.

mod generate;
mod measure;

use std::process::ExitCode;

use self::{generate::Candidate, measure::Kind};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    if has("--test") {
        // `cargo test --benches`: nothing that takes minutes.
        let files = Candidate::ALL.map(generate::source);
        assert!(
            files.iter().all(|text| text.matches("async fn get_").count() == generate::FUNCTIONS)
        );
        return ExitCode::SUCCESS;
    }
    let only = args.iter().position(|arg| arg == "--only").and_then(|at| args.get(at + 1));
    let wanted = |kind: Kind| only.is_none_or(|only| only.split(',').any(|it| it == kind.name()));
    let quick = has("--quick");
    let kinds = Kind::ALL.into_iter().filter(|kind| wanted(*kind));
    // Once from nothing is as long as all the rest.
    let kinds: Vec<Kind> =
        kinds.filter(|kind| !quick || only.is_some() || *kind != Kind::Cold).collect();
    match measure::all(&kinds, quick) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compile: {error}");
            ExitCode::FAILURE
        }
    }
}
