//! POSIX message queues that have no name by the time anybody gets them.
//!
//! The kernel makes them by name only. So all processes of a user use *one* name, each for the moment between making and unlinking: whoever
//! finds it there, left by one that was killed in between (or being made just now, which does no harm, as its maker has the
//! descriptor), unlinks it first. At most one name can ever stay behind, until the next queue is made or the dead one is repaired.
//!
//! # Safety
//!
//! Names are null-terminated, buffers are passed with their lengths, descriptors are open as long as the value lives, and
//! the kernel writes to locals.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::random;
use crate::sync::kill;

/// How often a name may be there before it must be another's, who may not be disturbed.
const TRIES: u32 = 64;

/// One queue. Neither sending nor receiving blocks.
#[derive(Debug)]
pub struct MessageQueue(OwnedFd);

/// What the kernel says of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Messages that fit.
    pub capacity: usize,
    /// Bytes of the longest message.
    pub size: usize,
    /// Messages that wait.
    pub waiting: usize,
}

impl MessageQueue {
    /// A new one without a name, for so many messages of up to so many bytes.
    pub fn create(capacity: usize, size: usize) -> io::Result<Self> {
        let name = usual_name();
        for _ in 0..TRIES {
            match open_new(&name, capacity, size) {
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                    if unlink(&name).is_err_and(|error| error.raw_os_error() != Some(libc::ENOENT)) {
                        break; // another user's
                    }
                }
                answer => return answer,
            }
        }
        let name = format!("/processing-ipc-{:016x}", random::nonzero()?);
        open_new(&CString::new(name)?, capacity, size)
    }

    /// One that somebody made, by its descriptor.
    pub fn of(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// What the kernel says of it.
    pub fn attributes(&self) -> io::Result<Attributes> {
        let mut found = MaybeUninit::<libc::mq_attr>::zeroed();
        // SAFETY: see the module.
        if unsafe { libc::mq_getattr(self.number(), found.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: plain integers, zero at least.
        let found = unsafe { found.assume_init() };
        let count = |value| usize::try_from(value).unwrap_or(0);
        Ok(Attributes {
            capacity: count(found.mq_maxmsg),
            size: count(found.mq_msgsize),
            waiting: count(found.mq_curmsgs),
        })
    }

    /// Sends one message; false: there is no room. `EMSGSIZE`: it never fits.
    pub fn send(&self, message: &[u8]) -> io::Result<bool> {
        kill::point();
        loop {
            // SAFETY: see the module.
            let sent = unsafe { libc::mq_send(self.number(), message.as_ptr().cast(), message.len(), 0) };
            if sent == 0 {
                return Ok(true);
            }
            match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            }
        }
    }

    /// Takes one message into `buffer`, which holds the longest; its length, `None` if there is none.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        kill::point();
        loop {
            let (at, room) = (buffer.as_mut_ptr().cast(), buffer.len());
            // SAFETY: see the module.
            let len = unsafe { libc::mq_receive(self.number(), at, room, std::ptr::null_mut()) };
            if let Ok(len) = usize::try_from(len) {
                return Ok(Some(len));
            }
            match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            }
        }
    }

    fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for MessageQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Takes away the name that a process left which was killed while it made a queue.
pub fn remove_leftover() {
    let _ = unlink(&usual_name()); // none, or another user's
}

fn usual_name() -> CString {
    let user = rustix::process::geteuid().as_raw();
    CString::new(format!("/processing-ipc-{user}")).unwrap_or_default()
}

fn open_new(name: &CString, capacity: usize, size: usize) -> io::Result<MessageQueue> {
    let long = |value| libc::c_long::try_from(value).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
    // SAFETY: a plain structure of integers.
    let mut wanted: libc::mq_attr = unsafe { std::mem::zeroed() };
    (wanted.mq_maxmsg, wanted.mq_msgsize) = (long(capacity)?, long(size)?);
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NONBLOCK | libc::O_CLOEXEC;
    kill::point();
    // SAFETY: see the module.
    let number = unsafe { libc::mq_open(name.as_ptr(), flags, 0o600 as libc::mode_t, &raw mut wanted) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    let queue = MessageQueue(unsafe { OwnedFd::from_raw_fd(number) });
    match unlink(name) {
        // Another maker was faster.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(queue),
        answer => answer.map(|()| queue),
    }
}

fn unlink(name: &CString) -> io::Result<()> {
    kill::point();
    // SAFETY: see the module.
    match unsafe { libc::mq_unlink(name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_bounds_and_the_limits_are_exact() {
        let queue = MessageQueue::create(2, 16).expect("mq_open");
        assert_eq!(queue.attributes().expect("getattr"), Attributes { capacity: 2, size: 16, waiting: 0 });
        let mut buffer = [0; 16];
        assert_eq!(queue.receive(&mut buffer).expect("receive"), None);
        assert!(queue.send(b"").expect("send") && queue.send(b"0123456789abcdef").expect("send"));
        assert!(!queue.send(b"x").expect("send"));
        assert!(queue.send(&[0; 17]).is_err_and(|e| e.raw_os_error() == Some(libc::EMSGSIZE)));
        assert_eq!(queue.attributes().expect("getattr").waiting, 2);
        assert_eq!(queue.receive(&mut buffer).expect("receive"), Some(0));
        assert_eq!(queue.receive(&mut buffer).expect("receive"), Some(16));
        assert_eq!(&buffer, b"0123456789abcdef");
    }

    #[test]
    fn a_name_that_was_left_is_no_obstacle() {
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC;
        let name = usual_name();
        // SAFETY: default attributes.
        let left = unsafe {
            libc::mq_open(name.as_ptr(), flags, 0o600 as libc::mode_t, std::ptr::null_mut::<libc::mq_attr>())
        };
        assert!(left >= 0, "{}", io::Error::last_os_error());
        // SAFETY: just opened.
        let _left = unsafe { OwnedFd::from_raw_fd(left) };
        let queue = MessageQueue::create(1, 8).expect("mq_open");
        assert_eq!(queue.attributes().expect("getattr").waiting, 0);
        remove_leftover();
    }
}
