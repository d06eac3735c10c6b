//! Shared arrays: elements of one plain type in the body of an object.
//!
//! Single elements are loaded by anybody at any time, and stored by who passes the [`gate`]; guards read all of them in place, frozen, once
//! they have passed it; and changes of many are made of a copy, in one step ([`redo`]), or in place, where an heir is told that
//! they may be half done. States and words: [`crate::layout::array`].

pub mod gate;
pub mod redo;

#[cfg(not(loom))]
mod create;
#[cfg(not(loom))]
mod elements;
#[cfg(not(loom))]
mod exclusive;
#[cfg(not(loom))]
mod reading;

#[cfg(not(loom))]
pub use create::{First, create};
#[cfg(not(loom))]
pub use elements::Array;
#[cfg(not(loom))]
pub use exclusive::{Exclusive, settle_for_the_dead};
#[cfg(not(loom))]
pub use reading::Reading;
