//! How long to spin, and when not to.
//!
//! 1. About a microsecond of looks, nothing else: two processes that answer at once never get further.
//! 2. A `sched_yield`. If somebody else ran meanwhile, this core is wanted: spinning would keep the peer (or another
//!    pair) from running, so the caller offers the core a few times more and then sleeps, and for the next waits step 1
//!    is left out. The offers often let the peer publish, which saves both system calls of a sleep.
//! 3. Spinning with pauses, up to twice the measured price of a wake-up, with a yield every 10 us. A gap between two looks
//!    says that the core was taken away: as in 2.
//! 4. A budget that was used up in vain is halved, down to a 64th: the peer is slow. After each sleep the time is
//!    known for which a spinner would have had to spin; if that was within the full budget, it is restored.
//!
//! The price of a wake-up is the time from the stamp that the waker leaves in the event word to the sleeper's first
//! instruction: 1 us where both share a core, 35 us on an idle virtual one.
#![allow(clippy::disallowed_types, reason = "private to the process, and no step of any protocol")]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::sync::hint;
use crate::sys::{cpu, tsc};

/// Looks before the first question whether anybody else wants this core: about a microsecond, without pauses, since a
/// pause (140 cycles on recent processors) would be felt in a round trip of 300 ns.
const EAGER: u32 = 1000;
/// A yield that took longer than this many nanoseconds let somebody else run.
const SWITCH_NS: u64 = 450;
/// How often a wanted core is offered before the caller sleeps: one offer often lets the peer publish.
const OFFERS: u32 = 4;
/// Between two looks of a spinner: longer, and somebody else ran.
const GAP_NS: u64 = 4_000;
/// Between two questions whether anybody else wants this core.
const ASK_NS: u64 = 10_000;
/// Bounds of the spin budget in nanoseconds.
const BUDGET_MIN_NS: u64 = 2_000;
const BUDGET_MAX_NS: u64 = 100_000;
/// Budget before a wake-up was measured.
const BUDGET_START_NS: u64 = 30_000;

/// Statistics of one endpoint. Races between threads lose a sample and nothing else.
#[derive(Debug, Default)]
pub struct Pace {
    /// How often somebody else wanted this core, lately.
    crowded: AtomicU32,
    /// How often the budget is halved.
    failed: AtomicU32,
    /// Stamp of the last wait that got past the first looks.
    began: AtomicU32,
    /// How many of the last waits in a row were short, up to [`CLOSE_ENOUGH`]: see [`fall_back`].
    close: AtomicU32,
}

/// A wait of at most so many looks found the peer a few messages away, at work on the next ones: in an exchange of
/// messages a wait takes two transfers of a cache line, 64 looks and more.
const CLOSE_LOOKS: u32 = 32;
/// After so many short waits in a row the waiter falls back.
const CLOSE_ENOUGH: u32 = 3;
/// How far it falls back, in nanoseconds.
const FALL_BACK_NS: u64 = 600;

/// Lets a peer that is just ahead get away. Who follows a stream of messages at its heels takes each cache line
/// from the peer while that still writes to it, and both wait for the line most of the time; a moment later there is a
/// line's worth of messages, and the next ones after it.
#[cold]
#[inline(never)]
fn fall_back() {
    let ticks = FALL_BACK_NS * tsc::ticks_per_us() / 1000;
    let start = tsc::now();
    while tsc::now() - start < ticks {
        hint::spin_loop();
    }
}

/// What a wake-up costs, in nanoseconds: one for all endpoints of the process; 0: not measured.
static PRICE_NS: AtomicU32 = AtomicU32::new(0);

/// A stamp of 32 bits, about 50 ns a step.
pub fn stamp() -> u32 {
    (tsc::now() >> STAMP_SHIFT) as u32
}
const STAMP_SHIFT: u32 = 7;
const CROWDED_MAX: u32 = 64;
const HALVINGS_MAX: u32 = 6;

impl Pace {
    /// See [`Spinner::spin`](crate::prim::spin::Spinner::spin).
    #[inline]
    pub fn spin(&self, mut ready: impl FnMut() -> bool) -> bool {
        if self.close.load(Relaxed) == CLOSE_ENOUGH {
            fall_back();
        }
        let eager = if self.crowded.load(Relaxed) == 0 { EAGER } else { 1 };
        for looks in 0..eager {
            if ready() {
                self.note_distance(looks);
                return true;
            }
        }
        self.spin_long(&mut ready)
    }

    /// How far ahead the peer was, told by how long this wait took.
    #[inline(always)]
    fn note_distance(&self, looks: u32) {
        let close = self.close.load(Relaxed);
        let now = if looks > CLOSE_LOOKS { 0 } else { (close + 1).min(CLOSE_ENOUGH) };
        if now != close {
            self.close.store(now, Relaxed);
        }
    }

