//! Readers of a dictionary against one writer (its lock admits one) under loom: replaced blocks, slots that are used again, a segment that is rebuilt, `clear`. Memory is
//! used again at once, so that a look at what is gone shows.
#![cfg(loom)]

use std::sync::Mutex;

use loom::sync::Arc;
use loom::thread;
use processing::Error;
use processing::data::dict::{Bytes, Dict, Fixed, Key, Memory, Put, Seen, Words, Writers};
use processing::layout::block::FRONT;
use processing::layout::block_place::{BlockPlace, Named};
use processing::layout::dict::{Lengths, SegmentSize, Settings, at};
use processing::sync::atomic::AtomicU64;
use processing::sync::atomic::Ordering::{Relaxed, Release};

/// Words of a block, and how many there are. Block 0 is none.
const BLOCK: usize = 32;
const BLOCKS: usize = 9;
const BODY: usize = at::STRIPES + 8;

/// Which blocks are in use, and how often each was: the writer's own, since one writes.
#[derive(Clone, Copy, Default)]
struct Use {
    taken: bool,
    generation: u64,
}

struct Ours {
    body: Vec<AtomicU64>,
    words: Vec<AtomicU64>,
    /// Of the writer alone: no part of the model.
    own: Mutex<[Use; BLOCKS]>,
}

struct Block(usize, u64);

impl Memory for Ours {
    type Words<'a> = &'a [AtomicU64];

    const SEGMENTS: &'static [SegmentSize] =
        &[SegmentSize { homes: 1, buckets: 1 }, SegmentSize { homes: 1, buckets: 2 }];

    fn body(&self) -> &[AtomicU64] {
        &self.body
    }

    fn words(&self, offset: u64, count: u64) -> Option<&[AtomicU64]> {
        let at = offset as usize / 8;
        self.words.get(at..at.checked_add(count as usize)?)
    }

    fn hash(&self, key: u64) -> u64 {
        key
    }

    fn content(&self, place: BlockPlace) -> Option<u64> {
        Some(place.offset())
    }

    fn is_value(&self, block: Named) -> bool {
        let own = self.own.lock().unwrap()[block.offset as usize / 8 / BLOCK];
        own.taken && own.generation == block.generation
    }

    fn free(&self, block: Named) {
        self.own.lock().unwrap()[block.offset as usize / 8 / BLOCK].taken = false;
    }
}

impl Writers for Ours {
    type Error = Error;
    type Block<'a> = Block;
    type Held<'a> = ();

    fn alloc(&self, _: u64) -> Result<Block, Error> {
        let mut own = self.own.lock().unwrap();
        let index = (1..BLOCKS).find(|index| !own[*index].taken).expect("room");
        own[index] = Use { taken: true, generation: own[index].generation + 1 };
        Ok(Block(index, own[index].generation))
    }

    fn name(&self, block: &Block) -> Named {
        Named::new((block.0 * BLOCK * 8) as u64, block.1)
    }

    fn place(&self, block: &Block) -> BlockPlace {
        BlockPlace::new(self.name(block), false)
    }

    fn make_value(&self, _: Block) {}

    /// There is one writer.
    fn lock(&self, _: usize, _: &dyn Fn()) -> Result<(), Error> {
        Ok(())
    }
}

/// Where values are.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Inline,
    Blocks,
    /// In blocks, with the lengths before the payload.
    InFront,
}

fn new(kept: Kept, entries: u64) -> Arc<Dict<Ours>> {
    let atomics = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
    let room = Ours { body: atomics(BODY), words: atomics(BLOCK * BLOCKS), own: Mutex::default() };
    let (inline_values, in_front) = (kept == Kept::Inline, kept == Kept::InFront);
    let settings = Settings { inline_keys: true, inline_values, in_front, ..Settings::default() };
    room.body[at::SETTINGS].store(settings.pack(), Relaxed);
    let dict = Dict::new(room);
    dict.begin(0).expect("room");
    for key in 1..=entries {
        put(&dict, key, 10 * key);
    }
    Arc::new(dict)
}

