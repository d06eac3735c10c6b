//! Sleeping when each side may write its own memory only: two words a side.
//!
//! A sleeper announces itself in its own `state` word and sleeps on the `event` word of the *other* side, the
//! waker's. The waker, after each publication, looks at the sleeper's state; if it says PARKED with a generation
//! not yet served, it changes its own event word and wakes that futex. So a sleeper always sleeps on a word that
//! changes when it is to be woken, wherever the data itself appeared, and nobody writes the other's memory.
//!
//! ```text
//! state { generation:28 | CLOSED | ESTABLISHED | REQUEST | PARKED }      (one writer: the sleeper; CLOSED: its side)
//!   awake            -> PARKED+REQUEST       generation+1, before each sleep
//!   PARKED+REQUEST   -> +ESTABLISHED         after a heavy fence: every waker sees REQUEST from now on
//!   PARKED           -> awake                the sleep is over; REQUEST and ESTABLISHED stay
//!   awake            -> no REQUEST           `relax`: spinning alone has sufficed for long
//!   any              -> +CLOSED              this side ended the stream, once and for ever
//! event { time stamp }                                                   (one writer: the waker)
//! ```
//!
//! Orders. The waker runs `publish; light(); load state`, the sleeper `state = PARKED; heavy(); look again`: the
//! asymmetric pair of [`crate::sync::fence`], so that one of them sees the other. A heavy fence costs
//! microseconds; so the first one also sets REQUEST, and a waker that finds REQUEST runs a full fence and loads
//! again. Once every waker is known to do so (ESTABLISHED) the sleeper needs a full fence only. So who sleeps seldom
//! costs its waker nothing, and who sleeps often pays no system call for it. The sleeper reads `event` before it
//! announces itself (Release store, Acquire load of the waker): a wake-up for this announcement always changes it.
//!
//! Somebody else may sleep for this side ([`Sleeper::watch`]): a thread that sleeps for many. Only the side itself announces, so that its word
//! keeps its one writer, and as long as the other sleeps PARKED stays when a sleep of its own is over. So the waker wakes all who sleep by its event.
//!
//! What a death costs: the other side's sleep ends at its backstop, where it asks the kernel. A waker that dies between
//! its publication and its wake-up costs the sleeper the same. A peer that lies can wake without reason or never
//! wake: the first costs a look, the second is bounded by deadline and backstop.

use crate::layout::stream::EndWords;
use crate::prim::limits::{Backstop, Limits, UNORDERED_SLEEP, WaitEnd};
use crate::prim::spin::{Spinner, WaitStrategy, event_stamp};
#[cfg(not(loom))]
use crate::prim::watch::Watch;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::fence::{fence, heavy, light};
use crate::sync::{futex, mutant};

/// The owner sleeps, or is about to.
pub const PARKED: u32 = 1;
/// Wakers are asked to run a full fence between their publication and their look at this word.
pub const REQUEST: u32 = 1 << 1;
/// Every waker is known to see REQUEST.
pub const ESTABLISHED: u32 = 1 << 2;
/// The owner of the word has ended the stream.
pub const CLOSED: u32 = 1 << 3;
const GENERATION: u32 = 1 << 4;

/// After so many waits in which spinning sufficed the wakers are released from their fence.
const RELAX_AFTER: u32 = 256;

/// The waker's private memory: which announcement it has answered.
#[derive(Debug, Default)]
pub struct Bell {
    served: Option<u32>,
}

impl Bell {
    /// Wakes the owner of `sleeper` if it sleeps; called after each publication. `own_event` is the waker's.
    ///
    /// Two loads and no fence while nobody sleeps; an event store and a system call once an announcement.
    #[inline(always)]
    pub fn ring(&mut self, sleeper: &AtomicU32, own_event: &AtomicU32) {
        light(); // pairs with heavy() in `announce`
        // Relaxed: ordered by the fences; what the sleeper published is not read on the strength of it.
        if sleeper.load(Ordering::Relaxed) & (PARKED | REQUEST) != 0 {
            self.ring_slow(sleeper, own_event);
        }
    }

