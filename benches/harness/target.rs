//! What a candidate should reach.

use crate::{
    record::{Quantity, Verdict},
    sample::Sample,
};

/// What a candidate should reach, for itself or beside another one of the same table.
#[derive(Clone, Debug)]
pub struct Target {
    rule: Rule,
    bound: f64,
    against: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    AtMostTimes,
    AtLeastTimes,
    Below,
    WithinPoints,
    AtMost,
    AtLeast,
}

impl Target {
    /// At most `factor` times what `candidate` has.
    #[must_use]
    pub fn at_most(factor: f64, candidate: &str) -> Self {
        Self::beside(Rule::AtMostTimes, factor, candidate)
    }

    /// At least `factor` times what `candidate` has.
    #[must_use]
    pub fn at_least(factor: f64, candidate: &str) -> Self {
        Self::beside(Rule::AtLeastTimes, factor, candidate)
    }

    /// Less than `candidate` has.
    #[must_use]
    pub fn below(candidate: &str) -> Self {
        Self::beside(Rule::Below, 1.0, candidate)
    }

    /// At most so many less than `candidate` has.
    #[must_use]
    pub fn within(points: f64, candidate: &str) -> Self {
        Self::beside(Rule::WithinPoints, points, candidate)
    }

    /// No more than this, whatever others have.
    #[must_use]
    pub fn no_more_than(bound: f64) -> Self {
        Self { rule: Rule::AtMost, bound, against: None }
    }

    /// No less than this, whatever others have.
    #[must_use]
    pub fn no_less_than(bound: f64) -> Self {
        Self { rule: Rule::AtLeast, bound, against: None }
    }

    fn beside(rule: Rule, bound: f64, candidate: &str) -> Self {
        Self { rule, bound, against: Some(candidate.to_owned()) }
    }

    /// The candidate that it is measured by.
    pub(crate) fn against(&self) -> Option<&str> {
        self.against.as_deref()
    }

    /// Whether `own` reaches it, where `other` is what [`Self::against`] has. Without a value to compare with it is missed.
    pub(crate) fn judge(
        &self,
        quantity: Quantity,
        own: &Sample,
        other: Option<&Sample>,
    ) -> Verdict {
        let value = match self.rule {
            Rule::AtMostTimes | Rule::AtLeastTimes | Rule::Below => {
                other.and_then(|other| own.ratio(other))
            }
            Rule::WithinPoints => other.map(|other| own.median() - other.median()),
            Rule::AtMost | Rule::AtLeast => Some(own.median()),
        };
        let met = value.is_some_and(|value| match self.rule {
            Rule::AtMostTimes | Rule::AtMost => value <= self.bound,
            Rule::AtLeastTimes | Rule::AtLeast => value >= self.bound,
            Rule::Below => value < self.bound,
            Rule::WithinPoints => value >= -self.bound,
        });
        let found = match (self.rule, value) {
            (_, None) => "nothing to compare with".to_owned(),
            (Rule::WithinPoints, Some(value)) => format!("{value:+.2} points"),
            (Rule::AtMost | Rule::AtLeast, Some(value)) => quantity.show(value),
            (_, Some(value)) => format!("{value:.2} x"),
        };
        let bound = match self.rule {
            Rule::AtMostTimes | Rule::AtLeastTimes | Rule::Below => {
                other.map(|other| other.median() * self.bound)
            }
            Rule::WithinPoints => other.map(|other| other.median() - self.bound),
            Rule::AtMost | Rule::AtLeast => Some(self.bound),
        };
        Verdict { target: self.words(quantity), found, bound, met }
    }

    fn words(&self, quantity: Quantity) -> String {
        let (bound, against) = (self.bound, self.against().unwrap_or_default());
        match self.rule {
            Rule::AtMostTimes => format!("at most {bound:.2} x {against}"),
            Rule::AtLeastTimes => format!("at least {bound:.2} x {against}"),
            Rule::Below => format!("below {against}"),
            Rule::WithinPoints => format!("at most {bound:.1} points below {against}"),
            Rule::AtMost => format!("at most {}", quantity.show(bound)),
            Rule::AtLeast => format!("at least {}", quantity.show(bound)),
        }
    }
}
