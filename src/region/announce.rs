//! Announcements of this process's threads, and a look at everybody's. The words: [`crate::layout::announcement`].
//!
//! # Orders
//!
//! Who announces stores the word (Release: the reads of what the word named before are over), runs [`light`](crate::sync::fence::light), and looks again at what made it announce. Who wants to free or change what
//! may be announced first changes what is looked at, then runs [`order_announcements`](Region::order_announcements), and only then looks
//! here: at least one of the two sees the other. Taking an announcement back is a Release store, and the look is Acquire: the reads of a thread are
//! over when others no longer see its word.
//!
//! A thread that ends gives its line back; one that is killed leaves its words to the one reaper of its process, which clears them before
//! it repairs anything that others may wait for.
//!
//! # Safety
//!
//! A thread keeps the address of the line that it used last together with the token of the attendance ([`super::attendance`]) that it was found for: that
//! names one region's mapping in this process; it is used only where that token came from the region itself, or from a presence of it, which keep the mapping.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Me, Presence, Region};
use crate::layout::ParticipantId;
use crate::layout::announcement::{ANNOUNCEMENTS_SIZE, AnnounceLine, LINES, RELIES};
use crate::layout::participant::ParticipantSlot;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::fence;
use crate::sys::membarrier;

/// The lines of this process in one region.
#[derive(Debug, Default)]
pub(super) struct Lines(Arc<Mutex<Pool>>);

/// Which lines no thread has.
#[derive(Debug, Default)]
struct Pool {
    /// Whose they are: this process may leave and come again as another ([`Me::to_bits`]).
    me: u64,
    back: Vec<u64>,
    next: u64,
}

/// A line of the calling thread.
struct Mine {
    region: u64,
    me: u64,
    index: u64,
    offset: u64,
    pool: Arc<Mutex<Pool>>,
}

/// The lines of a thread, given back when it ends.
#[derive(Default)]
struct AllMine(Vec<Mine>);

/// The line used last.
#[derive(Clone, Copy)]
struct Last {
    token: u64,
    line: *const AnnounceLine,
}

const NONE: Last = Last { token: 0, line: std::ptr::null() };

thread_local! {
    static LAST: Cell<Last> = const { Cell::new(NONE) };
    static ALL: RefCell<AllMine> = RefCell::default();
}

impl Region {
    /// The calling thread's line. `None`: as many threads as there are lines have one, this thread is ending, or this process is
    /// not attached (any more). A few loads, but for the first time.
    #[inline]
    pub fn my_line(&self) -> Option<&AnnounceLine> {
        let token = self.attendance().token().load(Relaxed);
        if token == 0 {
            return None;
        }
        self.line_for(token)
    }

    /// The line of an attendance in this region, whose token is not zero.
    #[inline(always)]
    fn line_for(&self, token: u64) -> Option<&AnnounceLine> {
        let last = LAST.get();
        if last.token != token {
            return self.find_line(token);
        }
        // SAFETY: never null with a token that an attendance has; the callers have it from this region, or from a presence of it; see the module.
        Some(unsafe { &*last.line })
    }

    #[cold]
    fn find_line(&self, token: u64) -> Option<&AnnounceLine> {
        // Not for one who has left meanwhile, and come again.
        let (_, me) = self.attendance().token_and_me().filter(|(now, _)| *now == token)?;
        let offset = ALL.try_with(|all| all.try_borrow_mut().ok()?.line_in(self, me)).ok().flatten()?;
        let line = self.at(offset);
        LAST.set(Last { token, line });
        Some(line)
    }

    /// Every line that any thread of any participant ever used, those of the dead too as long as nobody has cleared them. Cost: a look at every
    /// participant's slot, and a cache line for each thread that has used one.
    pub fn each_announcement(&self, mut each: impl FnMut(&AnnounceLine)) {
        for id in 1..=self.high() {
            for line in self.lines_of(id) {
                each(line);
            }
        }
    }

    /// For the one reaper of `who`, which is dead: it announces nothing any more.
    pub fn clear_announcements(&self, who: ParticipantId) {
        for line in self.lines_of(who) {
            for word in line.held.iter().chain([&line.set]) {
                if word.load(Acquire) != 0 {
                    word.store(0, Release);
                }
            }
        }
    }

    /// The half of who wants to free or change what may be announced, between its change and [`each_announcement`](Self::each_announcement). False: the
    /// kernel does not let this process order the others, and at least one of them relies on that; then nothing may be freed or changed here.
    #[cold]
    pub fn order_announcements(&self) -> bool {
        fence::heavy() || (1..=self.high()).all(|id| self.slot_of(id).announced.load(Acquire) & RELIES == 0)
    }

    fn lines_of(&self, who: ParticipantId) -> impl Iterator<Item = &AnnounceLine> {
        // Acquire: pairs with `announced` in `new_line`, which is raised when the page has memory.
        let used = (self.slot_of(who).announced.load(Acquire) & !RELIES).min(LINES);
        let start = self.geometry().announcements_of(who);
        (0..used).map(move |index| self.at(start + index * size_of::<AnnounceLine>() as u64))
    }

