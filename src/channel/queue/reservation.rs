//! A message that is being written.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::{CommitError, Queue};
use crate::arena::Block;
use crate::channel::codec;
use crate::channel::domain::deadline_in;
use crate::channel::errors::PutError;
use crate::channel::message::{Buffer, Message};
use crate::channel::transfer::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::prim::limits::Limits;
use crate::ring::blocks;

/// Room for a message of a queue, from [`Queue::reserve`] or [`Queue::reserve_bytes`].
///
/// It derefs to its bytes, and is a [`std::io::Write`] that fills them from the start. Dropped without a
/// [`commit`](Self::commit), it gives everything back.
#[must_use = "dropped without a commit, nothing is put"]
pub struct Reservation<'q, T: Message> {
    queue: &'q Queue<T>,
    room: Room<'q>,
    /// The bytes that are the caller's.
    len: usize,
    /// How many of them were written by `Write` or `serialize`.
    written: usize,
    /// Makes an archive of the first so many bytes of the room, and says how long it is.
    finish: Option<Finish>,
}

/// See [`Reservation::finished_by`].
pub(super) type Finish = fn(&mut [u8], usize) -> Result<usize>;

enum Room<'q> {
    /// What fits a slot is copied there at the commit.
    Small(Buffer),
    Block(Block<'q>),
}

impl Room<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Small(buffer) => buffer,
            Self::Block(block) => blocks::contents(block),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Small(buffer) => buffer,
            Self::Block(block) => blocks::contents_mut(block),
        }
    }
}

impl<'q, T: Message> Reservation<'q, T> {
    /// Room for `need` bytes, of which `len` are the caller's.
    pub(super) fn new(queue: &'q Queue<T>, len: usize, need: usize) -> Result<Self, PutError> {
        queue.me()?;
        let shared = &*queue.shared;
        let most = shared.longest();
        if need as u64 > most {
            return Err(PutError::TooLarge { len: need as u64, max: most });
        }
        let room = if need <= shared.ring.room() {
            let mut buffer = Buffer::with_capacity(need);
            buffer.resize(need, 0);
            Room::Small(buffer)
        } else {
            Room::Block(queue.block(need)?)
        };
        Ok(Self { queue, room, len, written: 0, finish: None })
    }

    /// At the commit, `finish` makes an archive of what the caller wrote.
    pub(super) fn finished_by(mut self, finish: Finish) -> Self {
        self.finish = Some(finish);
        self
    }

    /// Serialises `value` into the room, as the whole message.
    ///
    /// # Errors
    ///
    /// `TooLarge` if it needs more than the room has; `InvalidInput` if it cannot be serialised, if it holds handles (they need
    /// [`put`](Queue::put)), if something was written before, or if the reservation is one of bytes. Then the content is undefined, and
    /// as before counts as not written.
    ///
    /// # Panics
    ///
    /// If the type's own serialisation does; the reservation is still good.
    pub fn serialize(&mut self, value: &T) -> Result<()> {
        if self.written != 0 || self.finish.is_some() {
            return Err(self.refused("a value is the whole of a message, and this one has a beginning"));
        }
        let scope = Scope::open();
        let len = self.len;
        let room = self.room.bytes_mut().get_mut(..len).unwrap_or_default();
        let written = codec::encode_into(value, room)?;
        if !scope.take().is_empty() {
            return Err(self.refused("handles do not travel in a reservation").hint("use put"));
        }
        let Some(written) = written else {
            let what = format!("the value takes more than the {len} bytes of the reservation");
            return Err(Error::new(ErrorKind::TooLarge, "message", what).hint("reserve more"));
        };
        self.written = written;
        Ok(())
    }

