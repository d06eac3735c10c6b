//! Readers of a list against who changes it, and against an heir, under loom: what they read is a list that there was. Blocks are used again at
//! once, so that a reader that is late looks at what is another's by now.
//!
//! Kills are `list_states`'s.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use processing::data::list::memory::{Fresh, Memory};
use processing::data::list::{List, OutOfRange, element};
use processing::layout::block_place::{BlockPlace, Named};
use processing::layout::list::{FIRST_SEGMENT, LEN, ListWords, SPINE_WORDS};
use processing::sync::atomic::AtomicU64;
use processing::sync::atomic::Ordering::{AcqRel, Acquire, Release};

/// Words of a segment, the first, and of an element's block.
const SEGMENT: usize = 8;
const ELEMENT: usize = 3;
/// So many blocks of each size: two spines, two segments, two elements more than there are.
const EACH: usize = 2;
const SIZES: [usize; 3] = [SPINE_WORDS, SEGMENT, ELEMENT];

const FREE: u64 = 0;
const PRIVATE: u64 = 1;
const VALUE: u64 = 2;

struct Block {
    /// | generation | state:2 |
    own: AtomicU64,
    words: Vec<AtomicU64>,
}

struct Shared {
    control: ListWords<AtomicU64>,
    blocks: Vec<Block>,
}

/// A block's number. Who has it frees it or makes it VALUE: nothing fails here.
struct Private(usize);

fn words(count: usize) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

impl Shared {
    fn new() -> Self {
        let control = ListWords::default();
        let block = |size| Block { own: AtomicU64::new(FREE), words: words(size) };
        let blocks = SIZES.into_iter().flat_map(|size| (0..EACH).map(move |_| block(size))).collect();
        Self { control, blocks }
    }

    fn find(&self, place: BlockPlace) -> Option<&Block> {
        self.blocks.get(usize::try_from(place.offset() / 64).ok()?.checked_sub(1)?)
    }

    /// An element that says the same twice.
    fn make(&self, value: u64) -> (u64, Option<Private>) {
        let block = (&self).alloc(ELEMENT as u64).expect("a block");
        let place = (&self).place(&block);
        let words = &self.blocks[block.0].words;
        element::write(words, &[value.to_ne_bytes(), value.to_ne_bytes()].concat()).expect("it fits");
        (place.0, Some(block))
    }
}

impl Memory for &Shared {
    type Word = AtomicU64;
    type Private = Private;

    fn control(&self) -> &ListWords<AtomicU64> {
        &self.control
    }
    fn words(&self, place: BlockPlace, count: u64) -> Option<&[AtomicU64]> {
        self.find(place)?.words.get(..usize::try_from(count).ok()?)
    }
    fn alloc(&self, words: u64) -> processing::Result<Private> {
        let free = |block: &Block| {
            let now = block.own.load(Acquire);
            let next = (now >> 2) + 1 << 2 | PRIVATE;
            now & 3 == FREE && block.own.compare_exchange(now, next, AcqRel, Acquire).is_ok()
        };
        let index = self.blocks.iter().position(|block| block.words.len() as u64 == words && free(block));
        Ok(Private(index.expect("the model has too few blocks")))
    }
    fn place(&self, block: &Private) -> BlockPlace {
        BlockPlace::new(
            Named::new(64 * (block.0 as u64 + 1), self.blocks[block.0].own.load(Acquire) >> 2),
            false,
        )
    }
    fn make_value(&self, block: Private) {
        let own = &self.blocks[block.0].own;
        own.store(own.load(Acquire) >> 2 << 2 | VALUE, Release);
    }
    fn is_value(&self, place: BlockPlace) -> bool {
        let own = self.find(place).map_or(0, |block| block.own.load(Acquire));
        own & 3 == VALUE && place.block().is_of(own >> 2)
    }
    fn free(&self, place: BlockPlace) {
        if self.is_value(place)
            && let Some(block) = self.find(place)
        {
            block.own.store(block.own.load(Acquire) >> 2 << 2 | FREE, Release);
        }
    }
}

fn numbers(values: &[u64]) -> Fresh<Private> {
    Fresh { words: values.to_vec(), blocks: Vec::new() }
}

/// A list of numbers with these, one thread that changes it by `change`, one that reads it by `read`.
fn numbers_against<R: Send + 'static>(
    values: &'static [u64],
    change: fn(&List<'_, &Shared>),
    read: fn(&List<'_, &Shared>) -> R,
    check: fn(R),
) {
    loom::model(move || {
        let shared = Arc::new(Shared::new());
        List::new(&&*shared, false).append(numbers(values)).expect("append");
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || change(&List::new(&&*shared, false)))
        };
        check(read(&List::new(&&*shared, false)));
        writer.join().expect("the writer");
    });
}

/// Some tries give nothing: the list changed meanwhile.
fn all(list: &List<'_, &Shared>) -> Option<Vec<u64>> {
    let mut seen = Vec::new();
    let each = |_, word| {
        seen.push(word);
        true
    };
    list.try_each(|len| Ok::<_, ()>(0..len), each)?.ok()?;
    Some(seen)
}