fn with_key<R>(key: u64, f: impl FnOnce(&Key<'_>) -> R) -> R {
    f(&Key { hash: key, word: key, bytes: &[] })
}

fn put(dict: &Dict<Ours>, key: u64, value: u64) {
    with_key(key, |key| {
        let mut put = if dict.settings().inline_values {
            Put::Inline(value)
        } else {
            let in_front = dict.settings().in_front;
            let lengths = Lengths { value: 16, key: 0 };
            let block = dict.memory.alloc(lengths.payload(in_front)).expect("room");
            // Before the payload is the end of the block before it, which is not so long.
            let content = dict.memory.name(&block).offset - if in_front { FRONT } else { 0 };
            let words = dict.memory.words(content, lengths.words(in_front)).expect("a block");
            let at = Lengths::value_at(in_front);
            if !processing::sync::mutant::on("dict.no_release_fence") {
                processing::sync::fence::fence(Release);
            }
            words.store(0, lengths.pack(), Relaxed);
            words.store(at, value, Relaxed);
            words.store(at + 1, value, Relaxed);
            Put::Block(block)
        };
        loop {
            let entered = dict.enter(key.hash).expect("a lock");
            match entered.slot(key) {
                Some(slot) => return entered.replace(slot, put),
                None => match entered.insert(key, put) {
                    Ok(()) => return,
                    Err(back) => put = back,
                },
            }
            let full = entered.segment();
            drop(entered);
            dict.grow(key.hash, full).expect("room");
        }
    });
}

fn remove(dict: &Dict<Ours>, key: u64) {
    let entered = dict.enter(key).expect("a lock");
    if let Some(slot) = with_key(key, |key| entered.slot(key)) {
        entered.remove(slot);
    }
}

/// One look, if nobody comes in between.
fn look(dict: &Dict<Ours>, key: u64) -> Option<Option<u64>> {
    let mut out = Bytes::new();
    Some(match with_key(key, |key| dict.try_get(key, &mut out))? {
        Seen::Absent => None,
        Seen::Inline(value) => Some(value),
        Seen::Copied(16) => {
            let (first, second) = out.split_at(8);
            assert_eq!(first, second, "torn");
            Some(u64::from_ne_bytes(first.try_into().expect("eight bytes")))
        }
        other => panic!("{other:?}"),
    })
}

/// The same by who knows how long values are.
fn look_for_words(dict: &Dict<Ours>, key: u64) -> Option<Option<u64>> {
    let mut words = Fixed::<u64, [u64; 2], 2>::new();
    Some(match with_key(key, |key| dict.try_get(key, &mut words))? {
        Seen::Absent => None,
        Seen::Copied([first, second]) => {
            assert_eq!(first, second, "torn");
            Some(first)
        }
        other => panic!("{other:?}"),
    })
}

type Look = fn(&Dict<Ours>, u64) -> Option<Option<u64>>;

/// What a reader of `key` may see while `write` runs, and afterwards.
fn model(
    kept: Kept,
    entries: u64,
    write: fn(&Dict<Ours>),
    key: u64,
    meanwhile: &'static [Option<u64>],
    after: Option<u64>,
) {
    model_of(look, kept, entries, write, key, meanwhile, after);
}

fn model_of(
    look: Look,
    kept: Kept,
    entries: u64,
    write: fn(&Dict<Ours>),
    key: u64,
    meanwhile: &'static [Option<u64>],
    after: Option<u64>,
) {
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound = Some(bound.unwrap_or(3).max(3));
    builder.max_branches = 5000;
    builder.check(move || {
        let dict = new(kept, entries);
        let writer = {
            let dict = dict.clone();
            thread::spawn(move || write(&dict))
        };
        if let Some(seen) = look(&dict, key) {
            assert!(meanwhile.contains(&seen), "{seen:?}");
        }
        writer.join().unwrap();
        assert_eq!(look(&dict, key), Some(after));
    });
}

#[test]
fn a_replaced_value() {
    model(Kept::Inline, 1, |dict| put(dict, 1, 11), 1, &[Some(10), Some(11)], Some(11));
}

#[test]
fn an_inserted_value() {
    model(Kept::Inline, 1, |dict| put(dict, 2, 22), 2, &[None, Some(22)], Some(22));
}

/// The slot has another key meanwhile.
#[test]
fn a_slot_that_is_used_again() {
    let write = |dict: &Dict<Ours>| {
        remove(dict, 1);
        put(dict, 2, 22);
    };
    model(Kept::Inline, 1, write, 1, &[Some(10), None], None);
}

/// The block has another key's value meanwhile.
#[test]
fn a_block_that_is_used_again() {
    let write = |dict: &Dict<Ours>| {
        put(dict, 1, 11);
        put(dict, 2, 22);
    };
    model(Kept::Blocks, 1, write, 1, &[Some(10), Some(11)], Some(11));
}

/// The same, of which the lengths stand in the header.
#[test]
fn a_block_with_its_lengths_in_front_that_is_used_again() {
    let write = |dict: &Dict<Ours>| {
        put(dict, 1, 11);
        put(dict, 2, 22);
    };
    model(Kept::InFront, 1, write, 1, &[Some(10), Some(11)], Some(11));
}

#[test]
fn words_of_a_block_that_is_used_again() {
    let write = |dict: &Dict<Ours>| {
        put(dict, 1, 11);
        put(dict, 2, 22);
    };
    model_of(look_for_words, Kept::Blocks, 1, write, 1, &[Some(10), Some(11)], Some(11));
}

#[test]
fn an_inserted_block() {
    let write = |dict: &Dict<Ours>| put(dict, 1, 11);
    for look in [look, look_for_words] {
        model_of(look, Kept::Blocks, 0, write, 1, &[None, Some(11)], Some(11));
    }
}

/// The key word is left in the slot that it had, which is not the first one with it.
#[test]
fn a_slot_beside_one_that_is_left() {
    let write = |dict: &Dict<Ours>| {
        remove(dict, 1);
        put(dict, 3, 33);
        remove(dict, 2);
    };
    model(Kept::Inline, 2, write, 3, &[None, Some(33)], Some(33));
}

/// The segment's memory has another one's content meanwhile.
#[test]
fn a_segment_that_is_rebuilt() {
    let write = |dict: &Dict<Ours>| {
        put(dict, 8, 88);
        put(dict, 1, 11);
    };
    model(Kept::Inline, 7, write, 1, &[Some(10), Some(11)], Some(11));
}

#[test]
fn everything_is_taken_out() {
    let write = |dict: &Dict<Ours>| {
        dict.clear().expect("room");
        put(dict, 2, 22);
    };
    model(Kept::Inline, 1, write, 2, &[None, Some(22)], Some(22));
}
