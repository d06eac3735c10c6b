//! The kinds of objects in an arena's directory.

/// A queue: the body is a ring.
pub(crate) const QUEUE: u32 = 1;
/// A pipe: the body is a `layout::pipe`.
pub(crate) const PIPE: u32 = 2;
