//! The library's own backend: the algorithm of `prim::lock`, where the word itself excludes.

use super::{Exclusion, Refusal};
use crate::layout::lock::LockWord;
use crate::prim::limits::Limits;
use crate::prim::lock::{Owners, RawLock, Taken};
use crate::prim::spin::Spinner;
use crate::sys::failed_call::FailedCall;

impl Exclusion for RawLock<'_> {
    fn take(
        &self,
        me: LockWord,
        limits: &Limits<'_>,
        spinner: &Spinner,
        owners: &dyn Owners,
    ) -> Result<Taken, Refusal> {
        Ok(RawLock::take(*self, me, limits, spinner, owners))
    }

    fn release(&self, me: LockWord) -> Result<bool, FailedCall> {
        Ok(RawLock::release(*self, me))
    }

    fn recover(&self, me: LockWord) -> bool {
        RawLock::recover(*self, me)
    }

    fn poison(&self) {
        RawLock::poison(*self);
    }

    fn take_poisoned(&self, me: LockWord) -> bool {
        RawLock::take_poisoned(*self, me)
    }
}
