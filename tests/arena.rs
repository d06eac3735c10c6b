//! The arena with real processes: a plain queue over it, clients that are killed, and `fsck` as the judge.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use processing::ErrorKind;
use processing::arena::{Arena, Block, ObjectRef, ObjectView, Rings};
use processing::region::{Dead, Recover, Region};
use processing::sync::atomic::AtomicU64;
use processing::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// One test at a time: a forked child must not inherit a lock that another test's thread holds.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const QUEUE: u32 = 7;
const THING: u32 = 8;

const E: u64 = 0;
const W: u64 = 1;
const F: u64 = 2;
const R: u64 = 3;

/// Slot: `{ticket:46 | redeliveries:3 | who:13 | state:2}`, then the block. Cell: `{generation:49 | who:13 | state:2}`
/// (E free, W being filled, R held, F orphan), then ticket and block.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Word {
    t: u64,
    red: u64,
    who: u16,
    state: u64,
}

impl Word {
    fn pack(self) -> u64 {
        self.state | u64::from(self.who) << 2 | self.red << 15 | self.t << 18
    }
    fn unpack(word: u64) -> Self {
        Self { state: word & 3, who: (word >> 2 & 0x1fff) as u16, red: word >> 15 & 7, t: word >> 18 }
    }
    fn to(self, state: u64, who: u16) -> Self {
        Self { state, who, ..self }
    }
}

/// A queue as simple as can be: every call looks at every slot.
struct Queue<'a> {
    arena: &'a Arena,
    view: ObjectView,
}

impl<'a> Queue<'a> {
    const BODY: u64 = 16;

    fn bytes(slots: u64, cells: u64) -> u64 {
        Self::BODY + slots * 16 + cells * 24
    }
    fn of(object: &'a ObjectRef) -> Self {
        Self { arena: object.arena(), view: object.view() }
    }
    fn word(&self, offset: u64) -> &AtomicU64 {
        self.arena.region().at(self.view.body_offset() + offset)
    }
    fn slots(&self) -> u64 {
        self.word(0).load(Relaxed)
    }
    fn cells(&self) -> u64 {
        self.word(8).load(Relaxed)
    }
    fn slot(&self, i: u64) -> (&AtomicU64, &AtomicU64) {
        (self.word(Self::BODY + i * 16), self.word(Self::BODY + i * 16 + 8))
    }
    fn cell(&self, i: u64) -> (&AtomicU64, &AtomicU64, &AtomicU64) {
        let at = Self::BODY + self.slots() * 16 + i * 24;
        (self.word(at), self.word(at + 8), self.word(at + 16))
    }
    fn load(&self, t: u64) -> (u64, Word) {
        let raw = self.slot(t % self.slots()).0.load(Acquire);
        (raw, self.ticketed(raw, t % self.slots()))
    }
    /// Words of a fresh body are zero: lap 0. Tickets are laps here.
    fn ticketed(&self, raw: u64, i: u64) -> Word {
        let word = Word::unpack(raw);
        Word { t: word.t * self.slots() + i, ..word }
    }
    fn raw(&self, word: Word) -> u64 {
        Word { t: word.t / self.slots(), ..word }.pack()
    }
    fn swap(&self, old: u64, new: Word) -> bool {
        let slot = self.slot(new.t % self.slots()).0;
        slot.compare_exchange(old, self.raw(new), AcqRel, Acquire).is_ok()
    }
    fn release(&self, t: u64) {
        let next = Word { t: t + self.slots(), red: 0, who: 0, state: E };
        self.slot(t % self.slots()).0.store(self.raw(next), Release);
    }