/// The last element is taken away, and another is about to come in its place: its process dies before that is decided.
#[test]
fn an_element_that_was_never_added_is_never_seen() {
    loom::model(|| {
        let shared = Arc::new(Shared::new());
        List::new(&&*shared, false).push(5, None).expect("push");
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || List::new(&&*shared, false).try_get(0))
        };
        List::new(&&*shared, false).pop().expect("pop");
        let spine = shared.find(BlockPlace(shared.control.root.load(Acquire))).expect("a spine");
        let segment = BlockPlace(spine.words[FIRST_SEGMENT].load(Acquire));
        shared.find(segment).expect("a segment").words[0].store(6, Release);
        match reader.join().expect("the reader") {
            None | Some(Ok(5) | Err(OutOfRange { len: 0 })) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_list_is_seen_before_or_after_it_was_replaced() {
    numbers_against(
        &[1, 2],
        |list| {
            list.replace(0..2, numbers(&[3])).expect("replace");
            list.replace(0..1, numbers(&[4, 5])).expect("replace");
        },
        all,
        |seen| match seen.as_deref() {
            None | Some([1, 2] | [3] | [4, 5]) => {}
            other => panic!("{other:?}"),
        },
    );
}

#[test]
fn one_element_is_seen_before_or_after_it_was_replaced() {
    numbers_against(
        &[1, 2],
        |list| {
            list.replace(0..2, numbers(&[3])).expect("replace");
            list.replace(0..1, numbers(&[4, 5])).expect("replace");
        },
        |list| (list.try_get(1), list.try_len()),
        |seen| match seen {
            (None | Some(Ok(2 | 5) | Err(OutOfRange { len: 1 })), None | Some(1 | 2)) => {}
            other => panic!("{other:?}"),
        },
    );
}

#[test]
fn what_was_added_is_seen_by_who_sees_what_was_set_after_it() {
    numbers_against(
        &[1],
        |list| {
            list.push(2, None).expect("push");
            list.set(0, 3, None).expect("set");
        },
        all,
        |seen| match seen.as_deref() {
            None | Some([1] | [1, 2] | [3, 2]) => {}
            other => panic!("{other:?}"),
        },
    );
}

/// A list of one block, which says 1, one thread that changes it by `change`, one that reads it by `read`.
fn block_against(
    change: fn(&Shared, &List<'_, &Shared>),
    read: fn(&List<'_, &Shared>, &mut Vec<u8>) -> Option<bool>,
) {
    loom::model(move || {
        let shared = Arc::new(Shared::new());
        let (word, block) = shared.make(1);
        List::new(&&*shared, true).push(word, block).expect("push");
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || change(&shared, &List::new(&&*shared, true)))
        };
        let mut bytes = Vec::new();
        if read(&List::new(&&*shared, true), &mut bytes) == Some(true) {
            let words: Vec<u64> =
                bytes.chunks(8).map(|word| u64::from_ne_bytes(word.try_into().expect("8 bytes"))).collect();
            assert!(matches!(words[..], [a, b] if a == b && (1..=3).contains(&a)), "torn: {words:?}");
        }
        writer.join().expect("the writer");
    });
}

fn room(bytes: &mut Vec<u8>, len: usize) -> &mut [u8] {
    bytes.resize(len, 0);
    bytes
}

/// True: there was one.
fn copy(list: &List<'_, &Shared>, bytes: &mut Vec<u8>) -> Option<bool> {
    Some(list.try_copy(0, |len| room(bytes, len))?.is_ok())
}

fn set_twice(shared: &Shared, list: &List<'_, &Shared>) {
    for value in [2, 3] {
        let (word, block) = shared.make(value);
        list.set(0, word, block).expect("set");
    }
}

#[test]
fn a_block_is_seen_whole_while_it_is_set() {
    block_against(set_twice, copy);
}

#[test]
fn a_block_is_seen_whole_while_another_comes_in_its_place() {
    block_against(
        |shared, list| {
            list.pop().expect("pop");
            let (word, block) = shared.make(2);
            list.push(word, block).expect("push");
        },
        copy,
    );
}

#[test]
fn a_block_that_was_seen_before_is_there_whole_or_not_any_more() {
    block_against(set_twice, |list, bytes| {
        let mut seen = None;
        list.try_each(
            |len| Ok::<_, ()>(0..len),
            |_, word| {
                seen = Some(BlockPlace(word));
                true
            },
        )?
        .ok()?;
        Some(list.copy_alive(seen?, |len| room(bytes, len)).is_some())
    });
}

/// The last owner took the only element away and died: it had not said so, nor freed it.
#[test]
fn an_heir_says_what_the_dead_did_not() {
    block_against(
        |shared, list| {
            let root = BlockPlace(shared.control.root.load(Acquire));
            shared.find(root).expect("a spine").words[LEN].store(0, Release);
            list.settle();
            let (word, block) = shared.make(2);
            list.push(word, block).expect("push");
        },
        copy,
    );
}
