//! Round trips: one side asks and holds the watch, the other answers.
//!
//! After the exchanges that are timed together come some that are timed one by one, for the percentiles: the clock is a
//! part of those, and so it must not be a part of the others.
//!
//! Question `k` is message `2k+1`, its answer is message `2k+2`; numbers go on through all batches, so no two
//! consecutive messages are alike. The first exchange of a batch is not timed: after it both sides are
//! awake and in step.

use super::payload::{is_message, message};
use super::{Crew, Crowd, Partner, Place, Report, Tail};
use std::time::Instant;

/// The number of the message that ends a batch that is bounded by time; no other has it.
const STOP: u64 = 0;

/// How many exchanges of a batch of `operations` are timed one by one, after the others.
fn singles(operations: u64) -> u64 {
    operations.div_ceil(4)
}

/// One side of a conversation, for messages of `WORDS` words.
pub trait End<const WORDS: usize> {
    /// # Errors
    /// The other side is gone, or the kernel refuses.
    fn send(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()>;

    /// Waits in whatever way is being measured.
    ///
    /// # Errors
    /// The other side is gone, or the kernel refuses.
    fn receive(&mut self) -> anyhow::Result<[u64; WORDS]>;
}

/// The side that asks.
pub struct Asker<E, const WORDS: usize> {
    end: E,
    number: u64,
}

/// The side that answers.
pub struct Answerer<E, const WORDS: usize> {
    end: E,
    number: u64,
}

impl<E: End<WORDS>, const WORDS: usize> Asker<E, WORDS> {
    pub fn new(end: E) -> Self {
        Self { end, number: 1 }
    }

    /// Asks `operations` times.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, operations: u64) -> anyhow::Result<Report> {
        let mut wrong = self.exchange()?;
        let start = Instant::now();
        for _ in 0..operations {
            wrong += self.exchange()?;
        }
        let nanos = start.elapsed().as_nanos() as u64;
        let mut each = Tail::new()?;
        for _ in 0..singles(operations) {
            let start = Instant::now();
            wrong += self.exchange()?;
            each.record(start.elapsed());
        }
        Ok(Report { operations, nanos, wrong, each: Some(each) })
    }

    /// Asks until `nanos` are over, then tells the other side that it is enough.
    ///
    /// # Errors
    /// Those of the end.
    pub fn for_time(&mut self, nanos: u64) -> anyhow::Result<Report> {
        let mut wrong = self.exchange()?;
        let start = Instant::now();
        let (mut operations, mut elapsed) = (0, 0);
        let mut each = Tail::new()?;
        while elapsed < nanos {
            wrong += self.exchange()?;
            operations += 1;
            let now = start.elapsed().as_nanos() as u64;
            each.record_nanos(now - elapsed);
            elapsed = now;
        }
        self.end.send(&message(STOP))?;
        Ok(Report { operations, nanos: elapsed, wrong, each: Some(each) })
    }

    /// One round trip; 1 if the answer was wrong.
    #[inline(always)]
    fn exchange(&mut self) -> anyhow::Result<u64> {
        self.end.send(&message(self.number))?;
        let answer = self.end.receive()?;
        let wrong = !is_message(&answer, self.number + 1);
        self.number += 2;
        Ok(u64::from(wrong))
    }
}

impl<E: End<WORDS>, const WORDS: usize> Answerer<E, WORDS> {
    pub fn new(end: E) -> Self {
        Self { end, number: 1 }
    }

    /// Answers the `operations` questions of a batch, the one that is not timed, and those that are timed alone.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, operations: u64) -> anyhow::Result<Report> {
        let mut wrong = 0;
        for _ in 0..=operations + singles(operations) {
            let question = self.end.receive()?;
            wrong += self.answer(&question)?;
        }
        Ok(Report { wrong, ..Report::default() })
    }

    /// Answers until it is told that it is enough.
    ///
    /// # Errors
    /// Those of the end.
    pub fn until_stopped(&mut self) -> anyhow::Result<Report> {
        let mut wrong = 0;
        loop {
            let question = self.end.receive()?;
            if is_message(&question, STOP) {
                return Ok(Report { wrong, ..Report::default() });
            }
            wrong += self.answer(&question)?;
        }
    }

    /// 1 if the question was wrong.
    #[inline(always)]
    fn answer(&mut self, question: &[u64; WORDS]) -> anyhow::Result<u64> {
        let wrong = !is_message(question, self.number);
        self.end.send(&message(self.number + 1))?;
        self.number += 2;
        Ok(u64::from(wrong))
    }
}

/// Forks the two sides of a conversation, each at its place.
///
/// # Errors
/// Those of [`Partner::fork`].
pub fn crew<const WORDS: usize, E: End<WORDS>>(
    (asks, answers): (E, E),
    (asker, answerer): (&Place, &Place),
) -> anyhow::Result<Crew> {
    let mut answers = Answerer::new(answers);
    let mut asks = Asker::new(asks);
    Ok(Crew::new([
        Partner::fork(answerer, move |operations| answers.batch(operations))?,
        Partner::fork(asker, move |operations| asks.batch(operations))?,
    ]))
}

/// Forks both sides of several conversations, all at one place.
///
/// # Errors
/// Those of [`Partner::fork`].
pub fn crowd<const WORDS: usize, E: End<WORDS>>(pairs: Vec<(E, E)>, place: &Place) -> anyhow::Result<Crowd> {
    let count = pairs.len() as u64;
    let mut partners = Vec::new();
    for (asks, answers) in pairs {
        let mut answers = Answerer::new(answers);
        let mut asks = Asker::new(asks);
        partners.push(Partner::fork(place, move |_| answers.until_stopped())?);
        partners.push(Partner::fork(place, move |nanos| asks.for_time(nanos))?);
    }
    Ok(Crowd::new(Crew::new(partners), count))
}