    /// False: full.
    fn put(&self, block: Block<'_>) -> bool {
        let me = self.arena.me().unwrap();
        loop {
            let words: Vec<_> = (0..self.slots()).map(|t| self.load(t)).collect();
            let next = |w: &Word| if w.state == E { w.t } else { w.t + self.slots() };
            let (raw, word) = *words.iter().min_by_key(|(_, w)| next(w)).unwrap();
            if word.state != E {
                return false;
            }
            if self.swap(raw, word.to(W, me)) {
                let reference = block.mark_sent(self.view.id(), word.t);
                self.slot(word.t % self.slots()).1.store(reference, Release);
                let full = Word { state: F, who: 0, ..word };
                self.slot(word.t % self.slots()).0.store(self.raw(full), Release);
                return true;
            }
        }
    }
    /// Claims the oldest message: its ticket and block.
    fn claim(&self) -> Option<(u64, u64)> {
        let me = self.arena.me().unwrap();
        loop {
            let words = (0..self.slots()).map(|t| self.load(t));
            let (raw, word) = words.filter(|(_, w)| w.state == F).min_by_key(|(_, w)| w.t)?;
            if self.swap(raw, word.to(R, me)) {
                return Some((word.t, self.slot(word.t % self.slots()).1.load(Acquire)));
            }
        }
    }
    /// By value: `f` sees the message before the commit.
    fn get<T>(&self, f: impl FnOnce(&processing::arena::BlockView<'_>) -> T) -> Option<T> {
        let (t, reference) = self.claim()?;
        let view = self.arena.block(reference).expect("a slot names a block that is not there");
        let answer = f(&view);
        view.mark_dying();
        self.release(t);
        view.finish_free();
        Some(answer)
    }
    /// A lease in a cell: the number of the cell, and the block.
    fn lease(&self) -> Option<(u64, u64)> {
        let me = self.arena.me().unwrap();
        for i in 0..self.cells() {
            let raw = self.cell(i).0.load(Acquire);
            let word = Word::unpack(raw);
            let held = Word { t: word.t + 1, ..word.to(R, me) }.pack();
            if word.state == F && self.cell(i).0.compare_exchange(raw, held, AcqRel, Acquire).is_ok() {
                return Some((i, self.cell(i).2.load(Acquire)));
            }
        }
        let free = (0..self.cells()).find_map(|i| {
            let raw = self.cell(i).0.load(Acquire);
            let word = Word::unpack(raw);
            let mine = Word { t: word.t + 1, ..word.to(W, me) };
            let cas =
                word.state == E && self.cell(i).0.compare_exchange(raw, mine.pack(), AcqRel, Acquire).is_ok();
            cas.then_some((i, mine))
        });
        let (i, mine) = free?;
        let Some((t, reference)) = self.claim() else {
            self.cell(i).0.store(Word { t: mine.t + 1, ..mine.to(E, 0) }.pack(), Release);
            return None;
        };
        self.cell(i).1.store(t, Release);
        self.cell(i).2.store(reference, Release);
        self.cell(i).0.store(Word { t: mine.t + 1, ..mine.to(R, mine.who) }.pack(), Release);
        self.release(t);
        Some((i, reference))
    }
    fn release_lease(&self, (i, reference): (u64, u64)) {
        let view = self.arena.block(reference).expect("a lease names a block that is not there");
        view.mark_dying();
        let word = Word::unpack(self.cell(i).0.load(Acquire));
        self.cell(i).0.store(Word { t: word.t + 1, ..word.to(E, 0) }.pack(), Release);
        view.finish_free();
    }
}

struct Queues;
static QUEUES: Queues = Queues;

impl Rings for Queues {
    fn slot_is_writing(&self, arena: &Arena, object: &ObjectView, ticket: u64, who: u16) -> bool {
        let queue = Queue { arena, view: *object };
        let word = queue.load(ticket).1;
        object.kind() == QUEUE && word.t == ticket && word.state == W && word.who == who
    }
    fn unlink(
        &self,
        arena: &Arena,
        object: &ObjectView,
        ticket: u64,
        who: u16,
        block: u64,
        still: &dyn Fn() -> bool,
    ) {
        if object.kind() != QUEUE {
            return;
        }
        let queue = Queue { arena, view: *object };
        let (raw, word) = queue.load(ticket);
        if word.t == ticket && word.state == R && word.who == who && still() {
            queue.swap_to_free(raw, word);
        }
        for i in 0..queue.cells() {
            let (cell, _, names) = queue.cell(i);
            let raw = cell.load(Acquire);
            let word = Word::unpack(raw);
            if word.state == R && word.who == who && names.load(Acquire) == block && still() {
                let free = Word { t: word.t + 1, ..word.to(E, 0) };
                let _ = cell.compare_exchange(raw, free.pack(), AcqRel, Acquire);
            }
        }
    }
    fn repair(&self, arena: &Arena, object: &ObjectView, who: u16, still: &dyn Fn() -> bool) {
        if object.kind() != QUEUE {
            return;
        }
        let queue = Queue { arena, view: *object };
        for i in 0..queue.cells() {
            let (cell, ticket, _) = queue.cell(i);
            let raw = cell.load(Acquire);
            let word = Word::unpack(raw);
            if word.who != who || !matches!(word.state, W | R) {
                continue;
            }
            let slot = queue.load(ticket.load(Acquire)).1;
            let pinned = slot.t == ticket.load(Acquire) && slot.state == R && slot.who == who;
            let state = if word.state == W || pinned { E } else { F };
            if still() {
                let next = Word { t: word.t + 1, ..word.to(state, 0) };
                let _ = cell.compare_exchange(raw, next.pack(), AcqRel, Acquire);
            }
        }
        for t in 0..queue.slots() {
            let (raw, word) = queue.load(t);
            if word.who != who || !still() {
                continue;
            }
            match word.state {
                W => {
                    queue.swap_to_free(raw, word);
                }
                R => {
                    let red = if word.red == 7 { 1 } else { word.red + 1 };
                    queue.swap(raw, Word { red, ..word.to(F, 0) });
                }
                _ => {}
            }
        }
    }
    fn messages(&self, arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
        if object.kind() != QUEUE {
            return;
        }
        let queue = Queue { arena, view: *object };
        for t in 0..queue.slots() {
            if matches!(queue.load(t).1.state, F | R) {
                each(queue.slot(t).1.load(Acquire));
            }
        }
        for i in 0..queue.cells() {
            if matches!(Word::unpack(queue.cell(i).0.load(Acquire)).state, F | R) {
                each(queue.cell(i).2.load(Acquire));
            }
        }
    }
}

impl Queue<'_> {
    fn swap_to_free(&self, raw: u64, word: Word) {
        let slot = self.slot(word.t % self.slots()).0;
        let next = Word { t: word.t + self.slots(), red: 0, who: 0, state: E };
        let _ = slot.compare_exchange(raw, self.raw(next), AcqRel, Acquire);
    }
}

