//! Waiting for an [`Event`].

use std::sync::Arc;

use crate::channel::domain::Domain;
use crate::channel::ready::{Attempt, Key, Source};
use crate::error::{Error, Result};
use crate::layout::event::EventWord;
use crate::locks::event::{Core, Event};
use crate::prim::watch::Watch;
use crate::sync::futex::Address;

/// Of one future.
pub(in crate::locks) struct EventAttempt<'a> {
    event: &'a Event,
    /// What its word was when the wait began.
    before: EventWord,
}

impl<'a> EventAttempt<'a> {
    pub(in crate::locks) fn new(event: &'a Event) -> Self {
        Self { event, before: event.core().raw().look() }
    }
}

impl Attempt for EventAttempt<'_> {
    type Got = ();
    type Error = Error;

    fn attempt(&mut self, _again: bool) -> Option<Result<()>> {
        let core = self.event.core();
        if let Err(error) = core.check() {
            return Some(Err(error));
        }
        let has_come = self.before.is_set() || core.raw().look().has_come(self.before);
        has_come.then_some(Ok(()))
    }

    fn source(&mut self) -> Result<Option<Arc<dyn Source>>> {
        Ok(Some(Arc::new(Since { core: self.event.core().clone(), before: self.before })))
    }
}

/// An event that is set after it was `before`.
struct Since {
    core: Arc<Core>,
    before: EventWord,
}

impl Source for Since {
    fn key(&self) -> Key {
        Key { word: Address::of(self.core.word()), since: self.before.generation() }
    }

    fn watch(&self) -> Option<Watch> {
        self.core.raw().watch(self.before)
    }

    fn word(&self) -> u32 {
        self.core.raw().look().0
    }

    fn domain(&self) -> &Arc<Domain> {
        self.core.domain()
    }
}
