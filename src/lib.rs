//! Processes with the API of threads, over one shared-memory region that survives the death of any participant.
//!
//! A program runs its parts as processes and lets them talk through [`Queue`]s and [`pipe`]s, wait for each other at
//! [`Lock`]s, [`Semaphore`]s, [`Condition`]s and [`Event`]s, and share data: a [`SharedValue`], a [`SharedStruct`], a [`SharedArray`], a [`SharedList`], a
//! [`SharedDict`], a [`Namespace`]. All of it lives in shared memory: as fast as a cache line travels between cores, and **a process may be killed at any instruction and nothing is lost, torn, leaked or stuck**.
//!
//! ```
//! use processing::{Process, Queue};
//!
//! fn greet(q: Queue<(u32, Option<u8>, String)>) -> processing::Result<()> {
//!     q.put(&(42, None, "hello".into()))?;
//!     Ok(())
//! }
//!
//! fn main() -> processing::Result<()> {
//!     let q = Queue::new(16)?;
//!     let p = Process::new(greet, (q.clone(),)).name("greeter").start()?;
//!     assert_eq!(q.get()?, (42, None, "hello".to_owned()));
//!     p.join()?;
//!     assert_eq!(processing::spawn(|a: u64, b: u64| a + b, (1, 2))?.join()?, 3);
//!     Ok(())
//! }
//! ```
//!
//! # Guarantees
//!
//! - A [`put`](Queue::put) that returned is delivered; one whose process was killed before is delivered whole or not at
//!   all. A message held by a [`Lease`] goes to another consumer if its holder dies, marked as redelivered.
//! - A [`Lock`] (unless another [`LockBackend`] was chosen) whose owner died goes to the next, who is told whose it was;
//!   the permits of the dead are free again; a [`notify`](Condition::notify) or [`set`](Event::set) whose caller died in
//!   the middle leaves nobody asleep whose wait it had ended.
//! - Shared data is whole at any instruction: whoever dies in a change has made it or has not, and there is nothing to repair. Readers wait for nobody (of an
//!   array, those of single elements). The memory goes with the last handle of all processes, also when they were killed.
//! - Nothing that belonged to a dead process blocks others: its claims, its messages' memory and its references come
//!   back. Only the kernel declares death: a process that is slow or stopped keeps what it has.
//! - Nothing has a name unless it is asked for, so nothing stays behind: the memory goes with its last process. A
//!   [named queue](QueueBuilder::create), for programs that do not know each other, goes with its last user, too; if that one
//!   was killed, at the next look ([`gc_named`]).
//! - While nobody sleeps, queues, pipes and locks make no system call. The library starts no thread, but for
//!   [`Queue::as_fd`], [`Connection::as_fd`] and the feature `async`: these at most one, see below.
//! - Running out of memory is an error, never a signal.
//!
//! # Not guaranteed
//!
//! - Exactly-once processing across a death. A lease is at-least-once: tell duplicates by an id.
//! - Progress past a *stopped* process that is in the middle of a call, where its slot is needed.
//! - Protection from processes of the same arena that write to its memory by other means: they belong to one program.
//!
//! # Waiting for several things
//!
//! [`select`] waits for several queues, connections and events on the thread that calls it. [`Queue::as_fd`] and
//! [`Connection::as_fd`] give descriptors to event loops of others; the feature `async` gives futures to any runtime.
//!
//! No thread for each wait: **for descriptors and futures the library may start one thread in a process**, with the first `as_fd` or when the
//! first future waits, which sleeps for all of them; it ends when none has waited for a second. While it runs
//! `StartMethod::Fork` is refused, as beside any other thread. It sleeps by `futex_waitv` (Linux 5.16), on the words that
//! blocking calls sleep by, for up to 127 objects at once; where the kernel is older or a sandbox forbids the call, and for the objects
//! beyond 127, it looks every millisecond while somebody waits. A program that uses neither has no thread of the library's.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `async`: futures for any runtime. `Queue::get_async`, `get_ref_async` and `put_async`; `Queue::stream` and `sink`, with the traits of
//!   `futures-core` and `futures-sink`; `recv_async` and `send_async` of `Connection`, `Receiver` and `Sender`;
//!   `Lock::acquire_async`, `Semaphore::acquire_async`, `BoundedSemaphore::acquire_async` and `Event::wait_async`.
//!
//! Linux 5.10 or newer, 64 bits. See `ARCHITECTURE.md` for how it works and `SAFETY.md` for whom it trusts.
#![deny(unsafe_code)]
#![cfg_attr(loom, allow(dead_code, unused_imports))]

