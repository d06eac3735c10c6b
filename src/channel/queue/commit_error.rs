//! Why a reservation was not put.

use std::fmt;

use super::Reservation;
use crate::channel::errors::PutError;
use crate::channel::message::Message;
use crate::error::Error;

/// A [`commit`](Reservation::commit) that did not happen. The reservation is in it, with all that was written.
pub struct CommitError<'q, T: Message>(Box<(Reservation<'q, T>, PutError)>);

impl<'q, T: Message> CommitError<'q, T> {
    #[cold]
    pub(super) fn new(reservation: Reservation<'q, T>, error: PutError) -> Self {
        Self(Box::new((reservation, error)))
    }

    /// Why.
    pub fn error(&self) -> &PutError {
        &self.0.1
    }

    /// The reservation, to be corrected or committed later.
    pub fn into_reservation(self) -> Reservation<'q, T> {
        self.0.0
    }

    /// The error alone; what was written is dropped.
    pub fn into_error(self) -> PutError {
        self.0.1
    }
}

impl<T: Message> fmt::Debug for CommitError<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CommitError").field(&self.0.1).finish()
    }
}

impl<T: Message> fmt::Display for CommitError<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.1.fmt(f)
    }
}

impl<T: Message> std::error::Error for CommitError<'_, T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.1)
    }
}

impl<T: Message> From<CommitError<'_, T>> for PutError {
    #[cold]
    fn from(error: CommitError<'_, T>) -> Self {
        error.into_error()
    }
}

impl<T: Message> From<CommitError<'_, T>> for Error {
    #[cold]
    fn from(error: CommitError<'_, T>) -> Self {
        error.into_error().into()
    }
}
