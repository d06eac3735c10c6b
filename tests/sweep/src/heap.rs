//! Memory that lies at the same addresses in every round, so that a round takes the same instructions as the one before.
//!
//! What a worker has allocated by then differs from round to round, and how a payload is copied depends on where it lies.
//!
//! # Safety
//!
//! A round's allocations are cut off one after another from a mapping that nobody else uses, and never taken again; all others are the system's. The program has one
//! thread, and relaxed atomics are its plain variables.
#![allow(clippy::disallowed_types, reason = "private to the process")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Address space; used up only as it is touched.
const ROOM: usize = 1 << 30;

/// Where the room begins; zero before [`reserve`].
static START: AtomicUsize = AtomicUsize::new(0);
/// The next free byte of a round; zero outside of rounds.
static NEXT: AtomicUsize = AtomicUsize::new(0);

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

/// Reserves the room, for this process and those that are forked from it.
pub fn reserve() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping where the kernel likes replaces nothing.
    let at = unsafe { libc::mmap(ptr::null_mut(), ROOM, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    assert_ne!(at, libc::MAP_FAILED, "no address space for the rounds");
    START.store(at.addr(), Relaxed);
}

/// From here on this process, and what is forked from it, allocates in the room.
pub fn begin_round() {
    NEXT.store(START.load(Relaxed), Relaxed);
}

fn is_in_room(at: *mut u8) -> bool {
    let start = START.load(Relaxed);
    start != 0 && (start..start + ROOM).contains(&at.addr())
}

// SAFETY: see the module: blocks are disjoint, aligned and as long as asked for.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let next = NEXT.load(Relaxed);
        if next == 0 {
            // SAFETY: the caller's promise is passed on.
            return unsafe { System.alloc(layout) };
        }
        let at = next.next_multiple_of(layout.align());
        let end = at + layout.size();
        if end > START.load(Relaxed) + ROOM {
            return ptr::null_mut();
        }
        NEXT.store(end, Relaxed);
        ptr::with_exposed_provenance_mut(at)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // In a round, what the worker had before stays as well.
        if NEXT.load(Relaxed) == 0 && !is_in_room(at) {
            // SAFETY: it came from there.
            unsafe { System.dealloc(at, layout) };
        }
    }
}
