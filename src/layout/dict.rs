//! The body of a dictionary, and what its words mean. Extendible hashing by the high bits of the hash: a directory leads to segments, a segment
//! is an array of buckets in the order of the hash.
//!
//! ```text
//! 0      lock       of those who change the structure: directory and segments
//! 128    constant   root, seeds, settings
//! 192    redo       what the holder of that lock is doing
//! 256    stripes    a line each: the lock of those who change entries, and what its holder is doing
//! ```

use core::mem::offset_of;

use super::LINE;
use super::block::{FRONT, SMALL_MAX};
use super::block_place::{Named, more_in, offset_in};
use super::lock::LockBody;
use crate::sync::atomic::AtomicU64;

/// What the body begins with; the stripes follow.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct DictBody {
    /// The word alone is used: the structural lock.
    pub lock: LockBody,

    /// [`Root`]: the directory. Changed by the holder of the structural lock: the commit of a doubling, and of `clear`.
    pub root: AtomicU64,
    /// Random; written before anybody else sees the body, as the settings.
    pub seeds: [AtomicU64; 4],
    /// [`Settings`].
    pub settings: AtomicU64,
    _spare: [AtomicU64; 2],

    /// [`Phase`]; see there for states and transitions.
    pub phase: AtomicU64,
    /// What is replaced: an [`Entry`], of `Directory` and `Clear` a [`Root`].
    pub old: AtomicU64,
    /// What replaces it: one or two [`Entry`]s; of `Directory` a [`Root`]; of `Clear` an [`Entry`] and a [`Root`].
    pub new: [AtomicU64; 2],
    /// A hash that the old segment covers.
    pub at: AtomicU64,
    /// Changes of the structure so far: where the versions of a new segment's headers begin.
    pub epoch: AtomicU64,
    _spare2: [AtomicU64; 2],
}

/// One stripe: a share of the entries, changed under its lock.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Stripe {
    /// [`LockWord`](super::lock::LockWord).
    pub lock: AtomicU64,
    /// 0 -> 1 by who changes the structure, holding the stripe's lock, before it copies; 1 -> 0 by the same one, or by who inherits the structural
    /// lock. While it is 1 the stripe's entries are changed by nobody, though its lock may be had.
    pub frozen: AtomicU64,
    /// Entries that were inserted under this lock, less those that were removed (modulo 2^64: only the sum over all stripes means something).
    pub count: AtomicU64,
    /// [`Armed`]: 0 nothing is under way. The words below count while it is not 0.
    pub bucket: AtomicU64,
    /// The header as it was: an insertion or a removal has taken place if it is another now.
    pub before: AtomicU64,
    /// What `count` is afterwards.
    pub count_after: AtomicU64,
    /// The value word that is to be linked, if it is a [`BlockPlace`](super::block_place::BlockPlace); else 0. A replacement has taken place if the slot's value is this one.
    pub new: AtomicU64,
    /// That which is to be freed.
    pub old: AtomicU64,
}

/// Words of a stripe.
pub const STRIPE_WORDS: usize = size_of::<Stripe>() / 8;
/// Most stripes.
pub const STRIPES_MAX: u32 = 256;

/// `{IN_FRONT | stripes, as a power of two:8 | INLINE_VALUES | INLINE_KEYS}`, from the high bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Settings {
    /// A key is its own word; otherwise the word is the key's hash, and the key lies with the value in a block.
    pub inline_keys: bool,
    /// A value is its own word. Only with inline keys.
    pub inline_values: bool,
    /// There are two to the power of this many stripes.
    pub stripes: u32,
    /// In a block lengths and key stand in front of the payload: see [`Lengths`].
    pub in_front: bool,
}

impl Settings {
    pub const fn pack(self) -> u64 {
        let flags = self.inline_keys as u64 | (self.inline_values as u64) << 1 | (self.in_front as u64) << 10;
        flags | (self.stripes as u64) << 2
    }

    pub const fn unpack(word: u64) -> Self {
        Self {
            inline_keys: word & 1 != 0,
            inline_values: word & 2 != 0,
            stripes: (word >> 2 & 0xff) as u32,
            in_front: word >> 10 & 1 != 0,
        }
    }
}

/// What the holder of the structural lock is doing.
///
/// ```text
/// IDLE -> BUILT      `new` (one or two segments) are filled and will be VALUE
/// BUILT -> SWITCH    the commit: the segments take the old one's place
/// BUILT -> IDLE      by an heir: they are freed
/// SWITCH -> IDLE     the directory names them, the old one is freed
/// IDLE -> DIRECTORY  `new` is a directory of twice the size; `root` is the commit
/// IDLE -> CLEAR      `new` is an empty segment and its directory; `root` is the commit
/// DIRECTORY -> IDLE, CLEAR -> IDLE   what is not named any more is freed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Phase {
    Idle = 0,
    Built = 1,
    Switch = 2,
    Directory = 3,
    Clear = 4,
}

