//! Waiting for a permit.

use std::sync::Arc;

use crate::channel::ready::{Attempt, Source};
use crate::error;
use crate::locks::semaphore::{Core, Permit, SemaphoreError};

/// Of one future.
pub(in crate::locks) struct SemaphoreAttempt<'a>(pub(in crate::locks) &'a Arc<Core>);

impl<'a> Attempt for SemaphoreAttempt<'a> {
    type Got = Permit<'a>;
    type Error = SemaphoreError;

    fn attempt(&mut self, _again: bool) -> Option<Result<Self::Got, Self::Error>> {
        self.0.attempt()
    }

    fn source(&mut self) -> error::Result<Option<Arc<dyn Source>>> {
        Ok(Some(self.0.clone()))
    }
}
