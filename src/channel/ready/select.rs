//! `select`: one wait for several objects.

use std::sync::Arc;
use std::time::Duration;

use super::ready_set::Ready;
use super::selectable::Selectable;
use crate::channel::domain::{Domain, deadline_in};
use crate::error::{Error, ErrorKind, Result};
use crate::prim::limits::{Backstop, Limits, UNORDERED_SLEEP, now};
use crate::prim::spin::WaitStrategy;
use crate::prim::watch::Watch;
use crate::sync::futex::{self, ANY_MAX, Address, WakeAny};
use crate::sync::mutant;
use crate::sys::clock;

/// Waits until at least one of several objects is ready, and says which are: queues of any types, connections and their receivers, events, in any
/// mixture.
///
/// `timeout`: a [`Duration`] to wait at most, [`Duration::ZERO`] to look and not to wait, `None` to wait as long as it takes. An
/// empty answer: the time was up.
///
/// # Guarantees
///
/// - **All that are ready are named**, wherever they stand in the list: none starves, as long as the caller serves all that are named.
/// - It takes nothing. What is ready may be taken by others before the caller comes to it: use `try_get` and `try_recv`.
/// - **Nobody goes on sleeping for what it does not take.** A message wakes one of those who sleep for it. Was that a `select`, it
///   wakes the next one before it returns, and that one, if it is a `select`, the next: so a message reaches somebody who takes it, as if
///   `select` had not slept, and all who `select` on a queue hear of a message that nobody takes.
/// - What is ready when it returns was so after it had slept for the last time; one whose other side died becomes ready as it does for
///   blocking calls, at the latest after one backstop (20 ms, doubling to 1 s).
/// - Killed in it, the process leaves nothing: others that sleep for the same message are woken by whoever buries it.
///
/// # Not guaranteed
///
/// - Order or priority, and that each message wakes one process only.
/// - An event that is set and cleared at once may be missed: what counts is that it is set.
/// - Of a long message over a connection only the beginning may have come: `recv` then waits for the rest, `try_recv` says `Empty`.
/// - A buffered queue that another process is making grow or shrink in this moment may hide a message in its next segment: a look that does not wait
///   then misses it, and one that waits looks again every millisecond.
///
/// Cost: a look at each object; spinning as the first object's [`WaitStrategy`] says; then an announcement at each word and one system
/// call (`futex_waitv`, Linux 5.16). Where the kernel has none or a sandbox forbids it, and beyond 128 objects, it looks every millisecond
/// instead. While nobody sleeps in it the other sides pay nothing. No thread is started.
///
/// ```
/// use processing::{Queue, pipe, select};
/// use std::time::Duration;
///
/// let (orders, ticks) = (Queue::<String>::new(4)?, Queue::<u64>::new(4)?);
/// let (here, there) = pipe()?;
/// assert!(select([&orders, &ticks, &here], Duration::ZERO)?.is_empty());
/// ticks.put(&7)?;
/// there.send(&1u8)?;
/// for place in select([&orders, &ticks, &here], None)? {
///     match place {
///         0 => drop(orders.try_get()),
///         1 => assert_eq!(ticks.try_get()?, 7),
///         _ => assert_eq!(here.try_recv::<u8>()?, 1),
///     }
/// }
/// # Ok::<(), processing::Error>(())
/// ```
///
/// # Errors
///
/// `WrongProcess` if a handle was inherited through a fork; `InvalidInput` if there are no objects; `InvalidState` for a connection that
/// is in the middle of a call of the same thread.
pub fn select<const N: usize>(
    objects: [&dyn Selectable; N],
    timeout: impl Into<Option<Duration>>,
) -> Result<Ready> {
    select_slice(&objects, timeout)
}

/// [`select`] of a list whose length is not known when the program is built.
///
/// ```
/// use processing::{Queue, Selectable, select_slice};
///
/// let queues: Vec<Queue<u64>> = (0..3).map(|_| Queue::new(1)).collect::<Result<_, _>>()?;
/// queues[2].put(&5)?;
/// let objects: Vec<&dyn Selectable> = queues.iter().map(|q| q as &dyn Selectable).collect();
/// assert_eq!(select_slice(&objects, None)?.first(), Some(2));
/// # Ok::<(), processing::Error>(())
/// ```
///
/// # Errors
///
/// As [`select`].
pub fn select_slice(objects: &[&dyn Selectable], timeout: impl Into<Option<Duration>>) -> Result<Ready> {
    let limits = timeout.into().map_or(Limits::NONE, deadline_in);
    Selection::of(objects)?.wait(&limits)
}

/// One call.
struct Selection<'a> {
    objects: &'a [&'a dyn Selectable],
    first: &'a dyn Selectable,
    /// What was announced at each object.
    watches: Vec<Option<Watch>>,
    /// A wake-up may have been taken from any of the words.
    woken: bool,
    /// With which of the words the next sleep begins, if they are too many for one.
    turn: usize,
    /// The kernel cannot sleep by several words.
    refused: bool,
}

/// So often in a row a word may have been changed by others before the sleep began: two who announce themselves at many words could go
/// on like that.
const PATIENCE: u32 = 4;