impl Phase {
    pub const fn unpack(word: u64) -> Self {
        match word {
            1 => Self::Built,
            2 => Self::Switch,
            3 => Self::Directory,
            4 => Self::Clear,
            _ => Self::Idle,
        }
    }
}

/// The directory, 2^depth entries: `{generation:18 | depth:6 | offset / 64:40}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Root(pub u64);

impl Root {
    /// Bits of the generation.
    const GENERATION: u32 = 18;

    pub const fn new(block: Named, depth: u32) -> Self {
        Self(block.pack(Self::GENERATION, depth as u64))
    }

    #[inline(always)]
    pub const fn depth(self) -> u32 {
        (more_in(self.0) & 0x3f) as u32
    }

    #[inline(always)]
    pub const fn offset(self) -> u64 {
        offset_in(self.0)
    }

    pub const fn block(self) -> Named {
        Named::unpack(self.0, Self::GENERATION)
    }
}

/// A segment: `{generation:15 | size:3 | depth:6 | offset / 64:40}`. It covers the hashes that begin with the same `depth` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry(pub u64);

impl Entry {
    /// Bits of the generation.
    const GENERATION: u32 = 15;

    pub const fn new(block: Named, size: usize, depth: u32) -> Self {
        Self(block.pack(Self::GENERATION, (size as u64 & 7) << 6 | depth as u64))
    }

    #[inline(always)]
    pub const fn depth(self) -> u32 {
        (more_in(self.0) & 0x3f) as u32
    }

    /// The index of its size.
    #[inline(always)]
    pub const fn size(self) -> usize {
        (more_in(self.0) >> 6 & 7) as usize
    }

    #[inline(always)]
    pub const fn offset(self) -> u64 {
        offset_in(self.0)
    }

    pub const fn block(self) -> Named {
        Named::unpack(self.0, Self::GENERATION)
    }
}

/// The first word of the content of a block with a value, and a key where that is not inline: `{bytes of the value:40 | bytes of the key:24}`.
///
/// ```text
/// as a rule:   payload:           lengths | value | key, from the next whole word
/// in front:    end of the header: lengths | key (two words) | payload: value
/// ```
///
/// In front stand those of plain keys and values, of keys of at most two words, where that saves a line of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    pub value: u64,
    pub key: u64,
}

impl Lengths {
    pub const KEY_MAX: u64 = (1 << 24) - 1;
    pub const VALUE_MAX: u64 = (1 << 40) - 1;

    pub const fn pack(self) -> u64 {
        self.value << 24 | self.key
    }

    pub const fn unpack(word: u64) -> Self {
        Self { value: word >> 24, key: word & Self::KEY_MAX }
    }

    /// Words of the value.
    pub const fn value_words(self) -> u64 {
        self.value.div_ceil(8)
    }

    /// Words of the whole content, this one too.
    #[inline(always)]
    pub const fn words(self, in_front: bool) -> u64 {
        self.value_words() + if in_front { FRONT / 8 } else { 1 + self.key.div_ceil(8) }
    }

    /// Bytes of payload that it takes.
    pub const fn payload(self, in_front: bool) -> u64 {
        self.words(in_front) * 8 - if in_front { FRONT } else { 0 }
    }

    /// Which word of the content the value begins with.
    #[inline(always)]
    pub const fn value_at(in_front: bool) -> usize {
        if in_front { FRONT as usize / 8 } else { 1 }
    }

    /// The same of the key.
    #[inline(always)]
    pub const fn key_at(self, in_front: bool) -> usize {
        if in_front { 1 } else { 1 + self.value_words() as usize }
    }

    /// Whether these, of all keys and values of a dictionary, stand in front: the bytes of a key in a block, and of a value, if they are plain.
    pub const fn are_in_front(key: Option<usize>, value: Option<usize>) -> bool {
        let (Some(key), Some(value)) = (key, value) else { return false };
        let lengths = Self { value: value as u64, key: key as u64 };
        let (less, more) = (lengths.payload(true), lengths.payload(false));
        key <= PAIR && value as u64 <= SMALL_MAX && less.div_ceil(LINE as u64) < more.div_ceil(LINE as u64)
    }
}

/// Plain keys of more than a word, and at most so many bytes, are hashed as two words.
pub const PAIR: usize = 16;

/// The header of a bucket: `{version:43 | occupied:21}`, the bits of seven slots here and seven in each of two overflow buckets. Every change of
/// what is there raises the version; so does a replaced block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketHeader(pub u64);

