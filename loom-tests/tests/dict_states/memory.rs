//! Memory of the model: words in a vector, blocks of one size, locks with owners, and processes that die after so many operations.

use std::cell::{Cell, RefCell};

use processing::Error;
use processing::data::dict::{Memory, Words, Writers};
use processing::layout::block_place::{BlockPlace, Named};
use processing::layout::dict::{SegmentSize, at};
use processing::sync::atomic::Ordering;

/// Words of a block, and how many blocks there are.
pub const BLOCK: usize = 32;
pub const BLOCKS: usize = 44;
/// Stripes as a power of two.
pub const STRIPES: u32 = 1;
const BODY: usize = at::STRIPES + (8 << STRIPES);
/// Where the first block is: offset 0 is none.
const FIRST: usize = BLOCK;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Free,
    Private(u8),
    Value,
    Dying(u8),
}

/// Everything that processes share.
#[derive(Clone, Debug)]
pub struct Shared {
    pub body: Vec<u64>,
    pub words: Vec<u64>,
    pub own: Vec<(Own, u64)>,
    /// Who has the lock at this index of the body.
    pub locks: Vec<(usize, u8)>,
    pub dead: Vec<u8>,
    /// What must not be was seen.
    pub broken: Option<String>,
}

impl Shared {
    pub fn new() -> Self {
        Self {
            body: vec![0; BODY],
            words: vec![0; FIRST + BLOCK * BLOCKS],
            own: vec![(Own::Free, 0); BLOCKS],
            locks: Vec::new(),
            dead: Vec::new(),
            broken: None,
        }
    }

    fn index(&self, offset: u64) -> Option<usize> {
        let at = (offset as usize / 8).checked_sub(FIRST)?;
        (at.is_multiple_of(BLOCK) && at / BLOCK < BLOCKS).then_some(at / BLOCK)
    }

    pub fn is_value(&self, block: Named) -> bool {
        let Some(index) = self.index(block.offset) else { return false };
        let (own, generation) = self.own[index];
        own == Own::Value && block.is_of(generation)
    }

    /// The reaper of a dead process: what was its own is free.
    pub fn reap(&mut self, who: u8) {
        for (own, _) in &mut self.own {
            if *own == Own::Private(who) || *own == Own::Dying(who) {
                *own = Own::Free;
            }
        }
    }
}

/// A store, or something as atomic.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    Body(usize, u64),
    Word(usize, u64),
    Own(usize, Own, u64),
}

impl Change {
    pub fn apply(self, shared: &mut Shared) {
        match self {
            Self::Body(i, value) => shared.body[i] = value,
            Self::Word(i, value) => shared.words[i] = value,
            Self::Own(i, own, generation) => shared.own[i] = (own, generation),
        }
    }
}

/// The memory as one process uses it.
pub struct Process {
    pub shared: RefCell<Shared>,
    pub who: u8,
    /// Operations until it is killed: from then on nothing has an effect.
    pub left: Cell<u64>,
    /// What was changed, in order.
    pub trace: RefCell<Vec<Change>>,
    /// For a reader: at these loads, so many changes of somebody else's trace have been made.
    pub switches: RefCell<Vec<(u64, usize)>>,
    pub others: RefCell<Vec<Change>>,
    pub done: Cell<usize>,
    pub loads: Cell<u64>,
}

impl Process {
    pub fn new(shared: Shared, who: u8, left: u64) -> Self {
        Self {
            shared: RefCell::new(shared),
            who,
            left: Cell::new(left),
            trace: RefCell::default(),
            switches: RefCell::default(),
            others: RefCell::default(),
            done: Cell::new(0),
            loads: Cell::new(0),
        }
    }

    pub fn is_dead(&self) -> bool {
        self.left.get() == 0
    }

    /// One operation; false: it is dead.
    fn operate(&self, change: impl FnOnce(&mut Shared) -> Option<Change>) -> bool {
        if self.is_dead() {
            return false;
        }
        self.left.set(self.left.get() - 1);
        let mut shared = self.shared.borrow_mut();
        if let Some(change) = change(&mut shared) {
            change.apply(&mut shared);
            self.trace.borrow_mut().push(change);
        }
        true
    }

    fn load(&self) {
        let number = self.loads.get();
        self.loads.set(number + 1);
        let mut switches = self.switches.borrow_mut();
        while switches.first().is_some_and(|(at, _)| *at == number) {
            let (_, until) = switches.remove(0);
            self.advance(until);
        }
    }

    /// Makes the others' changes up to this one.
    pub fn advance(&self, until: usize) {
        let mut shared = self.shared.borrow_mut();
        while self.done.get() < until {
            self.others.borrow()[self.done.get()].apply(&mut shared);
            self.done.set(self.done.get() + 1);
        }
    }

    pub fn fail(&self, what: &str) {
        self.shared.borrow_mut().broken.get_or_insert_with(|| what.to_owned());
    }
}

#[derive(Clone, Copy)]
pub struct Slice<'a> {
    process: &'a Process,
    /// `None`: the body.
    at: Option<usize>,
    count: usize,
}

impl Slice<'_> {
    fn change(self, i: usize, value: u64) -> Change {
        match self.at {
            Some(at) => Change::Word(at + i, value),
            None => Change::Body(i, value),
        }
    }
}

