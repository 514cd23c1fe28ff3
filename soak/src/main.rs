//! Larder's promises, checked on real processes and real Redis servers while things break.
//!
//! `cargo xtask soak` runs it. One process, the coordinator, starts Redis and several workers, which are this program once
//! more. It keeps the source of truth, breaks things, hears of every read and write, and judges them.

mod chaos;
mod clock;
mod coordinator;
mod limits;
mod options;
mod place;
mod wire;
mod worker;
mod world;

use std::{env, process::ExitCode};

use options::{HELP, Options};
use worker::{Duty, Start};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if let Some(duty) = Duty::parse(word) => work(duty, rest),
        Some((word, rest)) if word == "chaos" => chaos(rest),
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
    place::begin_anew();
    match coordinator::run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the soak could not go on: {error}");
            ExitCode::from(3)
        }
    }
}

fn chaos(arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|word| word == "--help") {
        print!("{}", chaos::HELP);
        return ExitCode::SUCCESS;
    }
    let options = match chaos::Options::parse(arguments) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("{mistake}\n\n{}", chaos::HELP);
            return ExitCode::from(2);
        }
    };
    place::begin_anew();
    match chaos::run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos could not go on: {error}");
            ExitCode::from(3)
        }
    }
}

fn work(duty: Duty, arguments: &[String]) -> ExitCode {
    let Some(start) = Start::parse(duty, arguments) else {
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
