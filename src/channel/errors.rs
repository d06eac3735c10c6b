//! The small errors of the hot calls.
//!
//! A `put` borrows its value, so that every error leaves it in the caller's hands.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Why a put did not happen. The value is still the caller's.
#[derive(Debug)]
#[non_exhaustive]
pub enum PutError {
    /// No room: try again later. From a call with a deadline: the deadline passed.
    Full,
    /// The queue was closed.
    Closed,
    /// The message has `len` bytes; the queue or its arena can never hold more than `max`.
    TooLarge {
        /// Bytes of the serialised message.
        len: u64,
        /// The most that fits.
        max: u64,
    },
    /// The queue has a limit in bytes, and it is reached: try again when messages were consumed.
    Limit {
        /// Bytes that the queue has.
        used: u64,
        /// As many as it may have.
        limit: u64,
    },
    /// The wait was cancelled.
    Cancelled,
    /// Anything that is not part of a queue's everyday life: the arena is full, the value cannot be serialised,
    /// the handle was inherited by a fork.
    Other(Error),
}

/// Why a get brought nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum GetError {
    /// Nothing there: try again later. From a call with a deadline: the deadline passed.
    Empty,
    /// The queue was closed and everything in it was taken.
    Closed,
    /// The bytes are not a value of the expected type; the message was consumed.
    TypeMismatch,
    /// The wait was cancelled.
    Cancelled,
    /// Anything that is not part of a queue's everyday life.
    Other(Error),
}

impl PutError {
    /// There was no room in time.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full)
    }
    /// The queue is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
    /// The message can never fit.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
    /// A limit in bytes is reached.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Limit { .. })
    }
}

impl GetError {
    /// There was nothing in time.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
    /// The queue is closed and drained.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the queue is full"),
            Self::Closed => f.write_str("the queue is closed"),
            Self::TooLarge { len, max } => {
                write!(
                    f,
                    "a message of {len} bytes is larger than the {max} that fit; raise max_message or the arena's limit"
                )
            }
            Self::Limit { used, limit } => {
                write!(
                    f,
                    "the queue has {used} bytes and may have {limit}; consume what is in it, or raise its limit"
                )
            }
            Self::Cancelled => f.write_str("the wait was cancelled"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the queue is empty"),
            Self::Closed => f.write_str("the queue is closed and drained"),
            Self::TypeMismatch => f.write_str("the message is of another type"),
            Self::Cancelled => f.write_str("the wait was cancelled"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PutError {}
impl std::error::Error for GetError {}

impl From<Error> for PutError {
    #[cold]
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Error> for GetError {
    #[cold]
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::TypeMismatch => Self::TypeMismatch,
            _ => Self::Other(error),
        }
    }
}

impl From<PutError> for Error {
    #[cold]
    fn from(error: PutError) -> Self {
        let kind = match &error {
            PutError::Full => ErrorKind::Full,
            PutError::Closed => ErrorKind::Closed,
            PutError::TooLarge { .. } => ErrorKind::TooLarge,
            PutError::Limit { .. } => ErrorKind::Limit,
            PutError::Cancelled => ErrorKind::Cancelled,
            PutError::Other(_) => ErrorKind::Os,
        };
        match error {
            PutError::Other(inner) => inner,
            error => Error::new(kind, "put", error.to_string()),
        }
    }
}

impl From<GetError> for Error {
    #[cold]
    fn from(error: GetError) -> Self {
        let kind = match &error {
            GetError::Empty => ErrorKind::Empty,
            GetError::Closed => ErrorKind::Closed,
            GetError::TypeMismatch => ErrorKind::TypeMismatch,
            GetError::Cancelled => ErrorKind::Cancelled,
            GetError::Other(_) => ErrorKind::Os,
        };
        match error {
            GetError::Other(inner) => inner,
            error => Error::new(kind, "get", error.to_string()),
        }
    }
}
