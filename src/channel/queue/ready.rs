//! Waiting for a queue from outside of its blocking calls: what it is watched by, its descriptor, its part in `select`.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};

use super::kernel::Kernel;
use super::{Memory, Queue, Shared};
use crate::channel::domain::Domain;
use crate::channel::errors::GetError;
use crate::channel::ready::sealed::Selects;
use crate::channel::ready::{Key, Readable, Source};
use crate::error::Result;
use crate::prim::spin::Spinner;
use crate::prim::watch::Watch;
#[cfg(feature = "async")]
use crate::ring::PutFail;
#[cfg(feature = "async")]
use crate::ring::policy::WhenFull;
use crate::ring::{ClientCursor, GetFail, Ring};
use crate::sync::atomic::AtomicU32;
use crate::sync::futex::Address;

/// What a queue in this process has for those who wait elsewhere. Nothing, until somebody does.
#[derive(Default)]
pub(crate) struct Readiness {
    readable: Readable,
    gets: OnceLock<Arc<Watched>>,
    #[cfg(feature = "async")]
    puts: OnceLock<Arc<Watched>>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Message,
    #[cfg(feature = "async")]
    Room,
}

/// The same queue, as the helper looks at it: with a cursor of its own.
#[derive(Debug)]
struct Watched {
    wanted: Wanted,
    cursor: ClientCursor,
    ring: Ring<Memory>,
    kernel: Option<Kernel>,
    /// Last, as in [`Shared`].
    domain: Arc<Domain>,
}

/// What a get would find, as [`Ring::look_get`] says it: where the messages travel in the kernel, it is asked, too.
fn look_get(ring: &Ring<Memory>, kernel: Option<&Kernel>, cursor: &ClientCursor) -> Result<(), GetFail> {
    let Some(kernel) = kernel else { return ring.look_get(cursor) };
    if kernel.has_some() {
        return Ok(());
    }
    match ring.look_get(cursor) {
        // Who was about to put when it was closed may have done so since.
        Err(GetFail::Closed) if kernel.has_some() => Ok(()),
        Err(GetFail::Closed) => Err(GetFail::Closed),
        _ => Err(GetFail::Empty),
    }
}

/// What a put would find, the same way; what it may drop is room.
#[cfg(feature = "async")]
fn look_put(ring: &Ring<Memory>, kernel: Option<&Kernel>, cursor: &ClientCursor) -> Result<(), PutFail> {
    let drops = || ring.policy().when_full == WhenFull::DropOldest;
    match ring.look_put(cursor) {
        Err(PutFail::Full) if kernel.is_none() && drops() && ring.look_oldest(cursor) => return Ok(()),
        found => found?,
    }
    if kernel.is_some_and(Kernel::is_full) && !drops() { Err(PutFail::Full) } else { Ok(()) }
}

impl Watched {
    fn of(shared: &Shared, wanted: Wanted) -> Result<Arc<Self>> {
        let ring = Ring::attach(shared.object.clone())?;
        let (kernel, domain) = (shared.kernel.clone(), shared.domain.clone());
        Ok(Arc::new(Self { wanted, cursor: ClientCursor::default(), ring, kernel, domain }))
    }

    fn event(&self) -> &AtomicU32 {
        match self.wanted {
            Wanted::Message => self.ring.get_word(),
            #[cfg(feature = "async")]
            Wanted::Room => self.ring.put_word(),
        }
    }
}

impl Source for Watched {
    fn key(&self) -> Key {
        Key { word: Address::of(self.event()), since: 0 }
    }

    fn watch(&self) -> Option<Watch> {
        match self.wanted {
            Wanted::Message => {
                let look = || look_get(&self.ring, self.kernel.as_ref(), &self.cursor);
                self.ring.watch_get(|| look() == Err(GetFail::Empty))
            }
            #[cfg(feature = "async")]
            Wanted::Room => {
                let look = || look_put(&self.ring, self.kernel.as_ref(), &self.cursor);
                self.ring.watch_put(|| look() == Err(PutFail::Full))
            }
        }
    }

    fn word(&self) -> u32 {
        Ring::<Memory>::event(self.event())
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }
}

impl Shared {
    fn look_get(&self, cursor: &ClientCursor) -> Result<(), GetFail> {
        look_get(&self.ring, self.kernel.as_ref(), cursor)
    }

