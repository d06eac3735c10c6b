//! Streams of several producers and several consumers on one queue.
//!
//! A message has the number of its producer in its high bits and a count below. A consumer sees the messages of
//! each producer in their order, some of them; all consumers together take as many as were put.

use super::stream::{Put, Take};
use super::{Report, Tail};
use std::time::Instant;

/// How many there are of either.
pub const SIDES: u64 = 2;
/// Where the number of the producer lies in a message.
const PRODUCER: u32 = 56;
/// One of so many calls is timed by itself: the clock costs more than a call.
const SAMPLE: u64 = 16;

/// What one side of a batch of `operations` has to do: all alike, so that each batch leaves the queue empty.
fn part(operations: u64) -> u64 {
    operations.div_ceil(SIDES)
}

/// One of the sides that produce.
pub struct Producer<P> {
    end: P,
    number: u64,
}

impl<P: Put<1>> Producer<P> {
    /// Producer `index`, from 0.
    pub fn new(end: P, index: u64) -> Self {
        Self { end, number: (index << PRODUCER) + 1 }
    }

    /// Puts its part of the messages, and one before the watches start.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, operations: u64) -> anyhow::Result<Report> {
        for _ in 0..=part(operations) {
            self.end.put(&[self.number])?;
            self.number += 1;
        }
        Ok(Report::default())
    }
}

/// One of the sides that consume.
pub struct Consumer<T> {
    end: T,
    /// The last message of each producer.
    last: [u64; SIDES as usize],
}

impl<T: Take<1>> Consumer<T> {
    pub fn new(end: T) -> Self {
        Self { end, last: std::array::from_fn(|index| (index as u64) << PRODUCER) }
    }

    /// Takes its part of the messages, after the first one; a sample of the calls is timed.
    ///
    /// # Errors
    /// Those of the end.
    pub fn batch(&mut self, operations: u64) -> anyhow::Result<Report> {
        let operations = part(operations);
        let mut each = Tail::new()?;
        let mut wrong = self.take_one()?;
        let start = Instant::now();
        for turn in 0..operations {
            if turn % SAMPLE == 0 {
                let start = Instant::now();
                wrong += self.take_one()?;
                each.record(start.elapsed());
            } else {
                wrong += self.take_one()?;
            }
        }
        Ok(Report { operations, nanos: start.elapsed().as_nanos() as u64, wrong, each: Some(each) })
    }

    /// 1 if the message is of nobody, or not behind the last one of its producer.
    #[inline(always)]
    fn take_one(&mut self) -> anyhow::Result<u64> {
        let [message] = self.end.take()?;
        let wrong = match self.last.get_mut((message >> PRODUCER) as usize) {
            Some(last) => message <= std::mem::replace(last, message),
            None => true,
        };
        Ok(u64::from(wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    impl Put<1> for &mut VecDeque<u64> {
        fn put(&mut self, &[message]: &[u64; 1]) -> anyhow::Result<()> {
            self.push_back(message);
            Ok(())
        }
    }

    impl Take<1> for VecDeque<u64> {
        fn take(&mut self) -> anyhow::Result<[u64; 1]> {
            self.pop_front().map(|message| [message]).ok_or_else(|| anyhow::anyhow!("empty"))
        }
    }

    fn put_by_two(operations: u64) -> VecDeque<u64> {
        let mut queue = VecDeque::new();
        for index in 0..SIDES {
            Producer::new(&mut queue, index).batch(operations).unwrap();
        }
        queue
    }

    #[test]
    fn as_many_are_taken_as_are_put() {
        let mut queue = put_by_two(101);
        for _ in 0..SIDES {
            let part: VecDeque<u64> = queue.drain(..queue.len().min(52)).collect();
            let report = Consumer::new(part).batch(101).unwrap();
            assert_eq!((report.operations, report.wrong), (51, 0));
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_doubled_or_of_nobody_is_wrong() {
        let mut queue = put_by_two(6);
        queue[2] = queue[1];
        queue[3] = 7 << PRODUCER;
        assert_eq!(Consumer::new(queue).batch(6).unwrap().wrong, 2);
    }
}
