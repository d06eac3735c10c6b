//! A pair of sockets as a queue of whole records, by any number of processes without a lock.
//!
//! A record arrives whole or not at all, also when its sender is killed. What is too long for a record travels as a sealed memory
//! file: the record carries its descriptor, and the kernel frees both together, whoever dies. Neither end blocks.
//!
//! # Safety
//!
//! `ioctl` writes one local integer.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, send, socketpair, sockopt};

use super::records;
use crate::sync::kill;

/// Both ends: one is written to, and one is read.
#[derive(Debug)]
pub struct SeqPacket {
    write: OwnedFd,
    read: OwnedFd,
}

/// What was taken.
#[derive(Debug)]
pub enum Record {
    /// A record of so many bytes.
    Bytes(usize),
    /// A record that carries a memory file.
    Parcel(OwnedFd),
}

impl SeqPacket {
    /// A new one.
    pub fn create() -> io::Result<Self> {
        kill::point();
        let (write, read) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok(Self { write, read })
    }

    /// One that somebody made, by its [`ends`](Self::ends).
    pub fn of([write, read]: [OwnedFd; 2]) -> Self {
        Self { write, read }
    }

    /// What another process needs to have it, too.
    pub fn ends(&self) -> [BorrowedFd<'_>; 2] {
        [self.write.as_fd(), self.read.as_fd()]
    }

    /// The size of its buffer as the kernel counts: each record with what the kernel needs for it.
    pub fn buffer(&self) -> io::Result<usize> {
        Ok(sockopt::socket_send_buffer_size(&self.write)?)
    }

    /// Asks for a buffer of so many bytes; how many there are. The system may give less.
    pub fn set_buffer(&self, bytes: usize) -> io::Result<usize> {
        kill::point();
        // The kernel doubles what it is asked for.
        let half = bytes.div_ceil(2).min(i32::MAX as usize / 2);
        sockopt::set_socket_send_buffer_size(&self.write, half)?;
        self.buffer()
    }

    /// How much of the buffer is in use.
    pub fn used(&self) -> io::Result<usize> {
        used(self.write.as_fd())
    }

    /// Bytes that wait, of all records together.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(&self.read)?)
    }

    /// Sends one record of at least a byte; false: there is no room. `EMSGSIZE`: it never fits.
    pub fn send(&self, record: &[u8]) -> io::Result<bool> {
        debug_assert!(!record.is_empty());
        kill::point();
        loop {
            match send(&self.write, record, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(_) => return Ok(true),
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Sends a memory file; `record` is what is counted of it.
    pub fn send_parcel(&self, record: &[u8], file: BorrowedFd<'_>) -> io::Result<bool> {
        kill::point();
        match records::send(self.write.as_fd(), &[IoSlice::new(record)], &[file]) {
            Ok(()) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes one record into `buffer`, if there is one. `EMFILE`: it carried a file, for which this process has no number; it is lost.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Record>> {
        kill::point();
        let parts = &mut [IoSliceMut::new(buffer)];
        match records::receive(self.read.as_fd(), parts, RecvFlags::DONTWAIT) {
            Ok(record) if record.cut => Err(Errno::MSGSIZE.into()),
            Ok(mut record) => Ok(Some(record.fds.pop().map_or(Record::Bytes(record.len), Record::Parcel))),
            Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// How much of a socket's buffer what it sent takes until it is received.
pub(super) fn used(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: see the module.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } {
        0 => Ok(usize::try_from(bytes).unwrap_or(0)),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::parcel;

    #[test]
    fn records_and_parcels_come_in_order() {
        let socket = SeqPacket::create().expect("pair");
        let long: Vec<u8> = (0..1 << 20).map(|i| i as u8).collect();
        assert!(socket.send(b"one").expect("send"));
        let file = parcel::pack_sealed(&long).expect("parcel");
        assert!(socket.send_parcel(b"two!", file.as_fd()).expect("send"));
        drop(file);
        assert_eq!(socket.bytes().expect("bytes"), 7);
        assert!(socket.used().expect("used") > 7);
        let mut buffer = [0; 64];
        assert!(matches!(socket.receive(&mut buffer), Ok(Some(Record::Bytes(3)))));
        let Ok(Some(Record::Parcel(file))) = socket.receive(&mut buffer) else { panic!("no parcel") };
        assert!(parcel::unpack(&file).expect("unpack") == long);
        assert!(parcel::pack_sealed(&[]).is_ok());
        assert!(rustix::io::pwrite(&file, b"x", 0).is_err(), "it is sealed");
        assert!(matches!(socket.receive(&mut buffer), Ok(None)));
    }

    #[test]
    fn a_full_buffer_says_so() {
        let socket = SeqPacket::create().expect("pair");
        let size = socket.set_buffer(1).expect("resize");
        let mut sent = 0;
        while socket.send(&[0; 8]).expect("send") {
            sent += 1;
        }
        assert!(sent > 0 && socket.used().expect("used") >= size);
        assert!(socket.send(&vec![0; size]).is_err_and(|e| e.raw_os_error() == Some(libc::EMSGSIZE)));
    }
}