    fn slot_of(&self, who: ParticipantId) -> &ParticipantSlot {
        self.at(self.geometry().participant(who))
    }

    /// A line that no other thread has: its index.
    fn new_line(&self, me: Me) -> Option<u64> {
        let mut pool = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.me != me.to_bits() {
            *pool = Pool { me: me.to_bits(), ..Pool::default() };
        }
        if let Some(index) = pool.back.pop() {
            return Some(index);
        }
        let index = pool.next;
        if index >= LINES {
            return None;
        }
        // Without memory it has no line now, and perhaps later.
        self.commit(self.geometry().announcements_of(me.id), ANNOUNCEMENTS_SIZE).ok()?;
        pool.next += 1;
        let relies = if membarrier::registered() { RELIES } else { 0 };
        self.slot_of(me.id).announced.fetch_max(relies | (index + 1), AcqRel);
        Some(index)
    }
}

impl Presence {
    /// The calling thread's [line](Region::my_line), as long as the calling process is this participant. Two loads more than the comparison that this
    /// takes, but for the first time.
    #[inline(always)]
    pub fn my_line(&self) -> Option<&AnnounceLine> {
        self.id()?;
        self.region().line_for(self.token())
    }
}

impl AllMine {
    /// The offset of this thread's line in `region`.
    fn line_in(&mut self, region: &Region, me: Me) -> Option<u64> {
        let known = self.0.iter().find(|mine| mine.region == region.id() && mine.me == me.to_bits());
        if let Some(mine) = known {
            return Some(mine.offset);
        }
        let index = region.new_line(me)?;
        let offset = region.geometry().announcements_of(me.id) + index * size_of::<AnnounceLine>() as u64;
        let pool = region.lines.0.clone();
        // Those of regions that are gone.
        self.0.retain(|mine| Arc::strong_count(&mine.pool) > 1);
        self.0.push(Mine { region: region.id(), me: me.to_bits(), index, offset, pool });
        Some(offset)
    }
}

impl Drop for AllMine {
    fn drop(&mut self) {
        // What follows in this thread finds no line.
        LAST.set(NONE);
        for mine in self.0.drain(..) {
            let mut pool = mine.pool.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.me == mine.me {
                pool.back.push(mine.index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(region: &Region) -> Vec<u64> {
        let mut found = Vec::new();
        region.each_announcement(|line| {
            found.extend(line.held.iter().map(|word| word.load(Acquire)).filter(|word| *word != 0));
        });
        found
    }

    #[test]
    fn each_thread_has_a_line_and_gives_it_back() {
        let region = Region::create(1 << 20).unwrap();
        let first = std::ptr::from_ref(region.my_line().unwrap());
        assert!(std::ptr::eq(first, region.my_line().unwrap()));
        region.my_line().unwrap().vacant().unwrap().store(7, Release);
        let region = &region;
        let mut lines = Vec::new();
        for _ in 0..2 * LINES {
            // One after the other, joined (with what ends with a thread): they share one line.
            std::thread::scope(|scope| {
                let line = || std::ptr::from_ref(region.my_line().unwrap()).addr();
                lines.push(scope.spawn(line).join().unwrap());
            });
        }
        lines.dedup();
        assert_eq!(lines.len(), 1);
        assert_ne!(lines[0], first.addr());
        assert_eq!(announced(region), [7]);
        region.clear_announcements(region.me().unwrap().id);
        assert!(announced(region).is_empty());
    }

    #[test]
    fn lines_run_out_without_harm() {
        let region = Region::create(1 << 20).unwrap();
        let barrier = std::sync::Barrier::new(LINES as usize + 1);
        let with: usize = std::thread::scope(|scope| {
            let each = || {
                let line = region.my_line();
                barrier.wait();
                usize::from(line.is_some())
            };
            let threads: Vec<_> = (0..=LINES).map(|_| scope.spawn(each)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(with, LINES as usize);
    }

    #[test]
    fn who_relies_on_our_fence_is_known() {
        let region = Region::create(1 << 20).unwrap();
        assert!(region.order_announcements());
        let announced = &region.slot_of(region.me().unwrap().id).announced;
        region.my_line().unwrap();
        assert_eq!(announced.load(Relaxed) & !RELIES, 1);
        assert_eq!(announced.load(Relaxed) & RELIES != 0, membarrier::registered());
    }

    #[test]
    fn regions_do_not_share_lines() {
        let regions = [Region::create(1 << 20).unwrap(), Region::create(1 << 20).unwrap()];
        for (value, region) in (1..).zip(&regions) {
            region.my_line().unwrap().held[0].store(value, Relaxed);
        }
        assert_eq!(announced(&regions[0]), [1]);
        assert_eq!(announced(&regions[1]), [2]);
        assert_eq!(regions[0].my_line().unwrap().held[0].load(Relaxed), 1);
    }
}
