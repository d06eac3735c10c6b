//! A private socket between two processes: whole records, with descriptors.
//!
//! `SOCK_SEQPACKET`: a record arrives whole or not at all, also when its sender dies, and stays readable
//! after that. The one who still has the other end notices the end of the last holder of this one.
//!
//! # Safety
//!
//! A descriptor named by number in the environment is checked to be a socket of this kind before it is owned. `setsockopt` reads
//! a local integer.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair, sockopt};

pub use super::records::MAX_FDS;
use super::{clock, records};
use crate::sync::kill;

/// The longest record. Well below the smallest usual socket buffer, so that a record never has to wait.
pub const MAX_RECORD: usize = 16 * 1024;

/// What one look into a socket found.
#[derive(Debug)]
pub enum Received {
    /// A record of so many bytes, with its descriptors.
    Record(usize, Vec<OwnedFd>),
    /// Nothing yet.
    Nothing,
    /// Nobody holds the other end any more, and everything is read.
    End,
    /// The other end was closed with a record from here unread in it. What it sent may still follow.
    Unread,
}

/// One end of a private socket.
#[derive(Debug)]
pub struct Link(OwnedFd);

impl Link {
    /// Two ends, both close-on-exec.
    pub fn pair() -> io::Result<(Self, Self)> {
        kill::point();
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(a), Self(b)))
    }

    /// The end that descriptor `number` is, if it is one; it becomes close-on-exec.
    pub fn adopt(number: RawFd) -> Option<Self> {
        if number <= 2 {
            return None;
        }
        // SAFETY: only looked at; a number that is not open gives EBADF.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let ours = sockopt::socket_domain(fd).ok()? == AddressFamily::UNIX
            && sockopt::socket_type(fd).ok()? == SocketType::SEQPACKET;
        if !ours {
            return None;
        }
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC).ok()?;
        // SAFETY: it is open, and was handed to this process for this purpose alone (see the module).
        Some(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    pub fn of_descriptor(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Waits until there is something to receive, until `deadline` (CLOCK_MONOTONIC nanoseconds).
    pub fn wait_readable(&self, deadline: Option<u64>) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        loop {
            let left = deadline.map(|at| clock::timespec(at.saturating_sub(clock::now())));
            match poll(&mut fds, left.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Sends one record without waiting. At most [`MAX_FDS`] descriptors.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        kill::point();
        Ok(records::send(self.0.as_fd(), &[IoSlice::new(bytes)], fds)?)
    }

    /// Takes one record, waiting for it. `buffer` holds [`MAX_RECORD`] bytes.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.take(buffer, RecvFlags::empty())
    }

    /// Waits for the next record; its length, 0 at the end. For who would have to touch a buffer for any length.
    pub fn next_len(&self) -> io::Result<usize> {
        loop {
            let mut nothing: [u8; 0] = [];
            match recv(&self.0, &mut nothing[..], RecvFlags::PEEK | RecvFlags::TRUNC) {
                Ok((_, len)) => return Ok(len),
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(0),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Takes one record if there is one.
    pub fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.take(buffer, RecvFlags::DONTWAIT)
    }

    /// Makes room for records that wait to be received, as much as the system allows; how many bytes, with what the kernel needs
    /// for each record.
    pub fn widen(&self, bytes: usize) -> io::Result<usize> {
        kill::point();
        let _ = sockopt::set_socket_send_buffer_size(&self.0, bytes / 2); // the kernel doubles it
        Ok(sockopt::socket_send_buffer_size(&self.0)?)
    }

    /// Bytes that wait to be received, of all records together.
    pub fn waiting(&self) -> io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(&self.0)?)
    }

    /// Reads the record that begins `offset` bytes after the first one, and leaves it, without its descriptors; its length, `None`
    /// if there is none. For who is alone with this end: the kernel keeps the offset with the socket.
    pub fn look(&self, offset: usize, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.set_peek_offset(offset)?;
        self.look_on(buffer)
    }

    /// The same with the record after the last one that was looked at.
    pub fn look_on(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match recv(&self.0, &mut *buffer, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
                Ok((len, _)) => return Ok(Some(len)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The same, with descriptors of this process's own.
    pub fn copy(&self, offset: usize, buffer: &mut [u8]) -> io::Result<Received> {
        self.set_peek_offset(offset)?;
        self.take(buffer, RecvFlags::PEEK | RecvFlags::DONTWAIT)
    }

    fn set_peek_offset(&self, offset: usize) -> io::Result<()> {
        let offset = libc::c_int::try_from(offset).map_err(|_| Errno::INVAL)?;
        let (at, len) = (&raw const offset, size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: see the module.
        let set =
            unsafe { libc::setsockopt(self.number(), libc::SOL_SOCKET, libc::SO_PEEK_OFF, at.cast(), len) };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn take(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<Received> {
        let record = match records::receive(self.0.as_fd(), &mut [IoSliceMut::new(buffer)], flags) {
            Err(Errno::AGAIN) => return Ok(Received::Nothing),
            Err(Errno::CONNRESET) => return Ok(Received::Unread),
            other => other?,
        };
        if record.cut {
            return Err(Errno::MSGSIZE.into());
        }
        if record.len == 0 && record.fds.is_empty() {
            return Ok(Received::End); // no record is empty
        }
        Ok(Received::Record(record.len, record.fds))
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_bounds_and_outlive_the_sender() {
        let (a, b) = Link::pair().expect("pair");
        b.send(b"one", &[]).expect("send");
        b.send(b"two!", &[b.as_fd()]).expect("send");
        drop(b);
        let mut buffer = [0; 64];
        assert!(matches!(a.receive(&mut buffer), Ok(Received::Record(3, fds)) if fds.is_empty()));
        assert!(matches!(a.receive(&mut buffer), Ok(Received::Record(4, fds)) if fds.len() == 1));
        assert!(matches!(a.receive(&mut buffer), Ok(Received::End)));
    }

    #[test]
    fn records_can_be_looked_at_anywhere_and_stay() {
        let (a, b) = Link::pair().expect("pair");
        let mut buffer = [0; 8];
        assert_eq!(b.look(0, &mut buffer).expect("look"), None);
        for i in 0..3u8 {
            a.send(&[i; 4], &[a.as_fd()]).expect("send");
        }
        for i in [2u8, 0, 1] {
            assert_eq!(b.look(usize::from(i) * 4, &mut buffer).expect("look"), Some(4));
            assert_eq!(buffer[0], i);
            buffer[0] = 9;
            let Ok(Received::Record(4, fds)) = b.copy(usize::from(i) * 4, &mut buffer) else {
                panic!("no copy")
            };
            assert_eq!((buffer[0], fds.len()), (i, 1));
        }
        assert_eq!(b.look(12, &mut buffer).expect("look"), None);
        assert_eq!(b.look(4, &mut buffer).expect("look"), Some(4));
        assert_eq!(b.look_on(&mut buffer).expect("look"), Some(4));
        assert_eq!((buffer[0], b.look_on(&mut buffer).expect("look")), (2, None));
        assert_eq!(b.waiting().expect("bytes"), 12);
        assert!(matches!(b.try_receive(&mut buffer), Ok(Received::Record(4, _))));
        assert_eq!(buffer[0], 0, "the first one, wherever somebody looked");
    }

    #[test]
    fn an_unread_record_is_noticed_and_hides_nothing() {
        let (a, b) = Link::pair().expect("pair");
        a.send(b"boot", &[]).expect("send");
        b.send(b"out", &[]).expect("send");
        drop(b);
        let mut buffer = [0; 64];
        assert!(matches!(a.try_receive(&mut buffer), Ok(Received::Unread)));
        assert!(matches!(a.try_receive(&mut buffer), Ok(Received::Record(3, _))));
        assert!(matches!(a.try_receive(&mut buffer), Ok(Received::End)));
    }

    #[test]
    fn a_number_that_is_no_socket_is_not_adopted() {
        assert!(Link::adopt(1).is_none());
        assert!(Link::adopt(i32::MAX).is_none());
        let file = std::fs::File::open("/dev/null").expect("/dev/null");
        assert!(Link::adopt(file.as_raw_fd()).is_none());
    }
}
