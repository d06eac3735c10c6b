//! Waiting for a buffered queue from outside of its blocking calls: what it is watched by, its descriptor, its part in `select`.
//!
//! All of it sleeps by the one word of the queue, as its getters do; so a message in a new segment, a close, and what is done for the
//! dead wake these sleepers, too. To see a message a looker goes from segment to segment, as a getter does.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::structure::Structure;
use super::views::{Sight, Views};
use super::{BufferedQueue, Shared};
use crate::channel::domain::Domain;
use crate::channel::errors::GetError;
use crate::channel::ready::sealed::Selects;
use crate::channel::ready::{Key, Readable, Source};
use crate::error::Result;
use crate::prim::spin::Spinner;
use crate::prim::watch::Watch;
use crate::sync::atomic::Ordering::Acquire;
use crate::sync::futex::Address;

/// What a queue in this process has for those who wait elsewhere. Nothing, until somebody does.
#[derive(Default)]
pub(super) struct Readiness {
    readable: Readable,
    gets: OnceLock<Arc<Watched>>,
}

/// The same queue, as the helper looks at it: with segments of its own.
struct Watched {
    /// First, as in [`super::Client`]: segments go before what keeps the arena.
    views: Mutex<Views>,
    structure: Structure,
}

impl Watched {
    fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Watched {
    fn key(&self) -> Key {
        Key { word: self.structure.address(), since: 0 }
    }

    fn watch(&self) -> Option<Watch> {
        self.structure.watch(&mut self.views())
    }

    fn word(&self) -> u32 {
        self.structure.event()
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.structure.domain
    }
}

impl Structure {
    /// Where the word lies that all sleep by.
    fn address(&self) -> Address {
        Address::of(&self.body.not_empty)
    }

    /// What it says now, see [`Watch::expected`].
    fn event(&self) -> u32 {
        self.body.not_empty.load(Acquire)
    }
}

impl Shared {
    /// Something to get, or the end.
    pub(super) fn message_source(&self) -> Result<Arc<dyn Source>> {
        if let Some(watched) = self.ready.gets.get() {
            return Ok(watched.clone());
        }
        let watched = Watched { views: Mutex::default(), structure: self.structure.again()? };
        Ok(self.ready.gets.get_or_init(|| Arc::new(watched)).clone())
    }

    /// After a get: if it found nothing, the descriptor, where there is one, becomes unreadable.
    #[cold]
    pub(super) fn after_get<V>(&self, answer: &Result<V, GetError>) {
        if matches!(answer, Err(GetError::Empty)) {
            self.ready.readable.found_nothing(|| self.message_source().map(Some));
        }
    }
}

impl<T> BufferedQueue<T> {
    /// A descriptor for `poll`, `epoll` and the like: readable while there is something to get, and when the queue is closed and drained.
    ///
    /// It is the same for all clones of this handle in this process, and closed with the last of them. Do not read from it.
    ///
    /// # Guarantees
    ///
    /// Those of [`Queue::as_fd`](crate::Queue::as_fd):
    ///
    /// - **No message is missed**, in whatever segment it is put: as long as there is something to get, the descriptor is readable or becomes so
    ///   at once.
    /// - **It stays readable until a get of this process finds nothing** (`try_get`, or a timed one that ends `Empty`, of any
    ///   clone): that makes it unreadable until there is something again. So who gets until `Empty` before going back to sleep may also
    ///   use it edge-triggered.
    /// - If a producer dies before it has told anybody of its message, the descriptor becomes readable when it is buried, at the latest after one
    ///   backstop (20 ms, doubling to 1 s).
    ///
    /// # Not guaranteed
    ///
    /// - That there is something when it is readable: others get, too, and it may become readable once more after a get that found
    ///   nothing. Use `try_get`.
    /// - Where a process is *stopped* while it makes the queue grow or shrink: as for all who need another segment, what is behind
    ///   the one that is sealed is seen when that process goes on.
    ///
    /// # Cost
    ///
    /// As [`Queue::as_fd`](crate::Queue::as_fd), also for the **one thread** of the process that the first call starts. Each segment that this
    /// thread saw last stays until it looks again, or the handle is dropped.
    ///
    /// ```
    /// use processing::BufferedQueue;
    /// use rustix::event::{PollFd, PollFlags, poll};
    ///
    /// let q = BufferedQueue::<u64>::new()?;
    /// let fd = q.as_fd()?;
    /// q.put(&7)?;
    /// poll(&mut [PollFd::new(&fd, PollFlags::IN)], None)?; // or any event loop
    /// while let Ok(message) = q.try_get() {
    ///     assert_eq!(message, 7);
    /// } // found nothing: now it is unreadable
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork; `Limit` or `Os` if there is no descriptor or no thread to be had.
    pub fn as_fd(&self) -> Result<BorrowedFd<'_>> {
        self.me()?;
        let shared = &self.shared;
        let object = || format!("buffered queue {}", shared.structure.object().id().index);
        let word = shared.structure.address();
        shared.ready.readable.fd(object, Some(word), || shared.message_source().map(Some))
    }

    /// Looks as this thread's next get would.
    fn sight(&self) -> Sight {
        let mut client = self.clients.take();
        let sight = self.shared.structure.sight(&mut client.get);
        self.clients.give(client);
        sight
    }
}

impl<T> Selects for BufferedQueue<T> {
    fn is_ready(&self) -> Result<bool> {
        self.me()?;
        Ok(self.sight() == Sight::Something)
    }

    fn watch(&self) -> Result<Option<Watch>> {
        self.me()?;
        let mut client = self.clients.take();
        let watch = self.shared.structure.watch(&mut client.get);
        self.clients.give(client);
        Ok(watch)
    }

    fn word(&self) -> u32 {
        self.shared.structure.event()
    }

    fn hand_on(&self) {
        let not_empty = self.shared.not_empty();
        if not_empty.has_waiters() && self.sight() == Sight::Something {
            not_empty.notify(1);
        }
    }

    fn spinner(&self) -> &Spinner {
        &self.spinner
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.shared.structure.domain
    }
}
