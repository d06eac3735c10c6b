//! What a queue promises, depending on what carries its messages.

/// What a queue can do, depending on its [`Backend`](crate::Backend): [`Queue::capabilities`](crate::Queue::capabilities).
///
/// What is the same for all is not listed: order, bounds, many producers and consumers, time limits, close, types, whole messages, and
/// that nobody waits for the dead. The test suite reads this structure and holds each queue to it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueCapabilities {
    /// The message of a getter that is killed inside `get`, before the call has it for good, goes to another, marked
    /// [`redelivered`](crate::Lease::redelivered). False: from the moment that the kernel gave it out, it shares the getter's fate. So there are no
    /// dead letters, and a message of a batch that cannot be made into a value is consumed by the call that met it.
    pub redelivers: bool,
    /// [`get_ref`](crate::Queue::get_ref) leaves the message in the queue's keeping until the lease is dropped. False: the lease is over a
    /// copy, which goes with its holder; [`put_back`](crate::Lease::put_back) puts it at the end once more, without a mark, and loses it
    /// if the queue is full or closed by then.
    pub leases: bool,
    /// Messages may hold handles (queues, locks). False: such a put is an error, `InvalidInput`.
    pub handles: bool,
    /// Exactly [`capacity`](Self::capacity) messages fit. False: the room is in bytes ([`buffer`](Self::buffer)), and `capacity` is how many
    /// fit at least, whatever their length; of short ones more do.
    pub exact_capacity: bool,
    /// `len` counts messages. False: it says 1 for "one or more", as the kernel knows only how many bytes wait.
    pub exact_len: bool,
    /// A producer that sleeps is woken by each message that leaves. False: long messages beside short ones may leave room that one who sleeps
    /// notices when it looks again, within about a second.
    pub wakes_exactly: bool,
    /// While nobody sleeps, a call stays in shared memory. False: each is a system call.
    pub in_memory: bool,
    /// As [`Queue::capacity`](crate::Queue::capacity) says.
    pub capacity: usize,
    /// The longest message, serialised, in bytes; `u64::MAX`: whatever there is memory for.
    pub max_message: u64,
    /// Where the room is in bytes: how many the kernel's buffer has, with what it needs for each message.
    pub buffer: Option<usize>,
}
