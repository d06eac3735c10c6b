//! What a connection promises, depending on what carries its messages.

/// What a connection can do, depending on its [`PipeBackend`](crate::PipeBackend): [`Connection::capabilities`](crate::Connection::capabilities).
///
/// What is the same for all is not listed: order, whole messages of any length, types, time limits, the end of the stream after the last message, that an end
/// can be given away with messages waiting in it, and that nobody waits for the dead. The test suite reads this structure and holds
/// each connection to it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PipeCapabilities {
    /// While nobody sleeps, a call stays in shared memory. False: sending is a system call, receiving two.
    pub in_memory: bool,
    /// A message is there at once, however long: `try_recv` never meets the beginning of one, and a sender need not stay for the rest. False: what is
    /// longer than the room passes through in pieces while both ends are at work.
    pub whole: bool,
    /// A call after the death of the other end's process learns of it, though nobody has looked for the dead: a `send` does not take what nobody will
    /// receive. False: it learns of it when the dead are found, at the latest by the first wait that reaches its backstop. (True does not hold as
    /// long as a process that was forked from that one lives: it has copies of descriptors.) Who sleeps already is woken in the same way on both.
    pub told_at_once: bool,
    /// How many bytes of room each direction has; of a socket as the kernel counts, with what it needs for each record.
    pub buffer: usize,
    /// The longest message, serialised, in bytes, that [`try_send`](crate::Connection::try_send) takes; `u64::MAX`: whatever there is memory for.
    pub longest_try: u64,
    /// How many descriptors each end takes in its process.
    pub descriptors: usize,
}
