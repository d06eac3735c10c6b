//! Waiting for an end of a pipe from outside of its blocking calls: what it is watched by, its descriptor, its part in `select`.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::end::End;
use super::{Connection, Receiver};
use crate::channel::domain::Domain;
use crate::channel::ready::sealed::Selects;
use crate::channel::ready::{Key, Source};
use crate::error::Result;
use crate::prim::spin::Spinner;
use crate::prim::watch::Watch;
use crate::ring::stream::Awaited;
use crate::sync::futex::Address;

/// What an end waits for, announced by the end itself.
pub(super) struct Announced<A> {
    end: Arc<End>,
    /// Which of the other end's words changes: that of its writing room, or that of its reading room.
    word: fn(&End) -> u32,
    watch: Watch,
    awaited: A,
}

impl<A: Awaited> Announced<A> {
    pub(super) fn new(end: &Arc<End>, word: fn(&End) -> u32, (watch, awaited): (Watch, A)) -> Self {
        Self { end: end.clone(), word, watch, awaited }
    }
}

impl<A: Awaited> Source for Announced<A> {
    fn key(&self) -> Key {
        // Two announcements of one end wait for the same: what is over for the earlier one wakes both.
        Key { word: self.watch.address, since: 0 }
    }

    /// The announcement stands as long as the word is what it was.
    fn watch(&self) -> Option<Watch> {
        let stands = self.word() == self.watch.expected && !self.awaited.is_over();
        stands.then_some(self.watch)
    }

    fn word(&self) -> u32 {
        (self.word)(&self.end)
    }

    fn domain(&self) -> &Arc<Domain> {
        self.end.domain()
    }

    fn is_bereaved(&self) -> bool {
        self.end.is_closed() || self.end.other_end_is_gone()
    }
}

/// What is waited for at a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Message,
    #[cfg(feature = "async")]
    Room,
}

/// An end with a socket. Its words have any number of writers, so that the helper announces by itself, and looks into the socket.
pub(super) struct SocketSource {
    end: Arc<End>,
    wanted: Wanted,
    word: Address,
}

impl SocketSource {
    pub(super) fn of(end: &Arc<End>, wanted: Wanted) -> Result<Option<Arc<dyn Source>>> {
        let wire = end.through()?.wire;
        let word = Address::of(match wanted {
            Wanted::Message => wire.message_word(),
            #[cfg(feature = "async")]
            Wanted::Room => wire.room_word(),
        });
        Ok(Some(Arc::new(Self { end: end.clone(), wanted, word })))
    }
}

impl Source for SocketSource {
    fn key(&self) -> Key {
        Key { word: self.word, since: 0 }
    }

    fn watch(&self) -> Option<Watch> {
        let wired = self.end.wired()?;
        match self.wanted {
            Wanted::Message => wired.wire.watch_message(|| wired.is_empty()),
            #[cfg(feature = "async")]
            Wanted::Room => wired.wire.watch_room(|| wired.is_full()),
        }
    }

    fn word(&self) -> u32 {
        match self.wanted {
            Wanted::Message => self.end.peer_writes(),
            #[cfg(feature = "async")]
            Wanted::Room => self.end.peer_reads(),
        }
    }

    fn domain(&self) -> &Arc<Domain> {
        self.end.domain()
    }

    fn is_bereaved(&self) -> bool {
        self.end.is_closed() || self.end.other_end_is_gone()
    }
}

impl Receiver {
    /// See [`Connection::as_fd`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn as_fd(&self) -> Result<BorrowedFd<'_>> {
        self.end().check_process()?;
        self.readable().fd(|| self.end().name(), None, || self.source())
    }
}

impl Connection {
    /// A descriptor for `poll`, `epoll` and the like: readable while there is something to receive, and when the other end is gone.
    ///
    /// It is closed with this end, or with its receiving half. Do not read from it.
    ///
    /// # Guarantees
    ///
    /// - **No message is missed**: as long as there is something to receive, the descriptor is readable or becomes so at once.
    /// - **It stays readable until a receive finds nothing** (`try_recv`, a timed one that ends without a message, `poll` that says
    ///   no): that makes it unreadable until there is something again. So who receives until `Empty` before going back to sleep may also use
    ///   it edge-triggered.
    /// - If the other end's process dies, it becomes readable when that is noticed, at the latest after one backstop (20 ms, doubling to 1 s); the same if the
    ///   other half of this end closes it.
    /// - While nobody uses it, nobody pays for it.
    ///
    /// # Not guaranteed
    ///
    /// - That there is something when it is readable: what made it so may be received, see [`Queue::as_fd`](crate::Queue::as_fd). Use `try_recv`. Of a long message it becomes readable again and again as its parts come.
    ///
    /// Cost, and the **thread that the first call may start**: see [`Queue::as_fd`](crate::Queue::as_fd). The other end pays for a fence more with each message, as
    /// after any sleep of this end.
    ///
    /// ```
    /// use rustix::event::{PollFd, PollFlags, poll};
    ///
    /// let (a, b) = processing::pipe()?;
    /// let fd = b.as_fd()?;
    /// a.send(&7u64)?;
    /// poll(&mut [PollFd::new(&fd, PollFlags::IN)], None)?; // or any event loop
    /// while let Ok(message) = b.try_recv::<u64>() {
    ///     assert_eq!(message, 7);
    /// } // found nothing: now it is unreadable
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork; `Limit` or `Os` if there is no descriptor or no thread to be
    /// had; `InvalidState` in the middle of a call of the same thread.
    pub fn as_fd(&self) -> Result<BorrowedFd<'_>> {
        self.receiver.as_fd()
    }
}

impl Selects for Receiver {
    fn is_ready(&self) -> Result<bool> {
        self.has_something()
    }

    fn watch(&self) -> Result<Option<Watch>> {
        Receiver::watch(self)
    }

    fn word(&self) -> u32 {
        self.end().peer_writes()
    }

    fn unwatch(&self) {
        Receiver::unwatch(self);
    }

    fn spinner(&self) -> &Spinner {
        self.waits()
    }

    fn domain(&self) -> &Arc<Domain> {
        self.end().domain()
    }

    fn look_after_peer(&self) {
        self.end().other_end_is_gone(); // if so, the stream is closed now
    }
}

impl Selects for Connection {
    fn is_ready(&self) -> Result<bool> {
        self.receiver.is_ready()
    }

    fn watch(&self) -> Result<Option<Watch>> {
        Selects::watch(&self.receiver)
    }

    fn word(&self) -> u32 {
        self.receiver.word()
    }

    fn unwatch(&self) {
        Selects::unwatch(&self.receiver);
    }

    fn spinner(&self) -> &Spinner {
        self.receiver.spinner()
    }

    fn domain(&self) -> &Arc<Domain> {
        self.receiver.domain()
    }

    fn look_after_peer(&self) {
        self.receiver.look_after_peer();
    }
}
