//! The kinds of objects in an arena's directory.

/// A queue: the body is a ring.
pub(crate) const QUEUE: u32 = 1;
/// A pipe: the body is a `layout::pipe`.
pub(crate) const PIPE: u32 = 2;
/// A lock: the body is a `layout::lock`.
pub(crate) const LOCK: u32 = 3;
/// A recursive lock: the same body.
pub(crate) const RLOCK: u32 = 4;
/// A locked value: the body is a `layout::locked`, which begins with a lock.
pub(crate) const LOCKED: u32 = 8;
/// A semaphore, bounded or not: the body is a `layout::semaphore`.
pub(crate) const SEMAPHORE: u32 = 5;
/// A condition: the body is a `layout::condition`.
pub(crate) const CONDITION: u32 = 6;
/// An event: the body is a `layout::event`.
pub(crate) const EVENT: u32 = 7;
/// A buffered queue: the body is a `layout::buffered`, its links lead to segments.
pub(crate) const BUFFERED: u32 = 30;
/// A segment of a buffered queue: the body is a ring, with its messages as in a queue.
pub(crate) const SEGMENT: u32 = 31;
/// A queue over a packet pipe: the body is a ring that carries no messages, see `ring/elsewhere.rs`.
pub(crate) const PIPE_QUEUE: u32 = 12;
/// The same over a pair of sockets.
pub(crate) const SOCKET_QUEUE: u32 = 13;
/// The same over a POSIX message queue.
pub(crate) const MQ_QUEUE: u32 = 14;

/// A pipe whose messages travel through a pair of sockets: the body is a `layout::socket_pipe`.
pub(crate) const SOCKET_PIPE: u32 = 15;

/// A shared value: the body is a lock, followed by the value.
pub(crate) const VALUE: u32 = 40;
/// A shared structure: the body is a lock, followed by what names its blocks.
pub(crate) const STRUCT: u32 = 41;
/// A shared array: the body is a lock, followed by its mode and the elements.
pub(crate) const ARRAY: u32 = 42;
/// A shared list: the body is a lock, followed by what names its blocks.
pub(crate) const LIST: u32 = 43;
/// A shared dictionary: the body is a lock, followed by what names its blocks, and its stripes.
pub(crate) const DICT: u32 = 44;
/// A namespace: the body is a dictionary's.
pub(crate) const NAMESPACE: u32 = 45;

/// Whether it is shared data: its body begins with the lock of those who change it.
pub(crate) const fn is_data(kind: u32) -> bool {
    matches!(kind, VALUE | STRUCT | ARRAY | LIST | DICT | NAMESPACE)
}

/// Whether messages of this kind of queue travel through the kernel.
pub(crate) const fn is_kernel_queue(kind: u32) -> bool {
    matches!(kind, PIPE_QUEUE | SOCKET_QUEUE | MQ_QUEUE)
}
/// All handles of one half of a queue, its producers or its consumers, as long as there are any: it holds the queue and has no body.
pub(crate) const HALF: u32 = 20;
