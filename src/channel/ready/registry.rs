//! Which futures and descriptors of this process wait for what.

use std::collections::HashMap;
use std::collections::hash_map;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::helper;
use super::source::{Key, Source};
use crate::channel::domain::Domain;
use crate::error::Result;
use crate::prim::limits::{BACKSTOP_MAX, Backstop, now};
use crate::prim::watch::Watch;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::futex::{self, Address};

/// The registry of one process.
pub(super) struct Registry {
    /// Whose: a forked copy makes its own.
    pid: u32,
    /// A futex that the helper sleeps by besides all others; counts who rang.
    bell: AtomicU32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    helper: Helper,
    /// Of the next future.
    next: u64,
    /// Since when there are no entries.
    idle_since: Option<u64>,
}

/// ```text
/// None -> Awake                 by the future that starts it
/// Awake -> Asleep               it has seen all entries, and sleeps unless the bell rings
/// Asleep -> Awake               by itself, or by who rings
/// Awake -> None                 it ends: nobody has waited for a while
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Helper {
    #[default]
    None,
    Awake,
    Asleep,
}

/// Futures that wait for the same.
struct Entry {
    source: Arc<dyn Source>,
    /// What was announced; `None`: nothing yet, or it is to be looked at again.
    watch: Option<Watch>,
    backstop: Backstop,
    /// The dead were looked for since it was looked at.
    asked: bool,
    /// The helper may have taken a wake-up for it since it was looked at.
    taken: bool,
    wakers: HashMap<u64, Waker>,
}

/// What the helper sleeps by.
pub(super) struct Plan {
    pub(super) bell: (Address, u32),
    pub(super) words: Vec<(Key, u32)>,
    /// The earliest question after the dead.
    pub(super) until: u64,
    /// Publishers of some of them could not be ordered.
    pub(super) unordered: bool,
}

impl Entry {
    fn new(source: Arc<dyn Source>, now: u64) -> Self {
        let backstop = Backstop::new(now);
        Self { source, watch: None, backstop, asked: false, taken: false, wakers: HashMap::new() }
    }

    /// What to sleep by. None: its futures are to be woken.
    fn look(&mut self) -> Option<Watch> {
        let asked = std::mem::take(&mut self.asked);
        self.taken = false;
        // Where publishers could not be ordered, an unchanged word proves nothing.
        let unchanged = self.watch.filter(|watch| !watch.unordered && self.source.word() == watch.expected);
        self.watch = match unchanged {
            Some(watch) => Some(watch),
            None => self.source.watch(),
        };
        self.watch.filter(|_| !(asked && self.source.is_bereaved()))
    }
}