struct Reaper(Arc<Arena>);

impl Recover for Reaper {
    fn repair(&self, _: &Region, dead: Dead, exclusive: bool) {
        // Helpers come first, as they may at any time.
        self.0.repair(dead, false);
        self.0.repair(dead, exclusive);
    }
}

fn arena(limit: u64) -> Arc<Arena> {
    Arena::new(Region::create(limit).unwrap(), &QUEUES).unwrap()
}

#[track_caller]
fn clean(arena: &Arena) {
    let report = arena.fsck();
    assert!(report.is_clean(), "{report}");
}

fn queue(arena: &Arc<Arena>, slots: u64, cells: u64) -> ObjectRef {
    arena
        .create_object(QUEUE, 1, "queue", Queue::bytes(slots, cells), |body| {
            // SAFETY: the body is this long, and nobody else sees it.
            unsafe {
                body.cast::<u64>().write(slots);
                body.cast::<u64>().add(1).write(cells);
            }
        })
        .unwrap()
}

fn thing(arena: &Arc<Arena>) -> ObjectRef {
    arena.create_object(THING, 2, "thing", 100, |_| {}).unwrap()
}

fn fill(ptr: *mut u8, len: u64, seed: u64) {
    for at in ends(len) {
        // SAFETY: within the block that the caller owns.
        unsafe { ptr.add(at as usize).write((seed ^ at) as u8) };
    }
}

#[track_caller]
fn verify(ptr: *mut u8, len: u64, seed: u64) {
    for at in ends(len) {
        // SAFETY: as above.
        assert_eq!(unsafe { ptr.add(at as usize).read() }, (seed ^ at) as u8, "byte {at} of {len}");
    }
}

/// The first and last bytes, and one of each page.
fn ends(len: u64) -> impl Iterator<Item = u64> {
    (0..len.min(300)).chain((300..len).step_by(4096)).chain(len.saturating_sub(300)..len)
}

/// A small generator, so that a seed gives the same run again.
struct Dice(u64);
impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Runs `work` in a forked child that joins the region anew; it ends without running anything else.
fn child(arena: &Arc<Arena>, work: impl FnOnce(Arc<Arena>)) -> i32 {
    // SAFETY: the tests run one at a time, so no other thread holds a lock that the child needs.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid > 0 {
        return pid;
    }
    let region = arena.region();
    let joined = Region::attach(
        region.memfd().try_clone_to_owned().unwrap(),
        region.beacon().try_clone_to_owned().unwrap(),
        None,
    );
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        work(Arena::new(joined.unwrap(), &QUEUES).unwrap());
    }))
    .map_or(9, |()| 0);
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// The exit code, or minus the signal.
fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: a live integer.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
}

