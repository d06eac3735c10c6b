//! The body of a queue's ring.
//!
//! ```text
//! 0     Header     geometry; written once before anyone else sees the ring, constant after
//! 64    Control    read-mostly: closed, redelivery epoch, the two event words
//! 128   head hint  a line of its own
//! 192   tail hint  a line of its own
//! 256   lease cells, `cells` of `cell_stride` (a multiple of 64)
//! ..    slots, `capacity` of `stride` (a multiple of 8)
//! ```
//! A slot is its word, for messages of any length a length word, then the payload. A cell is word, ticket,
//! length word, 8 spare bytes, payload. Slots, cells and control are valid when all zero.

use core::mem::offset_of;

use super::LINE;
use crate::error::{Error, ErrorKind, Result};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// "mpmcrng" and the version of this layout.
pub const MAGIC: u64 = u64::from_le_bytes(*b"mpmcrng\x01");
/// Most slots of a ring.
pub const MAX_CAPACITY: u32 = 1 << 28;
/// Most payload bytes in a slot; longer messages travel in blocks.
pub const MAX_ROOM: u32 = 1 << 20;
/// Most lease cells of a ring.
pub const MAX_CELLS: u32 = 4096;

/// Where the control line starts.
pub const CONTROL: usize = 64;
/// Where the hint of the consumers starts.
pub const HEAD: usize = 128;
/// Where the hint of the producers starts.
pub const TAIL: usize = 192;
/// Where the cells start.
pub const CELLS: usize = 256;
/// Where a cell's payload starts.
pub const CELL_PAYLOAD: usize = 32;

/// Set in a length word: the payload is a block reference, the rest is the message's length.
pub const BLOCK: u64 = 1 << 63;

/// The constant first line.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// capacity, then `room` in the high half.
    pub slots: AtomicU64,
    /// stride, then `cells` in the high half.
    pub sizes: AtomicU64,
    /// Bit 0: fixed length. Bit 1: payloads aligned to 16.
    pub flags: AtomicU64,
    /// For the layer above: the longest message that is accepted.
    pub max_message: AtomicU64,
    /// For the layers above: what its users agree on, see `ring::policy`.
    pub policy: AtomicU64,
    /// Of a segment, for the chain that it is in: its place, from 1. Of a ring that carries no messages: how many fit where they are,
    /// 0 if that says so itself.
    pub number: AtomicU64,
    /// Of a segment that is not the last: what its chain counts for it, a [`Charge`].
    pub charge: AtomicU64,
}

/// What a segment had when it was sealed: `{ messages:24 | bytes, in lines:40 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    pub messages: u64,
    /// Rounded up to lines.
    pub bytes: u64,
}

impl Charge {
    pub const fn pack(self) -> u64 {
        self.bytes.div_ceil(LINE as u64) & ((1 << 40) - 1) | self.messages << 40
    }

    pub const fn unpack(word: u64) -> Self {
        Self { messages: word >> 40, bytes: (word & ((1 << 40) - 1)) * LINE as u64 }
    }
}

/// The line that every operation reads and nobody writes while nobody sleeps, closes or dies.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Control {
    /// 0 -> 1, once.
    pub closed: AtomicU32,
    /// Event word of consumers that sleep.
    pub not_empty: AtomicU32,
    /// Event word of producers that sleep.
    pub not_full: AtomicU32,
    _spare: AtomicU32,
    /// Raised whenever a ticket below some consumer's cursor may have come back.
    pub redeliver_epoch: AtomicU64,
    _spare2: [AtomicU64; 5],
}

/// A lower bound of where clients are: plain stores, now and then.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Hint {
    /// A position.
    pub position: AtomicU64,
    /// Of the producers' hint: about how many messages waited at once at most.
    pub high_water: AtomicU64,
    /// Of the producers' hint: messages that were dropped to make room.
    pub dropped: AtomicU64,
    _spare: [AtomicU64; 5],
}

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Header>() == LINE);
    assert!(size_of::<Control>() == LINE);
    assert!(size_of::<Hint>() == LINE);
};

