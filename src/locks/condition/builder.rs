//! How a condition is set up.

use std::sync::Arc;

use super::Condition;
use super::monitor::Monitor;
use crate::channel::domain::{Arena, Domain};
use crate::channel::kind;
use crate::channel::waiters::Waiters;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::condition::{ConditionBody, MAX_CELLS, body_len};
use crate::locks::{Lock, RLock};
use crate::prim::spin::{Spinner, WaitStrategy};

/// Waiters at a time, if nobody says.
const WAITERS: u32 = 256;

/// Settings of a new [`Condition`].
///
/// ```
/// use processing::{Condition, Lock};
/// let lock = Lock::new()?;
/// let condition = Condition::builder().lock(&lock).waiters(1000).build()?;
/// assert_eq!(condition.to_string(), "<Condition(<Lock(owner=None)>, 0)>");
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is made before build is called"]
pub struct ConditionBuilder {
    arena: Arena,
    strategy: WaitStrategy,
    waiters: u32,
    lock: Option<Monitor>,
}

impl ConditionBuilder {
    pub(super) fn new() -> Self {
        Self { arena: Arena::default(), strategy: WaitStrategy::default(), waiters: WAITERS, lock: None }
    }

    /// Creates it in this arena instead of the process tree's. One with a lock of its own choice lives in the arena of that
    /// lock.
    pub fn arena(mut self, arena: &Arena) -> Self {
        self.arena = arena.clone();
        self
    }

    /// How this handle and its clones wait; other processes choose for themselves.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// How many threads of all processes may wait at a time: 1 to 65536, 256 by default. Each costs 64 bytes. One more gets an
    /// error of kind `Limit` and keeps the lock.
    pub fn waiters(mut self, n: u32) -> Self {
        self.waiters = n;
        self
    }

    /// With this lock, instead of a new [`RLock`].
    pub fn lock(mut self, lock: &Lock) -> Self {
        self.lock = Some(Monitor::Plain(lock.clone()));
        self
    }

    /// With this lock, instead of a new one.
    pub fn rlock(mut self, lock: &RLock) -> Self {
        self.lock = Some(Monitor::Recursive(lock.clone()));
        self
    }

    /// Creates it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an impossible number of waiters; `OutOfMemory` or `Limit` if the arena is full; `Os` if it cannot be
    /// created.
    pub fn build(self) -> Result<Condition> {
        if self.waiters == 0 || self.waiters > MAX_CELLS {
            let what = format!("{} waiters at a time are not possible", self.waiters);
            return Err(Error::new(ErrorKind::InvalidInput, super::NOUN, what).hint("choose from 1 to 65536"));
        }
        let lock = match self.lock {
            Some(lock) => lock,
            None => Monitor::Recursive(RLock::builder().arena(&self.arena).wait(self.strategy).build()?),
        };
        let domain = Domain::of(lock.reference())?;
        let len = body_len(self.waiters);
        let create = || domain.store().create_object(kind::CONDITION, 0, super::NOUN, len, |_zeros| {});
        let object = domain.with_room(create)?;
        let body: &ConditionBody = domain.region().at(object.view().body_offset());
        Waiters::init(body, self.waiters, lock.reference().id().bits());
        Ok(Condition { object: Arc::new(object), lock, spinner: Spinner::new(self.strategy) })
    }
}

impl std::fmt::Debug for ConditionBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConditionBuilder").field("waiters", &self.waiters).finish_non_exhaustive()
    }
}
