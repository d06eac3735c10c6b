//! One end: its words, and its socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::record::{Found, HEAD, Head, INLINE};
use crate::ring::wire::Wire;
use crate::ring::{Brought, Sent};
use crate::sys::packet_socket::{PacketSocket, Peeked, Pushed};
use crate::sys::{memfd, parcel};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(in crate::channel::connection) struct Wired<'a> {
    pub(in crate::channel::connection) wire: Wire<'a>,
    socket: &'a PacketSocket,
}

/// Why the kernel did not carry a message.
#[derive(Debug)]
pub(in crate::channel::connection) enum Trouble {
    /// Nobody has the other end any more.
    Gone,
    /// No such record is sent.
    Malformed,
    /// It did not make or give out a file.
    File(io::Error),
    /// Another refusal.
    Refused(io::Error),
    /// This process has no memory for the message.
    NoMemory(usize),
}

impl<'a> Wired<'a> {
    pub(in crate::channel::connection) fn new(wire: Wire<'a>, socket: &'a PacketSocket) -> Self {
        Self { wire, socket }
    }

    /// Sends a message if there is room.
    pub(super) fn send(self, tag: u32, bytes: &[u8]) -> Result<Sent, Trouble> {
        self.wire.send(|| self.push(tag, bytes))
    }

    fn push(self, tag: u32, bytes: &[u8]) -> Result<bool, Trouble> {
        let head = Head { tag, len: bytes.len() as u64 }.encode();
        let (mut inline, mut file) = bytes.split_at(bytes.len().min(INLINE));
        loop {
            let pushed = if file.is_empty() {
                self.socket.push(&head, inline, None)
            } else if self.socket.is_full().map_err(Trouble::Refused)? {
                // No file for nothing. Nobody else sends: once there is room it stays.
                Ok(Pushed::Full)
            } else {
                let parcel = parcel::pack_sealed(file).map_err(Trouble::File)?;
                self.socket.push(&head, inline, Some(parcel.as_fd()))
            };
            match pushed.map_err(Trouble::Refused)? {
                Pushed::Done => return Ok(true),
                Pushed::Full => return Ok(false),
                Pushed::Gone => return Err(Trouble::Gone),
                // The buffer is smaller than a record may be: then as a file, all of it.
                Pushed::TooLong if !inline.is_empty() => (inline, file) = (&[], bytes),
                Pushed::TooLong => return Err(Trouble::Refused(io::ErrorKind::Unsupported.into())),
            }
        }
    }

    /// Whether a send would find no room, and the other end is there.
    #[cfg(feature = "async")]
    pub(in crate::channel::connection) fn is_full(self) -> bool {
        !self.wire.is_over() && self.socket.is_full().unwrap_or(false)
    }

    /// The first message, which stays.
    pub(super) fn look(self) -> Result<Brought<Found>, Trouble> {
        self.wire.look(|| self.peek())
    }

    fn peek(self) -> Result<Option<Found>, Trouble> {
        let mut head = [0; HEAD];
        match self.socket.peek(&mut head).map_err(Trouble::Refused)? {
            Peeked::Nothing => Ok(None),
            Peeked::Gone => Err(Trouble::Gone),
            Peeked::Record(len) => Found::of(head, len).map(Some).ok_or(Trouble::Malformed),
        }
    }

    /// Whether a receive would find neither a message nor the end.
    pub(in crate::channel::connection) fn is_empty(self) -> bool {
        matches!(self.look(), Ok(Brought::Nothing))
    }

    /// Takes the message that was found into `room`, which is as long. It stays if this fails, unless its file is shorter than it says.
    pub(super) fn take(self, found: Found, room: &mut [u8]) -> Result<(), Trouble> {
        let (inline, rest) = room.split_at_mut(found.inline.min(room.len()));
        if !rest.is_empty() {
            let file = self.file()?;
            if memfd::read_at(file.as_fd(), rest, 0).map_err(Trouble::File)? < rest.len() {
                self.take_out(&mut [])?;
                return Err(Trouble::Malformed);
            }
        }
        self.take_out(inline)
    }

    fn file(self) -> Result<OwnedFd, Trouble> {
        let file = self.socket.peek_file().map_err(Trouble::File)?;
        file.ok_or(Trouble::Malformed)
    }

    fn take_out(self, inline: &mut [u8]) -> Result<(), Trouble> {
        self.socket.take(&mut [0; HEAD], inline).map_err(Trouble::Refused)?;
        self.wire.taken();
        Ok(())
    }

    /// The room in bytes of what this end sends.
    pub(in crate::channel::connection) fn buffer(self) -> usize {
        self.socket.buffer().unwrap_or(0)
    }
}
