//! Going through all entries while others write.
//!
//! Buckets lie in the order of the hash, and a bucket of a larger segment, or of one that was split, covers a part of what its
//! predecessor covered. So a place in between is a hash, and the next step is the bucket that covers it *now*: each entry that is there
//! from the first step to the last comes once.

use super::memory::{Memory, Words, Writers};
use super::place::prefix;
use super::{Batch, Chain, Dict};
use crate::error::Error;
use crate::layout::block_place::BlockPlace;
use crate::layout::dict::{BucketHeader, Entry, KEYS_AT, Lengths, VALUES_AT};
use crate::sync::atomic::Ordering::{Acquire, Relaxed};
use crate::sync::{fence, hint};

/// Where the next step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    At(u64),
    End,
}

/// Looks without a lock before it is taken.
const TRIES: u32 = 64;

impl<M: Memory> Dict<M> {
    /// One look at the bucket that covers `cursor`: what it has from there on. `None`: somebody changed it meanwhile, or it has handles.
    pub fn try_scan(&self, cursor: u64, batch: &mut Batch) -> Option<Next> {
        batch.clear();
        let place = self.find(cursor)?;
        let header = place.chain.header();
        let sure = || BucketHeader(place.chain.home.load(0, Relaxed)) == header && self.is_still(&place);
        if !self.collect(place.chain, header, cursor, batch, Some(&sure), &mut |_| Ok(())).ok()? {
            return None;
        }
        let next = self.after(place.entry, place.bucket, cursor)?;
        fence::fence(Acquire);
        sure().then_some(next)
    }

    /// False: there is something that cannot be, or that needs the lock.
    fn collect(
        &self,
        chain: Chain<'_, M>,
        header: BucketHeader,
        cursor: u64,
        batch: &mut Batch,
        sure: Option<&dyn Fn() -> bool>,
        handles: &mut dyn FnMut(BlockPlace) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let mut answer = Ok(true);
        chain.each(header, |_, words, i| {
            let (key, value) = (words.load(KEYS_AT + i, Relaxed), words.load(VALUES_AT + i, Acquire));
            if self.hash_of(key) < cursor || !matches!(answer, Ok(true)) {
                return;
            }
            batch.push(key, value);
            if !self.settings().inline_values {
                answer = self.collect_block(BlockPlace(value), batch, sure, handles);
            }
        });
        answer
    }

    fn collect_block(
        &self,
        place: BlockPlace,
        batch: &mut Batch,
        sure: Option<&dyn Fn() -> bool>,
        handles: &mut dyn FnMut(BlockPlace) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        if place.has_handles() {
            if sure.is_some() {
                return Ok(false);
            }
            handles(place)?;
        }
        let Some((words, lengths)) = self.open_block(place, sure) else { return Ok(false) };
        let (value, key) = batch.room(lengths.value as usize, lengths.key as usize);
        let in_front = self.settings().in_front;
        words.copy(Lengths::value_at(in_front), value);
        words.copy(lengths.key_at(in_front), key);
        if place.has_handles() {
            batch.mark(place);
        }
        Ok(true)
    }

    /// The first hash that the bucket does not cover.
    fn after(&self, entry: Entry, bucket: u64, cursor: u64) -> Option<Next> {
        let homes = u64::from(self.size_of(entry)?.homes);
        let depth = entry.depth();
        let next = bucket + 1;
        if next >= homes {
            let end = prefix(cursor, depth) + 1;
            let beyond = depth == 0 || end >> depth != 0;
            return Some(if beyond { Next::End } else { Next::At(end << (64 - depth)) });
        }
        let within = (next << 32).div_ceil(homes) << 32 >> depth;
        let start = if depth == 0 { 0 } else { prefix(cursor, depth) << (64 - depth) };
        Some(Next::At(start | within))
    }
}

impl<M: Writers> Dict<M> {
    /// What the bucket that covers `cursor` has from there on, at one moment. Values with handles are told to `handles`, with the bucket locked, in the
    /// order of the batch.
    ///
    /// # Errors
    /// Those of the lock, and of `handles`.
    pub fn scan(
        &self,
        cursor: u64,
        batch: &mut Batch,
        handles: &mut dyn FnMut(BlockPlace) -> Result<(), Error>,
    ) -> Result<Next, M::Error> {
        for _ in 0..TRIES {
            if let Some(next) = self.try_scan(cursor, batch) {
                return Ok(next);
            }
            if batch
                .items()
                .iter()
                .any(|item| !self.settings().inline_values && BlockPlace(item.value).has_handles())
            {
                break;
            }
            hint::spin_loop();
        }
        let entered = self.enter(cursor)?;
        batch.clear();
        let chain = entered.chain();
        self.collect(chain, chain.header(), cursor, batch, None, handles)?;
        Ok(self.after(entered.segment(), entered.bucket(), cursor).ok_or_else(super::entered::damaged)?)
    }
}
