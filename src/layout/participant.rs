//! One participant: a process that is attached to the region.
//!
//! ```text
//! 0    word      who owns the slot, see below
//! 8    pid       for people and events; nobody is judged by it
//! 16   identity  inode of the process's pidfd, or its start time
//! 24   source    where `identity` comes from
//! 64   name      64 bytes of UTF-8, padded with zeros
//! 128  announced how many lines of announcements its threads ever used: a mark, which only goes up; bit 32: `RELIES`
//! 136  spare
//! ```
//!
//! # The word
//!
//! `{ state:3 | who:13 | turn:16 | incarnation:32 }`, from the low bits up.
//!
//! ```text
//! FREE(i)       -> JOINING(i)         by a process that holds the kernel's lock on byte `id`
//! FREE(i)       -> RESERVED(p, i)     by the live participant p, for a child to come; no lock
//! RESERVED(p,i) -> JOINING(i)         by the child that holds the lock
//! RESERVED(p,i) -> FREE(i+1)          by p: the child was not started
//! JOINING(i)    -> LIVE(i)            by the same process
//! JOINING(i), LIVE(i), RESERVED(dead p, i) -> REAPING(r, i)   by the live participant r; the kernel says dead
//! LIVE(i)       -> REAPING(id, i)     by the process itself, which leaves
//! REAPING(d, i) -> REAPING(r, i)      d is dead: r adopts; the turn goes up by one
//! REAPING(r, i) -> FREE(i+1)          by r, after the repair (RETIRED instead when incarnations run out)
//! ```
//!
//! A word that names `who` is found only while `who`'s own tenancy lasts or its slot is REAPING: the
//! reaper of a slot takes over everything that names it before the slot is freed.
//!
//! The turn keeps a late adopter out: without it, REAPING(r, i) with a dead r may come back as REAPING(r, i)
//! with the next tenant of slot r, which lives.

use core::mem::offset_of;

use crate::sync::atomic::AtomicU64;

/// The id of a participant: 1..=MAX_PARTICIPANTS. Zero is nobody.
pub type ParticipantId = u16;

/// Bytes of one slot.
pub const SLOT_SIZE: u64 = 256;

/// Bytes of a name.
pub const NAME_BYTES: usize = 64;

/// `source`: nothing is known.
pub const SOURCE_NONE: u64 = 0;
/// `source`: the inode of the process in pidfs, unique until the machine restarts.
pub const SOURCE_PIDFS: u64 = 1;
/// `source`: the start time in /proc/PID/stat, in clock ticks since boot.
pub const SOURCE_START: u64 = 2;

/// See the module.
#[repr(C)]
#[derive(Debug)]
pub struct ParticipantSlot {
    pub word: AtomicU64,
    pub pid: AtomicU64,
    pub identity: AtomicU64,
    pub source: AtomicU64,
    reserved_word: [AtomicU64; 4],
    pub name: [AtomicU64; NAME_BYTES / 8],
    pub announced: AtomicU64,
    spare: [AtomicU64; 15],
}

/// For the layout hash.
pub const SHAPE: &[u64] = &[
    size_of::<ParticipantSlot>() as u64,
    offset_of!(ParticipantSlot, word) as u64,
    offset_of!(ParticipantSlot, pid) as u64,
    offset_of!(ParticipantSlot, identity) as u64,
    offset_of!(ParticipantSlot, source) as u64,
    offset_of!(ParticipantSlot, name) as u64,
    offset_of!(ParticipantSlot, announced) as u64,
];

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<ParticipantSlot>() as u64 == SLOT_SIZE);
    assert!(offset_of!(ParticipantSlot, name) == 64);
};
