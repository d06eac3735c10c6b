//! Serialising into memory that is there already.

use std::cell::Cell;

use rkyv::rancor::Source;
use rkyv::ser::{Positional, Writer};

/// The writer that messages are serialised into where they will lie.
#[doc(hidden)]
#[derive(Debug)]
pub struct InPlace<'a> {
    room: &'a mut [u8],
    /// So many bytes are in use. More than the room has: it was too small.
    used: &'a Cell<usize>,
}

/// A value needs more bytes than there are.
#[derive(Debug, thiserror::Error)]
#[error("it takes more than {0} bytes")]
struct TooSmall(usize);

impl<'a> InPlace<'a> {
    /// Writes into `room`, from byte `used` on.
    pub(crate) fn new(room: &'a mut [u8], used: &'a Cell<usize>) -> Self {
        Self { room, used }
    }
}

impl Positional for InPlace<'_> {
    fn pos(&self) -> usize {
        self.used.get()
    }
}

impl<E: Source> Writer<E> for InPlace<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), E> {
        let from = self.used.get();
        let to = from.saturating_add(bytes.len());
        self.used.set(to);
        match self.room.get_mut(from..to) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(E::new(TooSmall(self.room.len()))),
        }
    }
}
