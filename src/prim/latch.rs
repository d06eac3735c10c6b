//! A sign that something is there, for who looks at the sign and not at the thing: up or down.
//!
//! Whoever finds nothing there takes the sign down and has the thing watched; whoever watches puts it up when there may be
//! something, and watches no more.
//!
//! ```text
//! WATCHED  -> RAISING    the watcher: there may be something, and the sign goes up
//! RAISING  -> RAISED     the same, when it is up
//! RAISING  -> AWAITED    who found nothing meanwhile, and waits until it is up
//! AWAITED  -> RAISED     the watcher, when it is up; it wakes those who wait
//! RAISED   -> LOWERING   who found nothing, and takes the sign down
//! LOWERING -> WATCHED    the same, after that and before it has the thing watched
//! WATCHED  -> RAISING    the same, if it cannot be watched
//! ```
//!
//! The order is all there is to it. The sign goes down first, then the watching begins, and it begins with a look: what
//! came before that look puts the sign up again, and what comes after it finds somebody who watches. Who takes the sign down
//! takes down what is up already and not what is still to come; and who has seen the sign go up, and finds nothing, never leaves with the sign up: others
//! may look at changes of the sign only, and there would be none.
//!
//! All of it is private to one process; nobody's death but its own can leave it half-way.

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{futex, mutant};

const WATCHED: u32 = 0;
const RAISED: u32 = 1;
const LOWERING: u32 = 2;
const RAISING: u32 = 3;
const AWAITED: u32 = 4;

/// The sign: what others look at.
pub trait Sign {
    /// Puts it up. It may be up already.
    fn raise(&self);
    /// Takes it down.
    fn lower(&self);
}

/// The state of one sign.
#[derive(Debug)]
pub struct Latch {
    state: AtomicU32,
}

impl Latch {
    /// Of a sign that is down, of a thing that is watched from now on.
    pub fn watched() -> Self {
        Self { state: AtomicU32::new(WATCHED) }
    }

    /// Of a sign that is up.
    pub fn raised() -> Self {
        Self { state: AtomicU32::new(RAISED) }
    }

    /// The watcher found that there may be something, and watches no more.
    pub fn found(&self, sign: &impl Sign) {
        if mutant::on("latch.state_first") {
            self.state.store(RAISED, Ordering::Release);
            return sign.raise();
        }
        // Before the sign: who sees that go up sees this.
        self.state.store(RAISING, Ordering::Release);
        sign.raise();
        // Release: pairs with the Acquire in `lower`: the sign is up.
        if self.state.swap(RAISED, Ordering::AcqRel) == AWAITED {
            futex::wake(&self.state, u32::MAX);
        }
    }

    /// The calling thread found nothing there. If the sign is up it is taken down, and `watch` has the thing watched: it sees to it that
    /// somebody announces a sleeper, looks once more, and calls [`found`](Self::found) when there may be something. False: that is
    /// impossible, and the sign stays up.
    ///
    /// One load, if the sign is down already.
    #[inline]
    pub fn found_nothing(&self, sign: &impl Sign, watch: impl FnOnce() -> bool) {
        // Acquire: pairs with the Release in `found`, for who was told by the sign and not by memory.
        if !matches!(self.state.load(Ordering::Acquire), WATCHED | LOWERING) {
            self.lower(sign, watch);
        }
    }

    /// Whether it falls to the calling thread to take the sign down: it is up, and nobody else does it.
    fn begin_to_lower(&self) -> bool {
        loop {
            match self.state.load(Ordering::Acquire) {
                RAISED => {
                    // Acquire: pairs with the Release in `found`.
                    let begun =
                        self.state.compare_exchange(RAISED, LOWERING, Ordering::Acquire, Ordering::Relaxed);
                    if begun.is_ok() {
                        return true;
                    }
                }
                RAISING if mutant::on("latch.no_wait_for_the_sign") => return false,
                RAISING => {
                    let _ =
                        self.state.compare_exchange(RAISING, AWAITED, Ordering::Relaxed, Ordering::Relaxed);
                }
                AWAITED => {
                    futex::wait(&self.state, AWAITED, None);
                }
                // Another thread does it, and the look that begins the watching is still to come.
                _ => return false,
            }
        }
    }

    #[cold]
    fn lower(&self, sign: &impl Sign, watch: impl FnOnce() -> bool) {
        if !self.begin_to_lower() {
            return;
        }
        if !mutant::on("latch.watched_before_lowered") {
            sign.lower();
        }
        // Before it is watched: the watcher may put the sign up at once.
        if !mutant::on("latch.state_last") {
            self.state.store(WATCHED, Ordering::Release);
        }
        let watched = watch();
        if mutant::on("latch.watched_before_lowered") {
            sign.lower();
        }
        if mutant::on("latch.state_last") {
            self.state.store(WATCHED, Ordering::Release);
        }
        if !watched {
            self.found(sign);
        }
    }
}