fn kill(pid: i32) {
    // SAFETY: a child of this test.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

#[test]
fn blocks_of_every_size() {
    let _alone = alone();
    let arena = arena(1 << 30);
    let mut sizes: Vec<u64> = (0..20).map(|i| i * 7).collect();
    for shift in 3..=28u32 {
        sizes.extend([(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1]);
    }
    sizes.retain(|size| *size <= 256 << 20);
    let mut held = Vec::new();
    for size in &sizes {
        let block = arena.alloc(*size, 0).unwrap();
        assert_eq!(block.len(), *size);
        assert!(block.ptr().addr().is_multiple_of(64));
        fill(block.ptr(), *size, *size);
        let view = arena.block(block.reference()).unwrap();
        assert_eq!((view.len(), view.ptr()), (*size, block.ptr()));
        if *size <= 1 << 20 {
            held.push(block);
        } else {
            verify(block.ptr(), *size, *size);
        }
    }
    for block in &held {
        verify(block.ptr(), block.len(), block.len());
    }
    clean(&arena);
    let references: Vec<u64> = held.iter().map(Block::reference).collect();
    drop(held);
    for reference in references {
        assert!(arena.block(reference).is_none(), "a freed block has no name");
    }
    clean(&arena);
    let usage = arena.usage();
    assert_eq!(usage.allocated, 0);
    assert!(usage.committed < 16 << 20, "{usage:?}");
}

#[test]
fn hundreds_of_megabytes_come_back() {
    let _alone = alone();
    let arena = arena(300 << 20);
    for turn in 0..3 {
        let block = arena.alloc(256 << 20, 0).unwrap();
        fill(block.ptr(), 256 << 20, turn);
        verify(block.ptr(), 256 << 20, turn);
        assert!(arena.usage().committed >= 256 << 20);
        let error = arena.alloc(100 << 20, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        drop(block);
        assert!(arena.usage().committed < 8 << 20);
    }
    clean(&arena);
}

#[test]
fn growth_ends_with_an_error_and_goes_on_after_a_free() {
    let _alone = alone();
    let arena = arena(4 << 20);
    let error = arena.alloc(5 << 20, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("4194304"), "{error}");
    assert_eq!(arena.alloc(u64::MAX, 3).unwrap_err().kind(), ErrorKind::TooLarge);
    for size in [64, 256, 4096, 20_000, 70_000, 1 << 20] {
        let arena = self::arena(4 << 20);
        let mut held = Vec::new();
        let error = loop {
            match arena.alloc(size, 0) {
                Ok(block) => held.push(block),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        assert!(error.to_string().contains("free"), "{error}");
        held.pop();
        held.push(arena.alloc(size, 0).unwrap());
        // At the limit a smaller value finds room in a free block of a larger class.
        if size <= 20_000 {
            held.pop();
            held.push(arena.alloc(size / 2, 0).unwrap());
        }
        clean(&arena);
        drop(held);
        clean(&arena);
        assert_eq!(arena.usage().allocated, 0);
    }
}

#[test]
fn a_full_region_is_used_well() {
    let _alone = alone();
    for (size, least) in [(256u64, 0.75), (4096, 0.9), (32_000, 0.95), (65_536, 1.0), (1 << 20, 1.0)] {
        let arena = arena(16 << 20);
        let mut held = Vec::new();
        while let Ok(block) = arena.alloc(size, 0) {
            held.push(block);
        }
        let share = held.len() as f64 * size as f64 / (16 << 20) as f64;
        assert!(share >= least, "{size}: {share}");
        clean(&arena);
    }
}

#[test]
fn fragmentation_and_reuse() {
    let _alone = alone();
    let arena = arena(64 << 20);
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let mut held: Vec<(u64, Block<'_>)> = Vec::new();
    for turn in 0..30_000u64 {
        if dice.below(100) < 48 {
            if !held.is_empty() {
                let (key, block) = held.swap_remove(dice.below(held.len() as u64) as usize);
                verify(block.ptr(), block.len(), key);
            }
            continue;
        }
        let size = match dice.below(20) {
            0 => dice.below(2 << 20),
            1..4 => dice.below(200_000),
            _ => dice.below(9000),
        };
        match arena.alloc(size, 0) {
            Ok(block) => {
                fill(block.ptr(), size, turn);
                held.push((turn, block));
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::OutOfMemory);
                held.clear();
            }
        }
        if turn % 5000 == 0 {
            clean(&arena);
        }
    }
    for (key, block) in &held {
        verify(block.ptr(), block.len(), *key);
    }
    drop(held);
    clean(&arena);
    assert_eq!(arena.usage().allocated, 0);
    // What is not in slabs can be had again, every chunk of it.
    let chunks = arena.free_bytes() >> 16;
    let all: Vec<_> = (0..chunks).map(|_| arena.alloc(1 << 16, 0).unwrap()).collect();
    assert!(arena.alloc(1 << 16, 0).is_err());
    drop(all);
    clean(&arena);
}

#[test]
fn four_threads() {
    let _alone = alone();
    let arena = arena(256 << 20);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let arena = &arena;
            scope.spawn(move || {
                let mut dice = Dice(thread * 77 + 1);
                let mut held: Vec<(u64, Block<'_>)> = Vec::new();
                for turn in 0..40_000u64 {
                    if held.len() > 60 || (turn % 2 == 0 && !held.is_empty()) {
                        let at = dice.below(held.len() as u64) as usize;
                        let (seed, block) = held.swap_remove(at);
                        verify(block.ptr(), block.len().min(256), seed);
                        continue;
                    }
                    let size = [256, 256, 4096, 100, 40_000, 300_000][dice.below(6) as usize];
                    let block = arena.alloc(size, 0).unwrap();
                    let seed = turn << 2 | thread;
                    fill(block.ptr(), size.min(256), seed);
                    held.push((seed, block));
                    if turn % 1000 == 0 {
                        drop(thing(arena));
                    }
                }
            });
        }
    });
    clean(&arena);
    assert_eq!(arena.usage().allocated, 0);
}

#[test]
fn ten_thousand_objects() {
    let _alone = alone();
    let arena = arena(256 << 20);
    let mut held = Vec::new();
    for i in 0..10_000 {
        let object = arena.create_object(THING, i, &format!("o{i}"), 700, |_| {}).unwrap();
        held.push(object);
    }
    let ids: HashSet<_> = held.iter().map(ObjectRef::id).collect();
    assert_eq!(ids.len(), 10_000);
    assert_eq!(held[5000].type_hash(), 5000);
    assert_eq!(held[5000].name(), "o5000");
    let report = arena.fsck();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.objects, report.references, report.body), (10_000, 10_000, 10_000));
    // Half of them go and come again, in the same entries.
    held.retain(|object| object.id().index % 2 == 0);
    for _ in 0..5000 {
        held.push(thing(&arena));
    }
    // An eighth of the entries may stay free, so that the search for one is short.
    assert!(held.iter().all(|object| object.id().index <= 11_500));
    drop(held);
    clean(&arena);
    assert_eq!(arena.usage().objects, 0);
}

#[test]
fn the_tables_end_with_an_error() {
    let _alone = alone();
    let arena = arena(256 << 20);
    let mut held = Vec::new();
    let error = loop {
        match arena.create_object(THING, 0, "", 8, |_| {}) {
            Ok(object) => held.push(object),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("need 1, free 0"), "{error}");
    assert_eq!(held.len(), 65_534);
    clean(&arena);
    held.pop();
    held.push(thing(&arena));
    held.clear();
    clean(&arena);
}

#[test]
fn bodies_are_zero() {
    let _alone = alone();
    let arena = arena(64 << 20);
    for size in [100u64, 5000, 70_000, 600_000] {
        for _ in 0..3 {
            let object = arena
                .create_object(THING, 0, "", size, |body| {
                    // SAFETY: the body is this long.
                    let bytes = unsafe { std::slice::from_raw_parts(body, size as usize) };
                    assert!(bytes.iter().all(|byte| *byte == 0), "{size}");
                })
                .unwrap();
            // SAFETY: nobody else uses it.
            unsafe { object.body().write_bytes(0xff, size as usize) };
            drop(object);
            let block = arena.alloc(size, 0).unwrap();
            // SAFETY: this test's own block.
            unsafe { block.ptr().write_bytes(0xff, size as usize) };
        }
    }
    // Runs that become slabs.
    let runs: Vec<_> = (0..).map_while(|_| arena.alloc(60_000, 0).ok()).collect();
    for run in &runs {
        // SAFETY: this test's own block.
        unsafe { run.ptr().write_bytes(0xff, 60_000) };
    }
    drop(runs);
    for _ in 0..2000 {
        let object = thing(&arena);
        // SAFETY: the body has 100 bytes.
        let bytes = unsafe { std::slice::from_raw_parts(object.body(), 100) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        std::mem::forget(object);
    }
    clean(&arena);
}

#[test]
fn a_panic_in_an_initialiser_leaves_nothing() {
    let _alone = alone();
    let arena = arena(8 << 20);
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        arena.create_object(THING, 0, "", 100, |_| panic!("on purpose")).map(drop)
    }));
    assert!(answer.is_err());
    clean(&arena);
    assert_eq!(arena.usage().allocated, 0);
}

