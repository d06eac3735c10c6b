//! A pipe of packets: what one call writes, one call reads, by any number of processes without a lock.
//!
//! A packet of at most [`PACKET`] bytes lies in one buffer of the pipe: it is written whole or not at all, also by a process that
//! is killed, and the number of buffers is exactly the number of packets that fit. Both ends never block.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};

use crate::sync::kill;

/// The longest packet. It has one byte at least: a write of nothing is none.
pub const PACKET: usize = 4096;

/// Both ends.
#[derive(Debug)]
pub struct PacketPipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl PacketPipe {
    /// A new one, of as many packets as the system likes.
    pub fn create() -> io::Result<Self> {
        kill::point();
        let (read, write) = pipe_with(PipeFlags::DIRECT | PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        Ok(Self { read, write })
    }

    /// One that somebody made, by its [`ends`](Self::ends).
    pub fn of([read, write]: [OwnedFd; 2]) -> Self {
        Self { read, write }
    }

    /// What another process needs to have it, too.
    pub fn ends(&self) -> [BorrowedFd<'_>; 2] {
        [self.read.as_fd(), self.write.as_fd()]
    }

    /// Makes room for at least so many packets; how many.
    pub fn set_capacity(&self, packets: usize) -> io::Result<usize> {
        kill::point();
        let bytes = packets.saturating_mul(rustix::param::page_size());
        fcntl_setpipe_size(&self.write, bytes)?;
        self.capacity()
    }

    /// The packets that fit.
    pub fn capacity(&self) -> io::Result<usize> {
        Ok(fcntl_getpipe_size(&self.write)? / rustix::param::page_size())
    }

    /// Writes one packet of 1 to [`PACKET`] bytes; false: there is no room.
    pub fn send(&self, packet: &[u8]) -> io::Result<bool> {
        debug_assert!((1..=PACKET).contains(&packet.len()));
        kill::point();
        loop {
            match write(&self.write, packet) {
                Ok(_) => return Ok(true),
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Reads one packet into `buffer`, which holds [`PACKET`] bytes; its length, `None` if there is none.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        kill::point();
        loop {
            match read(&self.read, &mut *buffer) {
                Ok(len) => return Ok(Some(len)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Bytes that wait, of all packets together.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(ioctl_fionread(&self.read)?)
    }

    /// Whether no packet would fit.
    pub fn is_full(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.write, PollFlags::OUT)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            match poll(&mut fds, Some(&now)) {
                Ok(ready) => return Ok(ready == 0),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_keep_their_bounds_and_the_capacity_is_exact() {
        let pipe = PacketPipe::create().expect("pipe");
        assert_eq!(pipe.set_capacity(3).expect("resize"), 4);
        let mut buffer = [0; PACKET];
        assert_eq!(pipe.receive(&mut buffer).expect("receive"), None);
        for len in [1, 100, PACKET, 2] {
            assert!(!pipe.is_full().expect("poll"));
            assert!(pipe.send(&vec![len as u8; len]).expect("send"), "{len}");
        }
        assert!(pipe.is_full().expect("poll") && !pipe.send(&[1]).expect("send"));
        assert_eq!(pipe.bytes().expect("bytes"), 1 + 100 + PACKET as u64 + 2);
        for len in [1, 100, PACKET, 2] {
            assert_eq!(pipe.receive(&mut buffer).expect("receive"), Some(len));
            assert!(buffer[..len].iter().all(|byte| *byte == len as u8));
        }
        assert_eq!(pipe.receive(&mut buffer).expect("receive"), None);
    }
}
