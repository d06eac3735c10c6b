//! What is tried: something that processes share, by name.

use crate::board::CALLS;
use crate::model::{Answer, Op};
use processing::Process;

/// One object and how it is used. Between rounds the instrument has it for itself.
pub trait Object {
    /// Starts a process that lives by [`live`](crate::worker::live) with these arguments.
    ///
    /// # Errors
    /// The library's.
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process>;

    /// Does one operation.
    ///
    /// # Errors
    /// The library's, for what is no answer.
    fn apply(&self, op: &Op) -> processing::Result<Answer>;

    /// Makes it as it was at the beginning.
    ///
    /// # Errors
    /// The library's.
    fn reset(&self) -> processing::Result<()>;
}

/// A value as an object holds it.
pub trait Value: processing::SharedData + Clone {
    fn of(value: u64) -> Self;

    /// Torn if no value is like that.
    fn answer(&self) -> Answer;

    /// What an addition makes of it.
    fn plus(&self, more: u64) -> Self {
        match self.answer() {
            Answer::Value(value) => Self::of(value.wrapping_add(more)),
            _ => self.clone(),
        }
    }
}

impl Value for u64 {
    fn of(value: u64) -> Self {
        value
    }

    fn answer(&self) -> Answer {
        Answer::Value(*self)
    }
}

impl Value for [u64; WORDS] {
    fn of(value: u64) -> Self {
        words_of(value)
    }

    fn answer(&self) -> Answer {
        value_of(self)
    }
}

/// What a guard shows, which must stay as it is while others go on.
pub fn steady(mut look: impl FnMut() -> Answer) -> Answer {
    let first = look();
    (0..300).for_each(|_| std::hint::spin_loop());
    if look() == first { first } else { Answer::Torn }
}

/// Of what was found, if anything was.
pub fn answer_of<V: Value>(found: Option<V>) -> Answer {
    found.map_or(Answer::Nothing, |value| value.answer())
}

/// Words of a value that is torn if they are not of one write.
pub const WORDS: usize = 4;

/// A value of several words.
pub fn words_of(value: u64) -> [u64; WORDS] {
    std::array::from_fn(|at| value.wrapping_mul(at as u64 + 1))
}

/// The value that they are.
pub fn value_of(words: &[u64; WORDS]) -> Answer {
    if *words == words_of(words[0]) { Answer::Value(words[0]) } else { Answer::Torn }
}

/// Bytes for a list or a dictionary that all operations of a round have made as long as can be.
pub const ROOM: usize = crate::board::PROCESSES * CALLS * 16 + 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_two_writes_is_torn() {
        let mut words = words_of(0x1_0007);
        assert_eq!(value_of(&words), Answer::Value(0x1_0007));
        words[3] = words_of(0x2_0007)[3];
        assert_eq!(value_of(&words), Answer::Torn);
    }
}
