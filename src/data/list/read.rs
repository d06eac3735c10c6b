//! Reading: by everybody, at any time, without a lock.

use super::List;
use super::memory::Memory;
use crate::layout::block_place::BlockPlace;
use crate::layout::list::{FIRST_SEGMENT, SPINE_WORDS, locate, room_of};
use crate::prim::words::Word;
use crate::sync::atomic::Ordering::{Acquire, Relaxed};
use crate::sync::{fence, mutant};

/// There is no such element: how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    pub len: u64,
}

impl<'a, M: Memory> List<'a, M> {
    /// Runs `look`, and gives its answer only if nothing was taken away meanwhile. `None`: something was, or `look` met something that
    /// cannot be; try again.
    #[inline(always)]
    pub(super) fn validated<R>(&self, look: impl FnOnce(u64) -> Option<R>) -> Option<R> {
        let control = self.memory.control();
        // Acquire: what is read below is at least as new.
        let version = control.version.load(Acquire);
        let answer = look(version);
        self.is_still(version).then_some(answer).flatten()
    }

    /// Nothing was taken away since `version` was read: all that was read since belonged to the list.
    #[inline(always)]
    pub(super) fn is_still(&self, version: u64) -> bool {
        // Acquire: pairs with the Release of whoever stores to memory that was taken away: who read that sees the version that was
        // stored before.
        fence::fence(Acquire);
        self.memory.control().version.load(Relaxed) == version || mutant::on("list.no_second_look")
    }

    /// The spine, perhaps one that is gone; empty if there is none yet.
    #[inline(always)]
    pub(super) fn spine(&self) -> Option<&'a [M::Word]> {
        // Acquire: pairs with the commit of a replacement.
        match BlockPlace(self.memory.control().root.load(Acquire)) {
            BlockPlace(0) => Some(&[]),
            root => self.memory.words(root, SPINE_WORDS as u64),
        }
    }

    /// The word of element `index` by this spine, which is below its length.
    #[inline(always)]
    pub(super) fn slot(&self, spine: &[M::Word], index: u64) -> Option<&'a M::Word> {
        let (k, j) = locate(index);
        // Relaxed: stored before the length that covers it, which was loaded with Acquire.
        let segment = BlockPlace(spine.get(FIRST_SEGMENT + k)?.load(Relaxed));
        self.memory.words(segment, room_of(k))?.get(j)
    }

    #[inline(always)]
    pub(super) fn len_of(spine: &[M::Word]) -> u64 {
        // Acquire: pairs with the commit of who added: the elements below are there.
        spine.first().map_or(0, |len| len.load(Acquire))
    }

    /// How many elements there are.
    #[inline]
    pub fn try_len(&self) -> Option<u64> {
        self.validated(|_| self.spine().map(Self::len_of))
    }

    /// The word of element `index`.
    #[inline(always)]
    pub fn try_get(&self, index: u64) -> Option<Result<u64, OutOfRange>> {
        self.validated(|_| self.find(index))
    }

    /// The word of element `index`, as long as that is not validated.
    #[inline(always)]
    pub(super) fn find(&self, index: u64) -> Option<Result<u64, OutOfRange>> {
        let spine = self.spine()?;
        let len = Self::len_of(spine);
        if index >= len {
            return Some(Err(OutOfRange { len }));
        }
        // Acquire: pairs with the store of a block's place: its content is there.
        Some(Ok(self.slot(spine, index)?.load(Acquire)))
    }

    /// Shows `each` the words of all elements that `pick` chooses when it is told the length: as they were at one moment. `None`: they were
    /// not, try again; `each` has seen any number of words then. It is told the version, too, and answers false to give up.
    pub fn try_each<R>(
        &self,
        pick: impl FnOnce(u64) -> Result<core::ops::Range<u64>, R>,
        mut each: impl FnMut(u64, u64) -> bool,
    ) -> Option<Result<(), R>> {
        self.validated(|version| {
            let spine = self.spine()?;
            let len = Self::len_of(spine);
            // Before room is made for so many: it may be any number.
            if !self.is_still(version) {
                return None;
            }
            let range = match pick(len) {
                Ok(range) => range,
                Err(why) => return Some(Err(why)),
            };
            let mut index = range.start;
            while index < range.end {
                let (k, j) = locate(index);
                let segment = BlockPlace(spine.get(FIRST_SEGMENT + k)?.load(Relaxed));
                // Before so many words are looked at: it may lead anywhere.
                if !self.is_still(version) {
                    return None;
                }
                let words = self.memory.words(segment, room_of(k))?;
                let count = (range.end - index).min(room_of(k) - j as u64);
                for word in words.get(j..j + count as usize)? {
                    if !each(version, word.load(Acquire)) {
                        return None;
                    }
                }
                index += count;
            }
            // What was added meanwhile has not changed the version; what was set after that might be among what was seen.
            (Self::len_of(spine) == len || mutant::on("list.length_once")).then_some(Ok(()))
        })
    }
}
