//! Which structures of the arena may be borrowed from a region.
//!
//! # Safety
//!
//! Only declarations that a type is made of atomics.
#![allow(unsafe_code)]

use crate::layout::array::ArrayBody;
use crate::layout::block::{BlockHeader, SmallHeader};
use crate::layout::buffered::BufferedBody;
use crate::layout::chunk::ChunkEntry;
use crate::layout::condition::{ConditionBody, ConditionCell};
use crate::layout::dict::DictBody;
use crate::layout::event::EventBody;
use crate::layout::list::ListBody;
use crate::layout::lock::LockBody;
use crate::layout::locked::LockedBody;
use crate::layout::object::{ArenaControl, ObjectEntry};
use crate::layout::reference::{ReferenceControl, ReferenceEntry};
use crate::layout::semaphore::{Lane, SemaphoreBody};
use crate::layout::socket_pipe::SocketPipeBody;
use crate::layout::structure::StructBody;
use crate::layout::value::{ValueBody, WordBody};
use crate::region::Shared;

// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ChunkEntry {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for BlockHeader {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for SmallHeader {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ObjectEntry {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ArenaControl {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ReferenceEntry {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ReferenceControl {}
// SAFETY: repr(C), AtomicU32 and AtomicU64 only.
unsafe impl Shared for LockBody {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for LockedBody {}
// SAFETY: repr(C), AtomicU32 and AtomicU64 only.
unsafe impl Shared for SemaphoreBody {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for Lane {}
// SAFETY: repr(C), AtomicU32 and AtomicU64 only.
unsafe impl Shared for ConditionBody {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ConditionCell {}
// SAFETY: repr(C), AtomicU32 only.
unsafe impl Shared for EventBody {}
// SAFETY: repr(C), AtomicU32 and AtomicU64 only.
unsafe impl Shared for BufferedBody {}
// SAFETY: repr(C), AtomicU32 and AtomicU64 only.
unsafe impl Shared for SocketPipeBody {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ListBody {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for DictBody {}
// SAFETY: repr(C), AtomicU32 and AtomicU64 only.
unsafe impl Shared for ArrayBody {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for WordBody {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ValueBody {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for StructBody {}
