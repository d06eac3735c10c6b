//! An arena as this process sees it, and what is done about the dead in it.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crate::arena::{self, FsckReport, ObjectRef};
use crate::channel::queue::kernel::purge_depot;
use crate::channel::repair::Rooms;
use crate::error::{ErrorKind, Result};
use crate::prim::limits::Limits;
use crate::region::{Dead, Recover, Region};
use crate::ring::ParticipantId;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sys::clock;

/// Shared memory that a process tree, or a program's choice of handles, lives in.
///
/// [`Arena::default`] belongs to the process tree: it is made when the first object is, children receive it when
/// they start, and it grows up to half of the machine's memory. It has no name and leaves nothing behind, whoever
/// is killed.
///
/// ```
/// let arena = processing::Arena::builder().limit(64 << 20).build()?;
/// let q = processing::Queue::<u64>::builder().arena(&arena).build()?;
/// q.put(&7)?;
/// drop(q);
/// assert!(arena.fsck()?.is_clean());
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Arena {
    /// `None`: the process tree's.
    domain: Option<Arc<Domain>>,
}

impl Arena {
    /// Sets a limit.
    pub fn builder() -> ArenaBuilder {
        ArenaBuilder { limit: 0 }
    }

    /// Checks every block, object and reference, and that what shared data leads to is there. Exact only while nobody else uses the arena; meant for tests
    /// and for people who look for a leak. Also clears up after the dead first.
    ///
    /// # Errors
    ///
    /// `WrongProcess` in a forked child.
    pub fn fsck(&self) -> Result<FsckReport> {
        let domain = self.domain()?;
        domain.me()?;
        domain.look_for_dead();
        Ok(domain.store.fsck())
    }

    #[cfg(feature = "internals")]
    pub(crate) fn over(domain: Arc<Domain>) -> Self {
        Self { domain: Some(domain) }
    }

    pub(crate) fn domain(&self) -> Result<Arc<Domain>> {
        match &self.domain {
            Some(domain) => Ok(domain.clone()),
            None => Domain::tree(),
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Some(domain) => write!(f, "<Arena({:x})>", domain.region().id()),
            None => f.write_str("<Arena(of the process tree)>"),
        }
    }
}

/// Settings of a new [`Arena`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ArenaBuilder {
    limit: u64,
}

impl ArenaBuilder {
    /// The most bytes of messages and objects that it grows to (rounded up to 64 KiB; default: half of the machine's
    /// memory). Address space is reserved at once, memory is used as it is needed.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Creates it.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if the address space or the memory file cannot be had; `InvalidInput` for an impossible limit.
    pub fn build(self) -> Result<Arena> {
        Ok(Arena { domain: Some(Domain::create(self.limit)?) })
    }
}

/// One arena in this process.
#[derive(Debug)]
pub struct Domain {
    store: Arc<arena::Arena>,
    /// When [`look_now_and_then`](Self::look_now_and_then) looked last.
    looked: AtomicU64,
}

/// The least time between two looks of a process that never sleeps long enough to ask at a backstop.
const NOW_AND_THEN: u64 = 100_000_000;

/// The stores of this process, one a region as long as anything uses it: handles keep the store and not the domain, and
/// a second store would work on the same table of references behind the first one's back.
static KNOWN: Mutex<Vec<Weak<arena::Arena>>> = Mutex::new(Vec::new());
/// What else is done about the dead: a child that ends before it took its seat leaves the seat to its parent, which
/// lives, so that no sweep finds it. The layer above knows who has ended.
static LOOK: OnceLock<fn()> = OnceLock::new();

/// The name of the calling process, where it is not the main one.
static PROCESS: Mutex<Option<String>> = Mutex::new(None);

/// The calling process is called so from now on, in all its arenas.
pub(crate) fn name_process(name: &str) {
    *PROCESS.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    for store in known.iter().filter_map(Weak::upgrade) {
        let _ = store.region().set_name(name); // a stranger's is not ours
    }
}

/// Has `look` called wherever this process looks for the dead, on any thread. It must not do so itself.
pub(crate) fn look_also(look: fn()) {
    let _ = LOOK.set(look); // the one caller sets the same each time
}

/// The process tree's is held for good.
static TREE: Mutex<Option<Arc<Domain>>> = Mutex::new(None);

