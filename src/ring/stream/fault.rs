//! What a peer wrote that it should not have.

use std::fmt;

/// A word of the other side that cannot be; the end that met it is dead from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line carries a number that is neither the expected one nor that of the lap before.
    LineNumber { found: u32, expected: u32 },
    /// A length code that does not exist, or one that cannot follow the line before.
    Code(u32),
    /// The count of valid bytes is above 56, does not fit the length code, or went back.
    Valid(u32),
    /// A long message announces a length that is not long, or above the reader's limit.
    Length { found: u64, limit: u64 },
    /// The reader claims to be at a line that was never written or is long gone.
    Position { found: u32, line: u32 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineNumber { found, expected } => write!(f, "line {found} where line {expected} belongs"),
            Self::Code(code) => write!(f, "impossible length code {code}"),
            Self::Valid(valid) => write!(f, "impossible count of {valid} valid bytes in a line"),
            Self::Length { found, limit } => {
                write!(f, "a message of {found} bytes is announced (limit {limit})")
            }
            Self::Position { found, line } => {
                write!(f, "the reader claims to be at line {found}, the writer is at line {line}")
            }
        }
    }
}

impl std::error::Error for Fault {}