    #[cold]
    #[inline(never)]
    fn ring_slow(&mut self, sleeper: &AtomicU32, own_event: &AtomicU32) {
        // Pairs with the fence of an ESTABLISHED sleeper in `announce`. (A sleeper seen PARKED needs none, but
        // a stale PARKED of an announcement that is over may hide the next one: so always.)
        if !mutant::on("park.no_waker_fence") {
            fence(Ordering::SeqCst);
        }
        // Acquire: the event is changed after the sleeper has read it (Release in `announce`).
        let state = sleeper.load(Ordering::Acquire);
        let generation = state / GENERATION;
        if state & PARKED == 0 || self.served == Some(generation) {
            return;
        }
        self.served = Some(generation);
        if !mutant::on("park.same_event") {
            own_event.store(event_stamp(own_event.load(Ordering::Relaxed)), Ordering::Release);
        }
        // All: one of this side's threads, and the one that sleeps for many.
        futex::wake(own_event, if mutant::on("park.wakes_one") { 1 } else { u32::MAX });
    }
}

/// The sleeper's private memory.
#[derive(Debug, Default)]
pub struct Sleeper {
    /// Waits in a row that needed no sleep.
    spun: u32,
    /// Somebody else sleeps for this side: the announcement stays.
    watched: bool,
}

impl Sleeper {
    /// Waits until `ready`, or as `limits` say; `on_backstop` answers whether nobody is left who could make it
    /// ready, and is asked 20 ms after the sleep began, then at doubled distances up to a second.
    ///
    /// `own` are this side's words, `peer_event` the event of the side that will make it ready.
    #[inline]
    pub fn wait(
        &mut self,
        own: &EndWords,
        peer_event: &AtomicU32,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut ready: impl FnMut() -> bool,
        mut on_backstop: impl FnMut() -> bool,
    ) -> WaitEnd {
        if limits.is_try() {
            return if ready() { WaitEnd::Ready } else { WaitEnd::TimedOut };
        }
        if spinner.spin(&mut ready) {
            self.sufficed(own);
            return WaitEnd::Ready;
        }
        self.wait_long(own, peer_event, limits, spinner, &mut ready, &mut on_backstop)
    }

