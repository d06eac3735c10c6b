//! Rings in objects of an arena.
//!
//! # Safety
//!
//! An [`ObjectRef`] keeps its object's body in place and mapped as long as it lives; a [`Rented`] body belongs to an
//! object that its user knows to live (a reaper, protected by the dead one's reference; a helper, by its own). Bodies
//! are aligned to 64, and their bytes are used as rings only.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use std::sync::Arc;

use crate::arena::{Arena, ObjectRef, ObjectView};
use crate::error::Result;
use crate::layout::ring::Geometry;
use crate::ring::policy::Policy;
use crate::ring::{Body, Mapped, Ring};

// SAFETY: see the module.
unsafe impl Body for ObjectRef {
    fn ptr(&self) -> *mut u8 {
        self.body()
    }

    fn len(&self) -> u64 {
        self.body_len()
    }
}

/// A body that somebody else's reference keeps.
#[derive(Clone, Copy, Debug)]
pub struct Rented<'a> {
    ptr: *mut u8,
    len: u64,
    arena: PhantomData<&'a Arena>,
}

// SAFETY: an address in a mapping that all threads share.
unsafe impl Send for Rented<'_> {}
// SAFETY: as above.
unsafe impl Sync for Rented<'_> {}

// SAFETY: see the module.
unsafe impl Body for Rented<'_> {
    fn ptr(&self) -> *mut u8 {
        self.ptr
    }

    fn len(&self) -> u64 {
        self.len
    }
}

/// The ring in the body of an object that is known to live.
///
/// # Errors
///
/// `InvalidRegion` if it is not a ring.
pub fn ring_of<'a>(arena: &'a Arena, object: &ObjectView) -> Result<Ring<Mapped<Rented<'a>>>> {
    Ring::attach(Rented { ptr: object.body(arena.region()), len: object.body_len(), arena: PhantomData })
}

/// Creates an object whose body is a ring.
///
/// # Errors
///
/// `InvalidRegion` for an impossible geometry; what [`Arena::create_object`] answers.
pub fn create(
    arena: &Arc<Arena>,
    kind: u32,
    type_hash: u64,
    geometry: &Geometry,
    max_message: u64,
    policy: Policy,
) -> Result<ObjectRef> {
    let len = Ring::<Mapped<Rented<'_>>>::body_len(geometry);
    let mut answer = Ok(());
    let object = arena.create_object(kind, type_hash, "queue", len, |ptr| {
        let body = Rented { ptr, len, arena: PhantomData };
        answer = Ring::init(body, geometry, true).map(|ring| {
            ring.set_max_message(max_message);
            ring.set_policy(policy);
        });
    })?;
    answer.map(|()| object)
}
