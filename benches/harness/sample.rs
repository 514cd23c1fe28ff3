//! What was measured of one thing, round by round.

/// One value for each round, in the order of the rounds. What was measured once, or counted, has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// What rounds gave.
    ///
    /// # Panics
    ///
    /// Without a round.
    #[must_use]
    pub fn new(rounds: Vec<f64>) -> Self {
        assert!(!rounds.is_empty(), "a sample without a round");
        Self(rounds)
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        quartile(self.0.clone(), 2)
    }

    /// The lower and the upper quartile.
    #[must_use]
    pub fn quartiles(&self) -> (f64, f64) {
        (quartile(self.0.clone(), 1), quartile(self.0.clone(), 3))
    }

    /// How much larger this is than `other`; `None` when that is zero. When both have the same rounds, it is the median of
    /// each round's ratio: what the machine did besides in a round fell on both.
    #[must_use]
    pub fn ratio(&self, other: &Self) -> Option<f64> {
        if other.0.contains(&0.0) {
            return None;
        }
        if self.0.len() != other.0.len() {
            return Some(self.median() / other.median());
        }
        Some(quartile(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect(), 2))
    }
}

impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

fn quartile(mut values: Vec<f64>, quarter: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * quarter / 4]
}
