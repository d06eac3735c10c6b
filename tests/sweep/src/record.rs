//! What one process did to a region, instruction by instruction.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use processing_kill_tests::Outcome;

use crate::os::{Mark, Stop, Tracee};
use crate::program::Program;
use crate::watch::{Change, Watch};

/// After so many instructions the region was another than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    pub step: u64,
    /// The address of the next instruction; in the program, from its start.
    pub place: u64,
    /// It was the C library that wrote: a payload is being copied.
    pub copying: bool,
    /// The region as a number.
    pub state: u64,
    /// How much memory the region has.
    pub blocks: u64,
    /// Since the moment before.
    pub changes: Vec<Change>,
}

/// A call from its begin to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Instructions.
    pub steps: u64,
    /// The first is before the first instruction.
    pub moments: Vec<Moment>,
}

impl Record {
    /// Steps through a call.
    pub fn take(tracee: &mut Tracee, watch: &mut Watch, program: &Program) -> Outcome<Self> {
        let mut record = Self { steps: 0, moments: Vec::new() };
        record.note(tracee, watch, program, Vec::new())?;
        loop {
            match tracee.step()? {
                Stop::Stepped => record.steps += 1,
                Stop::At(Mark::End) => return Ok(record),
                other => return Err(format!("after {} instructions it is {other:?}", record.steps)),
            }
            let blocks = watch.blocks();
            let changes = watch.look()?;
            if !changes.is_empty() || watch.blocks() != blocks {
                record.note(tracee, watch, program, changes)?;
            }
        }
    }

    fn note(
        &mut self,
        tracee: &Tracee,
        watch: &Watch,
        program: &Program,
        changes: Vec<Change>,
    ) -> Outcome<()> {
        let place = tracee.place()?;
        let known = program.offset(place);
        let blocks = watch.blocks();
        let same_memory = self.moments.last().is_some_and(|before| before.blocks == blocks);
        self.moments.push(Moment {
            step: self.steps,
            place: known.unwrap_or(place),
            copying: known.is_none() && same_memory,
            state: watch.state(),
            blocks,
            changes,
        });
        Ok(())
    }

    /// The first moment of each state.
    pub fn distinct(&self) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        (0..self.moments.len()).filter(|at| seen.insert(self.moments[*at].state)).collect()
    }

    /// Of these, those in which words other than payload differ, and of each copying the first and the last.
    pub fn situations(&self) -> Vec<usize> {
        let copying = |at: usize| self.moments.get(at).is_some_and(|moment| moment.copying);
        let inside = |at: usize| copying(at) && copying(at - 1) && copying(at + 1);
        self.distinct().into_iter().filter(|at| *at == 0 || !inside(*at)).collect()
    }

    /// The state after so many instructions.
    pub fn state_at(&self, step: u64) -> Option<u64> {
        let after = self.moments.partition_point(|moment| moment.step <= step);
        (step <= self.steps).then(|| self.moments[after - 1].state)
    }

    /// Whether a region can be brought from the first moment to this one by writing words alone.
    pub fn is_words_alone(&self, at: usize) -> bool {
        self.moments[..=at].iter().all(|moment| moment.blocks == self.moments[0].blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(states: &[(u64, u64, bool)]) -> Record {
        let moment = |&(step, state, copying): &(u64, u64, bool)| Moment {
            step,
            place: 0,
            copying,
            state,
            blocks: if state > 100 { 16 } else { 8 },
            changes: Vec::new(),
        };
        Record { steps: 99, moments: states.iter().map(moment).collect() }
    }

    #[test]
    fn a_state_counts_once() {
        let record = record(&[(0, 5, false), (3, 6, false), (4, 5, false), (9, 7, false)]);
        assert_eq!(record.distinct(), [0, 1, 3]);
        assert_eq!([0, 2, 3, 8, 9, 99].map(|step| record.state_at(step).unwrap()), [5, 5, 6, 5, 7, 7]);
        assert_eq!(record.state_at(100), None);
    }

    #[test]
    fn of_a_copying_the_ends_are_situations() {
        let copying = record(&[
            (0, 1, false),
            (1, 2, false),
            (2, 3, true),
            (3, 4, true),
            (4, 5, true),
            (5, 6, true),
            (6, 7, false),
        ]);
        assert_eq!(copying.situations(), [0, 1, 2, 5, 6]);
    }

    #[test]
    fn memory_that_comes_or_goes_is_more_than_words() {
        let record = record(&[(0, 1, false), (1, 2, false), (2, 101, false), (3, 4, false)]);
        assert_eq!([0, 1, 2, 3].map(|at| record.is_words_alone(at)), [true, true, false, false]);
    }
}