impl Registry {
    /// That of this process; made now if nobody did.
    pub(super) fn current() -> Arc<Self> {
        static CURRENT: Mutex<Option<Arc<Registry>>> = Mutex::new(None);
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(registry) if registry.is_here() => registry.clone(),
            _ => {
                let new = Self { pid: std::process::id(), bell: AtomicU32::new(0), state: Mutex::default() };
                let new = Arc::new(new);
                // The one of the parent of a forked copy may be locked for ever: it is not dropped.
                std::mem::forget(current.replace(new.clone()));
                new
            }
        }
    }

    /// This is the process that made it.
    pub(super) fn is_here(&self) -> bool {
        self.pid == std::process::id()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a future.
    pub(super) fn number(&self) -> u64 {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    /// Has `waker` woken when what is waited for may be there. The caller has just found that it is not.
    ///
    /// # Errors
    /// `Os` if the helper cannot be started.
    pub(super) fn enter(
        self: &Arc<Self>,
        key: Key,
        number: u64,
        source: Arc<dyn Source>,
        waker: Waker,
    ) -> Result<()> {
        let mut state = self.state();
        if state.helper == Helper::None {
            helper::start(self.clone())?;
            state.helper = Helper::Awake;
        }
        let (entry, is_new) = match state.entries.entry(key) {
            hash_map::Entry::Occupied(entry) => (entry.into_mut(), false),
            hash_map::Entry::Vacant(entry) => (entry.insert(Entry::new(source, now())), true),
        };
        let old = entry.wakers.insert(number, waker);
        self.ring_if(is_new, state);
        // Here, not locked: it may be the last of a task, whose drop may drop other futures.
        drop(old);
        Ok(())
    }

    /// A future goes. False: it was woken since it entered, or a wake-up was taken for it that nobody else is left to use.
    pub(super) fn leave(&self, key: Key, number: u64) -> bool {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(&key) else { return false };
        let waker = entry.wakers.remove(&number);
        let is_last = entry.wakers.is_empty();
        let unused = is_last && entry.taken;
        if is_last {
            // The future that goes borrows a handle: this is not the last of the object.
            state.entries.remove(&key);
        }
        self.ring_if(is_last, state);
        waker.is_some() && !unused
    }

    /// Lets the helper look at the entries again.
    fn ring_if(&self, changed: bool, mut state: MutexGuard<'_, State>) {
        let rings = changed && state.helper == Helper::Asleep;
        if rings {
            state.helper = Helper::Awake;
            self.bell.fetch_add(1, Ordering::Relaxed);
        }
        drop(state);
        if rings {
            futex::wake(&self.bell, 1);
        }
    }

    /// For the helper: where the dead are to be looked for now.
    pub(super) fn due(&self, now: u64) -> Vec<Arc<Domain>> {
        let mut state = self.state();
        let mut domains: Vec<Arc<Domain>> = Vec::new();
        for entry in state.entries.values_mut() {
            if !entry.backstop.due(now) {
                continue;
            }
            entry.asked = true;
            entry.watch = None;
            let domain = entry.source.domain();
            if !domains.iter().any(|known| Arc::ptr_eq(known.store(), domain.store())) {
                domains.push(domain.clone());
            }
        }
        domains
    }

    /// For the helper: looks at all entries. Whom to wake, and what to sleep by; `None`: nobody has waited for a while, and
    /// the helper ends.
    pub(super) fn plan(&self, now: u64) -> (Vec<Waker>, Option<Plan>) {
        let mut state = self.state();
        let mut wakers = Vec::new();
        let mut plan = Plan {
            bell: (Address::of(&self.bell), self.bell.load(Ordering::Relaxed)),
            words: Vec::with_capacity(state.entries.len()),
            until: now.saturating_add(BACKSTOP_MAX),
            unordered: false,
        };
        state.entries.retain(|key, entry| {
            let Some(watch) = entry.look() else {
                // Each of these futures is still there, and waits for this lock before it goes.
                wakers.extend(entry.wakers.drain().map(|(_, waker)| waker));
                return false;
            };
            plan.words.push((*key, watch.expected));
            plan.until = plan.until.min(entry.backstop.at());
            plan.unordered |= watch.unordered;
            true
        });
        if !state.entries.is_empty() || !wakers.is_empty() {
            state.idle_since = None;
        } else if now.saturating_sub(*state.idle_since.get_or_insert(now)) >= BACKSTOP_MAX {
            (state.helper, state.idle_since) = (Helper::None, None);
            return (wakers, None);
        }
        state.helper = Helper::Asleep;
        (wakers, Some(plan))
    }

    /// For the helper: sleeps until somebody rings.
    pub(super) fn wait_for_bell(&self, heard: u32, until: u64) {
        futex::wait(&self.bell, heard, Some(until));
    }

    /// For the helper: it has slept, and taken no wake-up.
    pub(super) fn awake(&self) {
        self.state().helper = Helper::Awake;
    }

    /// For the helper: it has slept by `words`, the one at `index` was woken (none: the bell), and wake-ups may have been taken
    /// from any of them. Those for futures that left meanwhile are handed on.
    pub(super) fn woken(&self, words: &[(Key, u32)], index: Option<usize>) {
        let mut left = Vec::new();
        let mut state = self.state();
        state.helper = Helper::Awake;
        for (at, (key, _)) in words.iter().enumerate() {
            match state.entries.get_mut(key) {
                None => left.push(key.word),
                Some(entry) => {
                    entry.taken = true;
                    // Of the others: if a wake-up was taken, the word was changed before.
                    if Some(at) == index {
                        entry.watch = None;
                    }
                }
            }
        }
        drop(state);
        for word in left {
            futex::wake_address(word, 1);
        }
    }
}
