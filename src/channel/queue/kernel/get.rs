//! Getting.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::endpoint::unpack;
use super::{Endpoint, Kernel};
use crate::channel::codec;
use crate::channel::errors::GetError;
use crate::channel::message::{Buffer, Message};
use crate::channel::queue::{Kept, Lease, Queue, Shared};
use crate::error::{Error, ErrorKind};
use crate::prim::event_count::WaitEnd;
use crate::prim::limits::Limits;
use crate::ring::Brought;
use crate::ring::frozen::Frozen;
use crate::sys::seqpacket::Record;

thread_local! {
    /// Where the kernel writes messages.
    static ROOM: Cell<Option<Buffer>> = const { Cell::new(None) };
}

/// Room above this size is given back to the allocator after use.
const KEEP: usize = 1 << 20;

impl<T: Message> Queue<T> {
    /// Takes the next message as a value.
    pub(in crate::channel::queue) fn get_from_kernel(
        &self,
        kernel: &Kernel,
        limits: &Limits<'_>,
    ) -> Result<T, GetError> {
        self.take_from_kernel(kernel, limits, |bytes| match codec::view::<T>(bytes) {
            Ok(value) => codec::own::<T>(value).map_err(GetError::Other),
            Err(_) => Err(GetError::TypeMismatch),
        })
    }

    /// Takes the next message, and what else is there, up to `max`. A later one that cannot be made into a value ends the call; it is
    /// consumed, and the next get says what was wrong with it.
    pub(in crate::channel::queue) fn get_many_from_kernel(
        &self,
        kernel: &Kernel,
        max: usize,
        limits: &Limits<'_>,
    ) -> Result<Vec<T>, GetError> {
        let mut values = vec![self.get_from_kernel(kernel, limits)?];
        // A panic must not take along what was taken before.
        let end = catch_unwind(AssertUnwindSafe(|| {
            while values.len() < max {
                match self.get_from_kernel(kernel, &Limits::TRY) {
                    Ok(value) => values.push(value),
                    // The next call says so.
                    Err(GetError::Empty | GetError::Closed) => break,
                    Err(error) => return kernel.endpoint.owe(error),
                }
            }
        }));
        if end.is_err() {
            kernel.endpoint.owe(GetError::Other(panicked()));
        }
        Ok(values)
    }

    /// Takes the next message as a copy that is read where it lies.
    pub(in crate::channel::queue) fn lease_from_kernel(
        &self,
        kernel: &Kernel,
        limits: &Limits<'_>,
    ) -> Result<Lease<'_, T>, GetError> {
        let copy = self.take_from_kernel(kernel, limits, |bytes| {
            let mut copy = Buffer::with_capacity(bytes.len());
            copy.extend_from_slice(bytes);
            Ok(copy)
        })?;
        match Frozen::new(Kept::Copied(copy), |bytes| codec::view::<T>(bytes)) {
            Ok(value) => Ok(Lease::new(value, 0, self)),
            Err(_) => Err(GetError::TypeMismatch),
        }
    }

    /// Takes the next message, waiting for one within the limits; `f` is shown its bytes.
    fn take_from_kernel<R>(
        &self,
        kernel: &Kernel,
        limits: &Limits<'_>,
        f: impl FnOnce(&[u8]) -> Result<R, GetError>,
    ) -> Result<R, GetError> {
        if let Some(error) = kernel.endpoint.owed() {
            return Err(error);
        }
        // In the destructor of a thread-local value the room may be gone: then it works without.
        let mut room = ROOM.try_with(Cell::take).ok().flatten().unwrap_or_default();
        if room.len() < kernel.endpoint.longest {
            room.resize(kernel.endpoint.longest, 0);
        }
        let received = self.receive(kernel, limits, &mut room);
        self.shared.after_get(&received);
        let answer = match received? {
            Record::Bytes(len) => f(trimmed::<T>(room.get(..len).unwrap_or_default())),
            Record::Parcel(file) => {
                let zeroed = |len| {
                    let mut buffer = Buffer::with_capacity(len);
                    buffer.resize(len, 0);
                    buffer
                };
                match unpack(file, zeroed, |buffer| &mut buffer[..]) {
                    Ok(bytes) => f(&bytes),
                    Err(cause) => Err(GetError::Other(refused(cause))),
                }
            }
        };
        if room.len() <= KEEP {
            let _ = ROOM.try_with(|keep| keep.set(Some(room)));
        }
        answer
    }

    fn receive(&self, kernel: &Kernel, limits: &Limits<'_>, room: &mut [u8]) -> Result<Record, GetError> {
        let me = self.me()?;
        let Endpoint { mechanism, .. } = &*kernel.endpoint;
        let Shared { ring, domain, .. } = &*self.shared;
        let mut answer = Err(GetError::Empty);
        let mut empty = || {
            answer = match ring.get_elsewhere(&self.cursor, me, || mechanism.receive(room)) {
                Ok(Brought::One(record)) => Ok(record),
                Ok(Brought::Closed) => Err(GetError::Closed),
                Ok(Brought::Nothing) => return true,
                Err(cause) => Err(GetError::Other(refused(cause))),
            };
            false
        };
        if !empty() {
            return answer;
        }
        if limits.is_try() {
            // Once it was closed, only a claim can be in the way of saying so, perhaps one of the dead.
            let met =
                ring.is_closed() && ring.get_blocker(&self.cursor).is_some_and(|owner| domain.meet(owner));
            if met || domain.look_now_and_then() {
                empty();
            }
            return answer;
        }
        let end = ring.wait_not_empty(limits, &self.spinner, &mut empty, || domain.look_for_dead());
        if end == WaitEnd::TimedOut && domain.look_now_and_then() {
            empty();
        }
        if end == WaitEnd::Cancelled { Err(GetError::Cancelled) } else { answer }
    }
}

/// A message of nothing travels as one byte, as the kernel's pipes know none of nothing. Of a type whose archive has no size no
/// message is longer.
fn trimmed<T: Message>(bytes: &[u8]) -> &[u8] {
    if size_of::<T::Archived>() == 0 { &[] } else { bytes }
}

#[cold]
fn panicked() -> Error {
    let what = "the type's own deserialisation of a message in a batch panicked, and the message is consumed";
    Error::new(ErrorKind::Corrupt, "queue", what)
}

#[cold]
fn refused(cause: io::Error) -> Error {
    let lost = cause.raw_os_error() == Some(libc::EMFILE);
    let error = Error::os("queue", "receiving a message from the kernel", cause);
    if lost {
        return error.of_kind(ErrorKind::Limit).hint(
            "a long message, which comes as a file, was lost for lack of a descriptor: raise the limit of open files (ulimit -n)",
        );
    }
    error
}
