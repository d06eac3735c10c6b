//! What `Lock` and `RLock` have in common: the word, its owner's thread, and who this process is.

use std::cell::RefCell;
use std::sync::Arc;

use crate::arena::{Body, ObjectRef};
use crate::channel::domain::{Arena, Domain};
use crate::channel::obituary;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ParticipantId;
use crate::layout::lock::{INCARNATION_MASK, LockBody, LockState, LockWord};
use crate::prim::limits::Limits;
use crate::prim::lock::{Owners, RawLock, Taken};
use crate::prim::spin::Spinner;
use crate::region::Presence;
use crate::sync::atomic::Ordering;
use crate::sys::thread;

/// One lock in this process.
pub(crate) struct Core {
    body: Body<LockBody>,
    presence: Presence,
    /// The word of a lock that this process owns.
    me: LockWord,
    noun: &'static str,
    domain: Arc<Domain>,
}

/// Whose a lock is now, if the calling thread took it.
pub(super) enum Got {
    Owned,
    /// From a dead one: who it was.
    Inherited {
        pid: u32,
        name: String,
    },
}

/// Why it was not taken.
pub(super) enum Missed {
    Busy,
    Cancelled,
    Error(Error),
}

impl Core {
    /// Creates one of this kind.
    pub(super) fn create(arena: &Arena, kind: u32, noun: &'static str) -> Result<Self> {
        let domain = arena.domain()?;
        let create =
            || domain.store().create_object(kind, 0, noun, size_of::<LockBody>() as u64, |_zeros| {});
        Self::open(domain.with_room(create)?, kind, noun)
    }

    /// The one in this object.
    pub(super) fn open(object: ObjectRef, kind: u32, noun: &'static str) -> Result<Self> {
        if object.kind() != kind {
            return Err(Error::new(
                ErrorKind::TypeMismatch,
                format!("object {}", object.id().index),
                format!("it is not a {noun}"),
            )
            .hint("open it as what it was created"));
        }
        let domain = Domain::of(&object)?;
        let presence = domain.region().presence()?;
        let me = presence.me();
        // A guard may be forgotten: then the lock is an orphan when this process lets go of the handle.
        object.expect_claims();
        Ok(Self {
            body: Body::of(object)?,
            presence,
            me: LockWord::owned(me.id, me.incarnation),
            noun,
            domain,
        })
    }

    pub(super) fn reference(&self) -> &ObjectRef {
        self.body.object()
    }

