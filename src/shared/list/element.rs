//! From values to elements and back.

use super::SharedList;
use crate::arena::Block;
use crate::channel::parcel;
use crate::channel::transfer::Scope;
use crate::data::bytes::Bytes;
use crate::data::list::element;
use crate::data::list::memory::{Fresh, Memory};
use crate::data::list::stored::Stored;
use crate::error::Result;
use crate::layout::block_place::BlockPlace;
use crate::ring::plain::plain_bytes;
use crate::shared::{SharedData, data, inline};

impl<T: SharedData> SharedList<T> {
    /// The word of a plain value.
    #[inline(always)]
    pub(super) fn word_of(value: &T) -> u64 {
        inline::word_of(plain_bytes(value).unwrap_or_default())
    }

    /// A value as it is to be in the list: its word, and the block that this names, if it needs one.
    #[inline(always)]
    pub(super) fn element(&self, value: &T) -> Result<(u64, Option<Block<'_>>)> {
        if Self::INLINE {
            return Ok((Self::word_of(value), None));
        }
        let block = self.pack(value)?;
        Ok((block.view().place().0, Some(block)))
    }

    /// All of them, before anything is locked: iterators run their owner's code.
    pub(super) fn elements<'v>(&self, values: impl IntoIterator<Item = &'v T>) -> Result<Fresh<Block<'_>>> {
        let mut new = Fresh::default();
        for value in values {
            let (word, block) = self.element(value)?;
            new.push(word, block);
        }
        Ok(new)
    }

    /// A block with the archive of a value and a counted reference to each of its handles.
    fn pack(&self, value: &T) -> Result<Block<'_>> {
        let scope = Scope::open();
        data::encode(value, |bytes| {
            let children = scope.take();
            let (words, count) = (element::words_for(bytes.len()), children.len() as u32);
            let domain = self.inner.lock.domain();
            let block = domain.with_room(|| self.store().alloc(words * 8, count))?;
            let room = self.inner.region.words(block.view().content_offset(), words);
            let room = room.ok_or_else(|| self.damaged())?;
            element::write(room, bytes).map_err(|error| self.named(error))?;
            parcel::add_shared(domain, &block, &children)?;
            Ok(block)
        })?
    }

    /// The value of an element, for who has the lock.
    pub(super) fn value_of(&self, stored: &Stored<'_>, word: u64) -> Result<T> {
        if Self::INLINE {
            return inline::of_word(word);
        }
        let view = stored.view(BlockPlace(word)).ok_or_else(|| self.damaged())?;
        let words = self.inner.region.words(view.content_offset(), view.len() / 8);
        let words = words.ok_or_else(|| self.damaged())?;
        let mut bytes = Bytes::new();
        element::read(words, |len| bytes.room(len)).ok_or_else(|| self.damaged())?;
        parcel::with_handles(self.inner.lock.domain(), &view, || data::decode(&bytes))
    }

    /// The value of an element that was seen in the list; `None` if it is not there any more.
    pub(super) fn value_if_there(&self, word: u64) -> Option<Result<T>> {
        if Self::INLINE {
            return Some(inline::of_word(word));
        }
        let place = BlockPlace(word);
        if place.has_handles() {
            let read = || {
                Ok(self.with(|_, stored| {
                    stored.is_value(place).then(|| self.value_of(stored, word)).transpose()
                }))
            };
            return self.locked(read).and_then(|answer| answer).transpose();
        }
        let mut bytes = Bytes::new();
        self.look(|list| list.copy_alive(place, |len| bytes.room(len)))?;
        Some(data::decode(&bytes))
    }
}