    /// A wait ended by spinning: after many in a row the wakers are released from their fence.
    #[inline]
    fn sufficed(&mut self, own: &EndWords) {
        self.spun += 1;
        if self.spun >= RELAX_AFTER {
            self.spun = 0;
            let state = own.state.load(Ordering::Relaxed);
            if state & (REQUEST | ESTABLISHED) != 0 {
                // Both: an established request is one that every waker sees, from the heavy fence on.
                own.state.fetch_and(!(REQUEST | ESTABLISHED), Ordering::Relaxed);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_long(
        &mut self,
        own: &EndWords,
        peer_event: &AtomicU32,
        limits: &Limits<'_>,
        spinner: &Spinner,
        ready: &mut dyn FnMut() -> bool,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> WaitEnd {
        // The clock is first read when a sleep has ended without result: most sleeps are woken by data.
        let mut backstop: Option<Backstop> = None;
        loop {
            if limits.cancelled() {
                return if ready() { WaitEnd::Ready } else { WaitEnd::Cancelled };
            }
            let now = clock_now();
            let backstop = backstop.get_or_insert_with(|| Backstop::new(now));
            if limits.expired(now) {
                return if ready() { WaitEnd::Ready } else { WaitEnd::TimedOut };
            }
            if backstop.due(now) && on_backstop() {
                // Its last stores are older than its death: they count.
                return if ready() { WaitEnd::Ready } else { WaitEnd::PeerGone };
            }
            if spinner.strategy() == WaitStrategy::Spin {
                if spinner.spin(&mut *ready) {
                    return WaitEnd::Ready;
                }
                continue;
            }
            self.spun = 0;
            let until = limits.deadline.map_or(backstop.at(), |at| at.min(backstop.at()));
            if self.sleep(own, peer_event, spinner, ready, now, until) {
                return WaitEnd::Ready;
            }
        }
    }

    /// One announcement and one sleep; true if `ready`.
    fn sleep(
        &mut self,
        own: &EndWords,
        peer_event: &AtomicU32,
        spinner: &Spinner,
        ready: &mut dyn FnMut() -> bool,
        now: u64,
        until: u64,
    ) -> bool {
        // Before the announcement: the wake-up for it must change what is expected here.
        let event = peer_event.load(Ordering::Relaxed);
        let ordered = announce(&own.state);
        let mut is_ready = !mutant::on("park.no_second_look") && ready();
        if !is_ready {
            let until = if ordered { until } else { until.min(now + UNORDERED_SLEEP) };
            let end = futex::wait(peer_event, event, Some(until));
            is_ready = ready();
            let stamp = peer_event.load(Ordering::Relaxed);
            // A signal ends a wait as a wake-up does, but leaves no stamp.
            if end == futex::Wake::Woken && is_ready && stamp != event {
                spinner.woken(stamp);
            }
        }
        if !self.watched || mutant::on("park.sleep_ends_the_watch") {
            retire(own);
        }
        is_ready
    }

    /// Announces a sleep that is slept elsewhere: what to sleep by. The caller looks once more after that. The announcement stays until
    /// [`unwatch`](Self::unwatch).
    #[cfg(not(loom))]
    #[cold]
    pub fn watch(&mut self, own: &EndWords, peer_event: &AtomicU32) -> Watch {
        self.watched = true;
        // Before the announcement, as in `sleep`.
        let expected = peer_event.load(Ordering::Relaxed);
        let ordered = announce(&own.state);
        Watch { address: futex::Address::of(peer_event), expected, unordered: !ordered }
    }

    /// Nobody sleeps elsewhere any more.
    #[cfg(not(loom))]
    #[cold]
    pub fn unwatch(&mut self, own: &EndWords) {
        if self.watched {
            self.watched = false;
            retire(own);
        }
    }
}

/// The sleep is over.
fn retire(own: &EndWords) {
    // Relaxed: a waker that still sees PARKED makes one needless wake-up.
    own.state.fetch_and(!PARKED, Ordering::Relaxed);
}

/// Announces a sleep; whether every waker is sure to see the announcement (or its publication to be seen by the look
/// that follows).
fn announce(state: &AtomicU32) -> bool {
    let old = state.load(Ordering::Relaxed);
    let next = if mutant::on("park.same_generation") { old } else { old.wrapping_add(GENERATION) };
    if old & ESTABLISHED != 0 {
        set(state, next | PARKED);
        if !mutant::on("park.no_sleeper_fence") {
            fence(Ordering::SeqCst); // pairs with the fence in `ring_slow`
        }
        return true;
    }
    let next = next | REQUEST;
    set(state, next | PARKED);
    let ordered = heavy(); // pairs with light() in `ring`
    if !ordered {
        return false;
    }
    // A publication after this point is followed by a look that sees REQUEST; one before it is seen by the
    // look that follows.
    let next = next | ESTABLISHED;
    set(state, next | PARKED);
    true
}

/// The sleeper's next state. Another thread of its side may close the stream meanwhile, which must not be undone.
fn set(state: &AtomicU32, next: u32) {
    let mut seen = state.load(Ordering::Relaxed);
    // Release: the event was read before; pairs with the Acquire in `ring_slow`.
    while let Err(now) =
        state.compare_exchange(seen, next | seen & CLOSED, Ordering::Release, Ordering::Relaxed)
    {
        seen = now;
    }
}

/// Ends the stream from this side. The caller rings the peer's bell afterwards.
pub fn close(own_state: &AtomicU32) {
    // Release: who sees CLOSED sees all that was published before.
    // One step: another thread of this side may be falling asleep.
    own_state.fetch_or(CLOSED, Ordering::Release);
}

/// The owner of the word has ended the stream.
#[inline(always)]
pub fn is_closed(state: &AtomicU32) -> bool {
    state.load(Ordering::Acquire) & CLOSED != 0
}

#[cfg(not(loom))]
fn clock_now() -> u64 {
    crate::sys::clock::now()
}

#[cfg(loom)]
fn clock_now() -> u64 {
    1 // deadlines are not modelled
}
