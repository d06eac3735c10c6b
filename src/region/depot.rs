//! The depot of a region: descriptors that wait for whoever comes to need them.
//!
//! What the kernel keeps for an object (a pipe, a message queue) is had by descriptors, and a process that finds the object in a
//! message of shared memory has none. So one copy of each object's descriptors waits in a socket that all participants inherit: a record, which
//! names the object, and carries them. Who needs them copies the record out and leaves it. There is no server, and the kernel frees
//! all of it with the last participant.
//!
//! # Who may die where
//!
//! A user is alone: a record lock of the beacon, which the kernel drops with its process, and a mutex for its threads.
//! - Killed between sending a record and anything else: the record names an object of the dead, and goes with the next purge.
//! - A record is taken out by *rotating*: each one before it is sent to the tail once more, then received from the head. Killed in
//!   between, there are two of it, and the next purge drops one. None is ever missing.
//! - The offset that the kernel keeps with the socket is set before each use.
//!
//! A *stopped* user keeps others from making and opening such objects, and from nothing else.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::sync::kill;
use crate::sys::beacon::Beacon;
use crate::sys::fdpass::{Link, Received};
use crate::sys::{attempts, clock};

/// Bytes of a record: [`MAGIC`] and the key.
const RECORD: usize = 16;
/// "PRCDEPOT" in memory order.
const MAGIC: u64 = u64::from_le_bytes(*b"PRCDEPOT");
/// What the kernel counts of its buffer for a record, at most.
const COST: usize = 1024;
/// The buffer that is asked for.
const BUFFER: usize = 512 * COST;
/// How long a user waits for others, in nanoseconds: many times what anybody needs who is not stopped.
const PATIENCE: u64 = 5_000_000_000;

/// Both ends of the socket.
#[derive(Debug)]
pub struct Depot {
    tail: Link,
    head: Link,
    /// Among the threads of this process.
    alone: Mutex<()>,
}

impl Depot {
    /// A new one.
    pub(super) fn create() -> io::Result<Self> {
        let (tail, head) = Link::pair()?;
        tail.widen(BUFFER)?;
        Ok(Self { tail, head, alone: Mutex::new(()) })
    }

    /// One that another process made, by its ends.
    pub(super) fn of([tail, head]: [OwnedFd; 2]) -> Self {
        let (tail, head) = (Link::of_descriptor(tail), Link::of_descriptor(head));
        Self { tail, head, alone: Mutex::new(()) }
    }

    /// What another process needs to have it, too.
    pub fn ends(&self) -> [BorrowedFd<'_>; 2] {
        [self.tail.as_fd(), self.head.as_fd()]
    }

    /// Records that wait. Others add and take.
    pub fn len(&self) -> usize {
        self.head.waiting().map_or(0, |bytes| bytes as usize / RECORD)
    }

    /// Whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits to be alone with it.
    ///
    /// # Errors
    /// `Timeout` if others do not let go: one of them is stopped. `Os`.
    pub(super) fn open<'d>(&'d self, beacon: &'d Beacon) -> Result<OpenDepot<'d>> {
        let threads = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let until = clock::now().saturating_add(PATIENCE);
        let alone = attempts::repeat(until, || beacon.try_exclude())
            .map_err(|cause| Error::os("depot", "locking the beacon", cause))?;
        if !alone {
            return Err(Error::new(
                ErrorKind::Timeout,
                "depot",
                "another process of this arena is in the middle of making or opening a queue of the kernel",
            )
            .hint("it is stopped: continue it, or end it"));
        }
        Ok(OpenDepot { depot: self, beacon, _threads: threads })
    }

    /// The same, if nobody else is there right now.
    pub(super) fn try_open<'d>(&'d self, beacon: &'d Beacon) -> Option<OpenDepot<'d>> {
        let threads = self.alone.try_lock().ok()?;
        matches!(beacon.try_exclude(), Ok(true)).then(|| OpenDepot { depot: self, beacon, _threads: threads })
    }
}

/// The depot, as long as its user is alone with it.
#[derive(Debug)]
pub struct OpenDepot<'d> {
    depot: &'d Depot,
    beacon: &'d Beacon,
    _threads: MutexGuard<'d, ()>,
}

