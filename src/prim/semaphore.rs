//! A counting semaphore whose permits come back when their holder dies: one word, a lane for each thread, an event count.
//!
//! States and transitions stand on the words in [`crate::layout::semaphore`]. In short: who wants to change the value says
//! so in its lane, changes the value with its stamp, and says in its lane that it is done. Between the last two the stamp
//! alone knows; so whoever overwrites a stamp first finishes that lane's word. Who repairs what:
//!
//! - The reaper of a lane's owner looks at the semaphore's word, then at the lane: an operation that the stamp speaks of has
//!   happened, another one has not and will not. Then it returns what the lane holds, as an operation of the lane like
//!   any other: if it dies in it, its successor finds that out in the same way. One reaper at a time.
//! - Who was killed between its change of the value and its wake-up woke nobody, and a woken waiter that was killed took
//!   the wake-up with it: the reaper wakes all, always.
//! - Who waits and runs out of time looks once more: it may have been woken for a permit that nobody else was told of.
//! - A permit is not handed to a waiter, it is free for whoever comes first: a stopped process would keep others waiting.
//!
//! # Orderings
//!
//! Each change of the semaphore's word is AcqRel and each load of it Acquire, so that they are in one line: who sees a stamp
//! sees the intent behind it, and who sees a stamp overwritten sees the lane finished by the one who did it. It is also
//! what orders the work of the one who gives a permit before that of the one who takes it. A lane's words are written
//! by its owner without an order, before and after that change. Against the dead nothing is needed: the kernel's word
//! that they are dead orders all their stores before ours. The order between a returned permit and the look for sleepers
//! is the event count's.

use crate::layout::ParticipantId;
use crate::layout::semaphore::{Lane, LaneOp, LaneOwner, LaneWord, SemaphoreWord};
use crate::prim::event_count::{EventCount, SpinRun, WaitEnd};
use crate::prim::limits::Limits;
use crate::prim::spin::Spinner;
#[cfg(all(feature = "async", not(loom)))]
use crate::prim::watch::Watch;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::mutant;

/// Where the lanes lie.
pub trait Lanes {
    /// How many there are.
    fn count(&self) -> u32;
    /// The lane of this number, from 1 to `count()`.
    fn lane(&self, number: u32) -> Option<&Lane>;
}

impl Lanes for [Lane] {
    fn count(&self) -> u32 {
        self.len() as u32
    }

    #[inline(always)]
    fn lane(&self, number: u32) -> Option<&Lane> {
        self.get((number as usize).wrapping_sub(1))
    }
}

/// What is decided at each step, as pure functions, for the code below and for the model of it.
pub mod step {
    use super::*;

    /// Whose stamp `me` (0: nobody's) is about to overwrite, if that is another's.
    #[inline(always)]
    pub fn others_stamp(seen: SemaphoreWord, me: u32) -> Option<u32> {
        let other = seen.lane();
        let helps = match me {
            0 => !mutant::on("semaphore.giver_does_not_help"),
            _ => true,
        };
        (other != 0 && other != me && helps && !mutant::on("semaphore.no_help")).then_some(other)
    }

    /// The word of the lane whose stamp was seen, brought up to date; if it is not.
    #[inline(always)]
    pub fn helped(seen: SemaphoreWord, lane: u32, word: LaneWord) -> Option<LaneWord> {
        (word.is_pending() && seen.says_done(lane, word)).then(|| word.finished())
    }

    /// The word of a dead one's lane with an operation that is pending, after it was found out whether it has happened.
    pub fn settled(seen: SemaphoreWord, lane: u32, word: LaneWord) -> LaneWord {
        let done = seen.says_done(lane, word) && !mutant::on("semaphore.pending_is_not_done");
        if done { word.finished() } else { word.withdrawn() }
    }

    /// A waiter was woken and its time is up: it tries once more.
    pub fn tries_after_wake() -> bool {
        !mutant::on("semaphore.woken_leaves")
    }

