//! The kernel, as far as the participant table asks it.

#[cfg(not(loom))]
use super::attendance::Attendance;
use crate::layout::ParticipantId;
#[cfg(not(loom))]
use crate::sys::beacon::{Beacon, Holder};

/// One lock per participant, dropped by the kernel when its holder is gone.
pub trait Kernel {
    /// Some process, this one included, holds the lock of `id`. In doubt: true.
    fn alive(&self, id: ParticipantId) -> bool;
    /// Takes the lock of `id` for this process; false if another one has it.
    fn lock(&self, id: ParticipantId) -> bool;
    /// Drops the lock of `id`.
    fn unlock(&self, id: ParticipantId);
}

/// The kernel behind a beacon.
#[cfg(not(loom))]
pub struct BeaconKernel<'a> {
    pub beacon: &'a Beacon,
    pub me: &'a Attendance,
}

#[cfg(not(loom))]
impl Kernel for BeaconKernel<'_> {
    fn alive(&self, id: ParticipantId) -> bool {
        // The kernel does not report a process's own locks.
        if self.me.me().is_some_and(|me| me.id == id) {
            return true;
        }
        match self.beacon.holder(id) {
            Holder::Somebody => true,
            Holder::Nobody => false,
            // The program closed the beacon: with it went our own lock, so to the others we are dead, and must
            // not touch the region again. About `id` nothing is known.
            Holder::Lost => {
                self.me.leave();
                true
            }
        }
    }

    fn lock(&self, id: ParticipantId) -> bool {
        self.beacon.lock(id)
    }

    fn unlock(&self, id: ParticipantId) {
        self.beacon.unlock(id);
    }
}
