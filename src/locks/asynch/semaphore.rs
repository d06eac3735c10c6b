//! Waiting for a permit.

use std::sync::Arc;

use super::source::Source;
use super::wait::Attempt;
use crate::locks::semaphore::{Core, Permit, SemaphoreError};

/// Of one future.
pub(in crate::locks) struct SemaphoreAttempt<'a>(pub(in crate::locks) &'a Arc<Core>);

impl<'a> Attempt for SemaphoreAttempt<'a> {
    type Got = Permit<'a>;
    type Error = SemaphoreError;

    fn attempt(&mut self, _again: bool) -> Option<Result<Self::Got, Self::Error>> {
        self.0.attempt()
    }

    fn source(&self) -> Arc<dyn Source> {
        self.0.clone()
    }
}