/// The README's example is a test.
#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod sync;
#[cfg(not(any(loom, feature = "internals")))]
#[allow(dead_code, unused_imports, reason = "some parts are for the project's own tests")]
mod sync;

#[cfg(all(not(loom), feature = "internals"))]
#[doc(hidden)]
pub mod sys;
#[cfg(all(not(loom), not(feature = "internals")))]
#[allow(dead_code, reason = "some parts are for the project's own tests")]
mod sys;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod layout;
#[cfg(not(any(loom, feature = "internals")))]
#[allow(dead_code, unused_imports, reason = "some parts are for the project's own tests")]
mod layout;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod prim;
#[cfg(not(any(loom, feature = "internals")))]
#[allow(dead_code, unused_imports, reason = "some parts are for the project's own tests")]
mod prim;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod region;
#[cfg(not(any(loom, feature = "internals")))]
#[allow(dead_code, unused_imports, reason = "some parts are for the project's own tests")]
mod region;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod arena;
#[cfg(not(any(loom, feature = "internals")))]
#[allow(dead_code, unused_imports, reason = "some parts are for the project's own tests")]
mod arena;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod ring;
#[cfg(not(any(loom, feature = "internals")))]
#[allow(dead_code, unused_imports, reason = "some parts are for the project's own tests")]
mod ring;

#[cfg(any(loom, feature = "internals"))]
#[doc(hidden)]
pub mod data;
#[cfg(not(any(loom, feature = "internals")))]
#[allow(dead_code, unused_imports, reason = "some parts are for the project's own tests")]
mod data;

mod child_failed;
mod error;
mod exit;

#[cfg(not(loom))]
mod channel;

#[cfg(not(loom))]
mod locks;

#[cfg(not(loom))]
mod process;

#[cfg(not(loom))]
mod shared;

#[cfg(all(not(loom), feature = "async"))]
pub use channel::{
    buffered::BufferedStream,
    queue::{QueueSink, QueueStream},
};
#[cfg(not(loom))]
pub use channel::{
    buffered::{BufferedLease, BufferedQueue, BufferedQueueBuilder, BufferedStats},
    connection::{
        Connection, ConnectionBuilder, PipeBackend, PipeCapabilities, Receiver, Sender, pipe, pipe_in,
    },
    domain::{Arena, ArenaBuilder},
    errors::{GetError, PutError},
    many_errors::{PutManyError, SendManyError},
    message::Message,
    named::{NamedGc, NamedInfo, gc_named, list_named},
    queue::{
        Backend, CommitError, Consumer, DeadLetter, Lease, Producer, Queue, QueueBuilder, QueueCapabilities,
        QueueHolder, QueueStats, Reservation,
    },
    ready::{Ready, Selectable, select, select_slice},
};
pub use child_failed::ChildFailed;
pub use error::{Error, ErrorKind, Result};
pub use exit::Exit;
#[cfg(not(loom))]
pub use locks::{
    AcquireError, BoundedSemaphore, Capabilities, Condition, ConditionBuilder, ConditionGuard, Event, Lock,
    LockBackend, LockGuard, Locked, LockedGuard, OwnerDied, Permit, RLock, RLockGuard, Semaphore,
    SemaphoreBuilder, SemaphoreError, SyncBuilder,
};
pub use prim::spin::WaitStrategy;
#[cfg(all(not(loom), feature = "internals"))]
#[doc(hidden)]
pub use process::probe;
#[cfg(not(loom))]
pub use process::{
    Builder, Cargo, JoinHandle, Process, ProcessBuilder, Report, StartMethod, Target, Task, active_children,
    cpu_count, current_process, freeze_support, spawn,
};
pub use ring::policy::WhenFull;
pub use rkyv;

#[cfg(all(not(loom), feature = "internals"))]
#[doc(hidden)]
pub use process::testing;
#[cfg(not(loom))]
pub use shared::{
    ArrayEditGuard, ArrayIter, ArrayReadGuard, ArrayWriteGuard, AsKey, DictIter, DictStats, ListIter,
    LocalManager, Namespace, SharedArray, SharedArrayBuilder, SharedData, SharedDict, SharedDictBuilder,
    SharedList, SharedListBuilder, SharedStruct, SharedValue, StructReadGuard, StructWriteGuard,
};