    #[inline(always)]
    fn raw(&self) -> RawLock<'_> {
        RawLock::new(&self.body.word)
    }

    /// "lock 7".
    pub(super) fn object(&self) -> String {
        format!("{} {}", self.noun, self.reference().id().index)
    }

    /// The word of a lock that the calling thread owns.
    #[inline(always)]
    pub(super) fn mine(&self) -> LockWord {
        self.me.by(thread::tag())
    }

    /// Whether the calling thread has it.
    #[inline(always)]
    pub(super) fn is_mine(&self) -> bool {
        self.raw().look().owner() == self.mine() && self.presence.id().is_some()
    }

    /// Takes it if it is free and nobody waits: the fast path.
    #[inline(always)]
    pub(super) fn try_fast(&self) -> Option<LockWord> {
        self.presence.id()?;
        let mine = self.mine();
        self.raw().try_fast(mine).then_some(mine)
    }

    /// Takes it within `limits`. `Deadlock` if this thread has it.
    #[cold]
    #[inline(never)]
    pub(super) fn take(&self, limits: &Limits<'_>, spinner: &Spinner) -> Result<Got, Missed> {
        self.presence.check(self.domain.region()).map_err(Missed::Error)?;
        let asking = Asking { domain: &self.domain, met: RefCell::new(None) };
        match self.raw().take(self.mine(), limits, spinner, &asking) {
            Taken::Owned => Ok(Got::Owned),
            Taken::Inherited(word) => {
                self.set_again(0);
                let (pid, name) = asking.who_had(word).unwrap_or_else(|| obituary::read(&self.body, word));
                Ok(Got::Inherited { pid, name })
            }
            Taken::TimedOut => Err(Missed::Busy),
            Taken::Cancelled => Err(Missed::Cancelled),
            Taken::Poisoned => Err(Missed::Error(self.poisoned())),
            Taken::Mine => Err(Missed::Error(self.deadlock())),
        }
    }

    /// Gives back what `mine` has. Nothing happens if it does not have it (any more), nor in a forked copy: there the lock is
    /// its parent's.
    #[inline(always)]
    pub(super) fn release(&self, mine: LockWord) {
        if self.presence.id().is_some() {
            self.raw().release(mine);
        }
    }

    /// Gives it up wholly, however often the calling thread has it; how often besides the first time that was.
    pub(super) fn let_go(&self) -> u64 {
        let again = self.again();
        if again != 0 {
            self.set_again(0);
        }
        self.release(self.mine());
        again
    }

    /// Takes it again, as often as [`let_go`](Self::let_go) said, however long that takes.
    pub(super) fn take_back(&self, again: u64, spinner: &Spinner) -> Result<Got, Missed> {
        let got = if self.try_fast().is_some() { Got::Owned } else { self.take(&Limits::NONE, spinner)? };
        if again != 0 {
            self.set_again(again);
        }
        Ok(got)
    }

    /// The word of this process as an owner.
    pub(super) fn me(&self) -> LockWord {
        self.me
    }

    pub(super) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// The calling thread, which has it, inherited it and has not recovered it.
    pub(super) fn is_dirty(&self) -> bool {
        self.raw().look().is_dirty()
    }

    /// That the calling thread has it.
    pub(super) fn check_mine(&self) -> Result<LockWord> {
        self.presence.check(self.domain.region())?;
        if self.is_mine() { Ok(self.mine()) } else { Err(self.not_owner()) }
    }

    /// How often the owner of a recursive lock has it besides the first time. For the owner alone.
    #[inline(always)]
    pub(super) fn again(&self) -> u64 {
        // Relaxed: only the owner writes it, and hands it on with the lock.
        self.body.again.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn set_again(&self, times: u64) {
        self.body.again.store(times, Ordering::Relaxed);
    }

    /// The heir has repaired what the lock protects.
    pub(super) fn recover(&self, mine: LockWord) {
        if self.presence.id().is_some() {
            self.raw().recover(mine);
        }
    }

    /// Poisons what `mine` has, instead of giving it back.
    #[cold]
    pub(super) fn give_up(&self, mine: LockWord) {
        if self.presence.id().is_some() && self.raw().look().owner() == mine {
            self.raw().poison();
        }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.raw().look().state() == LockState::Poison
    }

    /// Takes a poisoned lock.
    pub(super) fn take_poisoned(&self) -> Result<LockWord> {
        self.presence.check(self.domain.region())?;
        let mine = self.mine();
        if !self.raw().take_poisoned(mine) {
            return Err(Error::new(ErrorKind::InvalidState, self.object(), "it is not poisoned"));
        }
        self.set_again(0);
        Ok(mine)
    }

    #[cold]
    fn poisoned(&self) -> Error {
        Error::new(
            ErrorKind::Poisoned,
            self.object(),
            "an owner died with it, and the next one gave up: what it protects may be half-changed",
        )
        .hint("call recover_poisoned(), repair what it protects, and recover()")
    }

    #[cold]
    fn deadlock(&self) -> Error {
        Error::new(ErrorKind::Deadlock, self.object(), "the calling thread has it already")
            .hint("drop its guard first, or use an RLock")
    }

    #[cold]
    fn not_owner(&self) -> Error {
        let what = match self.owner() {
            Some(owner) => format!("it is held by {owner}, and not by the calling thread"),
            None => "nobody holds it".to_owned(),
        };
        Error::new(ErrorKind::NotOwner, self.object(), what)
            .hint("only the thread that acquired it may release it")
    }

    /// The name of the owner's process, and of its thread where that is not the main one: `worker|reader`.
    pub(super) fn owner(&self) -> Option<String> {
        let word = self.raw().look();
        let LockState::Owned(who, incarnation) = word.state() else { return None };
        let participant = self.domain.region().participant(who);
        if participant.incarnation & INCARNATION_MASK != incarnation {
            return Some("one that died".to_owned());
        }
        let number = thread::number_in(word.thread());
        let process = match participant.name.as_str() {
            "" => format!("process {}", participant.pid),
            name => name.to_owned(),
        };
        if number == 0 || number == participant.pid {
            return Some(process);
        }
        let comm = std::fs::read_to_string(format!("/proc/{}/task/{number}/comm", participant.pid));
        Some(comm.map_or(process.clone(), |comm| format!("{process}|{}", comm.trim_end())))
    }
}

/// The questions of one call after the owners that it meets.
struct Asking<'a> {
    domain: &'a Domain,
    /// The last dead one: whom the word named, pid, and name.
    met: RefCell<Option<Met>>,
}

struct Met {
    owner: LockWord,
    pid: u32,
    name: String,
}

impl Asking<'_> {
    /// Who was named by this word, from which the caller has inherited.
    fn who_had(&self, word: LockWord) -> Option<(u32, String)> {
        let met = self.met.take().filter(|met| met.owner == word.owner())?;
        Some((met.pid, met.name))
    }
}

impl Owners for Asking<'_> {
    fn is_dead(&self, who: ParticipantId, incarnation: u32) -> bool {
        let region = self.domain.region();
        let tenant = region.participant(who);
        let is_another = tenant.incarnation & INCARNATION_MASK != incarnation;
        if !is_another && !region.is_dead(who, Some(tenant.incarnation)) {
            return false;
        }
        // Now, while the word names it: its slot is cleared only after the word. If the word has changed, nothing is
        // inherited from it.
        self.met.replace(obituary::of_owner(&tenant, incarnation).map(|(pid, name)| Met {
            owner: LockWord::owned(who, incarnation),
            pid,
            name,
        }));
        true
    }

    fn look_for_dead(&self) {
        self.domain.look_for_dead();
    }
}
