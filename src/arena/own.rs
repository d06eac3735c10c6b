//! The own word of a block: who may do what to it, over borrowed words.
//!
//! States and transitions: [`OwnState`]; the protocol: [`super`].
use crate::layout::block::{BlockHeader, OwnState, OwnWord};
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::mutant;

/// Takes a free block for `me`. `None`: it is not free, or another was first.
#[inline]
pub fn take(header: &BlockHeader, me: u16) -> Option<OwnWord> {
    // Relaxed: only a look; the CAS decides.
    let seen = header.own.load(Relaxed);
    let own = OwnWord::unpack(seen);
    if own.state != OwnState::Free {
        return None;
    }
    let taken = own.taken(me);
    // Acquire: pairs with the Release of `free`, whose owner's reads and writes of the bytes are over.
    header.own.compare_exchange(seen, taken.pack(), AcqRel, Relaxed).ok().map(|_| taken)
}

/// PRIVATE(me) -> SENT(me), for slot `ticket` of `ring`, which the caller has claimed.
#[inline]
pub fn sent(header: &BlockHeader, own: OwnWord, me: u16, ring: u64, ticket: u64) {
    header.ring.store(ring, Relaxed);
    header.ticket.store(ticket, Relaxed);
    // Release: who sees SENT sees the ring and the ticket, and through the slot the bytes.
    header.own.store(own.to(OwnState::Sent, me).pack(), Release);
}

/// The rightful owner says that the block will be freed by it. For a message this is the commit.
#[inline]
pub fn dying(header: &BlockHeader, own: OwnWord, me: u16) {
    header.own.store(own.to(OwnState::Dying, me).pack(), Release);
}

/// The last step of a free: DYING(me) -> FREE.
#[inline]
pub fn free(header: &BlockHeader, own: OwnWord) {
    // Release: pairs with the Acquire of `take`.
    let order = if mutant::on("arena.free_relaxed") { Relaxed } else { Release };
    header.own.store(own.to(OwnState::Free, 0).pack(), order);
}

/// PRIVATE(from) -> PRIVATE(to). False: it is not `from`'s any more.
pub fn hand_over(header: &BlockHeader, own: OwnWord, from: u16, to: u16) -> bool {
    let old = own.to(OwnState::Private, from).pack();
    let new = own.to(OwnState::Private, to).pack();
    header.own.compare_exchange(old, new, AcqRel, Acquire).is_ok()
}

/// A block that a dead participant's name stands on.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub own: OwnWord,
    pub ring: u64,
    pub ticket: u64,
}

/// Looks at a block for the repair of `dead`: `None` if the word does not name it.
///
/// The header may be of a later life than the own word. That does no harm: of a SENT block only the own word is changed, by CAS with
/// its generation; and a DYING block is not freed before all slots and cells of `dead` were repaired, so that no
/// header of a later life can lead to one of them.
pub fn look(header: &BlockHeader, dead: u16) -> Option<Seen> {
    let own = OwnWord::unpack(header.own.load(Acquire));
    if own.who != dead || matches!(own.state, OwnState::Free | OwnState::Invalid) {
        return None;
    }
    Some(Seen { own, ring: header.ring.load(Relaxed), ticket: header.ticket.load(Relaxed) })
}

/// PRIVATE(dead) | SENT(dead) -> DYING(dead), if the word is still the one that was seen.
pub fn condemn(header: &BlockHeader, seen: OwnWord, dead: u16) -> bool {
    let new = seen.to(OwnState::Dying, dead).pack();
    header.own.compare_exchange(seen.pack(), new, AcqRel, Acquire).is_ok()
}

/// PRIVATE(me) -> BODY, for the object (`ObjectId::bits`) whose entry names the block already.
pub fn body(header: &BlockHeader, own: OwnWord, object: u64) {
    header.ring.store(object, Relaxed);
    header.own.store(own.to(OwnState::Body, 0).pack(), Release);
}

/// PRIVATE(me) -> VALUE, for the object (`ObjectId::bits`) that names the block already, or will with its next store.
pub fn value(header: &BlockHeader, own: OwnWord, object: u64) {
    header.ring.store(object, Relaxed);
    // Release: who sees VALUE sees whose it is and what it holds.
    header.own.store(own.to(OwnState::Value, 0).pack(), Release);
}