/// Slots of a bucket.
pub const SLOTS: usize = 7;
/// A bucket and its overflow buckets.
pub const PARTS: usize = 3;
const OCCUPIED: u64 = (1 << (SLOTS * PARTS)) - 1;

impl BucketHeader {
    pub const fn new(version: u64, occupied: u64) -> Self {
        Self(version << (SLOTS * PARTS) | occupied & OCCUPIED)
    }

    /// A bit for each slot, from the first on.
    #[inline(always)]
    pub const fn occupied(self) -> u64 {
        self.0 & OCCUPIED
    }

    /// There is something in its overflow buckets.
    #[inline(always)]
    pub const fn has_overflow(self) -> bool {
        self.occupied() >> SLOTS != 0
    }

    /// Those of one part.
    #[inline(always)]
    pub const fn part(self, part: usize) -> u64 {
        self.0 >> (SLOTS * part) & ((1 << SLOTS) - 1)
    }

    /// The next version, with these slots.
    pub const fn next(self, occupied: u64) -> Self {
        Self::new((self.0 >> (SLOTS * PARTS)) + 1, occupied)
    }
}

/// Bytes and words of a bucket: two lines. The first is the header (of an overflow bucket: 0, or 1 more than the index of the bucket it belongs to) and
/// seven keys (or hashes), the second the [`Overflow`] and seven values (or places of blocks).
pub const BUCKET: u64 = 128;
pub const BUCKET_WORDS: usize = BUCKET as usize / 8;
pub const KEYS_AT: usize = 1;
pub const LINKS_AT: usize = 8;
pub const VALUES_AT: usize = 9;

/// Where the overflow buckets of a bucket are, in buckets from it on: `{second:32 | first:32}`, 0 none. Set once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow(pub u64);

impl Overflow {
    /// That of part 1 or 2.
    #[inline(always)]
    pub const fn get(self, part: usize) -> u64 {
        self.0 >> (32 * (part - 1)) & 0xffff_ffff
    }

    #[must_use]
    pub const fn with(self, part: usize, distance: u64) -> Self {
        Self(self.0 | distance << (32 * (part - 1)))
    }
}

/// What is under way in a stripe: `{offset of the bucket / 64 | slot:6}`; the slot says that its value is replaced, `HEADER` that the header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed(pub u64);

impl Armed {
    pub const NOTHING: u64 = 0;
    const HEADER: u64 = 0x3f;

    pub const fn header(bucket: u64) -> Self {
        Self(bucket | Self::HEADER)
    }

    pub const fn value(bucket: u64, slot: usize) -> Self {
        Self(bucket | slot as u64)
    }

    pub const fn bucket(self) -> u64 {
        self.0 & !0x3f
    }

    /// The slot whose value is replaced.
    pub const fn slot(self) -> Option<usize> {
        let slot = self.0 & 0x3f;
        if slot == Self::HEADER { None } else { Some(slot as usize) }
    }
}

/// The size of a segment: so many buckets for hashes, and so many in all; the rest is for overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSize {
    pub homes: u32,
    pub buckets: u32,
}

impl SegmentSize {
    pub const fn bytes(self) -> u64 {
        self.buckets as u64 * BUCKET
    }
}

/// The sizes of segments; each fills a class of small blocks. A segment grows from one to the next; the largest is split in two of the one before.
pub const SEGMENTS: [SegmentSize; 7] = [
    SegmentSize { homes: 4, buckets: 5 },
    SegmentSize { homes: 8, buckets: 10 },
    SegmentSize { homes: 15, buckets: 19 },
    SegmentSize { homes: 26, buckets: 33 },
    SegmentSize { homes: 39, buckets: 50 },
    SegmentSize { homes: 56, buckets: 72 },
    SegmentSize { homes: 78, buckets: 101 },
];

/// A segment covers at least so many of the hashes' bits less.
pub const DEPTH_MAX: u32 = 32;

/// Indices of words in the body.
pub mod at {
    use super::*;

    pub const LOCK: usize = 0;
    pub const ROOT: usize = offset_of!(DictBody, root) / 8;
    pub const SEEDS: usize = offset_of!(DictBody, seeds) / 8;
    pub const SETTINGS: usize = offset_of!(DictBody, settings) / 8;
    pub const PHASE: usize = offset_of!(DictBody, phase) / 8;
    pub const OLD: usize = offset_of!(DictBody, old) / 8;
    pub const NEW: usize = offset_of!(DictBody, new) / 8;
    pub const AT: usize = offset_of!(DictBody, at) / 8;
    pub const EPOCH: usize = offset_of!(DictBody, epoch) / 8;
    pub const STRIPES: usize = size_of::<DictBody>() / 8;