impl Words for Slice<'_> {
    fn load(self, i: usize, _: Ordering) -> u64 {
        if i >= self.count {
            return 0;
        }
        self.process.load();
        let shared = self.process.shared.borrow();
        match self.at {
            Some(at) => shared.words[at + i],
            None => shared.body[i],
        }
    }
    fn store(self, i: usize, value: u64, _: Ordering) {
        if i < self.count {
            self.process.operate(|_| Some(self.change(i, value)));
        }
    }
    fn compare_exchange(self, i: usize, old: u64, new: u64) -> bool {
        i < self.count
            && self.load(i, Ordering::Relaxed) == old
            && self.process.operate(|_| Some(self.change(i, new)))
    }
}

pub struct Block<'a> {
    process: &'a Process,
    index: usize,
    generation: u64,
    kept: bool,
}

impl Block<'_> {
    fn offset(&self) -> u64 {
        ((FIRST + self.index * BLOCK) * 8) as u64
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let generation = self.generation;
            self.process.operate(|_| Some(Change::Own(self.index, Own::Free, generation)));
        }
    }
}

pub struct Held<'a> {
    process: &'a Process,
    word: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.process.operate(|shared| {
            shared.locks.retain(|(word, _)| *word != self.word);
            None
        });
    }
}

impl Memory for Process {
    type Words<'a> = Slice<'a>;

    /// A bucket, a bucket with another for overflow; two of these.
    const SEGMENTS: &'static [SegmentSize] =
        &[SegmentSize { homes: 1, buckets: 1 }, SegmentSize { homes: 1, buckets: 2 }];

    fn body(&self) -> Slice<'_> {
        Slice { process: self, at: None, count: BODY }
    }

    fn words(&self, offset: u64, count: u64) -> Option<Slice<'_>> {
        let at = usize::try_from(offset / 8).ok()?;
        let end = at.checked_add(usize::try_from(count).ok()?)?;
        let inside = at >= FIRST && end <= FIRST + BLOCK * BLOCKS;
        inside.then_some(Slice { process: self, at: Some(at), count: count as usize })
    }

    /// What the key says: the model chooses what collides.
    fn hash(&self, key: u64) -> u64 {
        key
    }

    fn content(&self, place: BlockPlace) -> Option<u64> {
        Some(place.offset())
    }

    fn is_value(&self, block: Named) -> bool {
        self.shared.borrow().is_value(block)
    }

    fn free(&self, block: Named) {
        if !self.is_value(block) {
            return;
        }
        let Some(index) = self.shared.borrow().index(block.offset) else { return };
        let generation = self.shared.borrow().own[index].1;
        self.operate(|_| Some(Change::Own(index, Own::Dying(self.who), generation)));
        self.operate(|_| Some(Change::Own(index, Own::Free, generation)));
    }
}

/// Why a call came to no end.
#[derive(Debug)]
pub enum Gone {
    /// The process is dead, or there is no room.
    Over,
    Error(#[allow(dead_code, reason = "shown")] Error),
}

impl From<Error> for Gone {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Writers for Process {
    type Error = Gone;
    type Block<'a> = Block<'a>;
    type Held<'a> = Held<'a>;

    fn alloc(&self, bytes: u64) -> Result<Block<'_>, Gone> {
        assert!(bytes as usize <= BLOCK * 8, "{bytes} bytes");
        let free = self.shared.borrow().own.iter().position(|(own, _)| *own == Own::Free);
        let Some(index) = free else { return Err(Gone::Over) };
        let generation = self.shared.borrow().own[index].1 + 1;
        if !self.operate(|_| Some(Change::Own(index, Own::Private(self.who), generation))) {
            return Err(Gone::Over);
        }
        Ok(Block { process: self, index, generation, kept: false })
    }

    fn name(&self, block: &Block<'_>) -> Named {
        Named::new(block.offset(), block.generation)
    }

    fn place(&self, block: &Block<'_>) -> BlockPlace {
        BlockPlace::new(self.name(block), false)
    }

    fn make_value(&self, mut block: Block<'_>) {
        block.kept = true;
        let (index, generation) = (block.index, block.generation);
        self.operate(|_| Some(Change::Own(index, Own::Value, generation)));
    }

    fn lock(&self, word: usize, repair: &dyn Fn()) -> Result<Held<'_>, Gone> {
        let owner = {
            let shared = self.shared.borrow();
            shared.locks.iter().find(|(at, _)| *at == word).map(|(_, who)| *who)
        };
        let inherited = owner.is_some_and(|who| self.shared.borrow().dead.contains(&who));
        if owner.is_some() && !inherited && !self.is_dead() {
            self.fail("it waits for a lock that it has");
        }
        let me = self.who;
        let took = self.operate(|shared| {
            shared.locks.retain(|(at, _)| *at != word);
            shared.locks.push((word, me));
            None
        });
        if !took {
            return Err(Gone::Over);
        }
        let held = Held { process: self, word };
        if inherited {
            repair();
        }
        // Between its steps nobody else has a turn: dead now, it goes no further.
        if self.is_dead() {
            return Err(Gone::Over);
        }
        Ok(held)
    }
}
