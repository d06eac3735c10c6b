//! The kernel's objects that carry messages.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::channel::kind;
use crate::sys::mqueue::MessageQueue;
use crate::sys::packet_pipe::PacketPipe;
use crate::sys::seqpacket::{Record, SeqPacket};

/// One of them. A message of at least one byte is there whole or not at all, and goes to one receiver, in order; no call waits.
#[derive(Debug)]
pub(super) enum Mechanism {
    Pipe(PacketPipe),
    Socket(SeqPacket),
    Mq(MessageQueue),
}

/// A message as it is sent.
#[derive(Debug)]
pub(super) enum Letter<'a> {
    Bytes(&'a [u8]),
    /// A memory file of so many bytes.
    Parcel(OwnedFd, u64),
}

/// Bytes of the record that carries a parcel: the message's length.
pub(super) const PARCEL_RECORD: usize = 8;

impl Mechanism {
    /// One of this kind that somebody made, by its descriptors.
    pub(super) fn of(kind: u32, fds: Vec<OwnedFd>) -> Option<Self> {
        match kind {
            kind::PIPE_QUEUE => Some(Self::Pipe(PacketPipe::of(fds.try_into().ok()?))),
            kind::SOCKET_QUEUE => Some(Self::Socket(SeqPacket::of(fds.try_into().ok()?))),
            kind::MQ_QUEUE => {
                let [fd] = fds.try_into().ok()?;
                Some(Self::Mq(MessageQueue::of(fd)))
            }
            _ => None,
        }
    }

    /// What another process needs to have it, too.
    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::Pipe(pipe) => pipe.ends().to_vec(),
            Self::Socket(socket) => socket.ends().to_vec(),
            Self::Mq(queue) => vec![queue.as_fd()],
        }
    }

    /// Sends a message; false: there is no room.
    pub(super) fn send(&self, letter: &Letter<'_>) -> io::Result<bool> {
        match (self, letter) {
            (Self::Pipe(pipe), Letter::Bytes(bytes)) => pipe.send(bytes),
            (Self::Socket(socket), Letter::Bytes(bytes)) => socket.send(bytes),
            (Self::Mq(queue), Letter::Bytes(bytes)) => queue.send(bytes),
            (Self::Socket(socket), Letter::Parcel(file, len)) => {
                socket.send_parcel(&len.to_le_bytes(), file.as_fd())
            }
            (Self::Pipe(_) | Self::Mq(_), Letter::Parcel(..)) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Takes a message into `buffer`, which holds the longest that is not a parcel.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Record>> {
        match self {
            Self::Pipe(pipe) => Ok(pipe.receive(buffer)?.map(Record::Bytes)),
            Self::Socket(socket) => socket.receive(buffer),
            Self::Mq(queue) => Ok(queue.receive(buffer)?.map(Record::Bytes)),
        }
    }

    /// How much waits.
    pub(super) fn waiting(&self) -> io::Result<Waiting> {
        match self {
            Self::Pipe(pipe) => Ok(Waiting::Bytes(pipe.bytes()?)),
            Self::Socket(socket) => Ok(Waiting::Bytes(socket.bytes()?)),
            Self::Mq(queue) => Ok(Waiting::Messages(queue.attributes()?.waiting)),
        }
    }

    /// Whether there is no room for a message.
    pub(super) fn is_full(&self) -> io::Result<bool> {
        match self {
            Self::Pipe(pipe) => pipe.is_full(),
            Self::Socket(socket) => Ok(socket.used()? >= socket.buffer()?),
            Self::Mq(queue) => queue.attributes().map(|now| now.waiting >= now.capacity),
        }
    }
}

/// What the kernel knows of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Messages(usize),
    Bytes(u64),
}
