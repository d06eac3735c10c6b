//! What the users of a ring agree on: one word of its header, constant after the start.
//!
//! ```text
//!  63       10 9       8 7        3 2           0
//! +-----------+---------+----------+-------------+
//! |     0     | full: 2 |    0     | letters: 3  |
//! +-----------+---------+----------+-------------+
//! ```

/// What a put does when there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits until there is, or as long as it may.
    #[default]
    Block,
    /// It fails at once.
    Fail,
    /// It takes the oldest message out, which is lost, and goes in.
    DropOldest,
}

/// See [`super::Ring::policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// A message that came back so often is a dead letter; 0: none ever is.
    pub dead_letters_after: u8,
    /// What a put does when there is no room.
    pub when_full: WhenFull,
}

/// The most that [`Policy::dead_letters_after`] may be. The count of a slot wraps from 7 to 1, and between this and the wrap
/// there must be deliveries left in which a cell may be found.
pub const MAX_LETTERS: u8 = 4;

const LETTERS: u64 = 7;
const FULL_SHIFT: u32 = 8;

impl Policy {
    /// The word.
    pub fn encode(self) -> u64 {
        let full = match self.when_full {
            WhenFull::Block => 0,
            WhenFull::Fail => 1,
            WhenFull::DropOldest => 2,
        };
        u64::from(self.dead_letters_after) & LETTERS | full << FULL_SHIFT
    }

    /// The policy in a word. Any word is one: what is unknown is the default.
    pub fn decode(word: u64) -> Self {
        let letters = (word & LETTERS) as u8;
        let when_full = match word >> FULL_SHIFT & 3 {
            1 => WhenFull::Fail,
            2 => WhenFull::DropOldest,
            _ => WhenFull::Block,
        };
        Self { dead_letters_after: letters.min(MAX_LETTERS), when_full }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for when_full in [WhenFull::Block, WhenFull::Fail, WhenFull::DropOldest] {
            for dead_letters_after in 0..=MAX_LETTERS {
                let policy = Policy { dead_letters_after, when_full };
                assert_eq!(Policy::decode(policy.encode()), policy);
            }
        }
        assert_eq!(Policy::default().encode(), 0);
        assert_eq!(
            Policy::decode(u64::MAX),
            Policy { dead_letters_after: MAX_LETTERS, when_full: WhenFull::Block }
        );
    }
}
