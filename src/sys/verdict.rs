//! How a target ended, in the child, before it is told to the parent.

/// What became of a target that returned.
#[derive(Debug)]
pub enum Verdict {
    /// It returned, and nobody asked for what it returned.
    Done,
    /// It returned this value, encoded.
    Value(Vec<u8>),
    /// It returned an error, or its arguments could not be unpacked.
    Failed(String),
}
