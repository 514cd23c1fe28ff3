//! Larder's promises, checked on real processes and real Redis servers while things break.
//!
//! `cargo xtask soak` runs it. One process, the coordinator, starts Redis and several workers, which are this program once
//! more. It keeps the source of truth, breaks things, hears of every read and write, and judges them.

mod clock;
mod coordinator;
mod limits;
mod options;
mod wire;
mod worker;
mod world;

use std::{env, process::ExitCode};

use options::{HELP, Options};
use worker::Start;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == "worker" => work(rest),
        Some((word, _)) if word == "--help" => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => coordinate(&arguments),
    }
}

fn coordinate(arguments: &[String]) -> ExitCode {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("{mistake}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match coordinator::run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the soak could not go on: {error}");
            ExitCode::from(3)
        }
    }
}

fn work(arguments: &[String]) -> ExitCode {
    let Some(start) = Start::parse(arguments) else {
        eprintln!("workers are started by the coordinator");
        return ExitCode::from(2);
    };
    match worker::run(&start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
