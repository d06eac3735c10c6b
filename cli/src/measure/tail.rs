//! How long single operations took: a histogram that travels between processes as pairs of numbers.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Longer operations count as this long.
const LONGEST: Duration = Duration::from_secs(60);
/// Two digits: a percentile is known to a hundredth of itself.
const DIGITS: u8 = 2;

/// Nanoseconds of single operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail(Histogram<u64>);

impl Tail {
    /// Of no operation.
    ///
    /// # Errors
    /// None that the bounds above could cause.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, DIGITS)?))
    }

    /// One more operation.
    pub fn record(&mut self, took: Duration) {
        self.record_nanos(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// One more operation.
    pub fn record_nanos(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// All operations of another one.
    ///
    /// # Errors
    /// None between two that [`new`](Self::new) made.
    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// All of several, if there is any.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub fn all<'a>(tails: impl IntoIterator<Item = &'a Self>) -> anyhow::Result<Option<Self>> {
        let mut tails = tails.into_iter();
        let Some(mut all) = tails.next().cloned() else { return Ok(None) };
        tails.try_for_each(|tail| all.add(tail))?;
        Ok(Some(all))
    }

    /// Whether it is of no operation.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mean, in nanoseconds.
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// So many of all, from 0 to 1, took at most this many nanoseconds.
    pub fn at(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }

    /// Nanoseconds, and how many operations took that long.
    pub fn to_pairs(&self) -> Vec<(u64, u64)> {
        let recorded = self.0.iter_recorded();
        recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }

    /// What [`to_pairs`](Self::to_pairs) has made pairs of; nothing of no pairs.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn from_pairs(pairs: &[(u64, u64)]) -> anyhow::Result<Option<Self>> {
        if pairs.is_empty() {
            return Ok(None);
        }
        let mut tail = Self::new()?;
        for &(nanos, count) in pairs {
            tail.0.saturating_record_n(nanos, count);
        }
        Ok(Some(tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn travels_as_pairs() {
        let mut tail = Tail::new().unwrap();
        for nanos in [1, 300, 300, 301, 70_000, u64::MAX] {
            tail.record_nanos(nanos);
        }
        let again = Tail::from_pairs(&tail.to_pairs()).unwrap().unwrap();
        assert_eq!(again, tail);
        assert_eq!(Tail::from_pairs(&Tail::new().unwrap().to_pairs()).unwrap(), None);
    }

    #[test]
    fn several_are_one() {
        let tails: Vec<Tail> = [[100; 99], [5000; 99]]
            .map(|values| {
                let mut tail = Tail::new().unwrap();
                values.iter().for_each(|value| tail.record_nanos(*value));
                tail
            })
            .into();
        let all = Tail::all(&tails).unwrap().unwrap();
        assert!((99..=101).contains(&all.at(0.5)) && (4950..=5050).contains(&all.at(0.999)), "{all:?}");
        assert_eq!(Tail::all([]).unwrap(), None);
    }
}
