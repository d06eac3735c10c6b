//! What the target of a process may return.

use std::fmt::Display;

use crate::sys::verdict::Verdict;

/// What the target of a [`Process`](crate::Process) may return: nothing, or a `Result` of nothing whose error
/// can be shown. An error ends the process with exit code 1, its text on stderr, and the text in the
/// parent's `join`.
#[diagnostic::on_unimplemented(
    message = "the target of a process returns `()` or `Result<(), E>`, not `{Self}`",
    note = "for a value, use `processing::spawn(target, arguments)`"
)]
pub trait Report {
    #[doc(hidden)]
    fn report(self) -> Verdict;
}

impl Report for () {
    fn report(self) -> Verdict {
        Verdict::Done
    }
}

impl<E: Display> Report for Result<(), E> {
    fn report(self) -> Verdict {
        match self {
            Ok(()) => Verdict::Done,
            // The alternate form shows the whole chain of those error types that have one.
            Err(error) => Verdict::Failed(format!("{error:#}")),
        }
    }
}

/// Gives the type that a function returns; for `!`, which has no other stable name.
pub trait Returns {
    type Value;
}

impl<R> Returns for fn() -> R {
    type Value = R;
}

/// A target that never returns: it panics, exits, or serves until it is ended.
impl Report for <fn() -> ! as Returns>::Value {
    fn report(self) -> Verdict {
        self
    }
}
