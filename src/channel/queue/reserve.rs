//! Room for messages that are written where they will be read.

use super::{Queue, Reservation};
use crate::channel::byte_root;
use crate::channel::errors::PutError;
use crate::channel::message::Message;

impl<T: Message> Queue<T> {
    /// Room for one message of up to `len` bytes, to be written in place: by serialising a value straight into it
    /// ([`Reservation::serialize`]), by [`std::io::Write`], or as the slice that it is. [`commit`](Reservation::commit) puts it
    /// into the queue; dropped without, it is gone.
    ///
    /// The message is an *archive* of `T`, as rkyv makes it. A queue of bytes has [`reserve_bytes`](Queue::reserve_bytes), which needs none.
    ///
    /// Nothing of the queue is taken before the commit: who is slow, is stopped or dies with a reservation holds up nobody. What does not fit
    /// a slot lies in a block of the arena from the start and is never copied; what does is copied once, into its slot.
    /// The bytes are not cleared: they are what some message left there. Killed with a reservation, the process
    /// leaves nothing behind.
    ///
    /// ```
    /// let q = processing::Queue::<Vec<u64>>::new(4)?;
    /// let mut room = q.reserve(1 << 20)?;
    /// room.serialize(&vec![7; 100_000])?; // straight to where the getter reads it
    /// room.commit()?;
    /// assert_eq!(q.get_ref()?.len(), 100_000);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `TooLarge` if no message of the queue or of its arena can be so long; `Other` if the arena has no room now or the
    /// handle was inherited through a fork. Never `Full`, which the commit may be.
    pub fn reserve(&self, len: usize) -> Result<Reservation<'_, T>, PutError> {
        Reservation::new(self, len, len)
    }
}

impl Queue<Vec<u8>> {
    /// Room for exactly `len` bytes (or fewer, after [`truncate`](Reservation::truncate)), whatever they are: the getter sees them as they lie, without a copy.
    ///
    /// As [`reserve`](Queue::reserve) otherwise.
    ///
    /// ```
    /// use std::io::Write;
    /// let q = processing::Queue::<Vec<u8>>::new(4)?;
    /// let mut room = q.reserve_bytes(100_000)?;
    /// room.fill(7);
    /// room.commit()?;
    /// let mut room = q.reserve_bytes(5)?;
    /// write!(room, "hello").expect("room for five");
    /// room.commit()?;
    /// assert!(q.get_ref()?.iter().all(|byte| *byte == 7));
    /// assert_eq!(q.get()?, b"hello");
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`reserve`](Queue::reserve); `TooLarge` beyond 2 GiB.
    pub fn reserve_bytes(&self, len: usize) -> Result<Reservation<'_, Vec<u8>>, PutError> {
        if len > byte_root::MOST {
            return Err(PutError::TooLarge { len: len as u64, max: byte_root::MOST as u64 });
        }
        let room = Reservation::new(self, len, byte_root::archive_len(len))?;
        Ok(room.finished_by(byte_root::append))
    }
}
