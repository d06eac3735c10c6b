//! Interleaved rounds of one row.

use super::{Batch, Contender, Cores, Line, Row, Spread, Tail};
use anyhow::Context as _;
use std::time::{Duration, Instant};

/// The median of fewer rounds is not worth printing.
pub const MIN_ROUNDS: usize = 12;
const MAX_ROUNDS: usize = 60;
/// Batches need not be longer: more time goes into more rounds.
const GOOD_BATCH: Duration = Duration::from_millis(50);
/// Finding out how many operations make a batch costs about as much as this many rounds.
const CALIBRATION: usize = 2;
/// After so many times the length of a batch it has to do with what it has found.
const PATIENCE: u32 = 4;

/// One contender in its rounds.
struct Runner {
    name: String,
    contender: Box<dyn Contender>,
    operations: u64,
    /// Nanoseconds an operation, one a round.
    figures: Vec<f64>,
    each: Option<Tail>,
    /// The smallest share, one a round.
    shares: Vec<f64>,
    every: Option<f64>,
    /// The other's writes a second, one a round.
    writers: Vec<f64>,
    bytes_each: Option<f64>,
}

/// How a row's time is spent.
struct Budget {
    rounds: usize,
    batch: Duration,
}

impl Budget {
    fn new(seconds: f64, contenders: usize) -> Self {
        let share = seconds / contenders as f64;
        let rounds = (share / GOOD_BATCH.as_secs_f64()) as usize;
        let rounds = rounds.saturating_sub(CALIBRATION).clamp(MIN_ROUNDS, MAX_ROUNDS);
        Self { rounds, batch: Duration::from_secs_f64(share / (rounds + CALIBRATION) as f64) }
    }
}

/// Measures a row for about `seconds`; one line for each of its peers that the machine has, and one line
/// without a peer if there is none. Missing peers are reported by `missing`.
///
/// # Errors
/// Ours cannot be set up ([`SetUp`] in the chain), or a batch failed.
pub fn measure(
    row: &Row,
    cores: &Cores,
    seconds: f64,
    mut missing: impl FnMut(&str, anyhow::Error),
) -> anyhow::Result<Vec<Line>> {
    let mut runners = vec![Runner::new(row.name(), row.ours.build(cores).context(SetUp)?)];
    for peer in &row.peers {
        match peer.build(cores) {
            Ok(contender) => runners.push(Runner::new(&peer.name, contender)),
            Err(error) => missing(&peer.name, error),
        }
    }
    let budget = Budget::new(seconds, runners.len());
    for runner in &mut runners {
        runner.calibrate(budget.batch)?;
    }
    for round in 0..budget.rounds {
        for turn in 0..runners.len() {
            let next = (round + turn) % runners.len();
            runners[next].round()?;
        }
    }
    let (ours, peers) = runners.split_first().context("a row without contenders")?;
    if peers.is_empty() {
        return Ok(vec![ours.line(None, cores)]);
    }
    Ok(peers.iter().map(|peer| ours.line(Some(peer), cores)).collect())
}

/// Says in a chain of errors that it never came to measuring.
#[derive(Debug)]
pub struct SetUp;

impl std::fmt::Display for SetUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot be set up")
    }
}

impl Runner {
    fn new(name: &str, contender: Box<dyn Contender>) -> Self {
        Self {
            name: name.into(),
            contender,
            operations: 1,
            figures: Vec::new(),
            each: None,
            shares: Vec::new(),
            every: None,
            writers: Vec::new(),
            bytes_each: None,
        }
    }

    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        self.contender.batch(operations).with_context(|| self.name.clone())
    }

    /// Finds out how many operations fill `target`. The first batches also warm everything up.
    fn calibrate(&mut self, target: Duration) -> anyhow::Result<()> {
        let begin = Instant::now();
        let mut operations = 1;
        loop {
            let mut elapsed = self.batch(operations)?.elapsed.max(Duration::from_nanos(1));
            if elapsed >= target / 4 {
                // Once more, for it may have been held up: who took one such operation for the rule would measure nothing else.
                elapsed = elapsed.min(self.batch(operations)?.elapsed.max(Duration::from_nanos(1)));
            }
            let fill = target.as_secs_f64() / elapsed.as_secs_f64();
            let enough = elapsed >= target / 4 || begin.elapsed() >= target * PATIENCE;
            // Short batches tell little of long ones: grow in steps.
            let growth = if enough { fill } else { fill.min(16.0) };
            operations = ((operations as f64 * growth) as u64).max(1);
            if enough {
                self.operations = operations;
                return Ok(());
            }
        }
    }

    fn round(&mut self) -> anyhow::Result<()> {
        let batch = self.batch(self.operations)?;
        self.figures.push(batch.elapsed.as_secs_f64() * 1e9 / self.operations as f64);
        self.shares.extend(batch.share);
        self.every = batch.every;
        self.writers.extend(batch.writer);
        self.bytes_each = batch.bytes_each;
        if let Some(each) = batch.each {
            match &mut self.each {
                Some(all) => all.add(&each)?,
                none => *none = Some(each),
            }
        }
        Ok(())
    }

    /// Where single operations were timed: so many of them took at most this long.
    fn tail(&self, quantile: f64) -> Option<u64> {
        self.each.as_ref().map(|each| each.at(quantile))
    }

    fn line(&self, peer: Option<&Self>, cores: &Cores) -> Line {
        let ours = Spread::of(self.figures.iter().copied());
        let theirs = peer.map(|peer| Spread::of(peer.figures.iter().copied()));
        let ratio = peer.map(|peer| Spread::of(self.figures.iter().zip(&peer.figures).map(|(a, b)| a / b)));
        let its = |quantile| peer.and_then(|peer| peer.tail(quantile));
        Line {
            row: self.name.clone(),
            ours_ns: round(ours.median),
            peer: peer.map(|peer| peer.name.clone()),
            peer_ns: theirs.map(|spread| round(spread.median)),
            ratio: ratio.map(|spread| round(spread.median)),
            rounds: self.figures.len(),
            ours_min: round(ours.min),
            ours_max: round(ours.max),
            peer_min: theirs.map(|spread| round(spread.min)),
            peer_max: theirs.map(|spread| round(spread.max)),
            ratio_min: ratio.map(|spread| round(spread.min)),
            ratio_max: ratio.map(|spread| round(spread.max)),
            cores: cores.count(),
            p50: self.tail(0.5),
            p99: self.tail(0.99),
            p999: self.tail(0.999),
            peer_p50: its(0.5),
            peer_p99: its(0.99),
            peer_p999: its(0.999),
            every_ns: self.every.map(round),
            share: (!self.shares.is_empty()).then(|| round(Spread::of(self.shares.iter().copied()).median)),
            writer_per_s: mean(&self.writers),
            peer_writer_per_s: peer.and_then(|peer| mean(&peer.writers)),
            bytes_each: self.bytes_each.map(round),
        }
    }
}

