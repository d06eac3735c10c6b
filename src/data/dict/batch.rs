//! What one look at a bucket found, for who goes through all of them.

use rkyv::util::AlignedVec;

use crate::layout::block_place::BlockPlace;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key, or its hash.
    pub key: u64,
    /// The value, or what names its block.
    pub value: u64,
    /// Where the copies are in the batch, and how long.
    value_at: (usize, usize),
    key_at: (usize, usize),
    /// The value has handles: who looks has been told of it under the lock.
    pub handles: Option<BlockPlace>,
}

/// The entries of a bucket at one moment.
#[derive(Debug, Default)]
pub struct Batch {
    items: Vec<Item>,
    bytes: AlignedVec<16>,
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    /// In no particular order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The archive of a value that is not inline, aligned to 16.
    pub fn value(&self, item: &Item) -> &[u8] {
        self.part(item.value_at)
    }

    /// That of a key that is not inline.
    pub fn key(&self, item: &Item) -> &[u8] {
        self.part(item.key_at)
    }

    fn part(&self, (start, len): (usize, usize)) -> &[u8] {
        self.bytes.get(start..start + len).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
    }

    pub(super) fn push(&mut self, key: u64, value: u64) {
        let none = (0, 0);
        self.items.push(Item { key, value, value_at: none, key_at: none, handles: None });
    }

    /// The pushed item has handles.
    pub(super) fn mark(&mut self, place: BlockPlace) {
        if let Some(item) = self.items.last_mut() {
            item.handles = Some(place);
        }
    }

    /// Room for the copies of a pushed item.
    pub(super) fn room(&mut self, value: usize, key: usize) -> (&mut [u8], &mut [u8]) {
        let value_at = self.bytes.len();
        let key_at = value_at + value.next_multiple_of(16);
        self.bytes.resize(key_at + key.next_multiple_of(16), 0);
        if let Some(item) = self.items.last_mut() {
            (item.value_at, item.key_at) = ((value_at, value), (key_at, key));
        }
        let (values, keys) = self.bytes[value_at..].split_at_mut(key_at - value_at);
        (&mut values[..value], &mut keys[..key])
    }
}
