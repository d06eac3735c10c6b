//! What `Lock` and `RLock` have in common: the word, its owner's thread, and who this process is.

use std::cell::RefCell;
use std::sync::Arc;

#[cfg(feature = "async")]
use super::asynch::{Key, Source};
use super::backend::{Beside, Exclusion, LockBackend, Refusal};
use super::errors::OwnerDied;
use crate::arena::{Body, ObjectRef};
use crate::channel::domain::{Arena, Domain};
use crate::channel::kind;
use crate::channel::obituary;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::ParticipantId;
use crate::layout::lock::{BackendWord, INCARNATION_MASK, LockBody, LockState, LockWord, NATIVE_WORDS};
use crate::prim::limits::Limits;
use crate::prim::lock::{Owners, RawLock, Taken};
use crate::prim::spin::Spinner;
#[cfg(feature = "async")]
use crate::prim::watch::Watch;
use crate::region::Presence;
use crate::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "async")]
use crate::sync::futex::Address;
use crate::sys::failed_call::FailedCall;
use crate::sys::posix_semaphore::PosixSemaphore;
use crate::sys::raw_mutex::RawMutex;
use crate::sys::thread;

/// One lock in this process.
pub(crate) struct Core {
    body: Body<LockBody>,
    presence: Presence,
    /// The word of a lock that this process owns.
    me: LockWord,
    noun: &'static str,
    /// As the body said when it was opened.
    backend: LockBackend,
    domain: Arc<Domain>,
}

/// Whose a lock is now, if the calling thread took it.
pub(crate) enum Got {
    Owned,
    /// From a dead one: who it was.
    Inherited {
        pid: u32,
        name: String,
    },
}

/// Why it was not taken.
pub(crate) enum Missed {
    Busy,
    Cancelled,
    Error(Error),
}

impl Core {
    /// Creates one of this kind.
    pub(crate) fn create(arena: &Arena, kind: u32, noun: &'static str, backend: LockBackend) -> Result<Self> {
        let domain = arena.domain()?;
        let native = if backend == LockBackend::Futex { 0 } else { NATIVE_WORDS * 8 };
        let len = (size_of::<LockBody>() + native) as u64;
        let object = domain.with_room(|| domain.store().create_object(kind, 0, noun, len, |_zeros| {}))?;
        if backend != LockBackend::Futex {
            init(&Body::of(object.clone())?, backend, noun)?;
        }
        Self::open(object, kind, noun)
    }

    /// The one in this object.
    pub(crate) fn open(object: ObjectRef, kind: u32, noun: &'static str) -> Result<Self> {
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
        let body = Body::of(object)?;
        let backend = if kind == kind::LOCKED { LockBackend::Futex } else { backend_of(&body, noun)? };
        Ok(Self { body, presence, me: LockWord::owned(me.id, me.incarnation), noun, backend, domain })
    }

    pub(crate) fn reference(&self) -> &ObjectRef {
        self.body.object()
    }

