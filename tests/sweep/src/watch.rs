//! What changes in a region, word by word.

use std::collections::BTreeMap;
use std::sync::Arc;

use processing::region::Region;
use processing_kill_tests::Outcome;

use crate::image::{Image, PAGE, Page};

/// A word that has another value now: where, and which. True: a thread of the round is in it, with its number of [`Threads::known`]. (Any other word may
/// look like that by itself: an offset backwards in an archive does.)
pub type Change = (u64, u64, bool);

/// Looks at a region again and again, and knows its state as one number.
///
/// The number covers every word of every page, but for what differs from run to run by itself (the region's
/// id, pids and identities of processes, numbers of threads in words of locks), and how much memory the file has.
pub struct Watch {
    image: Image,
    threads: Threads,
    known: BTreeMap<u64, Box<Page>>,
    blocks: u64,
    sum: u64,
}

impl Watch {
    /// Takes a first look. `threads`: the round's, each at its place.
    pub fn new(region: Arc<Region>, threads: [u32; 3]) -> Outcome<Self> {
        let (image, threads) = (Image::new(region), Threads(threads));
        let mut watch = Self { image, threads, known: BTreeMap::new(), blocks: 0, sum: 0 };
        watch.look()?;
        Ok(watch)
    }

    /// The state at the last look.
    pub fn state(&self) -> u64 {
        self.sum ^ mix(u64::MAX, self.blocks)
    }

    /// 512-byte blocks of memory at the last look.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// What has changed since the last look.
    pub fn look(&mut self) -> Outcome<Vec<Change>> {
        let mut changes = Vec::new();
        let pages = self.image.pages()?;
        let mut now = [0; PAGE];
        for &offset in &pages {
            let known = self.known.entry(offset).or_insert_with(|| Box::new([0; PAGE]));
            if !self.image.is(offset, known) {
                self.image.copy(offset, &mut now);
                self.sum ^= compare(&self.threads, offset, known, &now, &mut changes);
                **known = now;
            }
        }
        // All pages are known by now: if more are, some have gone back to the system.
        let gone = if self.known.len() > pages.len() { self.missing(&pages) } else { Vec::new() };
        for offset in gone {
            if let Some(known) = self.known.remove(&offset) {
                self.sum ^= compare(&self.threads, offset, &known, &[0; PAGE], &mut changes);
            }
        }
        self.blocks = self.image.blocks()?;
        Ok(changes)
    }

    fn missing(&self, pages: &[u64]) -> Vec<u64> {
        self.known.keys().copied().filter(|known| pages.binary_search(known).is_err()).collect()
    }

    /// Makes changes that were seen in another run.
    pub fn replay(&self, changes: &[Change]) {
        for (offset, value, thread) in changes {
            self.image.write(*offset, if *thread { self.threads.own(*value) } else { *value });
        }
    }
}

/// The numbers that the kernel gave the round's processes, each of which has one thread. The word of a lock that is held has its owner's in its
/// high 22 bits (FORMAT.md).
struct Threads([u32; 3]);

/// What stands for the first of them: beyond the numbers that the kernel gives out.
const FIRST: u64 = (1 << 22) - 3;
/// Where they stand in a word.
const SHIFT: u32 = 42;

impl Threads {
    /// A word as it is in every run.
    fn known(&self, word: u64) -> u64 {
        let place = self.0.iter().position(|thread| word >> SHIFT == u64::from(*thread));
        place.map_or(word, |place| (FIRST + place as u64) << SHIFT | word & ((1 << SHIFT) - 1))
    }

    /// It as it is in this run.
    fn own(&self, word: u64) -> u64 {
        let place = (word >> SHIFT).checked_sub(FIRST).and_then(|place| self.0.get(place as usize));
        place.map_or(word, |thread| u64::from(*thread) << SHIFT | word & ((1 << SHIFT) - 1))
    }
}

