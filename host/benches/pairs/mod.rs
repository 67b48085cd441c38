//! Two things measured in turns, so that what else the machine does falls on both.

use std::time::Duration;

/// The times of each round.
pub struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    /// Measures so many rounds, each of the baseline and ours.
    pub fn measure(rounds: usize, mut round: impl FnMut() -> (Duration, Duration)) -> Self {
        let round = |_| {
            let (baseline, ours) = round();
            (baseline.as_secs_f64(), ours.as_secs_f64())
        };
        Pairs((0..rounds).map(round).collect())
    }

    /// The median of what a round gives.
    fn median(&self, of: impl Fn(&(f64, f64)) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    /// The medians of the baseline and of ours, in milliseconds.
    pub fn milliseconds(&self) -> (f64, f64) {
        (
            self.median(|pair| pair.0 * 1e3),
            self.median(|pair| pair.1 * 1e3),
        )
    }

    /// The median of the rounds' ratios of ours to the baseline.
    pub fn ratio(&self) -> f64 {
        self.median(|pair| pair.1 / pair.0)
    }

    /// A row of a table: name, baseline, ours, ratio.
    pub fn row(&self, name: &str) -> String {
        let (baseline, ours) = self.milliseconds();
        let ratio = self.ratio();
        format!("| {name} | {baseline:.0} ms | {ours:.0} ms | {ratio:.2} |")
    }
}
