//! One run of `wrk`, and what it measured.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::host::{Host, root};

const THREADS: &str = "2";
const CONNECTIONS: &str = "32";
/// Shorter than a phase, so that what hangs is found; longer than anything that the service may wait for.
const TIMEOUT: &str = "2s";
/// What the script's line begins with.
const MARK: &str = "measured ";

pub(super) struct Load<'a> {
    host: &'a Host,
    wrk: PathBuf,
}

/// What one phase came to.
#[derive(Debug, Default)]
pub(super) struct Phase {
    name: &'static str,
    requests: u64,
    /// In microseconds.
    duration: u64,
    p50: u64,
    p99: u64,
    max: u64,
    /// Responses with a status of 4xx and of 5xx.
    refused: u64,
    failed: u64,
    /// Connections that were not made, or broke; requests that took too long.
    connect: u64,
    read: u64,
    write: u64,
    timeout: u64,
}

impl<'a> Load<'a> {
    pub(super) fn new(host: &'a Host, wrk: PathBuf) -> Self {
        Self { host, wrk }
    }

    pub(super) fn run(
        &self,
        name: &'static str,
        address: SocketAddr,
        cookies: &str,
        time: Duration,
    ) -> Result<Phase> {
        println!("{name}: {} s", time.as_secs());
        let output = self
            .host
            .command(&self.wrk)
            .args(["--threads", THREADS, "--connections", CONNECTIONS, "--timeout", TIMEOUT])
            .args(["--duration", &format!("{}s", time.as_secs())])
            .arg("--script")
            .arg(root().join("xtask/src/service/load.lua"))
            .arg(format!("http://{address}"))
            .args(["--", cookies, "examples/data/cities.csv"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::new(format!("wrk: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout);
        measured(name, &text).ok_or_else(|| {
            let errors = String::from_utf8_lossy(&output.stderr);
            Failure::new(format!("wrk did not say what it measured:\n{text}{errors}"))
        })
    }
}

/// Reads `measured requests=7 p50=…` among what else was printed.
fn measured(name: &'static str, text: &str) -> Option<Phase> {
    let line = text.lines().find_map(|line| line.strip_prefix(MARK))?;
    let value = |wanted: &str| {
        let mut pairs = line.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == wanted)?.1.parse().ok()
    };
    Some(Phase {
        name,
        requests: value("requests")?,
        duration: value("duration")?,
        p50: value("p50")?,
        p99: value("p99")?,
        max: value("max")?,
        refused: value("refused")?,
        failed: value("failed")?,
        connect: value("connect")?,
        read: value("read")?,
        write: value("write")?,
        timeout: value("timeout")?,
    })
}

impl Phase {
    pub(super) const HEADING: &str =
        "phase    requests  requests/s    p50 ms    p99 ms    max ms  4xx  5xx  connections";

    pub(super) fn complaints(&self) -> Vec<String> {
        let Self { name, requests, refused, failed, .. } = self;
        let mut wrong = Vec::new();
        if *requests == 0 {
            wrong.push(format!("{name}: nothing was answered"));
        }
        if *failed > 0 {
            wrong.push(format!("{name}: {failed} responses were a 5xx"));
        }
        if *refused > 0 {
            wrong.push(format!(
                "{name}: {refused} responses were a 4xx: somebody was signed out or refused"
            ));
        }
        if self.broken() > 0 {
            let Self { connect, read, write, timeout, .. } = self;
            wrong.push(format!("{name}: connections broke (connect {connect}, read {read}, write {write}, timeout {timeout})"));
        }
        wrong
    }

    fn broken(&self) -> u64 {
        self.connect + self.read + self.write + self.timeout
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, requests, refused, failed, .. } = self;
        let rate = *requests as f64 / (self.duration.max(1) as f64 / 1e6);
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(|micros| micros as f64 / 1e3);
        write!(
            f,
            "{name:<7} {requests:>9} {rate:>11.0} {p50:>9.2} {p99:>9.2} {max:>9.2} {refused:>4} {failed:>4} {:>12}",
            self.broken()
        )
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    const LINE: &str = "measured requests=10 duration=2000000 p50=1 p99=2 max=3 refused=0 failed=0 connect=0 read=0 write=0 timeout=0";

    #[test]
    fn a_sound_phase_has_no_complaints() {
        let phase = measured("before", &format!("Running 2s test\n{LINE}\n")).unwrap();
        assert_eq!((phase.complaints(), phase.requests), (Vec::<String>::new(), 10));
        assert!(phase.to_string().contains(" 5 "), "ten requests in two seconds: {phase}");
    }

    #[test]
    fn each_thing_that_is_wrong_is_told() {
        for (name, told) in [
            ("failed", "were a 5xx"),
            ("refused", "were a 4xx"),
            ("connect", "connections broke"),
            ("read", "connections broke"),
            ("write", "connections broke"),
            ("timeout", "connections broke"),
        ] {
            let line = LINE.replace(&format!("{name}=0"), &format!("{name}=1"));
            let complaints = measured("during", &line).unwrap().complaints();
            assert!(complaints.len() == 1 && complaints[0].contains(told), "{complaints:?}");
        }
        let nothing = LINE.replace("requests=10", "requests=0");
        assert_eq!(measured("after", &nothing).unwrap().complaints().len(), 1);
    }

    #[test]
    fn what_says_nothing_is_no_measurement() {
        assert!(measured("before", "Running 2s test").is_none());
        assert!(measured("before", "measured requests=10").is_none());
    }
}