#[test]
fn one_queue_touches_little() {
    let _alone = alone();
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("RssShmem")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = resident();
    let arena = arena(8 << 30);
    let q = queue(&arena, 16, 4);
    for i in 0..1000u64 {
        let block = arena.alloc(256, 0).unwrap();
        fill(block.ptr(), 256, i);
        assert!(Queue::of(&q).put(block));
        Queue::of(&q).get(|view| verify(view.ptr(), 256, i)).unwrap();
    }
    let grown = resident() - before;
    println!("resident: {grown} KiB; {:?}", arena.usage());
    assert!(grown <= 200, "{grown} KiB");
}

#[test]
fn messages_with_handles_between_processes() {
    let _alone = alone();
    let arena = arena(64 << 20);
    let reaper = Reaper(arena.clone());
    let there = queue(&arena, 8, 2);
    let back = queue(&arena, 8, 2);
    let gift = thing(&arena);
    let block = arena.alloc(10, 2).unwrap();
    block.add_child(0, &gift).unwrap();
    block.add_child(1, &back).unwrap();
    assert!(block.ptr().addr().is_multiple_of(16));
    assert_eq!(block.add_child(1, &back).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(block.add_child(2, &back).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(Queue::of(&there).put(block));
    let seat = arena.region().reserve("child").unwrap();
    arena.reference_for(seat, &there).unwrap();
    let id = there.id();
    clean(&arena);
    // SAFETY: see `child`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let region = arena.region();
        let memfd = region.memfd().try_clone_to_owned().unwrap();
        let beacon = region.beacon().try_clone_to_owned().unwrap();
        assert_eq!(arena.alloc(8, 0).unwrap_err().kind(), ErrorKind::WrongProcess);
        let joined = Region::attach(memfd, beacon, Some(seat)).unwrap();
        // The parent's handles mean nothing here, also after joining.
        assert_eq!(arena.alloc(8, 0).unwrap_err().kind(), ErrorKind::WrongProcess);
        drop(gift);
        let mine = Arena::new(joined, &QUEUES).unwrap();
        let there = mine.inherit(id).unwrap();
        assert_eq!(mine.inherit(id).unwrap().id(), id);
        let (gift, back) = Queue::of(&there)
            .get(|view| (mine.attach_child(view, 0).unwrap(), mine.attach_child(view, 1).unwrap()))
            .unwrap();
        assert!(mine.attach_child(&mine.alloc(0, 1).unwrap().view(), 0).is_err());
        let answer = mine.alloc(3, 1).unwrap();
        answer.add_child(0, &gift).unwrap();
        assert!(Queue::of(&back).put(answer));
        // SAFETY: ends the process, without dropping anything.
        unsafe { libc::_exit(0) };
    }
    let gift_id = gift.id();
    drop(gift);
    assert_eq!(wait(pid), 0);
    assert_eq!(arena.region().sweep(&reaper), 1);
    let gift = Queue::of(&back).get(|view| arena.attach_child(view, 0).unwrap()).unwrap();
    assert_eq!((gift.id(), gift.kind()), (gift_id, THING));
    clean(&arena);
    assert_eq!(arena.usage().objects, 3);
    drop((there, back, gift));
    clean(&arena);
    assert_eq!((arena.usage().objects, arena.usage().allocated), (0, 0));
}

#[test]
fn blocks_go_to_a_seat_and_with_it() {
    let _alone = alone();
    let arena = arena(64 << 20);
    let reaper = Reaper(arena.clone());
    let gift = thing(&arena);
    let give = |seat| {
        let block = arena.alloc(5000, 1).unwrap();
        block.add_child(0, &gift).unwrap();
        fill(block.ptr(), 5000, 3);
        block.give_to(seat)
    };
    let seat = arena.region().reserve("child").unwrap();
    let reference = give(seat).unwrap();
    // SAFETY: see `child`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let region = arena.region();
        let memfd = region.memfd().try_clone_to_owned().unwrap();
        let joined =
            Region::attach(memfd, region.beacon().try_clone_to_owned().unwrap(), Some(seat)).unwrap();
        let mine = Arena::new(joined, &QUEUES).unwrap();
        let block = mine.accept(reference).unwrap();
        verify(block.ptr(), 5000, 3);
        drop(mine.attach_child(&block.view(), 0).unwrap());
        // SAFETY: ends the process.
        unsafe { libc::_exit(0) };
    }
    assert_eq!(wait(pid), 0);
    arena.region().sweep(&reaper);
    assert!(arena.accept(reference).is_err());
    clean(&arena);
    // A seat that nobody takes.
    let seat = arena.region().reserve("nobody").unwrap();
    give(seat).unwrap();
    arena.reference_for(seat, &gift).unwrap();
    assert!(arena.region().vacate(seat, &reaper));
    assert_eq!(give(seat).unwrap_err().kind(), ErrorKind::InvalidState);
    clean(&arena);
    drop(gift);
    assert_eq!((arena.usage().objects, arena.usage().allocated), (0, 0));
}

