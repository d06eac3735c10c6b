//! How large a dictionary is.

use super::SharedDict;
use crate::error::Result;
use crate::layout::block::HEADER;
use crate::shared::data::SharedData;

/// What a [`SharedDict`] consists of; see [`SharedDict::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DictStats {
    /// Entries; exact only while nobody writes.
    pub entries: u64,
    /// Segments, among which the hashes are divided.
    pub segments: u64,
    /// Memory of segments and their directory, with the headers of their blocks. Where keys and values are at most eight bytes long, this is all; otherwise
    /// each entry has a block besides, of the next size that fits.
    pub bytes: u64,
}

impl<K: SharedData, V: SharedData> SharedDict<K, V> {
    /// How large it is. It waits for those who make it grow, and looks at the whole directory.
    ///
    /// ```
    /// let d = processing::SharedDict::<u64, u64>::new()?;
    /// d.extend((0..10_000).map(|n| (n, n)))?;
    /// let stats = d.stats()?;
    /// assert_eq!(stats.entries, 10_000);
    /// assert!(stats.bytes < 45 * stats.entries, "{stats:?}");
    /// # Ok::<(), processing::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    pub fn stats(&self) -> Result<DictStats> {
        let extent = self.raw.extent()?;
        let bytes = extent.bytes + (extent.segments + 1) * HEADER;
        Ok(DictStats { entries: self.raw.len(), segments: extent.segments, bytes })
    }
}