/// The difference of the sums of two pages, and the words in which they differ.
fn compare(threads: &Threads, page: u64, old: &Page, new: &Page, changes: &mut Vec<Change>) -> u64 {
    let (old, new) = (old.as_chunks::<8>().0, new.as_chunks::<8>().0);
    let mut difference = 0;
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        if old == new {
            continue;
        }
        let offset = page + 8 * index as u64;
        let written = u64::from_le_bytes(*new);
        let [old, new] = [old, new].map(|word| threads.known(u64::from_le_bytes(*word)));
        changes.push((offset, new, new != written));
        if !varies(offset) {
            difference ^= mix(offset, old) ^ mix(offset, new);
        }
    }
    difference
}

/// Words that are another in each run: the region's id; process id and identity of a participant (see FORMAT.md).
fn varies(offset: u64) -> bool {
    const PARTICIPANTS: std::ops::Range<u64> = 4096..266_240;
    offset == 40 || PARTICIPANTS.contains(&offset) && matches!(offset % 256, 8 | 16)
}

/// Zero for a word that is zero, so that a page of zeros is none.
fn mix(offset: u64, value: u64) -> u64 {
    if value == 0 {
        return 0;
    }
    let mut x = value.wrapping_add(offset.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..2 {
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        x = x.wrapping_add(offset | 1);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREADS: Threads = Threads([70, 71, 72]);

    #[test]
    fn owners_of_locks_are_the_same_in_every_run() {
        let other = Threads([90, 91, 92]);
        let word = |thread: u64| thread << SHIFT | 0xabc;
        for (here, there) in [(70, 90), (72, 92)] {
            assert_eq!(THREADS.known(word(here)), other.known(word(there)));
            assert_eq!(other.own(THREADS.known(word(here))), word(there));
        }
        assert_ne!(THREADS.known(word(70)), THREADS.known(word(71)));
        assert_eq!((THREADS.known(word(90)), THREADS.own(word(90))), (word(90), word(90)));
    }

    #[test]
    fn changed_words_are_named_and_change_the_sum() {
        let (old, mut new) = ([0; PAGE], [0; PAGE]);
        new[16] = 1;
        new[4095] = 2;
        let mut changes = Vec::new();
        let there = compare(&THREADS, 1 << 20, &old, &new, &mut changes);
        assert_eq!(changes, [((1 << 20) + 16, 1, false), ((1 << 20) + 4088, 2 << 56, false)]);
        let mut back = Vec::new();
        assert_eq!(compare(&THREADS, 1 << 20, &new, &old, &mut back), there);
        assert_ne!(there, 0);
        assert_eq!(back.iter().map(|(_, value, _)| *value).collect::<Vec<_>>(), [0, 0]);
    }

    #[test]
    fn a_word_that_only_looks_like_a_lock_s_stays_as_it_is() {
        let (old, mut new) = ([0; PAGE], [0; PAGE]);
        new[..8].copy_from_slice(&[0x18, 0, 0, 0, 0xe8, 0xff, 0xff, 0xff]);
        new[8..16].copy_from_slice(&(71u64 << SHIFT).to_le_bytes());
        let mut changes = Vec::new();
        compare(&THREADS, 1 << 20, &old, &new, &mut changes);
        let [(_, offset, false), (_, word, true)] = changes[..] else { panic!("{changes:?}") };
        assert_eq!((offset, THREADS.own(word)), (0xffff_ffe8_0000_0018, 71 << SHIFT));
    }

    #[test]
    fn words_that_vary_by_themselves_do_not_count() {
        let (old, mut new) = ([0; PAGE], [0; PAGE]);
        new[256 + 8] = 1;
        new[256 + 16] = 1;
        assert_eq!(compare(&THREADS, 4096, &old, &new, &mut Vec::new()), 0);
        new[256] = 1;
        assert_ne!(compare(&THREADS, 4096, &old, &new, &mut Vec::new()), 0);
    }

    #[test]
    fn the_same_value_elsewhere_is_another_state() {
        assert_ne!(mix(8, 1), mix(16, 1));
        assert_ne!(mix(8, 1), mix(8, 2));
        assert_eq!(mix(8, 0), 0);
    }
}
