//! Whether the calling process is a participant, and which.
//!
//! # States
//!
//! ```text
//! absent            -> present(me, token)   the process attached
//! present           -> absent               it left, or its beacon was closed
//! present           -> absent               in a forked child, by the kernel, at once
//! ```
//! `who` says which participant; `token` is a number that this process never uses twice. Each of the two is zero in absence. Handles
//! compare the token alone: it tells this attendance from every other one, of this region and of all others.
#![allow(clippy::disallowed_types, reason = "private to the process: the next token")]

use std::io;
use std::sync::atomic::{AtomicU64 as Private, Ordering};

use super::Me;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::Relaxed;
use crate::sys::wipe::WipedWords;

/// See the module.
#[derive(Debug)]
pub struct Attendance(WipedWords);

impl Attendance {
    /// Absent.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new() -> io::Result<Self> {
        WipedWords::new().map(Self)
    }

    /// Which participant the calling process is. One load.
    #[inline]
    pub fn me(&self) -> Option<Me> {
        let [who, _] = self.0.words();
        Me::from_bits(who.load(Relaxed))
    }

    /// Zero in absence.
    #[inline(always)]
    pub fn token(&self) -> &AtomicU64 {
        let [_, token] = self.0.words();
        token
    }

    /// It is `me` from now on.
    pub fn enter(&self, me: Me) {
        let [who, token] = self.0.words();
        token.store(fresh(), Relaxed);
        who.store(me.to_bits(), Relaxed);
    }

    /// It is nobody from now on.
    pub fn leave(&self) {
        for word in self.0.words() {
            word.store(0, Relaxed);
        }
    }
}

/// Never a step of a protocol.
fn fresh() -> u64 {
    static NEXT: Private = Private::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