#[test]
fn a_queue_takes_its_messages_along() {
    let _alone = alone();
    let arena = arena(64 << 20);
    // A chain of queues, each only in a message of the one before.
    let first = queue(&arena, 4, 1);
    let mut last = first.clone();
    for _ in 0..3000 {
        let next = queue(&arena, 4, 1);
        let block = arena.alloc(8, 1).unwrap();
        block.add_child(0, &next).unwrap();
        assert!(Queue::of(&last).put(block));
        assert!(Queue::of(&last).put(arena.alloc(1000, 0).unwrap()));
        last = next;
    }
    drop(last);
    let report = arena.fsck();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.objects, report.cycles), (3001, 0));
    drop(first);
    clean(&arena);
    assert_eq!((arena.usage().objects, arena.usage().allocated), (0, 0));
}

#[test]
fn cycles_are_told() {
    let _alone = alone();
    let arena = arena(64 << 20);
    let (a, b) = (queue(&arena, 4, 1), queue(&arena, 4, 1));
    for (from, to) in [(&a, &b), (&b, &a)] {
        let block = arena.alloc(8, 1).unwrap();
        block.add_child(0, to).unwrap();
        assert!(Queue::of(from).put(block));
    }
    assert_eq!(arena.fsck().cycles, 0);
    drop((a, b));
    let report = arena.fsck();
    assert_eq!((report.cycles, report.is_clean()), (2, true), "{report}");
}

