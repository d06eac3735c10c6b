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
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::fence::fence;
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

    /// The token, and which participant it stands for. `None` in absence, or if that ended meanwhile.
    pub fn token_and_me(&self) -> Option<(u64, Me)> {
        let [_, token] = self.0.words();
        let before = token.load(Acquire);
        let me = self.me()?;
        fence(Acquire);
        (before != 0 && token.load(Relaxed) == before).then_some((before, me))
    }

    /// It is `me` from now on.
    pub fn enter(&self, me: Me) {
        let [who, token] = self.0.words();
        // Both pair with the two Acquires of `token_and_me`: who finds this participant sees that the token of before is gone, and who finds the
        // new token finds this participant.
        who.store(me.to_bits(), Release);
        token.store(fresh(), Release);
    }

    /// It is nobody from now on.
    pub fn leave(&self) {
        let [who, token] = self.0.words();
        token.store(0, Relaxed);
        who.store(0, Relaxed);
    }
}

/// Never a step of a protocol.
fn fresh() -> u64 {
    static NEXT: Private = Private::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attendance_has_a_token_of_its_own() {
        let attendance = Attendance::new().unwrap();
        assert_eq!(attendance.token_and_me(), None);
        let mut tokens = Vec::new();
        for incarnation in 1..=3 {
            let me = Me { id: 5, incarnation };
            attendance.enter(me);
            let (token, who) = attendance.token_and_me().unwrap();
            assert_eq!((who, attendance.me()), (me, Some(me)));
            tokens.push(token);
            attendance.leave();
            assert_eq!((attendance.token_and_me(), attendance.me()), (None, None));
        }
        tokens.dedup();
        assert_eq!(tokens.len(), 3);
        assert!(!tokens.contains(&0));
    }

    #[test]
    fn a_token_stands_for_one_participant() {
        let attendance = Attendance::new().unwrap();
        std::thread::scope(|scope| {
            let coming_and_going = || {
                for incarnation in 1..20_000 {
                    attendance.enter(Me { id: 1, incarnation });
                    attendance.leave();
                }
            };
            let changer = scope.spawn(coming_and_going);
            let mut seen = std::collections::HashMap::new();
            while !changer.is_finished() {
                if let Some((token, me)) = attendance.token_and_me() {
                    assert_eq!(*seen.entry(token).or_insert(me), me);
                }
            }
        });
    }
}
