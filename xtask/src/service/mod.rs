//! `cargo xtask service-load`: the example service under load while its Redis is killed and comes back.
//!
//! Three phases of equal length, each a run of `wrk`: before, during, after. The server is killed with SIGKILL and started
//! again in the middle of the second one. It keeps its data (sessions are some), as a server of sessions should.

mod client;
mod process;
mod wrk;

use std::path::{Path, PathBuf};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};
use std::{env, fs, net};

use crate::failure::{Failure, Result};
use crate::host::{Host, root};
use crate::server::free_address;
use crate::testing::forget_foreign_settings;
use crate::tools::{Tools, Wanted};

use self::client::Client;
use self::process::Kept;
use self::wrk::{Load, Phase};

/// How long each phase takes.
const LONG: Duration = Duration::from_secs(8);
const SHORT: Duration = Duration::from_secs(4);
/// How long a program may take to answer for the first time.
const START: Duration = Duration::from_secs(20);

/// Runs the load. `--short` takes half the time, and the service as the tests build it; figures are of the long form.
///
/// # Errors
///
/// A response was a 5xx or anything else but 2xx, a connection broke, nothing was measured, or a program is not there.
pub(crate) fn run(host: &Host, wanted: Wanted, arguments: &[String]) -> Result<()> {
    let (phase, profile) = match arguments {
        [] => (LONG, "release"),
        [option] if option == "--short" => (SHORT, "dev"),
        [other, ..] => return Err(Failure::usage(format!("service-load does not know `{other}`"))),
    };
    let wrk = host.find("wrk").ok_or_else(|| {
        Failure::new(
            "wrk was not found; install it (`sudo apt-get install -y wrk`), and run the task again",
        )
    })?;
    let tools = Tools::obtain(host, wanted)?;
    let program = built(host, profile)?;
    let directory = Directory::new()?;
    let outcome = Service::start(&tools, &program, &directory.0)
        .and_then(|service| service.under(&Load::new(host, wrk), phase));
    if outcome.is_err() {
        print!("{}", fs::read_to_string(directory.0.join("service.log")).unwrap_or_default());
    }
    outcome
}

fn built(host: &Host, profile: &str) -> Result<PathBuf> {
    let mut command = host.cargo();
    forget_foreign_settings(&mut command);
    host.run(command.args([
        "build",
        "--quiet",
        "--package",
        "larder-service",
        "--profile",
        profile,
    ]))?;
    let target =
        host.variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let profile = if profile == "dev" { "debug" } else { profile };
    Ok(target.join(profile).join("larder-service"))
}

/// The service and its Redis, both running.
struct Service {
    redis: Kept,
    service: Kept,
    client: Client,
}

impl Service {
    fn start(tools: &Tools, program: &Path, directory: &Path) -> Result<Self> {
        let free =
            || free_address().map_err(|error| Failure::new(format!("no free port: {error}")));
        let (redis_at, service_at) = (free()?, free()?);
        let port = redis_at.port().to_string();
        let kept = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--port", &port];
        let mut redis = Kept::new(&tools.server, directory.join("redis.log"));
        redis.arguments(kept).arguments(["--dir", &directory.to_string_lossy()]);
        let mut service = Kept::new(program, directory.join("service.log"));
        service
            .set("REDIS_URL", &format!("redis://{redis_at}/0"))
            .set("SERVICE_ADDRESS", &service_at.to_string())
            .set("SERVICE_DATABASE", &directory.join("data.sqlite").to_string_lossy())
            .set("SERVICE_REQUESTS_PER_MINUTE", "1000000000");
        let mut started = Self { redis, service, client: Client::new(service_at) };
        started.redis.start()?;
        answers("redis-server", || net::TcpStream::connect(redis_at).is_ok())?;
        started.service.start()?;
        answers("the service", || {
            started.client.health().is_ok_and(|health| health.contains("healthy"))
        })?;
        Ok(started)
    }

    fn under(mut self, load: &Load<'_>, phase: Duration) -> Result<()> {
        let cookies = self.client.sign_in("load")?;
        let address = self.client.address();
        let run = |name| load.run(name, address, &cookies, phase);
        let mut phases = vec![run("before")?];
        phases.push(thread::scope(|scope| {
            let during = scope.spawn(|| run("during"));
            let broken = self.break_redis(phase);
            let during =
                during.join().unwrap_or_else(|_| Err(Failure::new("wrk was not waited for")));
            broken.and(during)
        })?);
        answers("Redis", || self.client.health().is_ok_and(|health| health.contains("healthy")))?;
        phases.push(run("after")?);
        let metrics = self.client.metrics()?;
        // Tells what it ended with.
        self.service.end()?;
        judged(&phases, &metrics)
    }

    /// Kills Redis a quarter into the phase and starts it again at its half; signs in and out while it is away.
    fn break_redis(&mut self, phase: Duration) -> Result<()> {
        sleep(phase / 4);
        self.redis.kill()?;
        let started = Instant::now();
        let without =
            self.client.sign_in("without").and_then(|cookies| self.client.sign_out(&cookies));
        sleep((phase / 4).saturating_sub(started.elapsed()));
        self.redis.start()?;
        without
    }
}

/// Prints what was measured, and says what is wrong with it.
fn judged(phases: &[Phase], metrics: &str) -> Result<()> {
    println!("\n{}", Phase::HEADING);
    for phase in phases {
        println!("{phase}");
    }
    println!();
    let mut wrong: Vec<String> = phases.iter().flat_map(Phase::complaints).collect();
    // Otherwise nothing was broken, and nothing tested.
    for name in ["cache_errors_total", "cache_limits_unasked_total"] {
        match total(metrics, name) {
            None => wrong.push(format!("/metrics has no {name}")),
            Some(total) => println!("{name} {total}"),
        }
        if total(metrics, name) == Some(0.0) {
            wrong.push(format!("{name} is 0: the service did not notice that Redis was away"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n"))) }
}

/// The sum of a metric over its labels, in what Prometheus reads.
fn total(metrics: &str, name: &str) -> Option<f64> {
    let of_name =
        |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let figures =
        metrics.lines().filter(of_name).map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    figures.reduce(|sum, figure| Some(sum? + figure?)).flatten()
}

fn answers(who: &str, mut check: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + START;
    while !check() {
        if Instant::now() > deadline {
            return Err(Failure::new(format!("{who} did not answer within {START:?}")));
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A directory that goes when everything in it has ended.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self> {
        let path = env::temp_dir().join(format!("larder-service-load-{}", std::process::id()));
        let failed = |error| Failure::new(format!("no directory {}: {error}", path.display()));
        fs::create_dir_all(&path).map_err(failed)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn a_total_is_of_one_name_and_of_all_its_labels() {
        let metrics = "# TYPE errors_total counter\nerrors_total{kind=\"error\"} 3\nerrors_total{kind=\"timeout\"} 4\n\
                       errors_total_seconds 9\nlags 0\n";
        assert_eq!(total(metrics, "errors_total"), Some(7.0));
        assert_eq!(total(metrics, "lags"), Some(0.0));
        assert_eq!(total(metrics, "errors"), None);
    }
}
