//! `eventfd(2)`: a descriptor that is readable or not, as this process says.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use crate::sync::kill;

/// A descriptor for `poll` and `epoll`. It goes when this value does; programs that are executed do not inherit it.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// One that is not readable.
    pub fn new() -> io::Result<Self> {
        kill::point();
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Makes it readable.
    pub fn raise(&self) {
        kill::point();
        // It fails when the counter is at its maximum: then it is readable.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    pub fn lower(&self) {
        kill::point();
        // It fails when it is not readable, which is as good.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(event: &EventFd) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(event, PollFlags::IN)], Some(&now)).expect("poll") == 1
    }

    #[test]
    fn it_is_readable_as_long_as_it_is_raised() {
        let event = EventFd::new().expect("eventfd");
        assert!(!is_readable(&event));
        event.raise();
        event.raise();
        assert!(is_readable(&event));
        event.lower();
        assert!(!is_readable(&event));
        event.lower();
        event.raise();
        assert!(is_readable(&event));
    }
}
