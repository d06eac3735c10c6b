//! Putting.

use std::io;

use super::Kernel;
use crate::channel::errors::PutError;
use crate::channel::queue::{Queue, Shared};
use crate::error::{Error, ErrorKind};
use crate::prim::event_count::WaitEnd;
use crate::prim::limits::Limits;
use crate::ring::Sent;
use crate::ring::policy::WhenFull;

impl<T> Queue<T> {
    /// Puts the bytes of a message; waits for room within the limits.
    pub(in crate::channel::queue) fn put_to_kernel(
        &self,
        kernel: &Kernel,
        bytes: &[u8],
        limits: &Limits<'_>,
    ) -> Result<(), PutError> {
        let me = self.me()?;
        let Shared { ring, domain, max_message, when_full, .. } = &*self.shared;
        if bytes.len() as u64 > *max_message {
            return Err(PutError::TooLarge { len: bytes.len() as u64, max: *max_message });
        }
        // Made once, before any attempt: nobody waits for our memory.
        let letter = kernel.endpoint.letter(bytes)?;
        let mut answer = Err(PutError::Full);
        let drops = *when_full == WhenFull::DropOldest;
        let mut full = || loop {
            // Whether it is the kernel that has no room: claims that are in the way go by themselves, and no message for them.
            let mut refused_by_kernel = false;
            let send = || {
                let sent = kernel.endpoint.mechanism.send(&letter);
                refused_by_kernel = matches!(sent, Ok(false));
                sent
            };
            answer = match ring.put_elsewhere(&self.cursor, me, kernel.hands_on(), send) {
                Ok(Sent::Done) => Ok(()),
                Ok(Sent::Closed) => Err(PutError::Closed),
                Ok(Sent::Full) if drops && refused_by_kernel => match self.drop_oldest(kernel) {
                    Ok(true) => continue,
                    Ok(false) => return true,
                    Err(error) => Err(error),
                },
                Ok(Sent::Full) => return true,
                Err(cause) => Err(refused(cause)),
            };
            return false;
        };
        if !full() {
            return answer;
        }
        if limits.is_try() || *when_full == WhenFull::Fail {
            // A claim of the dead may be in the way: ask once.
            if ring.put_blocker(&self.cursor).is_some_and(|owner| domain.meet(owner)) {
                full();
            }
            return answer;
        }
        let end = ring.wait_not_full(limits, &self.spinner, &mut full, || domain.look_for_dead());
        if end == WaitEnd::TimedOut && domain.look_now_and_then() {
            full();
        }
        if end == WaitEnd::Cancelled { Err(PutError::Cancelled) } else { answer }
    }

    /// Takes the oldest message out, which is lost; false: there is none.
    #[cold]
    fn drop_oldest(&self, kernel: &Kernel) -> Result<bool, PutError> {
        let mut room = vec![0; kernel.endpoint.longest];
        let taken = kernel.endpoint.mechanism.receive(&mut room).map_err(refused)?;
        if taken.is_some() {
            self.shared.ring.note_dropped();
        }
        Ok(taken.is_some())
    }

    /// A lease over a copy gives its message back: to the end, if there is room.
    #[cold]
    pub(in crate::channel::queue) fn put_again(&self, kernel: &Kernel, bytes: &[u8]) {
        if let Err(error) = self.put_to_kernel(kernel, bytes, &Limits::TRY) {
            tracing::warn!(queue = self.shared.object.id().index, %error, "a message that was given back is lost");
        }
    }
}

#[cold]
fn refused(cause: io::Error) -> PutError {
    let errno = cause.raw_os_error();
    let error = Error::os("queue", "sending a message through the kernel", cause);
    PutError::Other(match errno {
        Some(libc::ETOOMANYREFS) => error
            .of_kind(ErrorKind::Limit)
            .hint("raise the limit of open files (ulimit -n): long messages on their way count, too"),
        _ => error,
    })
}

/// A message with handles.
#[cold]
pub(in crate::channel::queue) fn no_handles(kernel: &Kernel) -> PutError {
    PutError::Other(
        Error::new(
            ErrorKind::InvalidInput,
            "handle",
            format!(
                "handles do not travel through a queue with the backend {}, which could not count them",
                kernel.backend()
            ),
        )
        .hint("use a queue with Backend::Ring, or give them to a process as arguments"),
    )
}