    /// Gives up all bytes from `len` on. Has no effect if there are fewer.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.written = self.written.min(len);
    }

    /// How many bytes were written by `serialize` or as a [`std::io::Write`].
    pub fn written(&self) -> usize {
        self.written
    }

    /// Puts the message, waiting for room in the queue as long as it takes.
    ///
    /// The message is what was written by [`serialize`](Self::serialize) or as a [`std::io::Write`]; if nothing was, all bytes of the reservation.
    /// From `Ok` on it is in the queue, whatever happens to this process; killed before, it is there whole, or not at all.
    ///
    /// Cost: a check that the bytes are an archive of `T` (of a list of bytes it looks at no byte), and one put.
    ///
    /// # Errors
    ///
    /// [`CommitError`], which gives the reservation back with all its bytes, and says why: `Other` of kind `Corrupt` if they are no archive of
    /// `T`, or what [`put`](Queue::put) answers. Nothing was put.
    pub fn commit(self) -> Result<(), CommitError<'q, T>> {
        self.commit_within(&Limits::NONE)
    }

    /// [`commit`](Self::commit) if there is room in the queue right now.
    ///
    /// # Errors
    ///
    /// `Full`, and those of [`commit`](Self::commit).
    pub fn try_commit(self) -> Result<(), CommitError<'q, T>> {
        self.commit_within(&Limits::TRY)
    }

    /// [`commit`](Self::commit), waiting for room for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Full` when the time is up, and those of [`commit`](Self::commit).
    pub fn commit_timeout(self, timeout: Duration) -> Result<(), CommitError<'q, T>> {
        self.commit_within(&deadline_in(timeout))
    }

    fn commit_within(mut self, limits: &Limits<'_>) -> Result<(), CommitError<'q, T>> {
        let queue = self.queue;
        if let Some(kernel) = &queue.shared.kernel {
            let put = self.finish().and_then(|len| {
                let bytes = self.room.bytes().get(..len).unwrap_or_default();
                queue.put_to_kernel(kernel, bytes, limits)
            });
            return put.map_err(|error| CommitError::new(self, error));
        }
        let claimed = self.finish().and_then(|len| Ok((len, queue.claim(limits)?)));
        let (len, mut claim) = match claimed {
            Ok(claimed) => claimed,
            Err(error) => return Err(CommitError::new(self, error)),
        };
        match self.room {
            Room::Small(buffer) => {
                if let (Some(to), Some(from)) = (claim.bytes_mut().get_mut(..len), buffer.get(..len)) {
                    to.copy_from_slice(from);
                }
                claim.publish_inline(len);
            }
            Room::Block(block) => {
                block.truncate(len as u64);
                let reference = block.mark_sent(queue.shared.object.id(), claim.ticket());
                claim.publish_block(reference, len as u64);
            }
        }
        Ok(())
    }

    /// Completes the archive and checks it; how long it is.
    fn finish(&mut self) -> Result<usize, PutError> {
        let written = if self.written > 0 { self.written } else { self.len };
        if let Some(finish) = self.finish {
            // Nothing that could be wrong with it.
            return Ok(finish(self.room.bytes_mut(), written)?);
        }
        if let Some(exact) = self.queue.shared.exact_len().filter(|exact| *exact != written) {
            let what = format!("a message of this queue has {exact} bytes, and {written} were written");
            return Err(Error::new(ErrorKind::Corrupt, "message", what).into());
        }
        codec::view::<T>(self.room.bytes().get(..written).unwrap_or_default()).map_err(PutError::Other)?;
        Ok(written)
    }

    #[cold]
    fn refused(&self, what: &'static str) -> Error {
        Error::new(ErrorKind::InvalidInput, "reservation", what)
    }
}

impl<T: Message> Deref for Reservation<'_, T> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.room.bytes().get(..self.len).unwrap_or_default()
    }
}

impl<T: Message> DerefMut for Reservation<'_, T> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        self.room.bytes_mut().get_mut(..len).unwrap_or_default()
    }
}

impl<T: Message> io::Write for Reservation<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let from = self.written;
        let room = self.get_mut(from..).unwrap_or_default();
        let len = bytes.len().min(room.len());
        room[..len].copy_from_slice(&bytes[..len]);
        self.written += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<T: Message> fmt::Debug for Reservation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Reservation({} of {} bytes, for {:?})>", self.written, self.len, self.queue)
    }
}
