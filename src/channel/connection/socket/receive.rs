//! Receiving.

use std::cell::Cell;

use super::record::{Found, INLINE};
use super::wired::Trouble;
use crate::channel::codec;
use crate::channel::connection::Receiver;
use crate::channel::connection::sender::BYTES;
use crate::channel::connection::socket::Wired;
use crate::channel::message::Message;
use crate::error::{Error, ErrorKind, Result};
use crate::prim::event_count::WaitEnd;
use crate::prim::limits::Limits;
use crate::ring::Brought;
use crate::ring::stream::RecvEnd;

thread_local! {
    /// Where values are read.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Room above this size is given back to the allocator after use.
const KEEP: usize = 1 << 20;

/// Why there is no message.
#[derive(Debug)]
pub(in crate::channel::connection) enum Missed {
    /// The time is up, or the call does not wait.
    Late,
    Cancelled,
    /// An end is closed, and everything is received.
    Closed,
    Trouble(Trouble),
}

impl Receiver {
    /// Waits for a message, which stays, within the limits.
    #[cold]
    pub(in crate::channel::connection) fn find(
        &self,
        wired: Wired<'_>,
        limits: &Limits<'_>,
    ) -> Result<Found, Missed> {
        let mut answer = Err(Missed::Late);
        let mut empty = || {
            answer = match wired.look() {
                Ok(Brought::One(found)) => Ok(found),
                Ok(Brought::Nothing) => return true,
                Ok(Brought::Closed) => Err(Missed::Closed),
                Err(trouble) => Err(Missed::Trouble(trouble)),
            };
            false
        };
        if empty() && !limits.is_try() {
            let end = wired.wire.wait_message(limits, self.waits(), self.run(), &mut empty, || {
                self.end().peer_is_gone();
            });
            if end == WaitEnd::Cancelled && matches!(answer, Err(Missed::Late)) {
                return Err(Missed::Cancelled);
            }
        }
        answer
    }

    /// Receives a value.
    #[cold]
    #[inline(never)]
    pub(in crate::channel::connection) fn value_through<T: Message>(
        &self,
        tag: u32,
        limits: &Limits<'_>,
    ) -> Result<T> {
        let wired = self.through()?;
        let found = self.expected(wired, tag, std::any::type_name::<T>(), limits)?;
        // In the destructor of a thread-local value the room may be gone: then it works without.
        let mut room = ROOM.try_with(Cell::take).unwrap_or_default();
        let taken = widen(&mut room, found.len.max(INLINE)).and_then(|()| {
            let bytes = room.get_mut(..found.len).unwrap_or_default();
            wired.take(found, bytes)
        });
        let answer = match taken {
            Ok(()) => self.making(|| codec::decode_anywhere(room.get(..found.len).unwrap_or_default())),
            Err(trouble) => Err(self.trouble(trouble)),
        };
        if room.len() <= KEEP {
            let _ = ROOM.try_with(|keep| keep.set(room));
        }
        answer
    }

    /// Receives bytes.
    #[cold]
    pub(in crate::channel::connection) fn bytes_through(&self) -> Result<Vec<u8>> {
        let wired = self.through()?;
        let found = self.expected(wired, BYTES, "bytes", &Limits::NONE)?;
        self.take_vec(wired, found)
    }

    /// Receives bytes into `buffer`; if they do not fit, all of them with the error.
    #[cold]
    pub(in crate::channel::connection) fn bytes_into_through(&self, buffer: &mut [u8]) -> Result<usize> {
        let wired = self.through()?;
        let found = self.expected(wired, BYTES, "bytes", &Limits::NONE)?;
        let room = buffer.len();
        match buffer.get_mut(..found.len) {
            Some(bytes) => wired.take(found, bytes).map_err(|trouble| self.trouble(trouble))?,
            None => return Err(self.too_short(room, self.take_vec(wired, found)?)),
        }
        Ok(found.len)
    }

    fn take_vec(&self, wired: Wired<'_>, found: Found) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let taken = widen(&mut bytes, found.len).and_then(|()| wired.take(found, &mut bytes));
        taken.map(|()| bytes).map_err(|trouble| self.trouble(trouble))
    }

    /// Waits for a message and looks whether it carries `tag`.
    fn expected(&self, wired: Wired<'_>, tag: u32, what: &str, limits: &Limits<'_>) -> Result<Found> {
        match self.find(wired, limits) {
            Ok(found) if found.tag == tag => Ok(found),
            Ok(found) => Err(self.mismatch(what, tag, found.tag, found.len as u64)),
            Err(missed) => Err(self.missed(missed, limits)),
        }
    }

    #[cold]
    fn missed(&self, missed: Missed, limits: &Limits<'_>) -> Error {
        match missed {
            Missed::Late => self.nothing(RecvEnd::TimedOut, limits),
            Missed::Cancelled => self.nothing(RecvEnd::Cancelled, limits),
            Missed::Closed => self.end().closed_error(),
            Missed::Trouble(trouble) => self.trouble(trouble),
        }
    }

    #[cold]
    fn trouble(&self, trouble: Trouble) -> Error {
        let name = self.end().name();
        match trouble {
            Trouble::Gone => self.end().gone_error(),
            Trouble::Malformed => {
                Error::new(ErrorKind::Corrupt, name, "no sender of this build sends such a record")
            }
            Trouble::NoMemory(len) => Error::new(
                ErrorKind::OutOfMemory,
                name,
                format!("this process has no memory for a message of {len} bytes"),
            )
            .hint("it stays in place"),
            Trouble::File(cause) => {
                let error = Error::os(name, "reading the memory file of a long message", cause);
                if error.kind() == ErrorKind::Limit {
                    return error.hint(
                        "the message stays in place: raise the limit of open files (ulimit -n), or close some",
                    );
                }
                error
            }
            Trouble::Refused(cause) => Error::os(name, "receiving through a socket", cause),
        }
    }
}

/// Makes `room` at least so long.
fn widen(room: &mut Vec<u8>, len: usize) -> Result<(), Trouble> {
    let more = len.saturating_sub(room.len());
    room.try_reserve_exact(more).map_err(|_| Trouble::NoMemory(len))?;
    if more != 0 {
        room.resize(len, 0);
    }
    Ok(())
}
