//! What the processes write down beside the library.
//!
//! # Safety
//!
//! [`Common`] is made of atomic words.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use processing_stress::shared_file::{SharedFile, Words};
use std::sync::atomic::AtomicU64;

/// Words that all processes share.
pub type Board = SharedFile<Common>;

// SAFETY: see the module.
unsafe impl Words for Common {}

/// What each thread writes down.
#[repr(C)]
pub struct Slot {
    /// Turns with the lock that it knows to be over.
    pub confirmed: AtomicU64,
    /// 1 while it holds a permit of the semaphore, of the bounded one.
    pub permits: [AtomicU64; 2],
    /// Goes up with everything it does.
    pub progress: AtomicU64,
    spare: [AtomicU64; 4],
}

/// What all write down.
#[repr(C)]
pub struct Common {
    /// Not zero: enough.
    pub stop: AtomicU64,
    /// How often something was wrong.
    pub violations: AtomicU64,
    /// Who is in the lock, in the recursive lock, in the condition's lock; zero: nobody.
    pub inside: [AtomicU64; 3],
    /// Turns with each of them, counted without an atomic operation by who is inside.
    pub turns: [AtomicU64; 3],
    /// What the condition is about.
    pub items: AtomicU64,
    /// What was done: locks, recursive locks, values, permits, bounded permits, puts, takes, events, deaths met.
    pub done: [AtomicU64; 9],
    /// Of each worker: which life it is in, zero while it is being killed.
    pub lives: [AtomicU64; WORKERS],
    pub slots: [[Slot; THREADS]; WORKERS],
}

/// The most of them.
pub const WORKERS: usize = 32;
pub const THREADS: usize = 16;
