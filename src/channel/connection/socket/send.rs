//! Sending.

use super::wired::Trouble;
use crate::channel::connection::Sender;
use crate::channel::connection::socket::Wired;
use crate::error::{Error, ErrorKind, Result};
use crate::prim::event_count::WaitEnd;
use crate::prim::limits::Limits;
use crate::ring::Sent;
use crate::ring::stream::SendEnd;

impl Sender {
    /// Sends a message; waits for room within the limits.
    #[cold]
    #[inline(never)]
    pub(in crate::channel::connection) fn send_through(
        &self,
        tag: u32,
        bytes: &[u8],
        limits: &Limits<'_>,
    ) -> Result<()> {
        let wired = self.end.through()?;
        let mut answer = None;
        let mut full = || {
            answer = self.try_through(wired, tag, bytes);
            answer.is_none()
        };
        if full() && !limits.is_try() {
            let end = wired.wire.wait_room(limits, &self.spinner, self.run(), &mut full, || {
                self.end.peer_is_gone();
            });
            if end == WaitEnd::Cancelled && answer.is_none() {
                return Err(self.given_up(SendEnd::Cancelled, limits));
            }
        }
        answer.unwrap_or_else(|| {
            let what = "there is no room for the message now; nothing was sent";
            Err(self.end.late_error(limits, ErrorKind::Full, what))
        })
    }

    /// Sends a message if there is room. None: there is not.
    pub(in crate::channel::connection) fn try_through(
        &self,
        wired: Wired<'_>,
        tag: u32,
        bytes: &[u8],
    ) -> Option<Result<()>> {
        match wired.send(tag, bytes) {
            Ok(Sent::Done) => Some(Ok(())),
            Ok(Sent::Full) => None,
            Ok(Sent::Closed) => Some(Err(self.end.closed_error())),
            Err(trouble) => Some(Err(self.not_carried(trouble))),
        }
    }

    #[cold]
    fn not_carried(&self, trouble: Trouble) -> Error {
        let name = || self.end.name();
        match trouble {
            Trouble::Gone => self.end.gone_error(),
            Trouble::File(cause) => Error::os(name(), "making the memory file of a long message", cause)
                .hint(
                    "raise the limit of the machine's or the cgroup's memory, of open files or of file sizes",
                ),
            Trouble::Refused(cause) if cause.raw_os_error() == Some(libc::ETOOMANYREFS) => {
                Error::os(name(), "sending a long message", cause)
                    .of_kind(ErrorKind::Limit)
                    .hint("raise the limit of open files (ulimit -n): long messages on their way count, too")
            }
            Trouble::Refused(cause) => Error::os(name(), "sending through a socket", cause),
            Trouble::Malformed | Trouble::NoMemory(_) => {
                Error::new(ErrorKind::Os, name(), "the message could not be sent")
            }
        }
    }
}