    /// The reaper wakes everybody.
    pub fn wakes_all() -> bool {
        !mutant::on("semaphore.reaper_wakes_nobody")
    }
}

/// How an acquire ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The lane holds one permit more; the word as it was made.
    Yes(SemaphoreWord),
    /// The deadline passed.
    TimedOut,
    /// The cancel word was set.
    Cancelled,
}

/// The algorithm over borrowed words.
#[derive(Debug)]
pub struct RawSemaphore<'a, L: ?Sized> {
    word: &'a AtomicU64,
    event: &'a AtomicU32,
    max: u32,
    lanes: &'a L,
}

impl<L: ?Sized> Clone for RawSemaphore<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: ?Sized> Copy for RawSemaphore<'_, L> {}

impl<'a, L: Lanes + ?Sized> RawSemaphore<'a, L> {
    /// `max`: the most permits that may be free.
    #[inline(always)]
    pub fn new(word: &'a AtomicU64, event: &'a AtomicU32, max: u32, lanes: &'a L) -> Self {
        Self { word, event, max, lanes }
    }

    /// Value and stamp now.
    #[inline(always)]
    pub fn look(self) -> SemaphoreWord {
        // Acquire: pairs with every `change`.
        SemaphoreWord(self.word.load(Ordering::Acquire))
    }

