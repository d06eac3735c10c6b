//! The gate of a shared array: single stores, guards that read, and one that writes, each without the others.
//!
//! States and transitions stand in [`crate::layout::array::Mode`]. Who wants in without the lock *announces* itself in a word of its
//! own thread's line, and then looks at the mode: the one it needs lets it in, any other sends it to the lock. Who has
//! the lock and needs another mode says EXCL *first*, and then waits until those announcements are gone that the old mode let
//! in, and only *then* says the new mode. Either the visitor sees EXCL, or its announcement is seen and waited for.
//!
//! # Orderings
//!
//! Announcement and look, EXCL and wait are the asymmetric pair of [`crate::sync::fence`]: what a visitor does costs two stores and
//! two loads, and no fence of the processor. An announcement is taken back with Release, and waited for with Acquire: what the visitor
//! stored, or read, is over then. A mode is said with Release, and found with Acquire: what was done before it was said is there.
//!
//! # Who may die
//!
//! - A visitor: its reaper takes its announcement back, and wakes who waits for that.
//! - Who changes the mode: before EXCL nothing has happened; from then on its heir finds EXCL, and waits itself for what
//!   must be gone. EXCL says nothing about who is gone.
//! - A visitor that is *stopped* while it is announced holds up changes of the mode, until their time is up. It is alive.

use crate::layout::array::Mode;
use crate::prim::event_count::{EventCount, SpinRun, WaitEnd};
use crate::prim::limits::Limits;
use crate::prim::spin::Spinner;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{fence, mutant};

/// What announcements are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// A single element is stored; let in by OPEN.
    Set,
    /// A guard reads; let in by SHARED.
    Read,
}

impl Side {
    /// The mode that lets it in.
    #[inline(always)]
    pub const fn mode(self) -> Mode {
        match self {
            Self::Set => Mode::Open,
            Self::Read => Mode::Shared,
        }
    }
}

/// The shared operations of who comes without the lock.
pub trait Visitor {
    /// Says that this thread is inside, or about to be.
    fn announce(&self);
    /// The light half of the pair.
    fn fence(&self);
    fn mode(&self) -> Mode;
    /// Takes the announcement back.
    fn withdraw(&self);
    /// Wakes who may wait for that.
    fn wake(&self);
}

/// Goes in, if the mode lets `side` in: then [`leave`] must follow. False: it is not in, and the lock is the way.
#[inline(always)]
pub fn enter(visitor: &impl Visitor, side: Side) -> bool {
    visitor.announce();
    visitor.fence();
    if visitor.mode() == side.mode() {
        return true;
    }
    leave(visitor, side);
    false
}

/// Goes out.
#[inline(always)]
pub fn leave(visitor: &impl Visitor, side: Side) {
    visitor.withdraw();
    // Pairs with the heavy fence of who said EXCL: it sees that the announcement is gone, or this sees EXCL.
    visitor.fence();
    if visitor.mode() != side.mode() && !mutant::on("gate.leaves_silently") {
        visitor.wake();
    }
}

/// The word at the gate, for who has the lock.
pub trait Sign {
    fn mode(&self) -> Mode;
    fn say(&self, mode: Mode);
}

/// The shared operations of who has the lock.
pub trait Keeper: Sign {
    /// Why it cannot go on waiting.
    type Refusal;
    /// The heavy half of the pair.
    fn fence(&self) -> Result<(), Self::Refusal>;
    /// Waits until nobody is announced for this side.
    fn drain(&self, side: Side) -> Result<(), Self::Refusal>;
}

/// Makes `wanted` the mode: for EXCL nobody is inside when it returns; for another one only who that lets in. `last` is
/// done when all others are gone and before the mode is said. What the mode was before.
///
/// # Errors
/// Why the wait ended early: then the mode is as before, and `last` was not done.
#[cold]
pub fn change<K: Keeper>(keeper: &K, wanted: Mode, last: impl FnOnce()) -> Result<Mode, K::Refusal> {
    let before = keeper.mode();
    if before == wanted && wanted != Mode::Excl {
        last();
        return Ok(before);
    }
    let early = mutant::on("gate.mode_before_drain");
    if mutant::on("gate.drain_before_mode") {
        clear(keeper, wanted)?;
        keeper.say(wanted);
        last();
        return Ok(before);
    }
    if before != Mode::Excl {
        keeper.say(if early { wanted } else { Mode::Excl });
    }
    if let Err(refusal) = clear(keeper, wanted) {
        // Nobody came in meanwhile whom the old mode keeps out. EXCL was left by the dead: it stays.
        if before != Mode::Excl {
            keeper.say(before);
        }
        return Err(refusal);
    }
    last();
    if wanted != Mode::Excl {
        keeper.say(wanted);
    }
    Ok(before)
}

/// After EXCL: what the next ones will find.
pub fn reopen(sign: &impl Sign, before: Mode) {
    sign.say(if before == Mode::Excl { Mode::Open } else { before });
}