    /// Of a stripe.
    pub const FROZEN: usize = offset_of!(Stripe, frozen) / 8;
    pub const COUNT: usize = offset_of!(Stripe, count) / 8;
    pub const ARMED: usize = offset_of!(Stripe, bucket) / 8;
    pub const BEFORE: usize = offset_of!(Stripe, before) / 8;
    pub const COUNT_AFTER: usize = offset_of!(Stripe, count_after) / 8;
    pub const STRIPE_NEW: usize = offset_of!(Stripe, new) / 8;
    pub const STRIPE_OLD: usize = offset_of!(Stripe, old) / 8;
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<DictBody>() as u64,
    size_of::<Stripe>() as u64,
    at::ROOT as u64,
    at::SEEDS as u64,
    at::SETTINGS as u64,
    at::PHASE as u64,
    at::EPOCH as u64,
    at::COUNT as u64,
    PAIR as u64,
    BUCKET,
    SEGMENTS[0].homes as u64,
    SEGMENTS[SEGMENTS.len() - 1].homes as u64,
    SEGMENTS[SEGMENTS.len() - 1].buckets as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<DictBody>() == 256);
    assert!(size_of::<Stripe>() == 64);
    assert!(offset_of!(DictBody, root) == 128);
    assert!(offset_of!(DictBody, phase) == 192);
};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const BLOCK: Named = Named::new(64 * 0xff_1234_5678, 0x5a5a5a);

    #[test]
    fn settings_say_what_was_put_in() {
        for bits in 0..8 {
            let has = |bit: u32| bits >> bit & 1 != 0;
            let (inline_keys, inline_values, in_front) = (has(0), has(1), has(2));
            let settings = Settings { inline_keys, inline_values, in_front, stripes: 8 };
            assert_eq!(Settings::unpack(settings.pack()), settings);
        }
    }

    #[test]
    fn lengths_and_keys_stand_in_front_where_that_saves_a_line() {
        let are = |key, value| Lengths::are_in_front(Some(key), Some(value));
        assert!(are(16, 64) && are(0, 64) && are(9, 41) && !are(9, 40) && !are(16, 80) && are(0, 128));
        assert!(!are(17, 64) && are(16, SMALL_MAX as usize) && !are(16, SMALL_MAX as usize + 1));
        assert!(!Lengths::are_in_front(None, Some(64)) && !Lengths::are_in_front(Some(16), None));
        let lengths = Lengths { value: 60, key: 9 };
        assert_eq!((lengths.payload(true), lengths.words(true), lengths.key_at(true)), (64, 11, 1));
        assert_eq!((lengths.payload(false), lengths.words(false), lengths.key_at(false)), (88, 11, 9));
    }

    #[test]
    fn words_say_what_was_put_in() {
        let root = Root::new(BLOCK, 33);
        assert_eq!((root.depth(), root.offset()), (33, BLOCK.offset));
        assert_eq!(root.block().generation, BLOCK.generation & 0x3_ffff);
        let entry = Entry::new(BLOCK, 6, 31);
        assert_eq!((entry.depth(), entry.size(), entry.offset()), (31, 6, BLOCK.offset));
        assert_eq!(entry.block().generation, BLOCK.generation & 0x7fff);
        let lengths = Lengths { value: 1 << 33, key: 17 };
        assert_eq!(Lengths::unpack(lengths.pack()), lengths);
        assert_eq!(Lengths { value: 9, key: 1 }.words(false), 4);
    }

    #[test]
    fn headers_count_versions_and_slots() {
        let header = BucketHeader::new(7, 0b101);
        assert_eq!((header.occupied(), header.part(0), header.part(1)), (0b101, 0b101, 0));
        let next = header.next(1 << 13);
        assert_eq!((next.part(0), next.part(1), next.part(2)), (0, 1 << 6, 0));
        assert_eq!(next.0 >> 21, 8);
        // The version runs over into nothing.
        assert_eq!(BucketHeader::new(u64::MAX >> 21, 0).next(3).0, 3);
        let links = Overflow(0).with(1, 5).with(2, 9);
        assert_eq!((links.get(1), links.get(2)), (5, 9));
        assert_eq!(Armed::value(640, 20).slot(), Some(20));
        assert_eq!((Armed::header(640).slot(), Armed::header(640).bucket()), (None, 640));
    }

    #[test]
    fn segments_fill_their_blocks() {
        for size in SEGMENTS {
            let class = crate::layout::block::CLASSES[crate::layout::block::class_of(size.bytes())];
            assert!(u64::from(class) - size.bytes() < BUCKET && size.homes < size.buckets, "{size:?}");
        }
    }
}