/// The measures of one ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Slots: exactly the messages that fit, 1..=[`MAX_CAPACITY`].
    pub capacity: u32,
    /// Payload bytes of a slot and of a cell.
    pub room: u32,
    /// Bytes from slot to slot.
    pub stride: u32,
    /// Lease cells; 0: every lease pins its slot.
    pub cells: u32,
    /// All messages have `room` bytes: no length word, and no blocks.
    pub fixed: bool,
    /// Payloads are aligned to 16, not 8.
    pub wide: bool,
}

impl Geometry {
    /// A ring of `capacity` messages of exactly `len` bytes.
    pub fn fixed(capacity: u32, len: u32, cells: u32) -> Self {
        Self { capacity, room: len, stride: 0, cells, fixed: true, wide: false }.with_stride()
    }

    /// A ring of messages of any length, those up to `room` in their slots, others in blocks.
    pub fn any(capacity: u32, room: u32, cells: u32) -> Self {
        Self { capacity, room: room.max(8), stride: 0, cells, fixed: false, wide: false }.with_stride()
    }

    /// The same, with payloads aligned to 16.
    pub fn aligned_to_16(mut self) -> Self {
        self.wide = true;
        self.with_stride()
    }

    fn with_stride(mut self) -> Self {
        self.stride = best_stride(self.payload_offset(), self.room, self.wide);
        self
    }

    /// Where a slot's payload starts.
    pub const fn payload_offset(&self) -> u32 {
        if self.fixed && !self.wide { 8 } else { 16 }
    }

    /// Bytes from cell to cell.
    pub const fn cell_stride(&self) -> u64 {
        (CELL_PAYLOAD as u64 + self.room as u64).next_multiple_of(LINE as u64)
    }

    /// Where the slots start.
    pub const fn slots_offset(&self) -> u64 {
        CELLS as u64 + self.cells as u64 * self.cell_stride()
    }

    /// The bytes of the whole body.
    pub const fn body_len(&self) -> u64 {
        self.slots_offset() + self.capacity as u64 * self.stride as u64
    }

    /// What is wrong with these measures, if they come from somebody else. No sum above can overflow after it.
    pub fn check(&self) -> Result<(), &'static str> {
        let align = if self.wide { 16 } else { 8 };
        if self.capacity == 0 || self.capacity > MAX_CAPACITY {
            Err("capacity out of range")
        } else if self.room > MAX_ROOM || (!self.fixed && self.room < 8) {
            Err("room for payloads out of range")
        } else if self.cells > MAX_CELLS {
            Err("too many lease cells")
        } else if !self.stride.is_multiple_of(align)
            || self.stride < self.payload_offset() + self.room
            || self.stride > 2 * MAX_ROOM
        {
            Err("slot size does not fit its payload")
        } else {
            Ok(())
        }
    }

    /// The header's words.
    pub const fn encode(&self) -> [u64; 4] {
        [
            MAGIC,
            self.capacity as u64 | (self.room as u64) << 32,
            self.stride as u64 | (self.cells as u64) << 32,
            self.fixed as u64 | (self.wide as u64) << 1,
        ]
    }

    /// Reads and checks header words fetched from a body of `len` bytes. Any input gives a geometry whose
    /// every slot and cell lies in the body, or an error.
    pub fn decode(words: [u64; 4], len: u64) -> Result<Self> {
        let bad = |what: &'static str| Error::new(ErrorKind::InvalidRegion, "ring", what);
        let [magic, slots, sizes, flags] = words;
        if magic != MAGIC {
            return Err(bad("not a ring, or of another version"));
        }
        if flags > 3 {
            return Err(bad("unknown flags"));
        }
        let geometry = Self {
            capacity: slots as u32,
            room: (slots >> 32) as u32,
            stride: sizes as u32,
            cells: (sizes >> 32) as u32,
            fixed: flags & 1 != 0,
            wide: flags & 2 != 0,
        };
        geometry.check().map_err(bad)?;
        if geometry.body_len() > len {
            return Err(bad("larger than its memory"));
        }
        Ok(geometry)
    }
}

