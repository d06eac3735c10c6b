//! What was put and what was seen, of all lives together.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Result, ensure};

use crate::journal::{ConsumerJournal, Record, Sight};

/// The whole history.
#[derive(Default)]
pub struct History {
    lives: HashMap<u64, Life>,
    /// Messages that a `get` may have consumed just before its process was killed.
    taken_by_the_dead: u64,
}

/// One life of a producer.
#[derive(Default)]
struct Life {
    /// So many were put.
    done: u64,
    /// The next may have been.
    begun: u64,
    /// Of each message, by its number.
    seen: Vec<Seen>,
}

/// How often a message was seen.
#[derive(Clone, Copy, Default)]
struct Seen {
    first: u8,
    again: u8,
    value: u8,
}

impl Seen {
    fn is_seen(self) -> bool {
        self.first + self.again + self.value > 0
    }
}

/// What it came to.
pub struct Summary {
    messages: u64,
    redelivered: u64,
    taken_by_the_dead: u64,
    most: u64,
}

impl History {
    /// A producer has ended.
    pub fn produced(&mut self, life: u64, done: u64, begun: u64) {
        let life = self.lives.entry(life).or_default();
        (life.done, life.begun) = (done, begun.max(done));
    }

    /// A consumer has ended: its journal is read.
    ///
    /// # Errors
    /// It saw one producer's messages out of order, though none of them is marked.
    pub fn consumed(&mut self, journal: &ConsumerJournal) -> Result<()> {
        let (records, taken) = journal.read_all();
        self.taken_by_the_dead += taken;
        let mut last = HashMap::new();
        for record in records {
            if record.sight == Sight::First {
                let before = last.insert(record.life, record.number).unwrap_or(0);
                ensure!(before < record.number, "{record:?} was seen after number {before} of the same life");
            }
            self.note(record);
        }
        Ok(())
    }

    fn note(&mut self, record: Record) {
        let seen = &mut self.lives.entry(record.life).or_default().seen;
        let at = record.number as usize;
        if seen.len() <= at {
            seen.resize(at + 1, Seen::default());
        }
        let count = match record.sight {
            Sight::First => &mut seen[at].first,
            Sight::Again => &mut seen[at].again,
            Sight::Value => &mut seen[at].value,
        };
        *count = count.saturating_add(1);
    }

    /// Compares what was put with what was seen, when all have ended.
    ///
    /// # Errors
    /// Something was lost, seen twice without the mark, or seen and never put.
    pub fn check(&self) -> Result<Summary> {
        let mut summary =
            Summary { messages: 0, redelivered: 0, taken_by_the_dead: 0, most: self.taken_by_the_dead };
        for (name, life) in &self.lives {
            let highest = (life.seen.len() as u64).saturating_sub(1);
            ensure!(highest <= life.begun, "message {highest} of {name} was seen, {} were begun", life.begun);
            for number in 1..=life.begun.max(life.done) {
                let seen = life.seen.get(number as usize).copied().unwrap_or_default();
                ensure!(
                    seen.first <= 1,
                    "message {number} of {name} was seen {} times without the mark",
                    seen.first
                );
                ensure!(seen.value <= 1, "message {number} of {name} was consumed {} times", seen.value);
                summary.messages += u64::from(seen.is_seen());
                summary.redelivered += u64::from(seen.again > 0);
                summary.taken_by_the_dead += u64::from(number <= life.done && !seen.is_seen());
            }
        }
        ensure!(
            summary.taken_by_the_dead <= self.taken_by_the_dead,
            "{} messages are lost, of which the dead took at most {}",
            summary.taken_by_the_dead,
            self.taken_by_the_dead
        );
        ensure!(summary.messages > 0, "no message was seen");
        Ok(summary)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages, {} of them redelivered, {} consumed by a get that was killed before it could note it (at most {})",
            self.messages, self.redelivered, self.taken_by_the_dead, self.most
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(done: u64, records: &[(u64, Sight)], taken: u64) -> History {
        let mut history = History { taken_by_the_dead: taken, ..History::default() };
        history.produced(1, done, done + 1);
        records.iter().for_each(|&(number, sight)| history.note(Record { life: 1, number, sight }));
        history
    }

    #[test]
    fn what_is_allowed() {
        let fine = [(1, Sight::First), (2, Sight::Value), (1, Sight::Again), (3, Sight::First)];
        let summary = history(2, &fine, 0).check().unwrap();
        assert_eq!((summary.messages, summary.redelivered), (3, 1));
        assert_eq!(history(2, &[(1, Sight::First)], 1).check().unwrap().taken_by_the_dead, 1);
    }

    #[test]
    fn what_is_not() {
        use Sight::*;
        for (done, records, taken) in [
            (2, vec![(1, First)], 0),
            (1, vec![(1, First), (1, First)], 0),
            (1, vec![(1, Value), (1, Value)], 0),
            (1, vec![(1, First), (2, First), (3, First)], 0),
        ] {
            assert!(history(done, &records, taken).check().is_err(), "{records:?}");
        }
    }
}
