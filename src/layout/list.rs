//! The body of a shared list, its spine, and where an element lies.
//!
//! ```text
//! body:
//! 0    LockBody
//! 128  root       u64   place of the spine; 0: none yet, the list is empty
//! 136  version    u64   goes up after each change that takes something away from readers
//! 144  boxed      u64   0: elements are values; 1: places of blocks. Written before anyone else sees the body
//! 152  spare
//! 192  swap       u64   place of a spine that is to replace root's, or just did; 0: none
//! 200  set_new    u64   place of a block that is to be an element, or just became one; 0: none
//! 208  set_old    u64   place of the block that it replaces
//! 216  set_index  u64   of the element
//! 224  spare
//! 256
//!
//! spine, a block:
//! 0    len        u64   elements; the commit of all that adds to the end or takes from it
//! 8    segments   40 u64: places of blocks with 8, 16, 32 .. elements; 0: not there. Without gaps
//! 328  before     u64   place of the spine that this one replaces; 0: none
//! 336  dropped    2 u64: from, to: elements of that one which are not in this one
//! 352  added      2 u64: from, to: elements of this one which are not in that one
//! 368
//!
//! segment k, a block:   8 << k words, an element each; of a list of blocks those beyond the length are 0
//! block of an element:  length of the archive in bytes, archive
//! ```
//! A place is a [`BlockPlace`](super::block_place::BlockPlace).

use core::mem::offset_of;

use super::lock::LockBody;
use crate::sync::atomic::AtomicU64;

/// The words of a list, of any sort of word: what happens to them stands in `data/list`.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ListWords<W> {
    /// 0 or S -> S' (the commit of a replacement), by who has the lock.
    pub root: W,
    /// n -> n + 1, by who has the lock.
    pub version: W,
    pub boxed: W,
    spare: [W; 5],
    /// 0 -> S' -> 0, by who has the lock.
    pub swap: W,
    /// 0 -> B -> 0, by who has the lock; arms the two below.
    pub set_new: W,
    pub set_old: W,
    pub set_index: W,
    spare2: [W; 4],
}

/// See the module.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ListBody {
    pub lock: LockBody,
    pub words: ListWords<AtomicU64>,
}

/// Segments of a spine.
pub const SEGMENTS: usize = 40;
/// Words of a spine: where its parts are.
pub const LEN: usize = 0;
pub const FIRST_SEGMENT: usize = 1;
pub const BEFORE: usize = FIRST_SEGMENT + SEGMENTS;
pub const DROPPED: usize = BEFORE + 1;
pub const ADDED: usize = DROPPED + 2;
pub const SPINE_WORDS: usize = ADDED + 2;

/// Elements of the first segment.
const FIRST_ROOM: u64 = 8;
/// The most elements of a list.
pub const MOST: u64 = first_of(SEGMENTS);

/// Elements of segment `k`.
#[inline(always)]
pub const fn room_of(k: usize) -> u64 {
    FIRST_ROOM << k
}

/// The index of the first element of segment `k`.
#[inline(always)]
pub const fn first_of(k: usize) -> u64 {
    FIRST_ROOM * ((1 << k) - 1)
}

/// The segment of an element below [`MOST`], and its place there.
#[inline(always)]
pub const fn locate(index: u64) -> (usize, usize) {
    let k = (index / FIRST_ROOM + 1).ilog2() as usize;
    (k, (index - first_of(k)) as usize)
}

/// How many segments hold `len` elements.
#[inline]
pub const fn segments_of(len: u64) -> usize {
    match len.checked_sub(1) {
        None => 0,
        Some(last) => locate(last).0 + 1,
    }
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<ListBody>() as u64,
    offset_of!(ListBody, words) as u64,
    offset_of!(ListWords<AtomicU64>, root) as u64,
    offset_of!(ListWords<AtomicU64>, version) as u64,
    offset_of!(ListWords<AtomicU64>, boxed) as u64,
    offset_of!(ListWords<AtomicU64>, swap) as u64,
    offset_of!(ListWords<AtomicU64>, set_new) as u64,
    offset_of!(ListWords<AtomicU64>, set_old) as u64,
    offset_of!(ListWords<AtomicU64>, set_index) as u64,
    SPINE_WORDS as u64,
    BEFORE as u64,
    FIRST_ROOM,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<ListBody>() == 256);
    assert!(offset_of!(ListBody, words) == 128);
    assert!(offset_of!(ListWords<AtomicU64>, swap) == 64);
    assert!(SPINE_WORDS == 46);
};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_element_has_one_place() {
        let mut index = 0;
        for k in 0..12 {
            assert_eq!(first_of(k), index);
            for j in 0..room_of(k) {
                assert_eq!(locate(index), (k, j as usize));
                assert_eq!(segments_of(index + 1), k + 1);
                index += 1;
            }
        }
        assert_eq!(segments_of(0), 0);
        assert_eq!(locate(MOST - 1), (SEGMENTS - 1, room_of(SEGMENTS - 1) as usize - 1));
    }
}