/// What a client does that may be killed at any time: everything, at random.
fn client(arena: &Arc<Arena>, q: &ObjectRef, seed: u64, turns: u64) {
    let mut dice = Dice(seed | 1);
    let queue_ = Queue::of(q);
    let gift = thing(arena);
    let mut leases = Vec::new();
    for _ in 0..turns {
        match dice.below(10) {
            0..4 => {
                let size = [20u64, 256, 4096, 40_000, 300_000][dice.below(5) as usize];
                let block = arena.alloc(size, 1).unwrap();
                fill(block.ptr(), size.min(200), size);
                if dice.below(2) == 0 {
                    block.add_child(0, &gift).unwrap();
                }
                queue_.put(block);
            }
            4..7 => {
                let got = queue_.get(|view| {
                    verify(view.ptr(), view.len().min(200), view.len());
                    view.child(0).map(|_| arena.attach_child(view, 0).unwrap())
                });
                drop(got);
            }
            7..9 => {
                leases.extend(queue_.lease());
                if leases.len() > 2 {
                    queue_.release_lease(leases.remove(0));
                }
            }
            _ => drop(queue(arena, 3, 1)),
        }
    }
    for lease in leases {
        queue_.release_lease(lease);
    }
}

/// Takes everything out and looks at it.
fn drain(arena: &Arc<Arena>, q: &ObjectRef) {
    let queue = Queue::of(q);
    while let Some(lease) = queue.lease() {
        let view = arena.block(lease.1).unwrap();
        verify(view.ptr(), view.len().min(200), view.len());
        if view.child(0).is_some() {
            drop(arena.attach_child(&view, 0).unwrap());
        }
        queue.release_lease(lease);
    }
    while queue.get(|_| ()).is_some() {}
}

#[test]
fn clients_are_killed_at_random() {
    let _alone = alone();
    let arena = arena(64 << 20);
    let reaper = Reaper(arena.clone());
    let q = queue(&arena, 6, 3);
    let mut dice = Dice(0xfeed_beef_1234_5677);
    let mut killed = 0;
    for round in 0..150 {
        let seat = arena.region().reserve("victim").unwrap();
        arena.region().unreserve(seat);
        let message = arena.alloc(0, 1).unwrap();
        message.add_child(0, &q).unwrap();
        // The clients attach through a queue's message of their own: two victims at once, and this process works too.
        let reference = message.reference();
        let victims: Vec<i32> = (0..2)
            .map(|i| {
                let seed = dice.next() ^ i;
                child(&arena, move |mine| {
                    let message = mine.block(reference).unwrap();
                    let q = mine.attach_child(&message, 0).unwrap();
                    client(&mine, &q, seed, 100_000);
                })
            })
            .collect();
        let pause = dice.below(4000);
        client(&arena, &q, dice.next(), dice.below(200));
        std::thread::sleep(Duration::from_micros(pause));
        victims.iter().for_each(|pid| kill(*pid));
        for pid in victims {
            let end = wait(pid);
            assert!(end == -9 || end == 0, "round {round}: {end}");
            killed += i32::from(end == -9);
        }
        drop(message);
        arena.region().sweep(&reaper);
        let report = arena.fsck();
        assert!(report.is_clean(), "round {round}: {report}");
        if round % 10 == 0 {
            drain(&arena, &q);
            clean(&arena);
        }
    }
    println!("{killed} clients killed");
    drain(&arena, &q);
    drop(q);
    clean(&arena);
    assert_eq!((arena.usage().objects, arena.usage().allocated), (0, 0));
}

/// A helper that comes too late, when the id that it means belongs to somebody who lives.
#[test]
fn a_late_helper_changes_nothing() {
    let _alone = alone();
    let arena = arena(64 << 20);
    let me = arena.region().me().unwrap();
    let block = arena.alloc(100, 0).unwrap();
    arena.repair(Dead { id: me.id, incarnation: me.incarnation.wrapping_sub(1) }, false);
    assert!(arena.accept(block.reference()).map(std::mem::forget).is_ok(), "the block was condemned");
    drop(block);
    clean(&arena);
}

#[test]
fn leaving_gives_everything_back() {
    let _alone = alone();
    let arena = arena(64 << 20);
    let reaper = Reaper(arena.clone());
    let q = queue(&arena, 6, 3);
    let message = arena.alloc(0, 1).unwrap();
    message.add_child(0, &q).unwrap();
    let reference = message.reference();
    let pid = child(&arena, move |mine| {
        let q = mine.attach_child(&mine.block(reference).unwrap(), 0).unwrap();
        client(&mine, &q, 5, 300);
        let block = mine.alloc(100, 0).unwrap();
        let region = mine.region().clone();
        region.leave(&Reaper(mine.clone()));
        drop((block, q));
        assert_eq!(mine.alloc(1, 0).unwrap_err().kind(), ErrorKind::WrongProcess);
    });
    assert_eq!(wait(pid), 0);
    assert_eq!(arena.region().sweep(&reaper), 0);
    clean(&arena);
}