    #[cold]
    #[inline(never)]
    fn spin_long(&self, ready: &mut dyn FnMut() -> bool) -> bool {
        let per_us = tsc::ticks_per_us();
        self.began.store(stamp(), Relaxed);
        let mut offers = 0;
        while self.somebody_ran(per_us) {
            offers += 1;
            if ready() {
                return true;
            }
            if offers == OFFERS {
                return false;
            }
        }
        let budget = (full_budget_ns() >> self.failed.load(Relaxed)) * per_us / 1000;
        let (gap, ask) = (GAP_NS * per_us / 1000, ASK_NS * per_us / 1000);
        let start = tsc::now();
        let (mut last, mut asked) = (start, start);
        while last - start < budget {
            for _ in 0..8 {
                if ready() {
                    self.failed.store(0, Relaxed);
                    return true;
                }
                hint::spin_loop();
            }
            let now = tsc::now();
            if now.wrapping_sub(last) > gap {
                self.note_crowded();
                return ready();
            }
            last = now;
            if now - asked > ask {
                if self.somebody_ran(per_us) {
                    return ready();
                }
                last = tsc::now();
                asked = last;
            }
        }
        self.failed.store((self.failed.load(Relaxed) + 1).min(HALVINGS_MAX), Relaxed);
        ready()
    }

    /// Offers the core to others; says whether one took it.
    fn somebody_ran(&self, per_us: u64) -> bool {
        let before = tsc::now();
        cpu::yield_now();
        let ran = tsc::now() - before > SWITCH_NS * per_us / 1000;
        if ran {
            self.note_crowded();
        } else {
            self.crowded.store(self.crowded.load(Relaxed).saturating_sub(1), Relaxed);
        }
        ran
    }

    fn note_crowded(&self) {
        self.crowded.store((self.crowded.load(Relaxed) + 8).min(CROWDED_MAX), Relaxed);
    }

    /// One round of a spinner that never sleeps.
    #[inline]
    pub fn round(&self, mut ready: impl FnMut() -> bool) -> bool {
        for _ in 0..100 * EAGER {
            if ready() {
                return true;
            }
            hint::spin_loop();
        }
        false
    }

    /// A wake-up that was sent at `event` has arrived.
    pub fn woken(&self, event: u32) {
        let old = PRICE_NS.load(Relaxed);
        let price = nanoseconds(stamp().wrapping_sub(event)).clamp(100, BUDGET_MAX_NS) as u32;
        PRICE_NS.store(if old == 0 { price } else { old - old / 8 + price / 8 }, Relaxed);
        self.judge(event);
    }

    /// A sleep has ended with success, and its waker left no stamp.
    pub fn slept(&self) {
        let price = nanoseconds_to_stamp(u64::from(PRICE_NS.load(Relaxed)));
        self.judge(stamp().wrapping_sub(price));
    }

    /// What was waited for came true at `event`: would spinning have paid?
    fn judge(&self, event: u32) {
        // An event before the beginning wraps to a long time: no judgement.
        if nanoseconds(event.wrapping_sub(self.began.load(Relaxed))) < full_budget_ns() {
            self.failed.store(0, Relaxed);
        }
    }
}

/// A difference of stamps in nanoseconds.
fn nanoseconds(stamps: u32) -> u64 {
    (u64::from(stamps) << STAMP_SHIFT) * 1000 / tsc::ticks_per_us()
}

fn nanoseconds_to_stamp(ns: u64) -> u32 {
    ((ns * tsc::ticks_per_us() / 1000) >> STAMP_SHIFT) as u32
}

/// The budget of a spinner whose spins pay.
fn full_budget_ns() -> u64 {
    match PRICE_NS.load(Relaxed) {
        0 => BUDGET_START_NS,
        price => (2 * u64::from(price)).clamp(BUDGET_MIN_NS, BUDGET_MAX_NS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_peer_halves_the_budget_and_a_quick_one_restores_it() {
        let pace = Pace::default();
        for _ in 0..50 {
            assert!(!pace.spin(|| false));
        }
        // On a crowded machine a spin ends early, which proves nothing about the peer.
        let halved = pace.failed.load(Relaxed);
        assert!(halved <= HALVINGS_MAX);
        pace.failed.store(HALVINGS_MAX, Relaxed);
        pace.judge(pace.began.load(Relaxed).wrapping_add(nanoseconds_to_stamp(10 * BUDGET_MAX_NS)));
        assert_eq!(pace.failed.load(Relaxed), HALVINGS_MAX);
        pace.judge(pace.began.load(Relaxed).wrapping_add(nanoseconds_to_stamp(BUDGET_MIN_NS / 2)));
        assert_eq!(pace.failed.load(Relaxed), 0);
    }

    #[test]
    fn the_price_follows_what_is_measured() {
        let pace = Pace::default();
        for _ in 0..100 {
            pace.woken(stamp().wrapping_sub(nanoseconds_to_stamp(40_000)));
        }
        assert!(PRICE_NS.load(Relaxed) >= 20_000);
        assert!(full_budget_ns() <= BUDGET_MAX_NS);
    }

    #[test]
    fn spinning_sees_what_becomes_ready() {
        let pace = Pace::default();
        let mut looks = 0;
        assert!(pace.round(|| {
            looks += 1;
            looks == 500
        }));
        assert!(pace.spin(|| true));
    }
}
