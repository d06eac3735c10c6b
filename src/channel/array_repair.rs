//! What is finished for a dead writer of a shared array.

use super::bare_lock::is_dead;
use crate::arena::{Arena, ObjectView};
use crate::data::array::settle_for_the_dead;
use crate::layout::ParticipantId;
use crate::layout::array::ArrayBody;
use crate::layout::lock::LockWord;
use crate::prim::limits::Limits;
use crate::prim::lock::{Owners, RawLock, Taken};
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::region::Region;
use crate::sync::atomic::Ordering;
use crate::sys::thread;

/// What a writer had committed and not copied when it died is finished now: who loads single elements never takes the lock, and would
/// see part of it till somebody else does. Who has the lock does it otherwise.
pub(super) fn finish(arena: &Arena, object: &ObjectView) {
    if object.body_len() < size_of::<ArrayBody>() as u64 {
        return;
    }
    let body: &ArrayBody = arena.region().at(object.body_offset());
    let Ok(me) = arena.region().me() else { return };
    if body.block.load(Ordering::Acquire) == 0 {
        return;
    }
    let lock = RawLock::new(&body.lock.word);
    let mine = LockWord::owned(me.id, me.incarnation).by(thread::tag());
    match lock.take(mine, &Limits::TRY, &Spinner::new(WaitStrategy::Block), &Kernel(arena.region())) {
        Taken::Inherited(_) => {
            settle_for_the_dead(arena, object, body);
            lock.recover(mine);
            lock.release(mine);
        }
        // Somebody else inherited it, and has done it.
        Taken::Owned => {
            lock.release(mine);
        }
        Taken::TimedOut | Taken::Cancelled | Taken::Mine | Taken::Poisoned => {}
    }
}

/// Asks the kernel after an owner: it may be one that died here before.
struct Kernel<'a>(&'a Region);

impl Owners for Kernel<'_> {
    fn is_dead(&self, who: ParticipantId, incarnation: u32) -> bool {
        is_dead(self.0, who, incarnation)
    }

    fn look_for_dead(&self) {}
}
