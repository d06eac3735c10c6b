//! Who it was that died with a lock.

use crate::layout::ParticipantId;
use crate::layout::hash::mix;
use crate::layout::lock::{INCARNATION_MASK, LockBody, LockState, LockWord};
use crate::region::participant::{read_name, write_name};
use crate::region::{Participant, Region};
use crate::sync::atomic::Ordering;

/// Writes down who had the lock, before the word says that it is an orphan. A helper that was stopped in here may write
/// over a later one's, in part or in whole: the key tells whom it is about, and its check whether all of it is one
/// helper's. Otherwise the heir knows no name.
pub(crate) fn write(region: &Region, body: &LockBody, word: LockWord, dead: ParticipantId) {
    let (LockState::Owned(_, incarnation), LockState::Orphan(key)) = (word.state(), word.orphaned().state())
    else {
        return;
    };
    let who = region.participant(dead);
    if who.incarnation & INCARNATION_MASK != incarnation || who.pid == 0 {
        return; // cleared away meanwhile, and the obituary written by who did it
    }
    body.key.store(0, Ordering::Relaxed);
    body.pid.store(u64::from(who.pid), Ordering::Release);
    write_name(&body.name, &who.name);
    // Release: pairs with the Acquire of `read`.
    body.key.store(seal(key, who.pid, &who.name), Ordering::Release);
}

/// The pid and name of the one whose reaper left `word`; 0 and nothing if nobody knows any more.
pub(crate) fn read(body: &LockBody, word: LockWord) -> (u32, String) {
    let written = match word.state() {
        LockState::Orphan(key) => in_body(body, key),
        LockState::Owned(..) | LockState::Free | LockState::Poison => None,
    };
    written.unwrap_or_default()
}

/// The pid and name of this tenant, for who will inherit from it; `None` if its slot is cleared already.
pub(crate) fn of_owner(tenant: &Participant, incarnation: u32) -> Option<(u32, String)> {
    // Read as one: its incarnation is that of the name, or of a later tenant.
    let known = tenant.incarnation & INCARNATION_MASK == incarnation && tenant.pid != 0;
    known.then(|| (tenant.pid, tenant.name.clone()))
}

fn in_body(body: &LockBody, key: u32) -> Option<(u32, String)> {
    let sealed = body.key.load(Ordering::Acquire);
    let (pid, name) = (body.pid.load(Ordering::Acquire) as u32, read_name(&body.name));
    (sealed == seal(key, pid, &name)).then_some((pid, name))
}

/// The key word of an obituary.
fn seal(key: u32, pid: u32, name: &str) -> u64 {
    let bytes = name.bytes().map(u64::from);
    let hash = bytes.fold(mix(0xcbf2_9ce4_8422_2325, u64::from(pid)), mix);
    let check = (hash ^ hash >> 32) << 32;
    check | (u64::from(key) + 1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_obituary_of_two_helpers_is_nobodys() {
        let body = LockBody::default();
        let word = LockWord::owned(7, 3).orphaned();
        let LockState::Orphan(key) = word.state() else { panic!() };
        let fill = |pid: u32, name: &str| {
            body.pid.store(u64::from(pid), Ordering::Relaxed);
            write_name(&body.name, name);
        };
        assert_eq!(read(&body, word), (0, String::new()), "none was written");
        fill(11, "worker");
        body.key.store(seal(key, 11, "worker"), Ordering::Relaxed);
        assert_eq!(read(&body, word), (11, "worker".to_owned()));
        assert_eq!(read(&body, LockWord::owned(7, 4).orphaned()), (0, String::new()), "about another");
        // A late one has written half of its own.
        fill(12, "worker");
        assert_eq!(read(&body, word), (0, String::new()));
        fill(11, "other");
        assert_eq!(read(&body, word), (0, String::new()));
    }
}