impl<'a> Selection<'a> {
    fn of(objects: &'a [&'a dyn Selectable]) -> Result<Self> {
        let Some(first) = objects.first() else {
            return Err(Error::new(ErrorKind::InvalidInput, "select", "there is nothing to wait for")
                .hint("name at least one queue or connection"));
        };
        Ok(Self { objects, first: *first, watches: Vec::new(), woken: false, turn: 0, refused: false })
    }

    fn wait(&mut self, limits: &Limits<'_>) -> Result<Ready> {
        let ready = self.look()?;
        if !ready.is_empty() {
            return Ok(ready);
        }
        if limits.is_try() {
            // What is there may be in the hands of the dead.
            let looked = self.domains().iter().filter(|domain| domain.look_now_and_then()).count() != 0;
            return if looked { self.look_after_peers() } else { Ok(ready) };
        }
        let ready = self.by_words(limits);
        for (object, _) in self.objects.iter().zip(&self.watches).filter(|(_, watch)| watch.is_some()) {
            object.unwatch();
        }
        if let Ok(ready) = &ready
            && self.woken
            && !mutant::on("select.no_hand_on")
        {
            // All of them: one sleep may have taken a wake-up from each.
            let most = if mutant::on("select.hands_on_the_first") { 1 } else { ready.len() };
            ready
                .iter()
                .take(most)
                .filter_map(|place| self.objects.get(place))
                .for_each(|object| object.hand_on());
        }
        ready
    }

    /// Which are ready now.
    fn look(&self) -> Result<Ready> {
        let mut places = Vec::new();
        for (place, object) in self.objects.iter().enumerate() {
            if object.is_ready()? {
                places.push(place);
            }
        }
        Ok(Ready::of(places))
    }

    fn look_after_peers(&self) -> Result<Ready> {
        self.objects.iter().for_each(|object| object.look_after_peer());
        self.look()
    }

    /// Spins, then sleeps by the words of all.
    #[cold]
    fn by_words(&mut self, limits: &Limits<'_>) -> Result<Ready> {
        let mut backstop = Backstop::new(now());
        let spinner = self.first.spinner();
        let (objects, mut spins, mut changed) = (self.objects, true, 0);
        // An error ends it, too: the look says what it is.
        let one_is_ready = || objects.iter().any(|object| object.is_ready().unwrap_or(true));
        loop {
            if spins && spinner.spin(one_is_ready) {
                return self.look();
            }
            spins = spinner.strategy() == WaitStrategy::Spin;
            if !spins && self.announce()? {
                changed = match self.sleep(limits.until(backstop.at()), changed > PATIENCE) {
                    WakeAny::Changed => changed + 1,
                    _ => 0,
                };
            }
            let ready = self.look()?;
            if !ready.is_empty() && !spins {
                spinner.slept();
            }
            if !ready.is_empty() || limits.ended().is_some() {
                return Ok(ready);
            }
            if backstop.due(now()) {
                self.domains().iter().for_each(|domain| domain.look_for_dead());
                let ready = self.look_after_peers()?;
                if !ready.is_empty() {
                    return Ok(ready);
                }
            }
        }
    }

    /// Announces a sleeper at each word where none stands yet. False: one of the objects may be ready.
    fn announce(&mut self) -> Result<bool> {
        self.watches.resize(self.objects.len(), None);
        for (place, object) in self.objects.iter().enumerate() {
            // A word that nobody changed still says that somebody sleeps.
            let standing = |watch: &Watch| !watch.unordered && object.word() == watch.expected;
            if self.watches.get(place).copied().flatten().is_some_and(|watch| standing(&watch)) {
                continue;
            }
            let watch = object.watch()?;
            if let Some(new) = watch {
                // An object that is named twice: this changed the word of its other announcement, and has looked for both.
                let same = |other: &&mut Watch| other.address == new.address;
                self.watches.iter_mut().flatten().filter(same).for_each(|other| *other = new);
            }
            if let Some(place) = self.watches.get_mut(place) {
                *place = watch;
            }
            if watch.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sleeps once; `briefly`, if it must not count on being woken.
    fn sleep(&mut self, mut until: u64, briefly: bool) -> WakeAny {
        let mut words: Vec<(Address, u32)> =
            self.watches.iter().flatten().map(|watch| (watch.address, watch.expected)).collect();
        let too_many = words.len() > ANY_MAX;
        if too_many {
            // By turns; the others are looked at soon.
            let first = self.turn % words.len();
            words.rotate_left(first);
            words.truncate(ANY_MAX);
            self.turn = first + ANY_MAX;
        }
        let unordered = self.watches.iter().flatten().any(|watch| watch.unordered);
        if too_many || unordered || briefly || self.refused {
            until = until.min(now() + UNORDERED_SLEEP);
        }
        if briefly || self.refused {
            clock::pause_until(until);
            return WakeAny::TimedOut;
        }
        let end = futex::wait_any(&words, until);
        self.woken |= matches!(end, WakeAny::Woken(_));
        self.refused = end == WakeAny::Refused;
        end
    }

    /// Where the dead are to be looked for: each once.
    fn domains(&self) -> Vec<Arc<Domain>> {
        let mut domains: Vec<Arc<Domain>> = Vec::new();
        for domain in self.objects.iter().map(|object| object.domain()) {
            if !domains.iter().any(|known| Arc::ptr_eq(known.store(), domain.store())) {
                domains.push(domain.clone());
            }
        }
        domains
    }
}
