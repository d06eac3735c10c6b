//! Why a lock keeps the mark of its sleepers. Of two sleepers one is woken and killed, after another process took the lock
//! and before the woken one says again that somebody sleeps. A classic lock of three states has no mark then: the second
//! sleeper sleeps at a free lock for ever, with nobody left who would wake it.
//!
//! The same schedule for a classic lock (written down here) and for the library's; both over a word of a shared page, both killed at
//! the library's kill points. Nobody looks for the dead, so that no repair helps.
//!
//! # Safety
//!
//! A page of anonymous shared memory of words, for the life of the process.

use std::process::ExitCode;

use processing::WaitStrategy;
use processing::layout::ParticipantId;
use processing::layout::lock::{LockState, LockWord};
use processing::prim::limits::Limits;
use processing::prim::lock::{Owners, RawLock, Taken};
use processing::prim::spin::Spinner;
use processing::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};
use processing::sync::{futex, kill};
use processing_kill_tests::Outcome;
use processing_kill_tests::board::Board;
use processing_kill_tests::child::{Child, Doing};
use processing_kill_tests::suite::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.test("classic", || {
        let (word, board) = (page(), Board::new());
        let mut second = play(&Classic(word), board)?;
        // The word and the queue say all: nobody has the lock, and nobody is left who would wake.
        if word.load(SeqCst) != Classic::FREE || second.settle()? != Doing::Asleep || board.get(SECOND) != 0 {
            return Err("this schedule does not strand a classic lock: it shows nothing".into());
        }
        second.signal(libc::SIGKILL);
        second.wait()?;
        Ok("stranded, as it must".into())
    });
    suite.test("robust", || {
        let (word, board) = (page(), Board::new());
        let mut second = play(&Robust(word), board)?;
        second.wait()?;
        if board.get(SECOND) != 1 {
            return Err("the second did not get it".into());
        }
        match LockWord(word.load(SeqCst)).state() {
            LockState::Free => Ok("not stranded".into()),
            other => Err(format!("afterwards it is {other:?}")),
        }
    });
    suite.finish()
}

/// The second sleeper had the lock.
const SECOND: usize = 8;

trait Mutual: Copy {
    fn acquire(self, who: ParticipantId);
    fn release(self, who: ParticipantId);
    /// Somebody has it, and who gives it back will wake.
    fn check_mark(self) -> Outcome<()>;
}

/// The shared operations of a waiter before its sleep, and the sleep: it dies before the next.
const AWAKE: u64 = 3;
/// Who has the lock at first, and who barges.
const FIRST_OWNER: ParticipantId = 3;
const BARGER: ParticipantId = 4;

/// Plays the schedule, up to where the barger has given the lock back. What the second does is left to it.
fn play(lock: &(impl Mutual + 'static), board: Board) -> Outcome<Child> {
    for _ in 0..100 {
        if let Some(second) = play_once(*lock, board)? {
            return Ok(second);
        }
    }
    Err("the second always comes between the release and the barger".into())
}

/// `None`: the second was awake by chance, and had the lock before the barger.
fn play_once(lock: impl Mutual + 'static, board: Board) -> Outcome<Option<Child>> {
    board.clear();
    lock.acquire(FIRST_OWNER);
    let mut first = Child::fork(|| {
        kill::arm(AWAKE);
        lock.acquire(1);
    });
    expect_asleep(&first)?;
    let mut second = Child::fork(|| {
        lock.acquire(2);
        board.set(SECOND, 1);
        lock.release(2);
    });
    expect_asleep(&second)?;
    // The first to sleep is the first to be woken. Whether it comes before the barger or after: it dies before it changes
    // anything.
    lock.release(FIRST_OWNER);
    lock.acquire(BARGER);
    if board.get(SECOND) != 0 {
        lock.release(BARGER);
        first.wait()?;
        second.wait()?;
        return Ok(None);
    }
    if !first.wait()?.is_killed() {
        return Err("the first was not killed".into());
    }
    lock.check_mark()?;
    lock.release(BARGER);
    Ok(Some(second))
}

fn expect_asleep(child: &Child) -> Outcome<()> {
    match child.settle()? {
        Doing::Asleep => Ok(()),
        other => Err(format!("a waiter is {other:?}")),
    }
}

/// A word (an atomic) in a page of its own, shared with the processes forked later.
fn page<W>() -> &'static W {
    // SAFETY: an anonymous mapping of its own.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED, "no memory for a page");
    // SAFETY: zeros, which is a word; it stays mapped.
    unsafe { &*at.cast::<W>() }
}

/// A lock as most are: free, taken, taken and awaited ("Futexes are tricky", mutex 2).
#[derive(Clone, Copy)]
struct Classic(&'static AtomicU32);

impl Classic {
    const FREE: u32 = 0;
    const TAKEN: u32 = 1;
    const AWAITED: u32 = 2;
}

impl Mutual for Classic {
    fn acquire(self, _: ParticipantId) {
        if self.0.compare_exchange(Self::FREE, Self::TAKEN, SeqCst, SeqCst).is_ok() {
            return;
        }
        while self.0.swap(Self::AWAITED, SeqCst) != Self::FREE {
            futex::wait(self.0, Self::AWAITED, None);
        }
    }

    fn release(self, _: ParticipantId) {
        if self.0.swap(Self::FREE, SeqCst) == Self::AWAITED {
            futex::wake(self.0, 1);
        }
    }

    fn check_mark(self) -> Outcome<()> {
        Ok(())
    }
}

/// The library's.
#[derive(Clone, Copy)]
struct Robust(&'static AtomicU64);

/// What this participant does at its backstop.
struct Backstop(Robust, ParticipantId);

impl Owners for Backstop {
    fn is_dead(&self, _: ParticipantId, _: u32) -> bool {
        false
    }

    /// The sleep ended by itself. The first is to die of its wake-up, which has not come if the lock was not given back.
    fn look_for_dead(&self) {
        let Self(Robust(word), who) = self;
        if *who == 1 && LockWord(word.load(SeqCst)).owner() == LockWord::owned(FIRST_OWNER, 0) {
            kill::arm(1); // once more to sleep, and then
        }
    }
}

impl Mutual for Robust {
    fn acquire(self, who: ParticipantId) {
        let (lock, me) = (RawLock::new(self.0), LockWord::owned(who, 0));
        if lock.try_fast(me) {
            return;
        }
        let taken = lock.take(me, &Limits::NONE, &Spinner::new(WaitStrategy::Block), &Backstop(self, who));
        assert_eq!(taken, Taken::Owned);
    }

    fn release(self, who: ParticipantId) {
        assert!(RawLock::new(self.0).release(LockWord::owned(who, 0)));
    }

    fn check_mark(self) -> Outcome<()> {
        // Not the second's backstop is to help it, but this.
        let word = LockWord(self.0.load(SeqCst));
        if word.has_waiters() { Ok(()) } else { Err(format!("{word:?} has lost the mark of a sleeper")) }
    }
}
