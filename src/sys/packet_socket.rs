//! One end of a pair of sockets that carries whole records both ways, some of which carry a memory file.
//!
//! A record arrives whole or not at all, also when its sender is killed. It can be looked at before it is taken, with a descriptor of its file, so that
//! nothing is lost for lack of memory or of a descriptor. No call waits. For one sender and one receiver at a time.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SocketFlags, SocketType, recv, recvmsg, socketpair,
    sockopt,
};

use super::{records, seqpacket};
use crate::sync::kill;

/// See the module.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

/// What came of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Done,
    /// There is no room at present.
    Full,
    /// No record of this length ever fits.
    TooLong,
    /// Nobody has the other end any more.
    Gone,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeked {
    /// A record of so many bytes.
    Record(usize),
    Nothing,
    /// Nothing, and nobody has the other end any more.
    Gone,
}

impl PacketSocket {
    /// Both ends of a new pair, close-on-exec.
    pub fn pair() -> io::Result<(Self, Self)> {
        kill::point();
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(a), Self(b)))
    }

    /// The end that this descriptor is, if it is one.
    pub fn of(fd: OwnedFd) -> Option<Self> {
        let ours = sockopt::socket_domain(&fd).ok()? == AddressFamily::UNIX
            && sockopt::socket_type(&fd).ok()? == SocketType::SEQPACKET;
        ours.then_some(Self(fd))
    }

    /// The size of the buffer of what this end sends, as the kernel counts: each record with what the kernel needs for it.
    pub fn buffer(&self) -> io::Result<usize> {
        Ok(sockopt::socket_send_buffer_size(&self.0)?)
    }

    /// Whether no record would fit.
    pub fn is_full(&self) -> io::Result<bool> {
        Ok(seqpacket::used(self.0.as_fd())? >= self.buffer()?)
    }

    /// Sends one record of these parts, at least a byte in all, with a file or without.
    pub fn push(&self, head: &[u8], rest: &[u8], file: Option<BorrowedFd<'_>>) -> io::Result<Pushed> {
        kill::point();
        let parts = [IoSlice::new(head), IoSlice::new(rest)];
        match records::send(self.0.as_fd(), &parts, file.as_slice()) {
            Ok(()) => Ok(Pushed::Done),
            Err(Errno::AGAIN) => Ok(Pushed::Full),
            Err(Errno::MSGSIZE) => Ok(Pushed::TooLong),
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Ok(Pushed::Gone),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Reads the beginning of the first record into `head` and leaves it where it is.
    pub fn peek(&self, head: &mut [u8]) -> io::Result<Peeked> {
        let flags = RecvFlags::PEEK | RecvFlags::TRUNC | RecvFlags::DONTWAIT;
        loop {
            match recv(&self.0, &mut *head, flags) {
                Ok((_, 0)) => return Ok(Peeked::Gone), // no record is empty
                Ok((_, len)) => return Ok(Peeked::Record(len)),
                Err(Errno::AGAIN) => return Ok(Peeked::Nothing),
                // Told once: the other end was closed with records in it. What it sent may still be here.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The file that the first record carries, and leaves that where it is. `EMFILE`: this process has no number for it.
    pub fn peek_file(&self) -> io::Result<Option<OwnedFd>> {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let mut byte = [0];
        loop {
            match records::receive(self.0.as_fd(), &mut [IoSliceMut::new(&mut byte)], flags) {
                Ok(record) => return Ok(record.fds.into_iter().next()),
                Err(Errno::CONNRESET) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Takes the first record, which is there: its first bytes into `head`, those behind them into `rest`, any others nowhere. Its file goes.
    pub fn take(&self, head: &mut [u8], rest: &mut [u8]) -> io::Result<()> {
        kill::point();
        let mut parts = [IoSliceMut::new(head), IoSliceMut::new(rest)];
        loop {
            // Without room for descriptors none is made.
            let mut none = RecvAncillaryBuffer::default();
            match recvmsg(&self.0, &mut parts, &mut none, RecvFlags::DONTWAIT) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::parcel;

    #[test]
    fn records_go_both_ways_and_stay_until_they_are_taken() {
        let (a, b) = PacketSocket::pair().expect("pair");
        let mut head = [0; 4];
        assert_eq!(a.peek(&mut head).expect("peek"), Peeked::Nothing);
        assert_eq!(b.push(b"head", b"rest", None).expect("push"), Pushed::Done);
        assert_eq!(a.push(b"back", &[], None).expect("push"), Pushed::Done);
        for _ in 0..2 {
            assert_eq!(a.peek(&mut head).expect("peek"), Peeked::Record(8));
            assert_eq!(&head, b"head");
            assert!(a.peek_file().expect("peek").is_none());
        }
        let mut rest = [0; 4];
        a.take(&mut head, &mut rest).expect("take");
        assert_eq!((&head, &rest), (b"head", b"rest"));
        assert_eq!(a.peek(&mut head).expect("peek"), Peeked::Nothing);
        drop(a);
        assert_eq!(b.peek(&mut head).expect("peek"), Peeked::Record(4));
        b.take(&mut head, &mut []).expect("take");
        assert_eq!(b.peek(&mut head).expect("peek"), Peeked::Gone);
        assert_eq!(b.push(b"more", &[], None).expect("push"), Pushed::Gone);
    }

    #[test]
    fn a_file_is_had_before_its_record_is_taken() {
        let (a, b) = PacketSocket::pair().expect("pair");
        let file = parcel::pack_sealed(b"long").expect("parcel");
        assert_eq!(a.push(b"head", &[], Some(file.as_fd())).expect("push"), Pushed::Done);
        drop(file);
        let file = b.peek_file().expect("peek").expect("a file");
        b.take(&mut [0; 4], &mut []).expect("take");
        assert_eq!(parcel::unpack(&file).expect("unpack"), b"long");
        assert_eq!(b.peek(&mut [0; 4]).expect("peek"), Peeked::Nothing);
    }

    #[test]
    fn an_end_that_goes_with_records_in_it_hides_nothing_that_it_sent() {
        let (a, b) = PacketSocket::pair().expect("pair");
        a.push(b"unread", &[], None).expect("push");
        b.push(b"sent", &[], None).expect("push");
        drop(b);
        let mut head = [0; 4];
        assert_eq!(a.peek(&mut head).expect("peek"), Peeked::Record(4));
        a.take(&mut head, &mut []).expect("take");
        assert_eq!((&head, a.peek(&mut [0]).expect("peek")), (b"sent", Peeked::Gone));
    }

    #[test]
    fn a_full_buffer_says_so() {
        let (a, b) = PacketSocket::pair().expect("pair");
        let mut sent = 0;
        while a.push(&[7; 1000], &[], None).expect("push") == Pushed::Done {
            assert!(!a.is_full().expect("asked") || sent > 0);
            sent += 1;
        }
        assert!(sent > 1 && a.is_full().expect("asked") && !b.is_full().expect("asked"));
        let long = vec![0; a.buffer().expect("asked") + 1];
        assert_eq!(a.push(&long, &[], None).expect("push"), Pushed::TooLong);
        b.take(&mut [0; 8], &mut []).expect("take");
        assert!(!a.is_full().expect("asked"));
    }

    #[test]
    fn what_is_no_such_socket_is_refused() {
        let file = std::fs::File::open("/dev/null").expect("/dev/null");
        assert!(PacketSocket::of(file.into()).is_none());
        let (a, _) = PacketSocket::pair().expect("pair");
        assert!(PacketSocket::of(a.0).is_some());
    }
}
