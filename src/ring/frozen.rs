//! A typed view of a message that stays where it is, together with the claim that keeps it there.
//!
//! # Safety
//!
//! [`Frozen`] keeps a pointer into the bytes that its claim froze. [`FrozenBytes`] promises that those bytes
//! neither move nor change while the claim lives, also when the claim itself is moved; the pointer is made
//! from a reference to them and never outlives the claim, which is dropped with it.
#![allow(unsafe_code)]

use std::ops::Deref;
use std::ptr::NonNull;

/// A claim on a message.
///
/// # Safety
///
/// The bytes must be readable, and neither move nor change, from the claim's first call of `bytes` until it is
/// dropped; moving the claim must not move them.
pub unsafe trait FrozenBytes {
    /// The message.
    fn bytes(&self) -> &[u8];
}

/// A claim and the value that was found in its bytes.
pub struct Frozen<C, A> {
    value: NonNull<A>,
    claim: C,
}

// SAFETY: the pointer is a borrow of the claim's bytes, which nobody changes: it may go where the claim and a
// shared reference to the value may go.
unsafe impl<C: Send, A: Sync> Send for Frozen<C, A> {}
// SAFETY: as above.
unsafe impl<C: Sync, A: Sync> Sync for Frozen<C, A> {}

impl<C: FrozenBytes, A> Frozen<C, A> {
    /// Looks for the value in the claim's bytes; hands the claim back if it is not there.
    pub fn new<E>(claim: C, find: impl for<'a> FnOnce(&'a [u8]) -> Result<&'a A, E>) -> Result<Self, (C, E)> {
        match find(claim.bytes()).map(NonNull::from) {
            Ok(value) => Ok(Self { value, claim }),
            Err(error) => Err((claim, error)),
        }
    }

    /// Gives up the value; the claim lives on.
    pub fn into_claim(self) -> C {
        self.claim
    }

    /// The claim.
    pub fn claim(&self) -> &C {
        &self.claim
    }
}

impl<C, A> Deref for Frozen<C, A> {
    type Target = A;

    fn deref(&self) -> &A {
        // SAFETY: see the module: the claim keeps the bytes, and nobody writes to them.
        unsafe { self.value.as_ref() }
    }
}
