//! Into what a reader copies a value.

use core::marker::PhantomData;

use rkyv::Archive;

use super::get::{Content, is_key_at};
use super::memory::{Memory, Words};
use super::{Bytes, Dict, Key};
use crate::layout::block::FRONT;
use crate::layout::block_place::BlockPlace;
use crate::layout::dict::{Lengths, Settings};
use crate::ring::plain::plain_len;
use crate::sync::atomic::Ordering::Relaxed;

/// See the module.
pub trait Copies {
    /// What is told of a copy.
    type Copy;

    /// Whether values are their own words.
    #[inline(always)]
    fn is_inline(settings: Settings) -> bool {
        settings.inline_values
    }

    /// Copies the value of a block, if it has this key. `sure`: whether what was read so far belongs to the dictionary; `None` under the lock.
    fn copy<M: Memory>(
        &mut self,
        dict: &Dict<M>,
        reference: BlockPlace,
        key: &Key<'_>,
        sure: Option<&dyn Fn() -> bool>,
    ) -> Content<Self::Copy>;
}

impl Copies for Bytes {
    type Copy = usize;

    #[inline(always)]
    fn copy<M: Memory>(
        &mut self,
        dict: &Dict<M>,
        reference: BlockPlace,
        key: &Key<'_>,
        sure: Option<&dyn Fn() -> bool>,
    ) -> Content {
        dict.copy_block(reference, key, self, sure)
    }
}

/// Plain values, which all have the same length and no handles. They become words, by value, so that no copy of the bytes need exist in memory; and nothing
/// waits for the lengths in a block but the comparison with what they are.
#[derive(Debug)]
pub struct Fixed<K, V, const N: usize>(PhantomData<(K, V)>);

impl<K: Archive, V: Archive, const N: usize> Fixed<K, V, N> {
    /// Bytes of a value. `None`: it is not plain, or longer than `N` words.
    const VALUE: Option<usize> = match plain_len::<V>() {
        Some(len) if len <= 8 * N => Some(len),
        _ => None,
    };

    /// Of a key in a block, if they all have the same.
    const KEY: Option<usize> = match plain_len::<K>() {
        Some(len) if len <= 8 => Some(0),
        len => len,
    };

    const IN_FRONT: bool = Lengths::are_in_front(Self::KEY, plain_len::<V>());

    /// For these keys and values. If they are not plain, or longer, nothing is ever found.
    #[inline(always)]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K: Archive, V: Archive, const N: usize> Default for Fixed<K, V, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Archive, V: Archive, const N: usize> Copies for Fixed<K, V, N> {
    /// What is behind the value is zero.
    type Copy = [u64; N];

    #[inline(always)]
    fn is_inline(_: Settings) -> bool {
        false
    }

    #[inline(always)]
    fn copy<M: Memory>(
        &mut self,
        dict: &Dict<M>,
        reference: BlockPlace,
        key: &Key<'_>,
        _: Option<&dyn Fn() -> bool>,
    ) -> Content<[u64; N]> {
        let Some(value) = Self::VALUE else { return Content::Stale };
        // Of a value without handles: the content begins with the payload, or in front of it.
        let in_front = Self::IN_FRONT;
        let len = Self::KEY.unwrap_or(key.bytes.len());
        let lengths = Lengths { value: value as u64, key: len as u64 };
        let offset = reference.offset().wrapping_sub(if in_front { FRONT } else { 0 });
        let Some(key) = key.bytes.get(..len) else { return Content::Stale };
        let Some(words) = dict.memory.words(offset, lengths.words(in_front)) else { return Content::Stale };
        // Lengths that are always the same need no look.
        let same = Self::KEY.is_some() || words.load(0, Relaxed) == lengths.pack();
        if !same || !is_key_at(words, lengths.key_at(in_front), key) {
            return Content::Another;
        }
        let mut copy = [0; N];
        for (i, word) in copy.iter_mut().enumerate().take(value.div_ceil(8)) {
            *word = words.load(Lengths::value_at(in_front) + i, Relaxed);
        }
        Content::Copied(copy)
    }
}
