//! How much is in a buffered queue.

use super::BufferedQueue;
use crate::error::Result;

/// How much is in a [`BufferedQueue`], and how much there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferedStats {
    /// Messages that wait to be taken.
    pub messages: u64,
    /// Bytes that the queue has in its arena: segments with all their slots, and messages in blocks.
    pub bytes: u64,
    /// Segments: at least one.
    pub segments: u64,
    /// High-water mark: the most messages at one time. It is noted when a segment was full and another one added, and by
    /// [`BufferedQueue::stats`] itself; it may be wrong by what one segment holds for each segment that was half-drained then, and
    /// by one segment where none was added since.
    pub peak_messages: u64,
    /// High-water mark: the most bytes at one time, noted at the same moments.
    pub peak_bytes: u64,
}

impl<T> BufferedQueue<T> {
    /// Counts what is in the queue now, and tells the most that there was. Stale as soon as it is read.
    ///
    /// Cost: a look at each slot of each segment, during which the queue neither grows nor shrinks.
    ///
    /// ```
    /// let q = processing::BufferedQueue::<u64>::builder().segment(16).build()?;
    /// for n in 0..100 {
    ///     q.put(&n)?;
    /// }
    /// let full = q.stats()?;
    /// assert_eq!((full.messages, full.segments), (100, 7));
    /// while q.try_get().is_ok() {}
    /// let empty = q.stats()?;
    /// assert_eq!((empty.messages, empty.segments, empty.peak_messages), (0, 1, 100));
    /// assert!(empty.bytes < full.bytes);
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `WrongProcess` if the handle was inherited through a fork.
    pub fn stats(&self) -> Result<BufferedStats> {
        let counted = self.locked(|locked| locked.count())?;
        Ok(BufferedStats {
            messages: counted.messages,
            bytes: counted.bytes,
            segments: counted.segments,
            peak_messages: counted.peak_messages,
            peak_bytes: counted.peak_bytes,
        })
    }
}
