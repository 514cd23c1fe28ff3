//! The command line of the chaos suite.

use std::time::Duration;

use super::{trouble::Trouble, verdict::Felt};
use crate::options::Deployment;

pub(crate) const HELP: &str = "\
Breaks Redis in one way after the other, and tells what the calls of a service felt.

    --deployment single|cluster|sentinel|all    on which servers (all unless told)
    --only NAME                        only what has NAME in its name
    --short                            one server, the most telling faults, about a minute; what takes too long is told,
                                       and only calls that fail, old values and caches that do not recover are failures
";

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) deployments: Vec<Deployment>,
    only: Option<String>,
    is_short: bool,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let (mut deployments, mut only, mut is_short) = (None, None, false);
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word {
                "--short" => is_short = true,
                "--only" => only = Some(value()?.to_owned()),
                "--deployment" => deployments = Some(deployments_of(value()?)?),
                other => return Err(format!("there is no option `{other}`")),
            }
        }
        let usual = if is_short { "single" } else { "all" };
        let deployments = deployments.map_or_else(|| deployments_of(usual), Ok)?;
        let options = Self { deployments, only, is_short };
        let is_idle = |&deployment: &Deployment| options.troubles(deployment).is_empty();
        if options.deployments.iter().all(is_idle) {
            return Err("nothing of what can be broken has such a name".to_owned());
        }
        Ok(options)
    }

    /// What to break.
    pub(crate) fn troubles(&self, deployment: Deployment) -> Vec<Trouble> {
        let is_wanted = |trouble: &Trouble| match &self.only {
            Some(name) => trouble.to_string().to_lowercase().contains(&name.to_lowercase()),
            None => !self.is_short || trouble.is_telling(),
        };
        Trouble::of(deployment).iter().copied().filter(is_wanted).collect()
    }

    /// The short form runs wherever other work does: there times are told and prove nothing.
    pub(crate) fn forgives(&self, felt: &Felt) -> bool {
        self.is_short && felt.is_late_only()
    }

    /// For how long something is broken.
    pub(crate) fn length(&self, trouble: Trouble) -> Duration {
        match trouble {
            _ if self.is_short => Duration::from_secs(3),
            Trouble::Freeze => Duration::from_secs(30),
            _ => Duration::from_secs(5),
        }
    }

    /// For how long nothing is broken before that.
    pub(crate) fn healthy(&self) -> Duration {
        Duration::from_secs(if self.is_short { 2 } else { 4 })
    }
}

/// Those of the soak, and Sentinel.
fn deployments_of(name: &str) -> Result<Vec<Deployment>, String> {
    if name == "sentinel" {
        return Ok(vec![Deployment::Sentinel]);
    }
    let mut deployments = Deployment::parse(name)?;
    if name == "all" {
        deployments.push(Deployment::Sentinel);
    }
    Ok(deployments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn the_short_form_has_one_server_unless_told() {
        assert_eq!(parse("--short").unwrap().deployments, [Deployment::Single]);
        assert_eq!(parse("").unwrap().deployments.len(), 3);
        let both = parse("--short --deployment all").unwrap();
        assert!(both.troubles(Deployment::Single).contains(&Trouble::Freeze));
        assert!(both.troubles(Deployment::Single).len() < Trouble::of(Deployment::Single).len());
    }

    #[test]
    fn one_fault_can_be_chosen_by_a_part_of_its_name() {
        let one = parse("--only sigstop --deployment single").unwrap();
        assert_eq!(one.troubles(Deployment::Single), [Trouble::Freeze]);
        assert_eq!(one.length(Trouble::Freeze), Duration::from_secs(30));
    }

    #[test]
    fn behind_sentinel_masters_are_replaced() {
        let options = parse("--deployment sentinel --only failover").unwrap();
        assert_eq!(options.deployments, [Deployment::Sentinel]);
        assert_eq!(options.troubles(Deployment::Sentinel), [Trouble::Promote; 2]);
        assert!(options.troubles(Deployment::Single).is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        for (line, part) in [
            ("--only", "needs a value"),
            ("--only earthquake", "such a name"),
            ("--deployment moon", "`moon`"),
            ("--seed 7", "`--seed`"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