impl Domain {
    /// The domain of a region that this process is attached to.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if it is not attached; `OutOfMemory`.
    pub(crate) fn adopt(region: Arc<Region>) -> Result<Arc<Self>> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|store| store.strong_count() > 0);
        // One of a former life (before a fork) answers with an error for ever: it is passed over.
        let mut found = known.iter().filter_map(Weak::upgrade).filter(|store| store.me().is_ok());
        if let Some(store) = found.find(|store| store.region().id() == region.id()) {
            return Ok(Self::over(store));
        }
        let name = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        region.set_name(name.as_deref().unwrap_or("MainProcess"))?;
        drop(name);
        let store = arena::Arena::new(region, &Rooms)?;
        known.push(Arc::downgrade(&store));
        Ok(Self::over(store))
    }

    /// That of a new region, which has a depot for descriptors.
    fn create(limit: u64) -> Result<Arc<Self>> {
        let region = Region::create(limit)?;
        region.make_depot();
        Self::adopt(region)
    }

    fn over(store: Arc<arena::Arena>) -> Arc<Self> {
        Arc::new(Self { store, looked: AtomicU64::new(clock::now()) })
    }

    /// The process tree's; made now if nobody did.
    pub(crate) fn tree() -> Result<Arc<Self>> {
        let mut tree = TREE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(domain) = &*tree {
            return Ok(domain.clone());
        }
        let domain = Self::create(0)?;
        *tree = Some(domain.clone());
        Ok(domain)
    }

    /// The process tree's, if somebody made it.
    pub(crate) fn tree_if_made() -> Option<Arc<Self>> {
        TREE.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This process was started with the tree's arena.
    pub(crate) fn inherit_tree(region: Arc<Region>) -> Result<Arc<Self>> {
        let domain = Self::adopt(region)?;
        *TREE.lock().unwrap_or_else(PoisonError::into_inner) = Some(domain.clone());
        Ok(domain)
    }

    /// The domain of an object that this process holds.
    ///
    /// # Errors
    ///
    /// `WrongProcess` if it does not hold it any more.
    pub(crate) fn of(object: &ObjectRef) -> Result<Arc<Self>> {
        Self::adopt(object.arena().region().clone())
    }

    pub(crate) fn store(&self) -> &Arc<arena::Arena> {
        &self.store
    }

    pub(crate) fn region(&self) -> &Arc<Region> {
        self.store.region()
    }

    /// Who this process is here, if it still is who made this domain: a forked copy is not. Two loads.
    #[inline]
    pub(crate) fn me(&self) -> Result<ParticipantId> {
        self.store.me()
    }

    /// Runs `f`, and if it finds no room once more after a look for the dead: what they left is room, too.
    pub(crate) fn with_room<R>(&self, mut f: impl FnMut() -> Result<R>) -> Result<R> {
        match f() {
            Err(error) if matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::Limit) => {
                self.look_for_dead();
                f()
            }
            answer => answer,
        }
    }

    /// Finds the dead and repairs what they left; looks after this process's own children first.
    #[cold]
    pub(crate) fn look_for_dead(&self) {
        if let Some(look) = LOOK.get() {
            look();
        }
        self.sweep();
    }

    /// [`look_for_dead`](Self::look_for_dead), for who looks after the children.
    #[cold]
    pub(crate) fn sweep(&self) {
        self.region().sweep(self);
        purge_depot(self);
    }

    /// [`look_for_dead`](Self::look_for_dead), if nobody of this process did for a while: for calls that end without a
    /// result and without a sleep that was long enough to ask. True: it looked.
    #[cold]
    pub(crate) fn look_now_and_then(&self) -> bool {
        // Relaxed: two threads at once may both look, or neither until the next time.
        let (now, last) = (clock::now(), self.looked.load(Ordering::Relaxed));
        if now.saturating_sub(last) < NOW_AND_THEN {
            return false;
        }
        self.looked.store(now, Ordering::Relaxed);
        self.look_for_dead();
        true
    }

    /// A word that blocks this process names `owner`: true if that one is dead, and is repaired now.
    #[cold]
    pub(crate) fn meet(&self, owner: ParticipantId) -> bool {
        self.region().meet_dead(owner, self)
    }
}

impl Recover for Domain {
    fn repair(&self, _region: &Region, dead: Dead, exclusive: bool) {
        self.store.repair(dead, exclusive);
    }
}

/// The limits of a call that may wait so long.
pub(crate) fn deadline_in(timeout: Duration) -> Limits<'static> {
    let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    // Zero would mean "never waits", and so it should: one look.
    let deadline = if nanos == 0 { 0 } else { clock::now().saturating_add(nanos) };
    Limits { deadline: Some(deadline), cancel: None }
}
