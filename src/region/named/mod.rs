//! Regions with a name, for programs that do not know each other.
//!
//! A named region is one file in the folder of shared memory. It is its own beacon: participants hold the record locks on
//! *its* bytes, and byte 0 is the *gate*, which one process at a time takes to come in by the name or to take the name away.
//! Both locks are the kernel's, so that no death leaves one behind.
//!
//! # States of a name, and who changes them
//!
//! ```text
//! ABSENT -> USED(f)    link: the file f is finished, and its creator holds a participant's lock on it
//! USED(f) -> STALE(f)  the last holder of a participant's lock on f ended without tidying up
//! USED(f) -> ABSENT    unlink by the last holder, which drops its last handle, behind the gate of f
//! STALE(f) -> ABSENT   unlink by whoever looks next (create, open, gc), behind the gate of f
//! ```
//!
//! A file has no name while it is made, and a link is atomic: there is no state between ABSENT and USED. A creator that is
//! killed before the link leaves nothing, one that is killed after it leaves STALE.
//!
//! # The steps behind the gate ([`protocol`])
//!
//! - **clear** takes the gate of f; asks whether the name still names f; asks whether any other process holds a
//!   participant's lock on f; if not, unlinks; opens the gate.
//! - **leave** is the same for a user of f, but the gate stays shut: closing the file drops it and the participant's lock in
//!   one step.
//! - **enter** takes the gate of f; asks the same two questions; if somebody is there, takes a participant's lock; opens
//!   the gate. If nobody is there it clears, and the name is absent: what the dead left is not handed on.
//!
//! | race | why nothing goes wrong |
//! |---|---|
//! | remover against opener that has f open | one of them has the gate first: the remover finds the opener's lock, or the opener finds that the name does not name f any more, and starts over |
//! | remover against creator | the name changes from f to another file only by an unlink, which takes the gate of f; so who has it and found f current unlinks f |
//! | two that leave at once | the second to have the gate finds nobody, since the first gave up both locks at once |
//! | opener against the last user that dies | it was there when the opener asked: the opener came before the death |
//! | two openers of a STALE name | whichever has the gate first unlinks, the other finds it not current |
//! | death behind the gate | the kernel opens it; the unlink has happened or not |
//! | a child that was given the descriptors, while its creator dies | it enters, too, without asking for company; the name is gone, and so is its seat, or it keeps the name |
//! | a thread of the same process | record locks do not tell threads apart: all of this happens under the registry's lock |
//! | two threads of one process that open at once | the file of the one that has to begin again is closed after the registry's lock is open, and takes all locks of the process on it along: until then the file is listed as closing, and no thread takes a lock on it |
//! | a process that is stopped behind the gate | the others wait for a bounded time and say who it is; who leaves gives up, and the name is STALE until the next look |
//!
//! What a process must never do is to close a descriptor of a file on which it holds locks. So a file is opened by name only
//! after a look, without opening, at which file the name names: one of this process's is not opened again.
//!
//! Checked state by state in `loom-tests/tests/named_states.rs`, with kills between any two steps.
//!
//! # Trust
//!
//! Such a file cannot be sealed. It is accepted only if it belongs to this user and nobody else may open it; programs of
//! the same user that truncate it or rename it by hand are trusted not to.

pub mod protocol;
pub mod record;

#[cfg(not(loom))]
mod create;
#[cfg(not(loom))]
mod door;
#[cfg(not(loom))]
mod errors;
#[cfg(not(loom))]
mod find;
#[cfg(not(loom))]
mod look;
#[cfg(not(loom))]
mod open;
#[cfg(not(loom))]
mod patience;

#[cfg(not(loom))]
pub(super) use errors::full;
#[cfg(not(loom))]
pub(super) use find::{check_file, says_named};
#[cfg(not(loom))]
pub use look::{Looked, Removal, look, remove_unused};
#[cfg(not(loom))]
pub(super) use open::{come_in, go};
pub use record::Record;