    /// False: it was changed meanwhile, to that.
    #[inline(always)]
    fn change(self, old: SemaphoreWord, new: SemaphoreWord) -> Result<(), SemaphoreWord> {
        // AcqRel, and Acquire where it fails: see the module.
        match self.word.compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(now) => Err(SemaphoreWord(now)),
        }
    }

    /// Finishes the word of the lane whose stamp is about to be overwritten by `me`.
    #[inline(always)]
    fn help(self, seen: SemaphoreWord, me: u32) {
        if let Some(other) = step::others_stamp(seen, me) {
            help_other(self.word, self.lanes, seen, other);
        }
    }

    /// Takes a permit if one is free, for the lane `me`, which is the caller's; the word as it was made. One
    /// read-modify-write.
    #[inline(always)]
    pub fn try_acquire(self, me: u32) -> Option<SemaphoreWord> {
        self.try_acquire_from(me, self.look())
    }

    /// The same, where the word is likely to be as it was `seen`: see [`release`](Self::release).
    #[inline(always)]
    pub fn try_acquire_from(self, me: u32, seen: SemaphoreWord) -> Option<SemaphoreWord> {
        let lane = self.lanes.lane(me).filter(|_| seen.value() > 0)?;
        if step::others_stamp(seen, me).is_some() {
            return self.try_acquire_slow(me);
        }
        // Relaxed: our own; before the change, which is Release.
        let intent = LaneWord(lane.word.load(Ordering::Relaxed)).intends(LaneOp::Acquire);
        lane.word.store(intent.0, Ordering::Relaxed);
        let taken = seen.taken(me, intent);
        if self.change(seen, taken).is_err() {
            lane.word.store(intent.withdrawn().0, Ordering::Relaxed);
            return self.try_acquire_slow(me);
        }
        lane.word.store(intent.finished().0, Ordering::Relaxed);
        Some(taken)
    }

    /// The same among others: helps whose stamp is there, as often as it takes.
    #[cold]
    #[inline(never)]
    fn try_acquire_slow(self, me: u32) -> Option<SemaphoreWord> {
        let mut seen = self.look();
        let lane = self.lanes.lane(me).filter(|_| seen.value() > 0)?;
        let intent = LaneWord(lane.word.load(Ordering::Relaxed)).intends(LaneOp::Acquire);
        lane.word.store(intent.0, Ordering::Relaxed);
        let taken = loop {
            self.help(seen, me);
            let taken = seen.taken(me, intent);
            match self.change(seen, taken) {
                Ok(()) => break taken,
                Err(now) if now.value() > 0 => seen = now,
                Err(_) => {
                    lane.word.store(intent.withdrawn().0, Ordering::Relaxed);
                    return None;
                }
            }
        };
        lane.word.store(intent.finished().0, Ordering::Relaxed);
        Some(taken)
    }

    /// Takes a permit for the lane `me`, waiting within `limits`. `look_for_dead` is called now and then while asleep: a
    /// permit may be theirs.
    #[cold]
    pub fn acquire(
        self,
        me: u32,
        limits: &Limits<'_>,
        spinner: &Spinner,
        run: &SpinRun,
        mut look_for_dead: impl FnMut(),
    ) -> Acquired {
        loop {
            if let Some(taken) = self.try_acquire(me) {
                return Acquired::Yes(taken);
            }
            let none_is_free = || self.look().value() == 0;
            match EventCount::new(self.event).wait(limits, spinner, run, none_is_free, &mut look_for_dead) {
                WaitEnd::Ready if step::tries_after_wake() || limits.deadline.is_none() => {}
                WaitEnd::Ready | WaitEnd::TimedOut => return Acquired::TimedOut,
                WaitEnd::Cancelled => return Acquired::Cancelled,
            }
        }
    }

    /// Announces a sleeper, for who sleeps elsewhere. None: a permit is free.
    #[cfg(all(feature = "async", not(loom)))]
    pub fn watch(self) -> Option<Watch> {
        EventCount::new(self.event).watch(|| self.look().value() == 0)
    }

    /// Gives back a permit that the lane `me` holds. One read-modify-write while nobody waits. The value does not go beyond
    /// its maximum.
    ///
    /// `guess`: what the word was when the permit was taken. If nobody else has been there since, it is what the word is, and the
    /// word need not be loaded first, which would be waited for. The answer is the next guess, for an acquire.
    #[inline(always)]
    pub fn release(self, me: u32, guess: SemaphoreWord) -> Option<SemaphoreWord> {
        let lane = self.lanes.lane(me)?;
        // Relaxed: as in `try_acquire`.
        let intent = LaneWord(lane.word.load(Ordering::Relaxed)).intends(LaneOp::Release);
        lane.word.store(intent.0, Ordering::Relaxed);
        // The guess has this lane's own stamp: there is nobody to help.
        let returned = guess.returned(1, self.max, me, intent);
        let alone = self.change(guess, returned).is_ok();
        if !alone {
            self.put_back(1, me, intent);
        }
        lane.word.store(intent.finished().0, Ordering::Relaxed);
        EventCount::new(self.event).notify(1);
        alone.then_some(returned)
    }

    #[cold]
    #[inline(never)]
    fn put_back(self, permits: u32, me: u32, intent: LaneWord) {
        let mut seen = self.look();
        loop {
            self.help(seen, me);
            match self.change(seen, seen.returned(permits, self.max, me, intent)) {
                Ok(()) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// One more permit, by anybody. False: there are as many as there may be.
    pub fn give(self) -> bool {
        let mut seen = self.look();
        loop {
            if seen.value() >= self.max {
                return false;
            }
            self.help(seen, 0);
            match self.change(seen, seen.given()) {
                Ok(()) => break,
                Err(now) => seen = now,
            }
        }
        EventCount::new(self.event).notify(1);
        true
    }

    /// A permit of the lane `me` is not given back, by nobody.
    pub fn forget(self, me: u32) {
        let Some(lane) = self.lanes.lane(me) else { return };
        // Relaxed: our own, and at rest.
        let word = LaneWord(lane.word.load(Ordering::Relaxed));
        lane.word.store(word.forgotten().0, Ordering::Relaxed);
    }

    /// Returns what `dead` held. For its reaper, one at a time; also for a process itself that lets go of the semaphore.
    #[cold]
    pub fn repair(self, dead: ParticipantId) {
        for number in 1..=self.lanes.count() {
            let Some(lane) = self.lanes.lane(number) else { break };
            let owner = LaneOwner(lane.owner.load(Ordering::Acquire));
            if owner.participant() == Some(dead) {
                self.clear(number, lane);
                // Release: pairs with the Acquire of the one who claims it.
                let nobody = LaneOwner::NOBODY.0;
                let _ = lane.owner.compare_exchange(owner.0, nobody, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        if step::wakes_all() {
            EventCount::new(self.event).wake_all();
        }
    }

    /// Brings a dead one's lane to rest, holding nothing.
    fn clear(self, number: u32, lane: &Lane) {
        loop {
            // In this order: a stamp that was overwritten before has its lane finished.
            let seen = self.look();
            let word = LaneWord(lane.word.load(Ordering::Acquire));
            if word.is_pending() {
                let settled = step::settled(seen, number, word);
                // Who helps may be first.
                let _ = lane.word.compare_exchange(word.0, settled.0, Ordering::AcqRel, Ordering::Relaxed);
            } else if word.held() > 0 {
                let intent = word.intends(LaneOp::Return);
                lane.word.store(intent.0, Ordering::Relaxed);
                self.put_back(word.held(), number, intent);
                lane.word.store(intent.finished().0, Ordering::Relaxed);
            } else {
                return;
            }
        }
    }
}

/// Brings the word of the lane `other` up to date, whose stamp was seen. What it needs travels in registers: handed the whole
/// of [`RawSemaphore`], the callers would write that to their stacks in each call.
#[inline(never)]
fn help_other<L: Lanes + ?Sized>(word: &AtomicU64, lanes: &L, seen: SemaphoreWord, other: u32) {
    let Some(lane) = lanes.lane(other) else { return };
    let found = LaneWord(lane.word.load(Ordering::Relaxed));
    let Some(finished) = step::helped(seen, other, found) else { return };
    // The stamp has fewer bits than the lane's number of operations: it spoke of this one only if it is still there. If it
    // is not, the caller's change will fail.
    if word.load(Ordering::Acquire) == seen.0 {
        // Its owner stores the same, so that it does not matter who comes first.
        let _ = lane.word.compare_exchange(found.0, finished.0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// The lane of `mine`, claimed now if it has none yet: one that is nobody's, or else one of the same process whose thread
/// has ended (says `ended`) and which holds nothing. None: all are in use.
///
/// Cost: a look at each lane. Call it once a thread.
#[cold]
pub fn claim<L: Lanes + ?Sized>(lanes: &L, mine: LaneOwner, ended: &dyn Fn(u32) -> bool) -> Option<u32> {
    let owner = |number| lanes.lane(number).map(|lane| LaneOwner(lane.owner.load(Ordering::Relaxed)));
    let all = || 1..=lanes.count();
    if let Some(number) = all().find(|number| owner(*number) == Some(mine)) {
        return Some(number);
    }
    let take = |number: u32, from: LaneOwner| {
        let lane = lanes.lane(number)?;
        // Acquire: pairs with the Release of the reaper that freed it, so that its word is seen as it was left.
        lane.owner.compare_exchange(from.0, mine.0, Ordering::Acquire, Ordering::Relaxed).ok()?;
        let word = LaneWord(lane.word.load(Ordering::Relaxed));
        let inherited = word.inherited();
        if inherited != word {
            lane.word.store(inherited.0, Ordering::Relaxed);
        }
        Some(number)
    };
    let free = |number| (owner(number)? == LaneOwner::NOBODY).then(|| take(number, LaneOwner::NOBODY))?;
    if let Some(number) = all().find_map(free) {
        return Some(number);
    }
    all().find_map(|number| {
        let old = owner(number).filter(|old| old.tenant() == mine.tenant())?;
        // Of an ended thread of this process: what it wrote last is seen by who sees that it has ended.
        let word = LaneWord(lanes.lane(number)?.word.load(Ordering::Relaxed));
        let idle = !word.is_pending() && word.held() == 0;
        (idle && ended(old.thread())).then(|| take(number, old))?
    })
}
