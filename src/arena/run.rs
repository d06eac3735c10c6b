//! Large blocks: runs of whole chunks. The states of a chunk, and what a death in each step leaves, are in
//! [`super`] and at [`ChunkState`].
use super::block::{RUN, Taken};
use super::handle::lock;
use super::hints::Runs;
use super::{Arena, own};
use crate::error::Result;
use crate::layout::block::{OwnState, OwnWord, Position};
use crate::layout::chunk::{ChunkState, ChunkWord};
use crate::layout::{CHUNK, ParticipantId};
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Free chunks whose memory is kept, in all: 4 MiB. What is freed above that goes back to the system.
const KEEP: u64 = 64;

/// Runs up to this many chunks get all pages of them, longer ones no page more than they need.
const WHOLE: u64 = 4;

/// Steps of a search below the cursor before it goes to fresh chunks.
const STEPS: u32 = 64;

impl Arena {
    /// Takes a run for `need` bytes.
    #[cold]
    pub(super) fn take_run(&self, need: u64, me: ParticipantId) -> Result<Taken<'_>> {
        let count = self.chunk_count();
        let len = need.div_ceil(CHUNK);
        if len > count || need > self.region.limit() {
            return Err(self.too_large(need));
        }
        let mut runs = lock(&self.hints.runs);
        if let Some(taken) = self.take_hinted(&mut runs, need, len, me)? {
            return Ok(taken);
        }
        if let Some(taken) = self.take_below(&mut runs, need, len, me)? {
            return Ok(taken);
        }
        // Everything, from the top.
        let mut end = count;
        while let Some(head) = self.find_run(&mut end, len, u32::MAX)? {
            if let Some(taken) = self.claim_run(head, need, len, me)? {
                runs.cursor = head;
                runs.was_allocated(head as u32, len as u32);
                return Ok(taken);
            }
            end = head + len - 1;
        }
        Err(self.no_room(need))
    }

    /// Where a run of this length was free before.
    fn take_hinted(
        &self,
        runs: &mut Runs,
        need: u64,
        len: u64,
        me: ParticipantId,
    ) -> Result<Option<Taken<'_>>> {
        let freed = runs.freed.iter().rposition(|(_, n)| u64::from(*n) == len);
        let hints = freed.map(|i| runs.freed.remove(i)).into_iter();
        // Two of the oldest that this process sent away.
        let mut old = [None; 2];
        for slot in &mut old {
            let found = runs.allocated.iter().position(|(_, n)| u64::from(*n) == len);
            *slot = found.and_then(|i| runs.allocated.remove(i));
        }
        let mut taken = None;
        for (head, n) in hints.chain(old.into_iter().flatten()) {
            if taken.is_none() {
                taken = self.claim_run(u64::from(head), need, len, me)?;
            }
            runs.was_allocated(head, n);
        }
        Ok(taken)
    }

    /// A few steps below the cursor, within what was used before; then fresh chunks below all runs.
    fn take_below(
        &self,
        runs: &mut Runs,
        need: u64,
        len: u64,
        me: ParticipantId,
    ) -> Result<Option<Taken<'_>>> {
        let count = self.chunk_count();
        let used = count - self.control().run_depth.load(Relaxed).min(count);
        if runs.cursor <= used {
            // A lap is over: the next search begins at the top again.
            runs.cursor = count;
        }
        let mut end = runs.cursor;
        if let Some(head) = self.find_run(&mut end, len, STEPS)?.filter(|head| *head >= used)
            && let Some(taken) = self.claim_run(head, need, len, me)?
        {
            runs.cursor = head;
            runs.was_allocated(head as u32, len as u32);
            return Ok(Some(taken));
        }
        runs.cursor = end.max(used);
        let mut end = used;
        let Some(head) = self.find_run(&mut end, len, STEPS)? else { return Ok(None) };
        let taken = self.claim_run(head, need, len, me)?;
        if taken.is_some() {
            runs.was_allocated(head as u32, len as u32);
        }
        Ok(taken)
    }

    /// The highest run of `len` free chunks below `end`, which is moved down to where the search ended.
    fn find_run(&self, end: &mut u64, len: u64, mut steps: u32) -> Result<Option<u64>> {
        let mut free = 0;
        while *end > 0 && steps > 0 {
            let chunk = *end - 1;
            self.ensure_chunk_entry(chunk)?;
            let word = self.chunk_word(chunk);
            if word.state == ChunkState::Free {
                free += 1;
                *end = chunk;
                if free == len {
                    return Ok(Some(chunk));
                }
                continue;
            }
            free = 0;
            steps -= 1;
            // A tail knows where its run begins.
            let tail = word.state == ChunkState::Tail && u64::from(word.value) < chunk;
            *end = if tail { u64::from(word.value) + 1 } else { chunk };
        }
        Ok(None)
    }

    /// Claims the chunks from `head`, and makes them a run. `None`: not all of them are free.
    fn claim_run(&self, head: u64, need: u64, len: u64, me: ParticipantId) -> Result<Option<Taken<'_>>> {
        if head + len > self.chunk_count() {
            return Ok(None);
        }
        for chunk in head..head + len {
            self.ensure_chunk_entry(chunk)?;
            if self.chunk_word(chunk).state != ChunkState::Free {
                return Ok(None);
            }
        }
        // Before the claim: the mark bounds where a reaper looks for it.
        self.control().run_depth.fetch_max(self.chunk_count() - head, AcqRel);
        let word = self.chunk_word(head);
        if word.state != ChunkState::Free
            || !self.change_chunk(head, word, word.with(ChunkState::Claim, me, len as u32))
        {
            return Ok(None);
        }
        for chunk in head + 1..head + len {
            let word = self.chunk_word(chunk);
            let tail = word.with(ChunkState::Tail, 0, head as u32);
            if word.state != ChunkState::Free || !self.change_chunk(chunk, word, tail) {
                self.give_up(head, chunk - head);
                return Ok(None);
            }
        }
        self.build_run(head, need, len, me).map(Some)
    }

    /// CLAIM(me, len) with all its tails -> RUN(len).
    fn build_run(&self, head: u64, need: u64, len: u64, me: ParticipantId) -> Result<Taken<'_>> {
        let words = head..head + len;
        let kept = words.clone().filter(|chunk| self.chunk_word(*chunk).committed).count() as u64;
        let zero = words.clone().all(|chunk| !self.chunk_word(chunk).dirty);
        let base = self.region.geometry().chunk(head);
        let bytes = if len <= WHOLE { len * CHUNK } else { need };
        if kept < len
            && let Err(error) = self.region.commit(base, bytes)
        {
            self.give_up(head, len);
            return Err(error);
        }
        self.took_kept(kept);
        let entry = self.chunk(head);
        // Nobody else looks at the header of a claimed chunk. Relaxed: the Acquire on the word came before.
        let own = OwnWord::unpack(entry.block.own.load(Relaxed)).taken(me);
        entry.block.own.store(own.pack(), Release);
        // Last: until then the chunks are a claim of mine, and go as such.
        // On a run's head the mark says that all pages of all its chunks are there.
        let committed = kept == len || bytes == len * CHUNK;
        let run = self.chunk_word(head).with(ChunkState::Run, 0, len as u32);
        self.set_chunk(head, ChunkWord { committed, ..run });
        let position = Position { chunk: head as u32, index: Position::RUN };
        Ok(Taken { header: &entry.block, own, position, bytes: base, class: RUN, zero })
    }

    /// CLAIM(me, _) with its first `len - 1` tails -> FREE, tails first.
    fn give_up(&self, head: u64, len: u64) {
        for chunk in (head + 1..head + len).rev() {
            let word = self.chunk_word(chunk);
            self.set_chunk(chunk, word.with(ChunkState::Free, 0, 0));
        }
        let word = self.chunk_word(head);
        self.set_chunk(head, word.with(ChunkState::Free, 0, 0));
    }

    /// Frees the run at `head`, whose block is DYING(who) and has no children.
    #[cold]
    pub(super) fn free_run(&self, head: u32, own: OwnWord, who: ParticipantId) {
        let head64 = u64::from(head);
        let word = self.chunk_word(head64);
        let len = u64::from(word.value).max(1).min(self.chunk_count() - head64);
        // As the reaper the tails may be free already, or others'. They go from the last to the first, so what
        // is left is at the front.
        let is_tail = |chunk: &u64| {
            let word = self.chunk_word(*chunk);
            word.state == ChunkState::Tail && word.value == head
        };
        let left = 1 + (head64 + 1..head64 + len).take_while(is_tail).count() as u64;
        let mine = who == self.me.id;
        let free = self.return_memory(head64, left, mine, word.committed);
        for chunk in (head64 + 1..head64 + left).rev() {
            self.set_chunk(chunk, free);
        }
        self.set_chunk(head64, free.with(ChunkState::Claim, who, len as u32));
        own::free(&self.chunk(head64).block, own);
        self.set_chunk(head64, free);
        if mine {
            lock(&self.hints.runs).was_freed(head, len as u32);
        }
    }

    /// Keeps the memory of a run that is about to be free, or gives it back: what its chunks will say.
    fn return_memory(&self, head: u64, len: u64, mine: bool, committed: bool) -> ChunkWord {
        let kept = &self.control().kept;
        let base = self.region.geometry().chunk(head);
        // A reaper does not know how far the dead one came: it never claims that pages are there.
        if mine && kept.load(Relaxed).saturating_add(len) <= KEEP {
            // The last chunk may have no more pages than were needed.
            let last = base + (len - 1) * CHUNK;
            if committed || self.region.commit(last, CHUNK).is_ok() {
                kept.fetch_add(len, Relaxed);
                return ChunkWord::free(true, true);
            }
        }
        let clean = self.region.decommit(base, len * CHUNK).is_ok();
        ChunkWord::free(false, !clean)
    }

    /// So many kept chunks are used now.
    pub(super) fn took_kept(&self, chunks: u64) {
        if chunks > 0 {
            let kept = &self.control().kept;
            // A hint: it must not wrap below zero, and may lose a race.
            let now = kept.load(Relaxed);
            kept.store(now.saturating_sub(chunks), Relaxed);
        }
    }

    /// Repair step (f): undoes what the dead one claimed, and counts what is kept.
    pub(super) fn repair_chunks(&self, dead: ParticipantId) {
        let mut kept = 0;
        self.each_used_chunk(|chunk, word| {
            if word.state == ChunkState::Claim && word.who == dead {
                self.repair_claim(chunk, word);
            }
            kept += u64::from(word.state == ChunkState::Free && word.committed);
        });
        self.control().kept.store(kept, Relaxed);
    }

    fn repair_claim(&self, head: u64, word: ChunkWord) {
        let end = (head + u64::from(word.value)).min(self.chunk_count());
        // Tails that name this head: no other head's are touched, and this head was nobody else's meanwhile.
        for chunk in (head + 1..end).rev() {
            let tail = self.chunk_word(chunk);
            if tail.state == ChunkState::Tail && u64::from(tail.value) == head {
                self.set_chunk(chunk, tail.with(ChunkState::Free, 0, 0));
            }
        }
        let block = &self.chunk(head).block;
        let own = OwnWord::unpack(block.own.load(Acquire));
        if own.state != OwnState::Free {
            own::free(block, own);
        }
        self.set_chunk(head, word.with(ChunkState::Free, 0, 0));
    }
}
