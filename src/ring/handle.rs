//! Handles in an archive.
//!
//! # Safety
//!
//! An [`ArchivedHandle`] is its number and nothing else (`repr(transparent)`), so that a place for the one is a place for
//! the other.
#![allow(unsafe_code)]

use std::marker::PhantomData;

use rkyv::bytecheck::CheckBytes;
use rkyv::rend::u32_le;
use rkyv::{Place, Portable};

/// A handle in an archive: its number among the handles of the message.
#[derive(CheckBytes, Portable)]
#[bytecheck(crate = rkyv::bytecheck)]
#[repr(transparent)]
pub struct ArchivedHandle<H> {
    index: u32_le,
    handle: PhantomData<H>,
}

impl<H> ArchivedHandle<H> {
    pub(crate) fn index(&self) -> u32 {
        self.index.to_native()
    }

    pub(crate) fn emplace(index: u32, out: Place<Self>) {
        // SAFETY: see the module.
        let number = unsafe { out.cast_unchecked::<u32_le>() };
        number.write(u32_le::from_native(index));
    }
}
