//! Why a batch came to an end before its last message: the first so many went, and this is why the next one did not.

use std::fmt;

use super::errors::PutError;
use crate::error::Error;

/// [`Queue::put_many`](crate::Queue::put_many) did not put all messages.
///
/// The first [`put`](Self::put) of them are in the queue; the error is the next one's. All that are not in are the caller's still.
#[derive(Debug)]
pub struct PutManyError {
    put: usize,
    error: PutError,
}

/// [`Connection::send_many`](crate::Connection::send_many) did not send all messages.
///
/// The first [`sent`](Self::sent) of them were sent; the error is the next one's.
#[derive(Debug)]
pub struct SendManyError {
    sent: usize,
    error: Error,
}

impl PutManyError {
    #[cold]
    pub(crate) fn new(put: usize, error: PutError) -> Self {
        Self { put, error }
    }

    /// How many messages are in the queue: so many from the start of the slice.
    pub fn put(&self) -> usize {
        self.put
    }

    /// Why the next one is not.
    pub fn error(&self) -> &PutError {
        &self.error
    }

    /// The error alone.
    pub fn into_error(self) -> PutError {
        self.error
    }
}

impl SendManyError {
    #[cold]
    pub(crate) fn new(sent: usize, error: Error) -> Self {
        Self { sent, error }
    }

    /// How many messages were sent: so many from the start of the slice.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Why the next one was not.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The error alone.
    pub fn into_error(self) -> Error {
        self.error
    }
}

impl fmt::Display for PutManyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} put, then: {}", self.put, self.error)
    }
}

impl fmt::Display for SendManyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent, then: {}", self.sent, self.error)
    }
}

impl std::error::Error for PutManyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl std::error::Error for SendManyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<PutManyError> for Error {
    #[cold]
    fn from(error: PutManyError) -> Self {
        Error::from(error.error)
    }
}

impl From<SendManyError> for Error {
    #[cold]
    fn from(error: SendManyError) -> Self {
        error.error
    }
}
