//! What a child left behind that did not end well.

use crate::exit::Exit;

/// The end of a process whose target panicked or returned an error, or that never reached its target.
///
/// Part of an [`Error`](crate::Error) of kind [`ChildFailed`](crate::ErrorKind::ChildFailed); see
/// [`Error::child_failed`](crate::Error::child_failed).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildFailed {
    /// The name of the process.
    pub name: String,
    /// Its process id, by now perhaps another's.
    pub pid: u32,
    /// How it ended: usually `Exit::Code(1)`, `Exit::Signal(SIGABRT)` in a program built with `panic = "abort"`.
    pub exit: Exit,
    /// The text of the panic with its place, or the text of the error.
    pub message: String,
}
