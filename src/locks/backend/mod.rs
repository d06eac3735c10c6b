//! What excludes: three backends behind one trait.
//!
//! # Contract of an [`Exclusion`]
//!
//! - **One owner.** After `take` said `Owned` or `Inherited`, it says so to nobody else before `release`, `poison`, or the owner's death.
//!   What an owner did before its release is seen by the next one.
//! - **The word.** `look` names the owner from before `take` returns until within `release`. No thread ever sees its own name in it that
//!   does not have the lock, so that "it is mine" is one load, and `take` by the owner is `Mine` instead of a deadlock.
//! - **Limits.** `take` makes one attempt in any case. It does not end by its deadline before that, and it ends by it or by the cancel word
//!   at the latest at the next backstop. `Limits::TRY` does not sleep.
//! - **Signals** neither end a wait nor prolong it.
//! - **Death.** As [`Capabilities`] says: `robust` gives `Inherited`, otherwise `told` gives [`Refusal::Lost`], also at the end of a wait that is
//!   shorter than the first backstop. While it sleeps, `take` looks for the dead at each backstop.
//! - **`release` by another** than the owner changes nothing and says false. One that failed leaves the caller the owner.
//! - **`recover`, `poison`, `take_poisoned`** do nothing where nothing is ever inherited.
//! - All state lies in the body, so that a value of the trait is made for a call and holds nothing.

mod beside;
mod capabilities;
mod choice;
mod futex;
mod native;

pub(super) use beside::Beside;
pub use capabilities::Capabilities;
pub use choice::LockBackend;

use crate::layout::lock::LockWord;
use crate::prim::limits::Limits;
use crate::prim::lock::{Owners, Taken};
use crate::prim::spin::Spinner;
use crate::sys::failed_call::FailedCall;

/// See the module.
pub(super) trait Exclusion {
    /// Takes it for `me`, within `limits`.
    fn take(
        &self,
        me: LockWord,
        limits: &Limits<'_>,
        spinner: &Spinner,
        owners: &dyn Owners,
    ) -> Result<Taken, Refusal>;

    /// Gives back what `me` has; false if it does not have it.
    fn release(&self, me: LockWord) -> Result<bool, FailedCall>;

    /// The heir has repaired what the lock protects; false if `me` is no heir.
    fn recover(&self, me: LockWord) -> bool;

    /// The owner gives up.
    fn poison(&self);

    /// Takes what an heir gave up; false if none did.
    fn take_poisoned(&self, me: LockWord) -> bool;
}

/// Why a lock is not to be had, whoever waits how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its owner, whom the word named (or its reaper), died with it, and this backend cannot hand it on.
    Lost(LockWord),
    /// The C library failed.
    Failed(FailedCall),
}

impl From<FailedCall> for Refusal {
    fn from(failed: FailedCall) -> Self {
        Self::Failed(failed)
    }
}
