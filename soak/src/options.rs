//! The command line.

use std::time::Duration;

/// What to run, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// For each deployment, unless it is short.
    time: Duration,
    pub(crate) seed: u64,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) is_short: bool,
}

/// Which servers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    Single,
    Cluster,
    /// A master and its replica, watched by three sentinels. The chaos suite's alone.
    Sentinel,
}

impl Deployment {
    /// One of them, or `all`.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub(crate) fn parse(name: &str) -> Result<Vec<Self>, String> {
        match name {
            "single" => Ok(vec![Self::Single]),
            "cluster" => Ok(vec![Self::Cluster]),
            "all" => Ok(vec![Self::Single, Self::Cluster]),
            other => Err(format!("there is no deployment `{other}`")),
        }
    }
}

pub(crate) const HELP: &str = "\
Checks Larder's promises on real processes and real Redis servers while things break.

    --minutes N                        how long, in all (10 unless told)
    --deployment single|cluster|all    on which servers (all unless told)
    --seed N                           the schedule of what is broken (a new one unless told)
    --short                            about 75 seconds in all, for every change
";

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut minutes = 10;
        let mut options = Self {
            time: Duration::ZERO,
            seed: fastrand::u64(..1_000_000),
            deployments: vec![Deployment::Single, Deployment::Cluster],
            is_short: false,
        };
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word {
                "--minutes" => minutes = number(word, value()?)?,
                "--seed" => options.seed = number(word, value()?)?,
                "--short" => options.is_short = true,
                "--deployment" => {
                    options.deployments = Deployment::parse(value()?)?;
                }
                other => return Err(format!("there is no option `{other}`")),
            }
        }
        if minutes == 0 {
            return Err("--minutes 0 would check nothing".to_owned());
        }
        // There are one or two.
        options.time = Duration::from_secs(60 * minutes) / options.deployments.len() as u32;
        Ok(options)
    }

    /// How long a deployment is under load while things break.
    pub(crate) fn time(&self, deployment: Deployment) -> Duration {
        match deployment {
            _ if !self.is_short => self.time,
            Deployment::Single => Duration::from_secs(20),
            // It takes its time to replace a master.
            Deployment::Cluster | Deployment::Sentinel => Duration::from_secs(36),
        }
    }
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name} takes a number, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn the_time_is_that_of_all_deployments_together() {
        assert_eq!(parse("--minutes 4").unwrap().time, Duration::from_secs(120));
        let single = parse("--deployment single --minutes 4 --seed 7").unwrap();
        assert_eq!((single.time, single.seed), (Duration::from_secs(240), 7));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, part) in [
            ("--minutes", "needs a value"),
            ("--minutes soon", "takes a number"),
            ("--minutes 0", "nothing"),
            ("--deployment moon", "`moon`"),
            ("--long", "`--long`"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
