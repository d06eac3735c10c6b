//! What a message is like on its way: a record of the socket, and a memory file if it is long.
//!
//! ```text
//! record:  | tag:u32 | 0:u32 | length of the message:u64 |  then its first bytes, at most 16 KiB
//! file:    the rest, if there is one
//! ```
//! So that long messages take room, too: a sender is not ahead of its receiver by more of them than of short ones as long as a record may be.

/// Bytes in front of the message.
pub(super) const HEAD: usize = 16;
/// The most of a message that is in the record itself.
pub(super) const INLINE: usize = 16 << 10;

/// What is in front of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) tag: u32,
    pub(super) len: u64,
}

impl Head {
    pub(super) fn encode(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&self.tag.to_le_bytes());
        bytes[8..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: [u8; HEAD]) -> Self {
        let word = u128::from_le_bytes(bytes);
        Self { tag: word as u32, len: (word >> 64) as u64 }
    }
}

/// A message that waits in the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::channel::connection) struct Found {
    pub(in crate::channel::connection) tag: u32,
    pub(in crate::channel::connection) len: usize,
    /// How much of it is in the record; the rest is in a file.
    pub(super) inline: usize,
}

impl Found {
    /// The message of a record of so many bytes that begins with these; `None`: no such record is sent.
    pub(super) fn of(head: [u8; HEAD], record: usize) -> Option<Self> {
        let inline = record.checked_sub(HEAD)?;
        let Head { tag, len } = Head::decode(head);
        let len = usize::try_from(len).ok().filter(|len| inline <= *len && *len as u64 <= super::LONGEST)?;
        Some(Self { tag, len, inline })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head { tag: 0xdead_beef, len: 0x12_3456_789a };
        assert_eq!(Head::decode(head.encode()), head);
        let found = Found::of(head.encode(), HEAD + 100).expect("a message");
        assert_eq!((found.tag, found.len, found.inline), (0xdead_beef, 0x12_3456_789a, 100));
    }

    #[test]
    fn what_nobody_sends_is_no_message() {
        let of = |len, record| Found::of(Head { tag: 1, len }.encode(), record);
        assert_eq!(of(8, HEAD - 1), None, "shorter than a head");
        assert_eq!(of(8, HEAD + 9), None, "more bytes than it says");
        assert_eq!(of(u64::MAX, HEAD), None, "longer than any");
        assert!(of(0, HEAD).is_some() && of(8, HEAD + 8).is_some());
    }
}
