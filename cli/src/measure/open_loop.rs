//! Latency under load: messages are due by a schedule that does not wait for anybody.
//!
//! First the peak is measured: how fast the stream goes when the producer puts as fast as it can. Then messages are due at half
//! that rate, and the latency of each counts from when it was *due* to when it was taken. A producer that comes late, because it was
//! held up or had to wait for room, puts all that is due at once; what it lost is in the latency of each of them. Counted
//! from the actual put instead, one long stop would be one bad message, and not the thousands that came late.

use super::payload::{is_message, message};
use super::stream::{Put, Take};
use super::{Batch, Contender, Crew, Report, Tail, clock};
use anyhow::Context as _;
use std::hint::spin_loop;
use std::time::Duration;

/// How long the schedule of a batch is.
const SPAN: Duration = Duration::from_millis(20);
/// The beginning of a schedule, whose latencies are not looked at: in it the consumer wakes up, and takes what waited for that.
const SETTLE: Duration = Duration::from_millis(1);
/// How many messages go into one measurement of the peak, and how often it is measured.
const PEAK_MESSAGES: u32 = 100_000;
const PEAK_TIMES: usize = 4;
/// Part of the peak.
const LOAD: f64 = 0.5;
/// The latency of one of so many messages is looked at: the clock costs more than a message.
const SAMPLE: u64 = 8;

/// What both sides are told, in one word.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    messages: u32,
    /// Picoseconds from one message to the next; 0: as fast as can be.
    period: u32,
}

impl Plan {
    fn to_order(self) -> u64 {
        u64::from(self.messages) << 32 | u64::from(self.period)
    }

    fn from_order(order: u64) -> Self {
        Self { messages: (order >> 32) as u32, period: order as u32 }
    }

    /// When message `index` is due, in nanoseconds of the clock.
    #[inline(always)]
    fn due(self, start: u64, index: u64) -> u64 {
        start + index * u64::from(self.period) / 1000
    }
}

/// The side that keeps to the schedule.
pub struct Producer<P, const WORDS: usize> {
    end: P,
    number: u64,
}

impl<P: Put<WORDS>, const WORDS: usize> Producer<P, WORDS> {
    pub fn new(end: P) -> Self {
        Self { end, number: 1 }
    }

    /// Puts the time at which the schedule begins, and then the messages.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, order: u64) -> anyhow::Result<Report> {
        let plan = Plan::from_order(order);
        let mut now = clock::now();
        let start = now;
        self.end.put(&message(start))?;
        for index in 0..u64::from(plan.messages) {
            let due = plan.due(start, index);
            // Once late, it puts all that was due when it last looked.
            while now < due {
                spin_loop();
                now = clock::now();
            }
            self.end.put(&message(self.number))?;
            self.number += 1;
        }
        Ok(Report::default())
    }
}

/// The side that consumes, and knows the schedule.
pub struct Consumer<T, const WORDS: usize> {
    end: T,
    number: u64,
}

impl<T: Take<WORDS>, const WORDS: usize> Consumer<T, WORDS> {
    pub fn new(end: T) -> Self {
        Self { end, number: 1 }
    }

    /// Takes all messages; their latencies are those of a sample.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, order: u64) -> anyhow::Result<Report> {
        let plan = Plan::from_order(order);
        let head = self.end.take()?;
        let (start, begin) = (head[0], clock::now());
        let mut wrong = u64::from(!is_message(&head, start));
        let mut each = Tail::new()?;
        let settled = start + if plan.period == 0 { 0 } else { SETTLE.as_nanos() as u64 };
        for index in 0..u64::from(plan.messages) {
            let message = self.end.take()?;
            if index % SAMPLE == 0 {
                let due = plan.due(start, index);
                let late = clock::now().saturating_sub(due);
                if due >= settled {
                    each.record_nanos(late);
                }
            }
            wrong += u64::from(!is_message(&message, self.number));
            self.number += 1;
        }
        let nanos = clock::now().saturating_sub(begin);
        Ok(Report { operations: u64::from(plan.messages), nanos, wrong, each: Some(each) })
    }
}

/// A [`Producer`] and a [`Consumer`], with a load that they can bear.
pub struct OpenLoop {
    crew: Crew,
    plan: Plan,
}

impl OpenLoop {
    /// Measures the peak.
    ///
    /// # Errors
    /// Those of the sides.
    pub fn new(crew: Crew) -> anyhow::Result<Self> {
        let burst = Plan { messages: PEAK_MESSAGES, period: 0 };
        let mut peak = f64::INFINITY;
        for _ in 0..PEAK_TIMES {
            let reports = crew.run(burst.to_order())?;
            let nanos = reports.iter().map(|report| report.nanos).max().unwrap_or(0);
            peak = peak.min(nanos as f64 / f64::from(PEAK_MESSAGES));
        }
        let period = peak / LOAD * 1000.0;
        let messages = SPAN.as_secs_f64() * 1e12 / period;
        Ok(Self { crew, plan: Plan { messages: messages as u32, period: period as u32 } })
    }
}

impl Contender for OpenLoop {
    /// A whole schedule, whatever the number: an operation takes as long as the mean latency.
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        let reports = self.crew.run(self.plan.to_order())?;
        let each = Tail::all(reports.iter().filter_map(|report| report.each.as_ref()))?;
        let each = each.context("no message was timed")?;
        let elapsed = Duration::from_secs_f64(each.mean() * operations as f64 / 1e9);
        let every = f64::from(self.plan.period) / 1000.0;
        Ok(Batch { each: Some(each), every: Some(every), ..elapsed.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_one_word() {
        let plan = Plan { messages: 700_000, period: 28_500 };
        assert_eq!(Plan::from_order(plan.to_order()), plan);
        assert_eq!((plan.due(50, 0), plan.due(50, 2), plan.due(50, 700_000)), (50, 107, 50 + 19_950_000));
    }

    /// Takes what was due long ago.
    struct Late(u64);

    impl Take<1> for Late {
        fn take(&mut self) -> anyhow::Result<[u64; 1]> {
            self.0 += 1;
            Ok([if self.0 == 1 { clock::now() - 50_000_000 } else { self.0 - 1 }])
        }
    }

    #[test]
    fn latency_counts_from_when_a_message_was_due() {
        let plan = Plan { messages: 3000, period: 1_000_000 };
        let report = Consumer::new(Late(0)).batch(plan.to_order()).unwrap();
        assert_eq!(report.wrong, 0);
        // Each of them, not only the first, was due long ago: fifty milliseconds, less its place in the schedule.
        let each = report.each.unwrap();
        assert!(each.at(0.0) > 46_000_000, "{each:?}");
    }
}