impl Header {
    /// One fetch of the words that [`Geometry::decode`] checks.
    pub fn fetch(&self) -> [u64; 4] {
        [&self.magic, &self.slots, &self.sizes, &self.flags].map(|word| word.load(Ordering::Acquire))
    }

    /// The magic last, so that a ring half made is none.
    pub fn store(&self, geometry: &Geometry) {
        let [magic, slots, sizes, flags] = geometry.encode();
        self.slots.store(slots, Ordering::Relaxed);
        self.sizes.store(sizes, Ordering::Relaxed);
        self.flags.store(flags, Ordering::Relaxed);
        self.magic.store(magic, Ordering::Release);
    }
}

/// The distance of slots: small slots do not straddle lines, large ones start where the last one ended.
fn best_stride(payload_offset: u32, room: u32, wide: bool) -> u32 {
    let need = payload_offset.saturating_add(room);
    match need {
        0..=16 => 16,
        17..=32 => 32,
        33..=64 => 64,
        _ => need.checked_next_multiple_of(if wide { 16 } else { 8 }).unwrap_or(u32::MAX),
    }
}

/// What the layout hash knows of this file.
pub const SHAPE: &[u64] = &[
    MAGIC,
    size_of::<Header>() as u64,
    size_of::<Control>() as u64,
    size_of::<Hint>() as u64,
    CONTROL as u64,
    HEAD as u64,
    TAIL as u64,
    CELLS as u64,
    CELL_PAYLOAD as u64,
    offset_of!(Header, policy) as u64,
    offset_of!(Hint, dropped) as u64,
];

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn eight_byte_messages_take_sixteen_bytes() {
        assert_eq!(Geometry::fixed(1024, 8, 0).stride, 16);
        assert_eq!(Geometry::fixed(1024, 8, 0).body_len(), 256 + 1024 * 16);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for geometry in [
            Geometry::fixed(1, 0, 0),
            Geometry::fixed(1000, 8, 3),
            Geometry::any(7, 256, 16),
            Geometry::any(64, 100, 1).aligned_to_16(),
        ] {
            assert_eq!(Geometry::decode(geometry.encode(), geometry.body_len()).unwrap(), geometry);
            assert!(Geometry::decode(geometry.encode(), geometry.body_len() - 1).is_err());
        }
    }

    #[test]
    fn what_is_charged_is_packed() {
        let charge = Charge { messages: 1 << 20, bytes: 1 << 40 };
        assert_eq!(Charge::unpack(charge.pack()), charge);
        assert_eq!(Charge::unpack(Charge { messages: 1, bytes: 65 }.pack()).bytes, 128);
        assert_eq!(Charge::unpack(0), Charge::default());
    }

    #[test]
    fn nonsense_is_refused() {
        let good = Geometry::fixed(16, 8, 1);
        let bad = |change: fn(&mut Geometry)| {
            let mut geometry = good;
            change(&mut geometry);
            assert!(Geometry::decode(geometry.encode(), u64::MAX).is_err(), "{geometry:?}");
        };
        bad(|g| g.capacity = 0);
        bad(|g| g.capacity = u32::MAX);
        bad(|g| g.stride = 0);
        bad(|g| g.stride = 12);
        bad(|g| g.stride = 8);
        bad(|g| g.stride = u32::MAX - 7);
        bad(|g| g.room = u32::MAX);
        bad(|g| g.cells = u32::MAX);
        bad(|g| {
            g.fixed = false;
            g.room = 4;
        });
        let mut words = good.encode();
        words[0] ^= 1;
        assert!(Geometry::decode(words, u64::MAX).is_err());
        words = good.encode();
        words[3] = 4;
        assert!(Geometry::decode(words, u64::MAX).is_err());
    }
}
