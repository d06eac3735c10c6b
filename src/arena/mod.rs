//! L2: memory in a region: blocks, counted objects, and references that travel in messages.
//!
//! Any participant may be killed between any two instructions of what is described here. Nothing is lost, freed twice
//! or leaked by it: each step leaves words that say who was doing what, and [`Arena::repair`] finishes or undoes it.
//! The protocol is checked state by state in `loom-tests/tests/arena_states.rs`, the word algorithms
//! ([`own`], [`count`]) under loom.
//!
//! # Memory
//!
//! A region's memory is chunks of 64 KiB. From the low end, chunks become *slabs* of small blocks of one size class, for ever
//! (memory that served small blocks is reused for small blocks of that class only); from the high end,
//! *runs* of whole chunks serve larger blocks. The states of a chunk are at [`ChunkState`].
//!
//! | a death in | leaves | repaired by the reaper |
//! |---|---|---|
//! | claiming a slab | CLAIM(d, 1) | -> FREE |
//! | claiming a run | CLAIM(d, n), tails that name it | tails -> FREE, own -> FREE, head -> FREE |
//! | freeing a run | RUN(n) with its block DYING(d), or CLAIM(d, n) | the free is done again: tails that still name it, own, head last |
//!
//! There are no free lists: a free block is one whose own word says FREE. Where to look is known from hints, in each process and
//! shared; a wrong hint costs a look. The marks in [`ArenaControl`] bound what a search, the repair and `fsck` have to look at, so
//! that a large region costs no more than what was used of it.
//!
//! # Message blocks
//!
//! One owner at a time, named by the own word ([`OwnState`]); a block in flight belongs to the slot or lease cell that names it.
//!
//! put: 1. take a block: FREE -> PRIVATE(me). 2. fill it. 3. claim a slot: W(t, me). 4. header := (ring, t). 5. own := SENT(me). 6. slot := F(t), naming the block.
//!
//! get: 1. claim the slot: R(t, me). 2. read; take own references of the children that are wanted. 3. own := DYING(me): **the commit**.
//! 4. slot := E(t + N). 5. drop the children. 6. own := FREE.
//!
//! get_ref: 1. claim the slot: R(t, me). 2. cell := HELD(me), naming the block. 3. slot := E(t + N). Later 4. own := DYING(me): **the commit**. 5. cell := FREE. 6. drop the
//! children. 7. own := FREE. Without a free cell the lease stays in the slot, as in get.
//!
//! | death of d after | leaves | repair |
//! |---|---|---|
//! | put 1-4 | PRIVATE(d), perhaps slot W(t, d) | -> DYING(d), freed; slot -> E(t + N) |
//! | put 5 | SENT(d), slot W(t, d) | -> DYING(d), freed; slot -> E(t + N) |
//! | put 6 | SENT(d), slot beyond W(t, d) | delivered: not d's any more, left alone |
//! | get 1-2 | SENT(p), slot R(t, d) | slot -> F(t): redelivered |
//! | get 3 | DYING(d), slot R(t, d) | slot -> E(t + N), freed |
//! | get 4-5 | DYING(d) | freed |
//! | get_ref 2 | SENT(p), slot R(t, d), cell HELD(d) | cell -> FREE, slot -> F(t): redelivered |
//! | get_ref 3 | SENT(p), cell HELD(d) | cell -> ORPHAN: redelivered |
//! | get_ref 4 | DYING(d), cell HELD(d) | cell -> FREE, freed |
//!
//! So blocks come before cells, and cells before slots: only the slot as the dead one left it tells whether
//! its SENT block was published, and only the block tells whether its R slot was committed.
//!
//! # Objects and counted references
//!
//! An object (a queue, a shared value) is an entry of the directory ([`ObjectState`]) and a block for its body. Each process
//! holds at most a few counted references to it (one, but for races), each an entry of its table; clones in the process share it. A message holds
//! references as entries at the start of its block. The entries are also the *attached set*: an entry is HELD before its participant touches the object.
//!
//! An operation of participant d on an entry, one at a time for each d:
//! 1. seqno := s.
//! 2. place := where the entry is.
//! 3. entry := ADD(s) | DROP(s).
//! 4. load the count word.
//! 5. its stamp names another, q: raise `applied[q]` to the stamp.
//! 6. CAS the count, with the stamp (d, s); failed: 4.
//! 7. zero: the object := DYING(d).
//! 8. entry := HELD | EMPTY.
//! 9. place := 0.
//!
//! The reaper acts *as d*, one reaper at a time. First it finishes the operation that `place` names: it was done if the count word carries (d, s), or (read
//! after the count word) `applied[d]` has reached s. Done: go on with 7 (if it is a DROP, and the word says zero with that stamp), 8, 9. Not done: an ADD is given up, a DROP goes on with 4.
//!
//! Zero: nobody can come back, since a reference is only ever taken while another is held. DYING objects are torn down without recursion: DYING words
//! are the list of work. The messages of a queue become DYING(me) one by one, their children are dropped, and they are freed; a reference
//! that a slot still has to a block freed before a death is told by the generation in it. Then the body, then the entry.
//!
//! create: 1. entry FREE -> INIT(me). 2. body: PRIVATE(me), filled. 3. entry names the body. 4. body := BODY. 5. my reference is added. 6. LIVE. The reaper: INIT(d) with a reference -> LIVE
//! (and dropped soon after with all that d held), without -> DYING(d).
//!
//! A *holder* is an object whose body has no bytes and one child, the object that it holds. Who tears it down tells the layer above first ([`Rings::holder_gone`]), while
//! that object still lives; killed before the body is DYING, the next one tells it again.
//!
//! A region with a name holds one reference itself, in the table of participant 0, which is nobody: so the object that the
//! name stands for lives as long as the region (`root.rs`).
//!
//! # Repair
//!
//! The reaper of d is exclusive and alive, or adopted by another; helpers (callers that a word of d blocks while d's
//! reaper is stopped) come and go at any time, and may be late. In this order:
//!
//! | step | what | reaper | helper |
//! |---|---|---|---|
//! | a | the operation under way | yes | no |
//! | b | blocks: PRIVATE(d) -> DYING(d); SENT(d) whose slot is W(t, d) -> DYING(d); each DYING(d): slot R(t, d) -> E(t + N), cell HELD(d) that names it -> FREE | yes | of its own rings |
//! | c, d, e | cells, slots, redeliver epoch and wake-ups of each ring that d was attached to; then what consists of several objects is told | yes | of its own rings |
//! | after e | what one alone may return of objects that count (the permits of a semaphore), and locks over links, for (a) is done | yes | no |
//! | f | CLAIM(d) chunks | yes | no |
//! | g | DYING(d) blocks: children dropped, freed | yes | no |
//! | h | INIT(d), DYING(d) objects | yes | no |
//! | i | HELD references of d dropped; objects that reach zero torn down | yes | no |
//!
//! All of it may be repeated. *Of its own rings*: a helper touches the memory of a queue only while it holds a reference itself; the reaper is protected by d's,
//! which it drops last. A helper loads the own word, the header, the
//! slot or cell, then looks at the participant a second time, and only then changes the word it loaded: names are reused, and ring
//! words carry no incarnation.
//!
//! What nobody repairs: cycles of queues that hold each other leak until the region goes; `fsck` lists them.
//! A block handed to a reserved seat belongs to that seat, and goes with it.
//!
//! # Orderings
//!
//! Every store of a state is Release and every load of one that is followed Acquire: who sees the state sees what was written before it. A store of (own, then slot)
//! by the dead is seen in that order by who reads (slot, then own): both are read by the reaper after the kernel said that the process is gone, which orders all of them.

