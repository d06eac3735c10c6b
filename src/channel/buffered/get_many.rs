//! Getting several messages at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::get::{Back, newest};
use super::views::briefly;
use super::{BufferedQueue, Client};
use crate::channel::domain::deadline_in;
use crate::channel::errors::GetError;
use crate::channel::message::Message;
use crate::channel::queue::Memory;
use crate::channel::{codec, parcel};
use crate::layout::ParticipantId;
use crate::prim::limits::Limits;
use crate::ring::frozen::FrozenBytes;
use crate::ring::held::Held;
use crate::ring::plain::plain_len;
use crate::ring::{Ring, Taken};

impl<T: Message> BufferedQueue<T> {
    /// Waits for a message as long as it takes, then takes what else is there, up to `max` messages in all, out of as many segments as it takes.
    ///
    /// Never waits for a second one. As with so many [`get`](Self::get)s, each message is this process's from the moment that its
    /// slot is free, one after the other: killed in the call, the process takes those with it that it had taken by then.
    /// With a `max` of 0 it answers at once, with nothing.
    ///
    /// ```
    /// let q = processing::BufferedQueue::<u64>::new()?;
    /// q.put_many(&[1, 2, 3])?;
    /// assert_eq!(q.get_many(2)?, [1, 2]);
    /// assert_eq!(q.try_get_many(64)?, [3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), of the first message only. A later one that cannot be made into a value ends the call before it:
    /// it goes back, marked as redelivered, and the next call meets it first and says what is wrong.
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
        let mut client = self.clients.take();
        let answer = self.get_one(&mut client, me, limits).map(|first| {
            let mut values = Vec::with_capacity(max.min(FIRST_ROOM));
            values.push(first);
            // The type's own code runs in here. A panic has given its message back, and must not take along what was taken
            // before: the next call meets it again.
            let _ = catch_unwind(AssertUnwindSafe(|| self.get_more(&mut client, me, max, &mut values)));
            values
        });
        self.clients.give(client);
        answer
    }

    /// Whatever is there, up to `max` in all.
    fn get_more(&self, client: &mut Client, me: ParticipantId, max: usize, values: &mut Vec<T>) {
        while values.len() < max {
            let Some(value) = self.next(client, me) else { break };
            values.push(value);
        }
    }

    /// The next message that is there. None: empty, closed, or no value, as the next call says.
    #[inline]
    fn next(&self, client: &mut Client, me: ParticipantId) -> Option<T> {
        if let Some((view, taken)) = newest(&client.get, me) {
            return self.make_or_leave(taken, &view.ring);
        }
        let kept = self.shared.structure.claim(&mut client.get, me, &briefly()).ok()?;
        let ring = kept.ring().clone();
        kept.give(|taken| self.make_or_leave(taken, &ring)).flatten()
    }

    /// The value of a message, which is consumed; or nothing, and the message goes back.
    #[inline]
    fn make_or_leave(&self, taken: Taken<'_, Memory>, ring: &Ring<Memory>) -> Option<T> {
        // The guard first: it tells others when the claim is back.
        let (back, taken) = (Back(&self.shared), taken);
        match taken.bytes().filter(|_| plain_len::<T>().is_some()) {
            Some(bytes) => {
                let value = codec::decode::<T>(bytes).ok()?;
                taken.store_commit();
                back.committed(ring);
                Some(value)
            }
            None => {
                let (domain, store) = (&self.shared.structure.domain, self.shared.structure.store());
                let held = Held::new(taken, |reference| store.block(reference)).ok()?;
                let value = codec::view::<T>(held.bytes()).ok()?;
                let value = parcel::own::<T>(domain, &held, value).ok()?;
                held.release_quietly();
                back.committed(ring);
                Some(value)
            }
        }
    }
}

/// Room for so many values is made at once.
const FIRST_ROOM: usize = 64;
