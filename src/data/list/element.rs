//! Elements in blocks: `length in bytes, archive`. They are copied word by word, and only then looked at.

use super::List;
use super::append::damaged;
use super::memory::Memory;
use super::read::OutOfRange;
use crate::error::Result;
use crate::layout::block_place::BlockPlace;
use crate::prim::words::{self, Word};
use crate::sync::atomic::Ordering::{Acquire, Release};
use crate::sync::{fence, mutant};

/// Words of a block with an archive of so many bytes.
pub const fn words_for(bytes: usize) -> u64 {
    1 + bytes.div_ceil(8) as u64
}

/// Writes an archive into the words of a block that nobody else knows.
///
/// # Errors
/// `InvalidRegion`: there are fewer than [`words_for`].
pub fn write<W: Word>(words: &[W], bytes: &[u8]) -> Result<()> {
    let (first, rest) = words.split_first().ok_or_else(damaged)?;
    // Release, all of them: the block may have been an element that a late reader still copies. Who read this sees the version
    // that was stored before that element was freed.
    first.store(bytes.len() as u64, Release);
    if words::store(rest, bytes, Release) { Ok(()) } else { Err(damaged()) }
}

/// Copies the archive that lies in these words into the room that there is for so many bytes. `None`: it does not fit these words.
///
/// For who knows that the block does not change meanwhile, or finds out afterwards.
pub fn read<'o, W: Word>(words: &[W], room: impl FnOnce(usize) -> &'o mut [u8]) -> Option<()> {
    let (first, rest) = words.split_first()?;
    let len = usize::try_from(first.load(Acquire)).ok()?;
    let archive = rest.get(..len.div_ceil(8))?;
    words::load(archive, room(len), Acquire);
    Some(())
}

impl<M: Memory> List<'_, M> {
    /// As [`try_get`](Self::try_get), of a list of blocks: the element's archive is copied into `room`. If the answer is `None`, or the
    /// place has handles, what is there is of no use. The place.
    pub fn try_copy<'o>(
        &self,
        index: u64,
        room: impl FnOnce(usize) -> &'o mut [u8],
    ) -> Option<Result<BlockPlace, OutOfRange>> {
        self.validated(|version| {
            let place = match self.find(index)? {
                Ok(word) => BlockPlace(word),
                Err(why) => return Some(Err(why)),
            };
            if !place.has_handles() {
                self.copy(version, place, room)?;
            }
            Some(Ok(place))
        })
    }

    /// Copies an element while the list is of `version`; of use only if it [still is](Self::try_each).
    pub fn copy<'o>(
        &self,
        version: u64,
        place: BlockPlace,
        room: impl FnOnce(usize) -> &'o mut [u8],
    ) -> Option<()> {
        self.copy_while(place, || self.is_still(version), room)
    }

    /// Copies an element that was seen in the list, if it is there still.
    pub fn copy_alive<'o>(&self, place: BlockPlace, room: impl FnOnce(usize) -> &'o mut [u8]) -> Option<()> {
        let alive = || {
            // Acquire: pairs with the Release of whoever stores to a block that was freed.
            fence::fence(Acquire);
            self.memory.is_value(place)
        };
        self.copy_while(place, alive, room)?;
        (alive() || mutant::on("list.no_look_at_block")).then_some(())
    }

    fn copy_while<'o>(
        &self,
        place: BlockPlace,
        still: impl Fn() -> bool,
        room: impl FnOnce(usize) -> &'o mut [u8],
    ) -> Option<()> {
        let len = self.memory.words(place, 1)?.first()?.load(Acquire);
        // Before so much is looked at: it may be any number.
        if !still() {
            return None;
        }
        read(self.memory.words(place, words_for(usize::try_from(len).ok()?))?, room)
    }
}
