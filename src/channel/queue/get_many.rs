//! Getting several messages at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{Memory, Queue};
use crate::channel::codec;
use crate::channel::domain::deadline_in;
use crate::channel::errors::GetError;
use crate::channel::message::Message;
use crate::channel::parcel;
use crate::prim::limits::Limits;
use crate::ring::frozen::FrozenBytes;
use crate::ring::plain::plain_len;
use crate::ring::{ParticipantId, Ring, Taken};

impl<T: Message> Queue<T> {
    /// Waits for a message as long as it takes, then takes what else is there, up to `max` messages in all.
    ///
    /// Never waits for a second one. As with so many [`get`](Self::get)s, each message is this process's from the moment that its
    /// slot is free, one after the other: killed in the call, the process takes those with it that it had taken by then.
    /// With a `max` of 0 it answers at once, with nothing.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), of the first message only. A later one that cannot be made into a value ends the call before it:
    /// it goes back, marked as redelivered, and the next call meets it first and says what is wrong. Where the kernel carries the messages it
    /// cannot go back: it is consumed, and the next get of this process says what was wrong.
    ///
    /// # Panics
    ///
    /// If the type's own deserialisation of the first message does. A later one that panics ends the call as above.
    pub fn get_many(&self, max: usize) -> Result<Vec<T>, GetError> {
        self.get_many_within(max, &Limits::NONE)
    }

    /// Takes up to `max` messages that are there right now: at least one.
    ///
    /// # Errors
    ///
    /// `Empty` if there is none (and `max` is not 0), and those of [`get_many`](Self::get_many).
    pub fn try_get_many(&self, max: usize) -> Result<Vec<T>, GetError> {
        self.get_many_within(max, &Limits::TRY)
    }

    /// [`get_many`](Self::get_many), waiting for the first message for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `Empty` when the time is up, and those of [`get_many`](Self::get_many).
    pub fn get_many_timeout(&self, max: usize, timeout: Duration) -> Result<Vec<T>, GetError> {
        self.get_many_within(max, &deadline_in(timeout))
    }

    fn get_many_within(&self, max: usize, limits: &Limits<'_>) -> Result<Vec<T>, GetError> {
        let me = self.me()?;
        if max == 0 {
            return Ok(Vec::new());
        }
        if let Some(kernel) = &self.shared.kernel {
            return self.get_many_from_kernel(kernel, max, limits);
        }
        let first = self.take(limits)?;
        let mut values = Vec::with_capacity(max.min(FIRST_ROOM));
        values.push(self.consume(first)?);
        // The type's own code runs in here. A panic has given its message back, and must not take along what was taken
        // before: the next call meets it again.
        let _ = catch_unwind(AssertUnwindSafe(|| self.get_more(me, max, &mut values)));
        Ok(values)
    }

    /// Whatever is there, up to `max` in all.
    fn get_more(&self, me: ParticipantId, max: usize, values: &mut Vec<T>) {
        let mut freed = Freed { ring: &self.shared.ring, count: 0 };
        while values.len() < max {
            // Empty or closed: the next call says so.
            let Ok(taken) = self.shared.ring.claim_get(&self.cursor, me) else { break };
            let Some(value) = self.consume_or_leave(taken, &mut freed) else { break };
            values.push(value);
        }
    }

    /// The value of a message, which is consumed; or nothing, and the message goes back.
    #[inline]
    fn consume_or_leave(&self, taken: Taken<'_, Memory>, freed: &mut Freed<'_>) -> Option<T> {
        let Some(bytes) = taken.bytes().filter(|_| plain_len::<T>().is_some()) else {
            return self.consume_slow(taken);
        };
        let value = codec::decode::<T>(bytes).ok()?;
        freed.commit(taken);
        Some(value)
    }

    /// What has to be deserialised: nobody waits meanwhile for what is free already.
    fn consume_slow(&self, taken: Taken<'_, Memory>) -> Option<T> {
        let held = self.hold(taken).ok()?;
        let value = codec::view::<T>(held.bytes()).ok()?;
        let value = parcel::own::<T>(&self.shared.domain, &held, value).ok()?;
        held.release();
        Some(value)
    }
}

/// Room for so many values is made at once.
const FIRST_ROOM: usize = 64;
/// The most that are committed with one notification.
const MOST: u32 = 64;

/// Slots that are free, and of which sleeping putters are not told yet. They are when it is dropped.
struct Freed<'q> {
    ring: &'q Ring<Memory>,
    count: u32,
}

impl Freed<'_> {
    #[inline(always)]
    fn commit(&mut self, taken: Taken<'_, Memory>) {
        taken.store_commit();
        self.count += 1;
        if self.count == MOST {
            self.now();
        }
    }

    fn now(&mut self) {
        if self.count > 0 {
            self.ring.notify_committed(self.count);
            self.count = 0;
        }
    }
}

impl Drop for Freed<'_> {
    fn drop(&mut self) {
        self.now();
    }
}