fn clear<K: Keeper>(keeper: &K, wanted: Mode) -> Result<(), K::Refusal> {
    keeper.fence()?;
    for side in [Side::Set, Side::Read] {
        if side.mode() != wanted && !(mutant::on("gate.readers_stay") && side == Side::Read) {
            keeper.drain(side)?;
        }
    }
    Ok(())
}

/// The words of a gate, wherever they lie.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    pub mode: &'a AtomicU64,
    pub event: &'a AtomicU32,
    /// What announcements name: the array.
    pub name: u64,
}

impl Sign for Gate<'_> {
    #[inline(always)]
    fn mode(&self) -> Mode {
        // Acquire: pairs with `say`.
        let order = if mutant::on("gate.mode_relaxed") { Ordering::Relaxed } else { Ordering::Acquire };
        Mode::unpack(self.mode.load(order))
    }

    fn say(&self, mode: Mode) {
        // Release: pairs with the Acquire of visitors.
        let order = if mutant::on("gate.say_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        self.mode.store(mode.pack(), order);
    }
}

impl<'a> Gate<'a> {
    /// A visitor that announces itself in this word of its own thread's line.
    #[inline(always)]
    pub fn visitor(self, slot: &'a AtomicU64) -> Slot<'a> {
        Slot { gate: self, slot }
    }

    /// Wakes everybody who waits: for the repair of one that was announced.
    #[cold]
    pub fn wake_all(self) {
        EventCount::new(self.event).wake_all();
    }
}

/// A visitor over words.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    gate: Gate<'a>,
    slot: &'a AtomicU64,
}

impl Visitor for Slot<'_> {
    #[inline(always)]
    fn announce(&self) {
        // Release: pairs with the Acquire of who looks for another array and finds this word: what the thread did in that one is over. (Nothing
        // waits for this store: the fence that follows orders it before the look at the mode.)
        self.slot.store(self.gate.name, Ordering::Release);
    }

    #[inline(always)]
    fn fence(&self) {
        if !mutant::on("gate.no_visitor_fence") {
            fence::light();
        }
    }

    #[inline(always)]
    fn mode(&self) -> Mode {
        Sign::mode(&self.gate)
    }

    #[inline(always)]
    fn withdraw(&self) {
        // Release: pairs with the Acquire of who waits: what was done inside is over.
        let order = if mutant::on("gate.withdraw_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        self.slot.store(0, order);
    }

    #[cold]
    #[inline(never)]
    fn wake(&self) {
        EventCount::new(self.gate.event).notify(u32::MAX);
    }
}

/// Everybody's announcements.
pub trait Lines {
    /// The heavy half of the pair, against all who announce. False: the kernel refuses it, and at least one of them relies on it.
    fn order(&self) -> bool;
    /// Some thread announces this word on this side. Acquire loads.
    fn any(&self, side: Side, name: u64) -> bool;
    /// Now and then, while asleep: look for the dead, and take their announcements back.
    fn look_for_dead(&self);
}

/// Why a change of the mode was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The deadline passed, and somebody is inside.
    TimedOut,
    Cancelled,
    /// The kernel does not let this process order the stores of others, and they leave that to it.
    Unordered,
}

/// The owner of the lock, over words.
pub struct Owner<'a, L: Lines> {
    pub gate: Gate<'a>,
    pub lines: &'a L,
    pub limits: &'a Limits<'a>,
    pub spinner: &'a Spinner,
}

impl<L: Lines> Sign for Owner<'_, L> {
    fn mode(&self) -> Mode {
        Sign::mode(&self.gate)
    }

    fn say(&self, mode: Mode) {
        self.gate.say(mode);
    }
}

impl<L: Lines> Keeper for Owner<'_, L> {
    type Refusal = Refusal;

    fn fence(&self) -> Result<(), Refusal> {
        let ordered = mutant::on("gate.no_keeper_fence") || self.lines.order();
        if ordered { Ok(()) } else { Err(Refusal::Unordered) }
    }

    fn drain(&self, side: Side) -> Result<(), Refusal> {
        let blocked = || self.lines.any(side, self.gate.name);
        if !blocked() {
            return Ok(());
        }
        let event = EventCount::new(self.gate.event);
        let end = event.wait(self.limits, self.spinner, &SpinRun::default(), blocked, || {
            self.lines.look_for_dead();
        });
        match end {
            WaitEnd::Ready => Ok(()),
            WaitEnd::Cancelled => Err(Refusal::Cancelled),
            WaitEnd::TimedOut => {
                // Once before it gives up: a wait may be shorter than the first backstop.
                self.lines.look_for_dead();
                if blocked() { Err(Refusal::TimedOut) } else { Ok(()) }
            }
        }
    }
}

impl<L: Lines> core::fmt::Debug for Owner<'_, L> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Owner").field("gate", &self.gate).finish_non_exhaustive()
    }
}
