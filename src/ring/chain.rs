//! The chain of a buffered queue: which segment follows which, and who may change that.
//!
//! ```text
//! queue --> segment 7 --> segment 8 --> segment 9        a link is a counted reference; two entries for each node
//!           oldest                      last
//! ```
//!
//! # States and steps
//!
//! A node (the queue, or a segment) has two link entries. *At rest* at most one of them is held, and it leads to the next segment.
//! Everything below is done by who has the queue's lock; each line is one operation on one entry, or one store.
//!
//! *Add* a segment behind `last`:
//! 1. make the segment (an object of the adder's own: it goes with it).
//! 2. seal `last`. From here on nobody puts there; nobody took from anything behind it before.
//! 3. `last` -> new. It is in the chain.
//! 4. what is counted (the last segment, bytes).
//!
//! *Take out* segment `old`, which is sealed and drained and not the last, `before` -> `old` -> `next`:
//! 1. `before` -> `next`, in the other entry. Two links are held: this says what is under way.
//! 2. drop `old` -> `next`: whoever still holds `old` (a client that has not looked since) keeps `old` alone, and not all that
//!    ever comes behind it.
//! 3. drop `before` -> `old`. If nobody else holds it, its memory is free.
//! 4. what is counted.
//!
//! So any segment can be taken out, not only the oldest: one that a lease or a stopped producer pins keeps itself, and nothing else.
//!
//! # Deaths
//!
//! The lock of the dead is taken over by their reaper alone, *after* it has finished or given up the operation on an entry that was
//! under way (the arena's repair, step (a)). So the next owner finds whole operations. It is told that it is an heir, and
//! [settles](Chain::settle) the chain first:
//!
//! | death after | leaves | the heir |
//! |---|---|---|
//! | add 1 | a segment that only the dead one held | (the arena's repair frees it) |
//! | add 2 | a last segment that is sealed | nothing: the next put adds behind it |
//! | add 3 | wrong counts | counts again |
//! | take out 1 | two links: `before` -> `old`, `next` | goes on with 2 |
//! | take out 2 | two links, `old` leads nowhere | goes on with 3 |
//! | take out 3 | wrong counts | counts again |
//!
//! It dies in that: the next one does the same.
//!
//! # Memory
//!
//! A process looks into a segment only while it holds a counted reference of its own to it, taken under the lock while the
//! chain held one: a client that is stopped between its look at a slot and its claim keeps the segment, so that its claim can hit nothing
//! else. In a segment that was taken out a claim of a put finds it sealed, and is given back.
//!
//! # Orderings
//!
//! The lock orders all of it. What is read without it are the rings' own words.

use crate::error::Result;
use crate::sync::mutant;

/// What the chain asks of the nodes. `None` as a node is the queue itself.
pub trait Links {
    /// Names a segment.
    type Id: Copy + PartialEq;
    /// Where entry `i` (0 or 1) leads.
    fn link(&self, node: Option<Self::Id>, i: u32) -> Option<Self::Id>;
    /// One operation: counts a reference, in an empty entry.
    ///
    /// # Errors
    /// It was not counted.
    fn add(&self, node: Option<Self::Id>, i: u32, to: Self::Id) -> Result<()>;
    /// One operation: drops the reference of the entry, if it has one.
    fn drop_link(&self, node: Option<Self::Id>, i: u32);
    /// A segment's place in the chain: from the first to the last they grow.
    fn number(&self, segment: Self::Id) -> u64;
    /// Nobody puts into the segment any more.
    fn seal(&self, segment: Self::Id);
}

/// The chain of one queue, whose lock the caller has.
#[derive(Debug)]
pub struct Chain<'a, L>(pub &'a L);

impl<L: Links> Chain<'_, L> {
    fn both(&self, node: Option<L::Id>) -> [Option<L::Id>; 2] {
        [self.0.link(node, 0), self.0.link(node, 1)]
    }

    /// The segment behind `node`.
    pub fn next(&self, node: Option<L::Id>) -> Option<L::Id> {
        let [a, b] = self.both(node);
        a.or(b)
    }

    /// All segments, from the oldest on.
    pub fn segments(&self) -> impl Iterator<Item = L::Id> + '_ {
        std::iter::successors(self.next(None), |segment| self.next(Some(*segment)))
    }

    /// The first segment with a number above this one.
    pub fn after(&self, number: u64) -> Option<L::Id> {
        self.segments().find(|segment| self.0.number(*segment) > number)
    }

    /// Finishes what a dead owner of the lock had under way. At most one segment was being taken out.
    pub fn settle(&self) {
        if mutant::on("chain.no_settle") {
            return;
        }
        let mut node = None;
        loop {
            if let [Some(a), Some(b)] = self.both(node) {
                let (old, i) = if self.0.number(a) < self.0.number(b) { (a, 0) } else { (b, 1) };
                self.let_go(node, old, i);
            }
            match self.next(node) {
                Some(next) => node = Some(next),
                None => return,
            }
        }
    }

    /// Puts `new` behind `last`, which is the last one.
    ///
    /// # Errors
    /// Nothing was changed, but that `last` is sealed.
    pub fn push(&self, last: L::Id, new: L::Id) -> Result<()> {
        if mutant::on("chain.seal_late") {
            self.0.add(Some(last), 0, new)?;
            self.0.seal(last);
            return Ok(());
        }
        self.0.seal(last);
        self.0.add(Some(last), 0, new)
    }

    /// Takes out a segment that is drained. False: it is the last one, or was taken out before.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn remove(&self, old: L::Id) -> Result<bool> {
        let mut before = None;
        while let Some(at) = self.next(before) {
            if at == old {
                let Some(next) = self.next(Some(old)) else { return Ok(false) };
                let i = u32::from(self.0.link(before, 0) != Some(old));
                if mutant::on("chain.forget_first") {
                    self.0.drop_link(before, i);
                    self.0.add(before, 1 - i, next)?;
                    return Ok(true);
                }
                self.0.add(before, 1 - i, next)?;
                self.let_go(before, old, i);
                return Ok(true);
            }
            before = Some(at);
        }
        Ok(false)
    }

    /// Steps 2 and 3: `old`, which entry `i` of `before` leads to, holds nothing and is held no more.
    fn let_go(&self, before: Option<L::Id>, old: L::Id, i: u32) {
        if !mutant::on("chain.old_keeps_next") {
            self.0.drop_link(Some(old), 0);
            self.0.drop_link(Some(old), 1);
        }
        self.0.drop_link(before, i);
    }
}
