//! The layout hash: two builds whose structures or constants differ refuse to share a region, also where
//! somebody forgot to raise the version.

use super::{CHUNK, CHUNK_ENTRY_SIZE, LINE, MAX_PARTICIPANTS, OBJECT_SIZE, OBJECTS, PAGE};
use super::{NAMED_REFERENCES, REFERENCE_SIZE, REFERENCES};
use super::{
    announcement, array, block, block_place, buffered, chunk, condition, dict, event, header, list, lock,
    locked, named, object, participant, pipe, reference, ring, semaphore, socket_pipe, stream, structure,
    value,
};

/// Mixes one number into a hash (FNV-1a over its bytes).
pub const fn mix(hash: u64, value: u64) -> u64 {
    let bytes = value.to_le_bytes();
    let mut hash = hash;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// Mixes a list of sizes and offsets, and how many there are.
pub const fn mix_all(hash: u64, values: &[u64]) -> u64 {
    let mut hash = mix(hash, values.len() as u64);
    let mut i = 0;
    while i < values.len() {
        hash = mix(hash, values[i]);
        i += 1;
    }
    hash
}

/// Constants that both sides must agree on.
const CONSTANTS: &[u64] = &[
    LINE as u64,
    MAX_PARTICIPANTS as u64,
    PAGE,
    CHUNK,
    OBJECTS,
    OBJECT_SIZE,
    REFERENCES,
    REFERENCE_SIZE,
    CHUNK_ENTRY_SIZE,
    NAMED_REFERENCES,
];

/// The hash of every structure of the format: each file of `layout` gives its sizes and offsets as `SHAPE`.
pub const LAYOUT_HASH: u64 = {
    let mut hash = mix_all(0xcbf2_9ce4_8422_2325, CONSTANTS);
    hash = mix_all(hash, header::SHAPE);
    hash = mix_all(hash, participant::SHAPE);
    hash = mix_all(hash, announcement::SHAPE);
    hash = mix_all(hash, chunk::SHAPE);
    hash = mix_all(hash, block::SHAPE);
    hash = mix_all(hash, block_place::SHAPE);
    hash = mix_all(hash, object::SHAPE);
    hash = mix_all(hash, reference::SHAPE);
    hash = mix_all(hash, ring::SHAPE);
    hash = mix_all(hash, stream::SHAPE);
    hash = mix_all(hash, pipe::SHAPE);
    hash = mix_all(hash, socket_pipe::SHAPE);
    hash = mix_all(hash, lock::SHAPE);
    hash = mix_all(hash, locked::SHAPE);
    hash = mix_all(hash, semaphore::SHAPE);
    hash = mix_all(hash, condition::SHAPE);
    hash = mix_all(hash, event::SHAPE);
    hash = mix_all(hash, named::SHAPE);
    hash = mix_all(hash, buffered::SHAPE);
    hash = mix_all(hash, list::SHAPE);
    hash = mix_all(hash, dict::SHAPE);
    hash = mix_all(hash, array::SHAPE);
    hash = mix_all(hash, value::SHAPE);
    hash = mix_all(hash, structure::SHAPE);
    hash
};