pub mod count;
pub mod own;

#[cfg(not(loom))]
mod block;
#[cfg(not(loom))]
mod body;
#[cfg(not(loom))]
mod body_rows;
#[cfg(not(loom))]
pub mod fsck;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod hints;
#[cfg(not(loom))]
pub mod links;
#[cfg(not(loom))]
pub mod object;
#[cfg(not(loom))]
mod repair;
#[cfg(not(loom))]
pub mod rings;
#[cfg(not(loom))]
mod root;
#[cfg(not(loom))]
mod run;
#[cfg(not(loom))]
mod slab;
#[cfg(not(loom))]
mod usage;
#[cfg(not(loom))]
pub mod value;
#[cfg(not(loom))]
mod words;

#[cfg(not(loom))]
pub use block::{Block, BlockView};
#[cfg(not(loom))]
pub use body::Body;
#[cfg(not(loom))]
pub use body_rows::BodyRows;
#[cfg(not(loom))]
pub use fsck::FsckReport;
#[cfg(not(loom))]
pub use handle::Arena;
#[cfg(not(loom))]
pub use object::{ObjectRef, ObjectView};
#[cfg(not(loom))]
pub use rings::{NoRings, Rings};
#[cfg(not(loom))]
pub use usage::Usage;

#[cfg(doc)]
use crate::layout::{
    block::OwnState,
    chunk::ChunkState,
    object::{ArenaControl, ObjectState},
};