    #[cfg(feature = "async")]
    pub(super) fn is_full_for(&self, cursor: &ClientCursor) -> bool {
        look_put(&self.ring, self.kernel.as_ref(), cursor) == Err(PutFail::Full)
    }

    /// Something to get, or the end.
    pub(super) fn message_source(&self) -> Result<Arc<dyn Source>> {
        self.source(&self.ready.gets, Wanted::Message)
    }

    /// Room, or the end.
    #[cfg(feature = "async")]
    pub(super) fn room_source(&self) -> Result<Arc<dyn Source>> {
        self.source(&self.ready.puts, Wanted::Room)
    }

    fn source(&self, made: &OnceLock<Arc<Watched>>, wanted: Wanted) -> Result<Arc<dyn Source>> {
        if let Some(watched) = made.get() {
            return Ok(watched.clone());
        }
        let watched = Watched::of(self, wanted)?;
        Ok(made.get_or_init(|| watched).clone())
    }

    /// After a get: if it found nothing, the descriptor, where there is one, becomes unreadable.
    #[cold]
    pub(super) fn after_get<V>(&self, answer: &Result<V, GetError>) {
        if matches!(answer, Err(GetError::Empty)) {
            self.found_nothing();
        }
    }

    fn found_nothing(&self) {
        self.ready.readable.found_nothing(|| self.message_source().map(Some));
    }
}

impl<T> Queue<T> {
    /// A descriptor for `poll`, `epoll` and the like: readable while there is something to get, and when the queue is closed and drained.
    ///
    /// It is the same for all clones of this handle in this process, and closed with the last of them. Do not read from it.
    ///
    /// # Guarantees
    ///
    /// - **No message is missed**: as long as there is something to get, the descriptor is readable or becomes so at once, whoever put the message
    ///   and whenever.
    /// - **It stays readable until a get of this process finds nothing** (`try_get`, or a timed one that ends `Empty`, of any
    ///   clone): that makes it unreadable until there is something again. So who gets until `Empty` before going back to sleep may also
    ///   use it edge-triggered.
    /// - If a producer dies before it has told anybody of its message, the descriptor becomes readable when it is buried, at the latest after one
    ///   backstop (20 ms, doubling to 1 s).
    /// - While nobody uses it, nobody pays for it.
    ///
    /// # Not guaranteed
    ///
    /// - That there is something when it is readable: others get, too, the last message may have been taken by this process, and the thread that makes it
    ///   readable may be late: so it may become readable once more after a get that found nothing. Use `try_get`.
    ///
    /// # Cost
    ///
    /// **The first call starts the library's one thread in this process**, unless it runs already: it sleeps for all descriptors and futures of
    /// the process, by the words that blocking calls sleep by, and ends when none has been waited for for a second. It
    /// waits for a queue while its descriptor is not readable; so the thread may start again with a get that finds nothing. While it
    /// runs `StartMethod::Fork` is refused. A message then costs a wake-up of that thread and a write to the descriptor; a get that
    /// finds nothing, two system calls if the descriptor was readable. The thread sleeps by `futex_waitv` (Linux 5.16); where that is missing or forbidden,
    /// and beyond 127 objects, it looks every millisecond instead.
    ///
    /// ```
    /// use processing::Queue;
    /// use rustix::event::{PollFd, PollFlags, poll};
    ///
    /// let q = Queue::<u64>::new(4)?;
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
        let object = || format!("queue {}", shared.object.id().index);
        let word = Address::of(shared.ring.get_word());
        shared.ready.readable.fd(object, Some(word), || shared.message_source().map(Some))
    }
}

impl<T> Selects for Queue<T> {
    fn is_ready(&self) -> Result<bool> {
        self.me()?;
        Ok(self.shared.look_get(&self.cursor) != Err(GetFail::Empty))
    }

    fn watch(&self) -> Result<Option<Watch>> {
        let shared = &self.shared;
        Ok(shared.ring.watch_get(|| shared.look_get(&self.cursor) == Err(GetFail::Empty)))
    }

    fn word(&self) -> u32 {
        Ring::<Memory>::event(self.shared.ring.get_word())
    }

    fn hand_on(&self) {
        let shared = &self.shared;
        shared.ring.hand_on_get(|| shared.look_get(&self.cursor).is_ok());
    }

    fn spinner(&self) -> &Spinner {
        &self.spinner
    }

    fn domain(&self) -> &Arc<Domain> {
        &self.shared.domain
    }
}