impl OpenDepot<'_> {
    /// Leaves descriptors for `key`.
    ///
    /// # Errors
    /// `Limit` if there is no room for one more. `Os`.
    pub fn leave(&self, key: u64, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let most = self.depot.tail.widen(BUFFER).map_err(failed)? / COST;
        // One place stays free, to rotate.
        if self.depot.len() + 1 >= most {
            return Err(full(most - 1));
        }
        self.depot.tail.send(&record(key), fds).map_err(|cause| match cause.raw_os_error() {
            Some(libc::EAGAIN) => full(most - 1),
            Some(libc::ETOOMANYREFS) => Error::os("depot", "passing descriptors", cause)
                .of_kind(ErrorKind::Limit)
                .hint("raise the limit of open files (ulimit -n): descriptors on their way count, too"),
            _ => failed(cause),
        })
    }

    /// Descriptors of this process's own for `key`; `None` if nobody left any.
    ///
    /// # Errors
    /// `Limit` if this process has no number for them, `Os`.
    pub fn find(&self, key: u64) -> Result<Option<Vec<OwnedFd>>> {
        let Some(place) = self.keys().map_err(failed)?.iter().position(|there| *there == key) else {
            return Ok(None);
        };
        match self.depot.head.copy(place * RECORD, &mut [0; RECORD]).map_err(failed)? {
            Received::Record(_, fds) => Ok(Some(fds)),
            _ => Ok(None),
        }
    }

    /// Takes out the records that nobody needs, by what `needed` says of their keys, and those that are there twice.
    ///
    /// # Errors
    /// What the kernel says; then some are left.
    pub fn purge(&self, needed: impl Fn(u64) -> bool) -> io::Result<()> {
        let mut seen = HashSet::new();
        let keys: Vec<(u64, bool)> =
            self.keys()?.into_iter().map(|key| (key, needed(key) && seen.insert(key))).collect();
        let Some(last) = keys.iter().rposition(|(_, stays)| !stays) else { return Ok(()) };
        for (key, stays) in keys.iter().take(last + 1) {
            if *stays {
                self.rotate(*key)?;
            } else {
                self.drop_first()?;
            }
        }
        Ok(())
    }

    fn drop_first(&self) -> io::Result<()> {
        kill::point();
        self.depot.head.try_receive(&mut [0; RECORD]).map(drop)
    }

    /// The first record becomes the last.
    fn rotate(&self, key: u64) -> io::Result<()> {
        if let Received::Record(_, fds) = self.depot.head.copy(0, &mut [0; RECORD])? {
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            self.depot.tail.send(&record(key), &fds)?;
            self.drop_first()?;
        }
        Ok(())
    }

    /// The keys, in the order of their records.
    fn keys(&self) -> io::Result<Vec<u64>> {
        let mut keys = Vec::new();
        let mut bytes = [0; RECORD];
        let mut found = self.depot.head.look(0, &mut bytes)?;
        while found == Some(RECORD) {
            keys.push(key_of(bytes));
            found = self.depot.head.look_on(&mut bytes)?;
        }
        Ok(keys)
    }
}

impl Drop for OpenDepot<'_> {
    fn drop(&mut self) {
        self.beacon.end_exclusion();
    }
}

fn record(key: u64) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    let (magic, rest) = bytes.split_at_mut(8);
    magic.copy_from_slice(&MAGIC.to_le_bytes());
    rest.copy_from_slice(&key.to_le_bytes());
    bytes
}

fn key_of(bytes: [u8; RECORD]) -> u64 {
    bytes.last_chunk().map_or(0, |key| u64::from_le_bytes(*key))
}

#[cold]
fn failed(cause: io::Error) -> Error {
    Error::os("depot", "a look into the arena's depot of descriptors", cause)
}

#[cold]
fn full(most: usize) -> Error {
    Error::new(
        ErrorKind::Limit,
        "depot",
        format!("{most} queues of the kernel are as many as an arena can have"),
    )
    .hint("drop some, use the ring, or raise net.core.wmem_max before the arena is made")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depot() -> (Depot, Beacon) {
        (Depot::create().expect("depot"), Beacon::create(1).expect("beacon"))
    }

    fn keys(depot: &Depot, beacon: &Beacon) -> Vec<u64> {
        depot.open(beacon).expect("alone").keys().expect("keys")
    }

    #[test]
    fn what_is_left_is_found_and_stays() {
        let (depot, beacon) = depot();
        let open = depot.open(&beacon).expect("alone");
        for key in 1..=5 {
            let (a, b) = Link::pair().expect("pair");
            a.send(&[key as u8], &[]).expect("send");
            open.leave(key, &[a.as_fd(), b.as_fd()]).expect("leave");
        }
        assert!(open.find(6).expect("find").is_none());
        for key in [3u64, 1, 5, 3] {
            let mut fds = open.find(key).expect("find").expect("left");
            let (mut byte, b) = ([0], Link::of_descriptor(fds.pop().expect("two")));
            assert_eq!(b.look(0, &mut byte).expect("look"), Some(1));
            assert_eq!(u64::from(byte[0]), key);
        }
        assert_eq!(depot.len(), 5);
    }

    #[test]
    fn a_purge_drops_what_is_not_needed_and_doubles() {
        let (depot, beacon) = depot();
        let open = depot.open(&beacon).expect("alone");
        let (some, _) = Link::pair().expect("pair");
        for key in [1, 2, 3, 2, 4] {
            open.leave(key, &[some.as_fd()]).expect("leave");
        }
        open.purge(|_| true).expect("purge");
        let mut left = open.keys().expect("keys");
        left.sort_unstable();
        assert_eq!(left, [1, 2, 3, 4]);
        open.purge(|key| key % 2 == 0).expect("purge");
        assert!(open.find(1).expect("find").is_none() && open.find(4).expect("find").is_some());
        drop(open);
        let mut left = keys(&depot, &beacon);
        left.sort_unstable();
        assert_eq!(left, [2, 4]);
    }

    #[test]
    fn it_says_when_it_is_full_and_can_still_be_purged() {
        let (depot, beacon) = depot();
        let open = depot.open(&beacon).expect("alone");
        let (some, _) = Link::pair().expect("pair");
        let mut count = 0;
        let error = loop {
            match open.leave(count, &[some.as_fd()]) {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        assert!(error.kind() == ErrorKind::Limit && count > 100, "{count}: {error}");
        open.purge(|key| key != count - 1).expect("purge");
        assert_eq!(depot.len() as u64, count - 1);
        open.leave(count, &[some.as_fd()]).expect("room again");
    }
}
