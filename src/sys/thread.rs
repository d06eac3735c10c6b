//! The calling thread as a number.
//!
//! # Safety
//!
//! A call without pointers.
#![allow(unsafe_code)]

use std::cell::Cell;

use crate::sync::atomic::{AtomicU32, Ordering};

/// `{ the kernel's number:22 | how many threads of this process asked before:10 }`, never zero. No two threads of a
/// process that are alive have the same one, and a thread has hardly ever that of one that has ended, whose number the
/// kernel gives out again.
#[inline(always)]
pub fn tag() -> u32 {
    thread_local!(static TAG: Cell<u32> = const { Cell::new(0) });
    // A thread that is ending has none of its own any more: then it is asked for anew, and is the same but for its count.
    match TAG.try_with(Cell::get) {
        Ok(0) | Err(_) => {
            let tag = new_tag();
            let _ = TAG.try_with(|cell| cell.set(tag));
            tag
        }
        Ok(tag) => tag,
    }
}

/// The kernel's number of the thread with this tag.
pub fn number_in(tag: u32) -> u32 {
    tag >> 10
}

#[cold]
fn new_tag() -> u32 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // SAFETY: see the module.
    let number = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
    number << 10 | ASKED.fetch_add(1, Ordering::Relaxed) & 0x3ff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_stays_and_is_its_threads_own() {
        let here = tag();
        assert_eq!(tag(), here);
        assert_eq!(number_in(here), rustix::thread::gettid().as_raw_nonzero().get() as u32);
        assert_ne!(std::thread::spawn(tag).join().expect("a tag"), here);
    }
}
