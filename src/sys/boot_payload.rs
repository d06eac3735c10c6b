//! What travels to a process that starts: plain bytes and descriptors, as one layer hands them to another.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Packed arguments: the bytes, and the descriptors that they speak of, in order.
#[derive(Debug, Default)]
pub struct BootPayload {
    pub bytes: Vec<u8>,
    pub fds: Vec<Descriptor>,
}

/// A descriptor on its way.
pub enum Descriptor {
    /// Closed when the payload goes.
    Own(OwnedFd),
    /// Somebody else's, who keeps it open: a beacon must not even be duplicated and closed by who lives by it.
    Lent(Arc<dyn AsFd + Send + Sync>),
}

impl Descriptor {
    /// In the child: a descriptor of its own.
    ///
    /// # Errors
    /// What `dup` says.
    pub fn into_owned(self) -> io::Result<OwnedFd> {
        match self {
            Self::Own(fd) => Ok(fd),
            Self::Lent(fd) => fd.as_fd().try_clone_to_owned(),
        }
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(fd) => fd.as_fd(),
            Self::Lent(fd) => (**fd).as_fd(),
        }
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Descriptor({:?})", self.as_fd())
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self::Own(fd)
    }
}