/// Not the median: a writer that sleeps through most rounds has written in the others.
fn mean(figures: &[f64]) -> Option<f64> {
    (!figures.is_empty()).then(|| round(figures.iter().sum::<f64>() / figures.len() as f64))
}

/// To a thousandth: more digits would be noise. Of what is less than one to a millionth, so that it does not become nothing.
fn round(figure: f64) -> f64 {
    let digits = if figure < 1.0 { 1e6 } else { 1e3 };
    (figure * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use super::super::Entry;
    use super::*;

    /// Takes a fixed time an operation, without spending it.
    struct Steady(u64);

    impl Contender for Steady {
        fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
            Ok(Duration::from_nanos(self.0 * operations).into())
        }
    }

    fn steady(name: &'static str, ns: u64) -> Entry {
        Entry::new(name, move |_| Ok(Steady(ns)))
    }

    fn lines(row: &Row) -> anyhow::Result<Vec<Line>> {
        measure(row, &Cores::find()?, 0.5, |_, _| ())
    }

    #[test]
    fn one_line_a_peer_with_the_ratio_of_ours_to_it() {
        let row = Row::ours(steady("a", 300)).against(steady("b", 200)).against(steady("c", 100));
        let lines = lines(&row).unwrap();
        assert_eq!(lines.iter().map(|line| line.ratio).collect::<Vec<_>>(), [Some(1.5), Some(3.0)]);
        assert_eq!(lines.iter().map(|line| line.peer.as_deref()).collect::<Vec<_>>(), [Some("b"), Some("c")]);
        assert!(lines.iter().all(|line| line.rounds >= MIN_ROUNDS && line.ours_ns == 300.0));
    }

    #[test]
    fn a_missing_peer_leaves_ours() {
        let gone = Entry::new("gone", |_| -> anyhow::Result<Steady> { anyhow::bail!("not here") });
        let row = Row::ours(steady("a", 300)).against(gone);
        let mut reported = Vec::new();
        let lines =
            measure(&row, &Cores::find().unwrap(), 0.5, |name, _| reported.push(name.to_string())).unwrap();
        assert_eq!(reported, ["gone"]);
        assert_eq!((lines.len(), lines[0].peer.as_deref(), lines[0].ratio), (1, None, None));
    }

    /// As [`Steady`], but somebody else has the core for a while at first.
    struct HeldUp(Steady, Duration);

    impl Contender for HeldUp {
        fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
            let held_up = std::mem::take(&mut self.1);
            Ok((self.0.batch(operations)?.elapsed + held_up).into())
        }
    }

    #[test]
    fn one_batch_that_was_held_up_says_nothing_of_the_others() {
        let mut runner = Runner::new("a", Box::new(HeldUp(Steady(100), Duration::from_secs(1))));
        runner.calibrate(Duration::from_millis(10)).unwrap();
        assert_eq!(runner.operations, 100_000);
    }

    #[test]
    fn more_time_means_more_rounds_never_fewer_than_twelve() {
        assert_eq!(Budget::new(0.01, 4).rounds, MIN_ROUNDS);
        assert_eq!(Budget::new(3.0, 2).rounds, 28);
        assert_eq!(Budget::new(1000.0, 1).rounds, MAX_ROUNDS);
    }
}
