//! The door of a named region, as the kernel has it.

use std::io;

use crate::region::named::protocol::Door;
use crate::sys::beacon::Beacon;
use crate::sys::shm::{self, FileId, ShmName};

/// A file that this process has open, and the name by which it knows it.
pub struct NamedDoor<'a> {
    pub file: &'a Beacon,
    pub id: FileId,
    pub name: &'a ShmName,
}

impl Door for NamedDoor<'_> {
    type Error = io::Error;

    fn lock(&self) -> io::Result<bool> {
        self.file.lock_gate()
    }

    fn unlock(&self) {
        self.file.unlock_gate();
    }

    fn is_current(&self) -> io::Result<bool> {
        Ok(shm::info(self.name)?.is_some_and(|now| now.id == self.id))
    }

    fn is_used(&self) -> io::Result<bool> {
        self.file.is_used()
    }

    fn unlink(&self) -> io::Result<()> {
        shm::unlink(self.name)
    }
}
