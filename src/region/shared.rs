//! What may be borrowed from a region.
//!
//! # Safety
//!
//! Only declarations that a type is made of atomics.
#![allow(unsafe_code)]

use crate::layout::announcement::AnnounceLine;
use crate::layout::header::Header;
use crate::layout::participant::ParticipantSlot;
use crate::sync::atomic::{AtomicU32, AtomicU64};

/// A structure that other processes may change while it is borrowed.
///
/// # Safety
///
/// `#[repr(C)]` or `#[repr(transparent)]`, made of `crate::sync` atomics only (so that any bytes are valid and
/// every access is atomic), without padding that anybody reads, and without `Drop`.
pub unsafe trait Shared: Sized {}

// SAFETY: atomics.
unsafe impl Shared for AtomicU32 {}
// SAFETY: atomics.
unsafe impl Shared for AtomicU64 {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for Header {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for ParticipantSlot {}
// SAFETY: repr(C), AtomicU64 only.
unsafe impl Shared for AnnounceLine {}
// SAFETY: an array has no bytes besides its elements.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {}
