//! A value of some words that is stored twice, each copy with the number of the change that wrote it: readers take no lock.
//!
//! Who writes has the lock of the value. The steps of change n, into copy j, the parity of n, which is not the value:
//!
//! 1. `numbers[j]` := n. 2. the words. 3. `current` := n: **the commit**.
//!
//! A reader loads `current`, copies the words of that copy, and looks at `current` again: if it is still the same, nobody has begun to write that copy
//! since, for that is done only after the next commit. If it is not, it looks at the copy's number: if that is still the same, only the next change was made.
//! So a reader begins anew only where two changes were made while it read (the second of them has at least begun), and it never looks at the
//! lock. The numbers are on a line of their own, which a reader touches only when a change was made while it read: beside a writer it waits for two
//! lines a change, that of `current` and that of the copy.
//!
//! | killed after | leaves | repaired |
//! |---|---|---|
//! | 1, or within 2 | a copy that `current` does not name | by nobody: the next change has the same number, and writes all of it again |
//! | 3 | the change | there is nothing to do |
//!
//! A reader that is killed leaves nothing.
//!
//! # Orderings
//!
//! The Release of step 3 pairs with the Acquire of the reader's first load: it sees the words that were written before. The Release
//! fence between 1 and 2 pairs with the Acquire fence between the reader's words and its second look: who has read a word of a later
//! change sees that change's number, and `current` as the change before it made it, or later.

use crate::layout::value::{COPY_WORDS, Copies, which};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{fence, mutant};

/// The algorithm over borrowed words, of which a value has the first ones.
#[derive(Clone, Copy, Debug)]
pub struct Stamped<'a> {
    copies: &'a Copies,
}

impl<'a> Stamped<'a> {
    #[inline(always)]
    pub fn new(copies: &'a Copies) -> Self {
        Self { copies }
    }

    /// The value, of so many words, if nobody wrote over it meanwhile.
    #[inline(always)]
    pub fn try_read(self, words: usize) -> Option<[u64; COPY_WORDS]> {
        let number = self.copies.current.load(Acquire);
        let copy = self.load(which(number), words);
        if !mutant::on("stamped.no_read_fence") {
            fence::fence(Acquire);
        }
        let same = self.copies.current.load(Relaxed) == number || mutant::on("stamped.no_second_look");
        (same || self.is_whole(number)).then_some(copy)
    }

    /// Whether nobody has begun to write over the copy of change `number`, for who has found the next change made.
    #[inline(always)]
    fn is_whole(self, number: u64) -> bool {
        self.copies.numbers[which(number)].load(Relaxed) == number || mutant::on("stamped.no_number")
    }

    #[inline(always)]
    fn load(self, which: usize, words: usize) -> [u64; COPY_WORDS] {
        let mut copy = [0; COPY_WORDS];
        for (word, shared) in copy.iter_mut().zip(&self.copies.words[which]).take(words) {
            *word = shared.load(Relaxed);
        }
        copy
    }

    /// The value, for who has the lock: nobody else writes.
    #[inline]
    pub fn read_locked(self, words: usize) -> [u64; COPY_WORDS] {
        // Acquire: pairs with the Release of a writer that died before it gave the lock back.
        self.load(which(self.copies.current.load(Acquire)), words)
    }

    /// Makes the first `words` of `value` the value. For who has the lock.
    #[inline]
    pub fn write(self, value: &[u64; COPY_WORDS], words: usize) {
        let number = self.copies.current.load(Relaxed).wrapping_add(1);
        let which = which(number) ^ usize::from(mutant::on("stamped.in_place"));
        if !mutant::on("stamped.number_last") {
            self.copies.numbers[which].store(number, Relaxed);
        }
        // Pairs with the fence of `try_read`.
        if !mutant::on("stamped.no_write_fence") {
            fence::fence(Release);
        }
        for (word, shared) in value.iter().zip(&self.copies.words[which]).take(words) {
            shared.store(*word, Relaxed);
        }
        if mutant::on("stamped.number_last") {
            self.copies.numbers[which].store(number, Relaxed);
        }
        let order = if mutant::on("stamped.commit_relaxed") { Relaxed } else { Release };
        self.copies.current.store(number, order);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn of(words: [u64; 3]) -> [u64; COPY_WORDS] {
        let mut value = [0; COPY_WORDS];
        value[..3].copy_from_slice(&words);
        value
    }

    #[test]
    fn what_was_written_last_is_read() {
        let copies = Copies::default();
        let stamped = Stamped::new(&copies);
        assert_eq!(stamped.try_read(3), Some([0; COPY_WORDS]));
        for n in 1..=5 {
            let value = of([n, n + 1, n + 2]);
            stamped.write(&value, 3);
            assert_eq!(stamped.try_read(3), Some(value));
            assert_eq!(stamped.read_locked(2), of([n, n + 1, 0]));
        }
    }

    #[test]
    fn what_a_dead_writer_has_begun_is_not_read() {
        let copies = Copies::default();
        let stamped = Stamped::new(&copies);
        stamped.write(&of([7; 3]), 3);
        // It would have been change 2, into the first copy.
        copies.numbers[0].store(2, Relaxed);
        copies.words[0][0].store(9, Relaxed);
        assert_eq!(stamped.try_read(3), Some(of([7; 3])));
        stamped.write(&of([8; 3]), 3);
        assert_eq!(stamped.try_read(3), Some(of([8; 3])));
    }
}
