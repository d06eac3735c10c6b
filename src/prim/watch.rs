//! What a sleeper sleeps by, for who sleeps for several at once and not inside of the call that waits.
//!
//! `RawLock::watch`, `RawEvent::watch`, `RawSemaphore::watch`, `EventCount::watch` and those of the two ends of a stream do what their
//! blocking calls do before they sleep: they announce a sleeper, look once more, and say which word is to be slept by. None: there is
//! nothing to wait for.

use crate::sync::futex::Address;

/// A word, and the value that it had when a sleeper was announced. Whoever makes true what is waited for changes the word
/// after that, then wakes it: so who compares the two misses nothing, however late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Where the word lies.
    pub address: Address,
    /// Its value.
    pub expected: u32,
    /// Publishers could not be ordered: look again soon.
    pub unordered: bool,
}
