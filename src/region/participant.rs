//! Participants as people see them.

use std::fmt;

use crate::layout::ParticipantId;
use crate::layout::participant::{NAME_BYTES, ParticipantSlot, SOURCE_PIDFS};
use crate::region::word::{State, Word};
use crate::sync::atomic::{AtomicU64, Ordering};

/// What a slot was at the moment of the look. Stale as soon as it is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParticipantState {
    /// Nobody has the slot.
    Free,
    /// Kept by this participant for a child that has not attached yet.
    Reserved(ParticipantId),
    /// A process is attaching.
    Joining,
    /// A process is attached. It may be dead and not noticed yet.
    Live,
    /// Dead (or leaving); this participant clears up after it.
    Reaping(ParticipantId),
    /// Used so often that it will not be used again.
    Retired,
}

/// One slot of the participant table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    pub id: ParticipantId,
    pub state: ParticipantState,
    pub incarnation: u32,
    /// In the pid namespace of the participant itself; 0 if it is not known yet.
    pub pid: u32,
    /// The inode of its pidfd, which no other process of this boot has, where the kernel provides it.
    pub pidfs_inode: Option<u64>,
    pub name: String,
}

impl Participant {
    /// The slot is not free.
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self.state, ParticipantState::Free | ParticipantState::Retired)
    }

    /// A slot that nobody has used yet.
    pub(crate) fn absent(id: ParticipantId) -> Self {
        let state = ParticipantState::Free;
        Self { id, state, incarnation: 0, pid: 0, pidfs_inode: None, name: String::new() }
    }

    /// Reads one slot. A slot that changes during the read is read again; after a few turns its name and pid
    /// may be those of two tenants.
    pub(crate) fn read(id: ParticipantId, slot: &ParticipantSlot) -> Self {
        let mut tries = 4;
        loop {
            let word = slot.word.load(Ordering::Acquire);
            let seen = Self::read_once(id, slot, Word(word));
            tries -= 1;
            // Acquire on the fields' last load would be enough; a fence keeps them all before the second look.
            crate::sync::fence::fence(Ordering::Acquire);
            if tries == 0 || slot.word.load(Ordering::Relaxed) == word {
                return seen;
            }
        }
    }

    fn read_once(id: ParticipantId, slot: &ParticipantSlot, word: Word) -> Self {
        let inode = (slot.source.load(Ordering::Relaxed) == SOURCE_PIDFS)
            .then(|| slot.identity.load(Ordering::Relaxed));
        Self {
            id,
            state: state_of(word),
            incarnation: word.incarnation(),
            pid: slot.pid.load(Ordering::Relaxed) as u32,
            pidfs_inode: inode,
            name: read_name(&slot.name),
        }
    }
}

fn state_of(word: Word) -> ParticipantState {
    match word.state() {
        State::Free => ParticipantState::Free,
        State::Reserved => ParticipantState::Reserved(word.who()),
        State::Joining => ParticipantState::Joining,
        State::Live => ParticipantState::Live,
        State::Reaping => ParticipantState::Reaping(word.who()),
        State::Retired => ParticipantState::Retired,
    }
}

impl fmt::Display for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "participant" } else { &self.name };
        write!(f, "{name} (id {}, pid {})", self.id, self.pid)
    }
}

/// Writes a name, cut to 64 bytes at a character's border.
pub(crate) fn write_name(words: &[AtomicU64; NAME_BYTES / 8], name: &str) {
    let end =
        name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= NAME_BYTES).last();
    let name = &name[..end.unwrap_or(0)];
    let mut bytes = [0u8; NAME_BYTES];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    let (chunks, _) = bytes.as_chunks::<8>();
    for (word, chunk) in words.iter().zip(chunks) {
        word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
    }
}

/// Reads a name up to its first zero.
pub(crate) fn read_name(words: &[AtomicU64; NAME_BYTES / 8]) -> String {
    let mut bytes = [0u8; NAME_BYTES];
    for (word, chunk) in words.iter().zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
    }
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_characters() {
        let words = [const { AtomicU64::new(7) }; NAME_BYTES / 8];
        let (two, four, five) = ("é".repeat(40), "a€".repeat(20), "aa€".repeat(20));
        for (name, kept) in [("", 0), ("greeter", 7), (&two, 64), (&four, 64), (&five, 62)] {
            write_name(&words, name);
            assert_eq!(read_name(&words), name[..kept]);
        }
    }
}
