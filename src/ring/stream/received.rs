//! What the reading end may meet.

use super::fault::Fault;

/// What [`StreamRx::peek`](super::StreamRx::peek) sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A message, or the beginning of a long one.
    Message { tag: u32, len: u64 },
    /// Nothing at present.
    Empty,
    /// Everything was received and the writer has closed its end (or this end was closed).
    End,
}

/// Why nothing was received. The next message, if there is one, stays in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvEnd {
    /// The deadline passed. What has arrived of a long message is kept for the next call.
    TimedOut,
    /// The cancel word was set; else as `TimedOut`.
    Cancelled,
    /// Everything was received, and one of the ends was closed.
    End,
    /// Everything was received, and the writer's process is gone.
    PeerGone,
    /// The writer gave up a long message that had begun to arrive: call again, and look at the tag again.
    Withdrawn,
    /// The caller's buffer has no room for the next message.
    TooShort { tag: u32, len: u64 },
    /// The next message has another tag than asked for.
    OtherTag { tag: u32, len: u64 },
    /// This process has no memory for the next message.
    OutOfMemory { len: u64 },
    /// The writer broke the format; the end is dead.
    Fault(Fault),
}