    #[inline(always)]
    fn raw(&self) -> RawLock<'_> {
        RawLock::new(&self.body.word)
    }

    /// Its number in its arena.
    pub(crate) fn number(&self) -> u32 {
        self.reference().id().index
    }

    /// "lock 7".
    pub(crate) fn object(&self) -> String {
        name(self.noun, self.reference())
    }

    pub(crate) fn backend(&self) -> LockBackend {
        self.backend
    }

    /// The word itself excludes: what the fast paths ask.
    #[inline(always)]
    fn is_futex(&self) -> bool {
        self.backend == LockBackend::Futex
    }

    /// What excludes, for one call.
    fn with<R>(&self, call: impl FnOnce(&dyn Exclusion) -> R) -> Result<R> {
        match self.backend {
            LockBackend::Futex => Ok(call(&self.raw())),
            LockBackend::Semaphore => {
                let native = PosixSemaphore::of(native(&self.body, self.noun)?);
                Ok(call(&Beside::new(&self.body.word, native)))
            }
            LockBackend::Pthread => {
                let native = RawMutex::of(native(&self.body, self.noun)?);
                let native = native.map_err(|failed| self.failed(failed))?;
                Ok(call(&Beside::new(&self.body.word, native)))
            }
        }
    }

    /// The C library failed.
    #[cold]
    fn failed(&self, failed: FailedCall) -> Error {
        Error::os(self.object(), failed.call, failed.cause())
    }

    /// The word of a lock that the calling thread owns.
    #[inline(always)]
    pub(crate) fn mine(&self) -> LockWord {
        self.me.by(thread::tag())
    }

    /// Whether the calling thread has it.
    #[inline(always)]
    pub(crate) fn is_mine(&self) -> bool {
        self.raw().look().owner() == self.mine() && self.presence.id().is_some()
    }

    /// Takes it if it is free and nobody waits: the fast path.
    #[inline(always)]
    pub(crate) fn try_fast(&self) -> Option<LockWord> {
        self.presence.id()?;
        if !self.is_futex() {
            return None;
        }
        let mine = self.mine();
        self.raw().try_fast(mine).then_some(mine)
    }

    /// Takes it within `limits`. `Deadlock` if this thread has it.
    #[cold]
    #[inline(never)]
    pub(crate) fn take(&self, limits: &Limits<'_>, spinner: &Spinner) -> Result<Got, Missed> {
        self.presence.check(self.domain.region()).map_err(Missed::Error)?;
        let asking = Asking { domain: &self.domain, met: RefCell::new(None) };
        let take = |exclusion: &dyn Exclusion| exclusion.take(self.mine(), limits, spinner, &asking);
        let taken = self.with(take).map_err(Missed::Error)?;
        let taken = taken.map_err(|refusal| Missed::Error(self.refused(refusal, &asking)))?;
        self.got(taken, &asking)
    }

    /// What a call that ended so has to say.
    fn got(&self, taken: Taken, asking: &Asking<'_>) -> Result<Got, Missed> {
        match taken {
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

    /// Takes it if that needs no wait; `None`: it does. If the calling thread has it already, it does, too: another of its tasks
    /// has it. `again`: it has waited. `ask` after the owner, too.
    #[cfg(feature = "async")]
    pub(crate) fn attempt(&self, again: bool, ask: bool, spinner: &Spinner) -> Option<Result<Got, Missed>> {
        if let Err(error) = self.presence.check(self.domain.region()) {
            return Some(Err(Missed::Error(error)));
        }
        if !self.is_futex() {
            return Some(Err(Missed::Error(self.not_async())));
        }
        let asking = Asking { domain: &self.domain, met: RefCell::new(None) };
        let taken = match self.raw().attempt(self.mine(), again) {
            Ok(taken) => taken,
            Err(_) if ask => self.raw().take(self.mine(), &Limits::TRY, spinner, &asking),
            Err(_) => return None,
        };
        match taken {
            Taken::Mine | Taken::TimedOut => None,
            taken => Some(self.got(taken, &asking)),
        }
    }

    /// Gives back what `mine` has. Nothing happens if it does not have it (any more), nor in a forked copy: there the lock is
    /// its parent's.
    #[inline(always)]
    pub(crate) fn release(&self, mine: LockWord) {
        if self.presence.id().is_some() {
            if self.is_futex() {
                self.raw().release(mine);
            } else {
                // A drop can tell nobody. Where the C library fails, the lock stays its owner's, and orphaned with it.
                let _ = self.release_native(mine);
            }
        }
    }

    #[cold]
    fn release_native(&self, mine: LockWord) -> Result<bool> {
        self.with(|exclusion| exclusion.release(mine))?.map_err(|failed| self.failed(failed))
    }

    /// Gives back what the calling thread has, and says if that fails.
    pub(crate) fn give_back(&self, mine: LockWord) -> Result<()> {
        if self.is_futex() {
            self.release(mine);
            return Ok(());
        }
        self.release_native(mine).map(drop)
    }

    /// Gives it up wholly, however often the calling thread has it; how often besides the first time that was.
    pub(crate) fn let_go(&self) -> u64 {
        let again = self.again();
        if again != 0 {
            self.set_again(0);
        }
        self.release(self.mine());
        again
    }

    /// Takes it again, as often as [`let_go`](Self::let_go) said, however long that takes.
    pub(crate) fn take_back(&self, again: u64, spinner: &Spinner) -> Result<Got, Missed> {
        let got = if self.try_fast().is_some() { Got::Owned } else { self.take(&Limits::NONE, spinner)? };
        if again != 0 {
            self.set_again(again);
        }
        Ok(got)
    }

    /// The word of this process as an owner.
    pub(crate) fn me(&self) -> LockWord {
        self.me
    }

    pub(crate) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// The calling thread, which has it, inherited it and has not recovered it.
    pub(crate) fn is_dirty(&self) -> bool {
        self.raw().look().is_dirty()
    }

    /// That the calling thread has it.
    pub(crate) fn check_mine(&self) -> Result<LockWord> {
        self.presence.check(self.domain.region())?;
        if self.is_mine() { Ok(self.mine()) } else { Err(self.not_owner()) }
    }

    /// How often the owner of a recursive lock has it besides the first time. For the owner alone.
    #[inline(always)]
    pub(crate) fn again(&self) -> u64 {
        // Relaxed: only the owner writes it, and hands it on with the lock.
        self.body.again.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set_again(&self, times: u64) {
        self.body.again.store(times, Ordering::Relaxed);
    }

    /// The heir has repaired what the lock protects.
    pub(crate) fn recover(&self, mine: LockWord) {
        if self.presence.id().is_some() {
            let _ = self.with(|exclusion| exclusion.recover(mine)); // false: there was nothing to say
        }
    }

    /// Poisons what `mine` has, instead of giving it back.
    #[cold]
    pub(crate) fn give_up(&self, mine: LockWord) {
        if self.presence.id().is_some() && self.raw().look().owner() == mine {
            let _ = self.with(|exclusion| exclusion.poison()); // the futex cannot fail, and no other is inherited
        }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.raw().look().state() == LockState::Poison
    }

    /// Takes a poisoned lock.
    pub(crate) fn take_poisoned(&self) -> Result<LockWord> {
        self.presence.check(self.domain.region())?;
        let mine = self.mine();
        if !self.with(|exclusion| exclusion.take_poisoned(mine))? {
            return Err(Error::new(ErrorKind::InvalidState, self.object(), "it is not poisoned"));
        }
        self.set_again(0);
        Ok(mine)
    }

    #[cold]
    fn refused(&self, refusal: Refusal, asking: &Asking<'_>) -> Error {
        let word = match refusal {
            Refusal::Failed(failed) => return self.failed(failed),
            Refusal::Lost(word) => word,
        };
        let (pid, name) = asking.who_had(word).unwrap_or_else(|| obituary::read(&self.body, word));
        let died = OwnerDied::new((), pid, name);
        let what = format!("{died}, and its backend ({}) cannot hand it on", self.backend);
        Error::new(ErrorKind::OwnerDied, self.object(), what)
            .hint("make a new one; LockBackend::Futex hands it on to the next one")
    }

    #[cfg(feature = "async")]
    #[cold]
    fn not_async(&self) -> Error {
        let what = format!("its backend ({}) has no word that a task could wait for", self.backend);
        Error::new(ErrorKind::Unsupported, self.object(), what)
            .hint("make it with LockBackend::Futex, or acquire it on a thread")
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
    pub(crate) fn owner(&self) -> Option<String> {
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

/// "lock 7".
fn name(noun: &str, object: &ObjectRef) -> String {
    format!("{noun} {}", object.id().index)
}

/// What the C library has of a lock.
fn native<'a>(body: &'a Body<LockBody>, noun: &str) -> Result<&'a [AtomicU64; NATIVE_WORDS]> {
    body.words().first_chunk().ok_or_else(|| {
        let what = "its body has no room for its backend";
        Error::new(ErrorKind::InvalidRegion, name(noun, body.object()), what)
    })
}

/// Makes a new lock one of this backend, before anybody else can see it.
fn init(body: &Body<LockBody>, backend: LockBackend, noun: &str) -> Result<()> {
    let words = native(body, noun)?;
    let made = match backend {
        LockBackend::Futex => Ok(()),
        LockBackend::Semaphore => PosixSemaphore::init(words, 1).map(|_new| ()),
        LockBackend::Pthread => RawMutex::init(words).map(|_new| ()),
    };
    body.backend.store(backend.word().pack(), Ordering::Relaxed);
    made.map_err(|failed| Error::os(name(noun, body.object()), failed.call, failed.cause()))
}

/// What its creator chose, if this build can use that.
fn backend_of(body: &Body<LockBody>, noun: &str) -> Result<LockBackend> {
    // Relaxed: written before the handle went anywhere.
    let word = BackendWord::unpack(body.backend.load(Ordering::Relaxed));
    let backend = LockBackend::of_word(word).map_err(|why| {
        Error::new(ErrorKind::Unsupported, name(noun, body.object()), why)
            .hint("make it in a process of the same build, or with LockBackend::Futex")
    })?;
    if backend != LockBackend::Futex {
        native(body, noun)?;
    }
    Ok(backend)
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
        let met = self.met.take().filter(|met| met.owner == word.process())?;
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

#[cfg(feature = "async")]
impl Source for Core {
    fn key(&self) -> Key {
        Key { word: Address::of_low(&self.body.word), since: 0 }
    }

    fn watch(&self) -> Option<Watch> {
        self.raw().watch()
    }

    fn word(&self) -> u32 {
        self.raw().look().low()
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// The owner is dead, and its heir has to ask for itself.
    fn is_bereaved(&self) -> bool {
        let word = self.raw().look();
        let LockState::Owned(who, incarnation) = word.state() else { return false };
        let asking = Asking { domain: &self.domain, met: RefCell::new(None) };
        // An owner of this process lives.
        word.process() != self.me.process() && asking.is_dead(who, incarnation)
    }
}