/// A killed client at each operation on shared memory, one after the other.
#[cfg(feature = "kill-points")]
mod every_point {
    use super::*;
    use processing::sync::kill;

    fn at_every_point(name: &str, slots: u64, scenario: impl Fn(&Arc<Arena>, &ObjectRef) + Copy) {
        let mut k = 0;
        loop {
            let arena = arena(16 << 20);
            let reaper = Reaper(arena.clone());
            let q = queue(&arena, slots, 2);
            let gift = thing(&arena);
            for _ in 0..2 {
                let block = arena.alloc(300, 1).unwrap();
                fill(block.ptr(), 200, 300);
                block.add_child(0, &gift).unwrap();
                assert!(Queue::of(&q).put(block));
            }
            drop(gift);
            let message = arena.alloc(0, 1).unwrap();
            message.add_child(0, &q).unwrap();
            let reference = message.reference();
            let pid = child(&arena, move |mine| {
                let q = mine.attach_child(&mine.block(reference).unwrap(), 0).unwrap();
                kill::arm(k);
                scenario(&mine, &q);
                kill::disarm();
            });
            let end = wait(pid);
            assert!(end == -9 || end == 0, "{name} at {k}: {end}");
            drop(message);
            // Reapers are killed too, at points that change with k; the next one goes on.
            for at in [k * 7 % 97, k * 11 % 61] {
                let adopter = child(&arena, move |mine| {
                    kill::arm(at);
                    mine.region().clone().sweep(&Reaper(mine.clone()));
                    kill::disarm();
                });
                wait(adopter);
            }
            arena.region().sweep(&reaper);
            let report = arena.fsck();
            assert!(report.is_clean(), "{name} at {k}: {report}");
            drain(&arena, &q);
            drop(q);
            let report = arena.fsck();
            assert!(report.is_clean(), "{name} at {k}, at the end: {report}");
            assert_eq!((arena.usage().objects, arena.usage().allocated), (0, 0), "{name} at {k}");
            if end == 0 {
                println!("{name}: {k} points");
                return;
            }
            k += 1;
        }
    }

    #[test]
    fn put() {
        let _alone = alone();
        at_every_point("put", 4, |arena, q| {
            let gift = thing(arena);
            let block = arena.alloc(300, 1).unwrap();
            fill(block.ptr(), 200, 300);
            block.add_child(0, &gift).unwrap();
            assert!(Queue::of(q).put(block));
        });
    }

    #[test]
    fn get() {
        let _alone = alone();
        at_every_point("get", 4, |arena, q| {
            drop(Queue::of(q).get(|view| arena.attach_child(view, 0).unwrap()));
            Queue::of(q).get(|_| ());
        });
    }

    #[test]
    fn lease() {
        let _alone = alone();
        at_every_point("lease", 4, |arena, q| {
            let queue = Queue::of(q);
            let (a, b) = (queue.lease().unwrap(), queue.lease().unwrap());
            let gift = arena.attach_child(&arena.block(a.1).unwrap(), 0).unwrap();
            queue.release_lease(a);
            drop(gift);
            queue.release_lease(b);
        });
    }

    #[test]
    fn large() {
        let _alone = alone();
        at_every_point("large", 4, |arena, q| {
            let a = arena.alloc(200_000, 1).unwrap();
            fill(a.ptr(), 200, 200_000);
            drop(arena.alloc(1_000_000, 0).unwrap());
            assert!(Queue::of(q).put(a));
            drop(arena.alloc(100_000, 0).unwrap());
            drop(arena.alloc(5_000_000, 0).unwrap());
        });
    }

    #[test]
    fn slabs() {
        let _alone = alone();
        at_every_point("slabs", 4, |arena, _| {
            // A run that becomes a slab: its bytes are cleared where headers will be.
            let run = arena.alloc(arena.free_bytes(), 0).unwrap();
            // SAFETY: this test's own block.
            unsafe { run.ptr().write_bytes(0xff, 1 << 20) };
            drop(run);
            let held: Vec<_> = [64, 2000, 20_000].map(|size| arena.alloc(size, 0).unwrap()).into();
            drop(held);
        });
    }

    #[test]
    fn objects() {
        let _alone = alone();
        at_every_point("objects", 4, |arena, q| {
            let queues: Vec<_> = (0..2).map(|_| queue(arena, 3, 1)).collect();
            let block = arena.alloc(8, 2).unwrap();
            block.add_child(0, &queues[1]).unwrap();
            block.add_child(1, q).unwrap();
            assert!(Queue::of(&queues[0]).put(block));
            drop(queues);
        });
    }

    #[test]
    fn full() {
        let _alone = alone();
        at_every_point("full", 2, |arena, q| {
            let gift = thing(arena);
            let block = arena.alloc(300, 1).unwrap();
            block.add_child(0, &gift).unwrap();
            assert!(!Queue::of(q).put(block));
        });
    }
}
