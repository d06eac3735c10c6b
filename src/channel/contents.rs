//! What the arena asks about shared data when somebody died, and at teardown: `channel::repair` answers with this.

use crate::arena::{Arena, ObjectView};
use crate::channel::kind;
use crate::data::blocks::ArenaBlocks;
use crate::data::chain_check;
use crate::data::dict::Dict;
use crate::data::dict::content::Content;
use crate::data::list::List;
use crate::data::list::stored::Stored;
use crate::data::swap::Swap;
use crate::layout::ParticipantId;
use crate::layout::array::ArrayBody;
use crate::layout::lock::{LockBody, LockState, LockWord};
use crate::layout::structure::StructBody;
use crate::prim::event_count::EventCount;
use crate::prim::lock::RawLock;
use crate::region::Shared;
use crate::sync::atomic::Ordering;

/// What is done for the dead `who` besides orphaning the lock in front: what it was doing is for the next owner of each lock.
pub(super) fn repair(arena: &Arena, object: &ObjectView, who: ParticipantId, still: &dyn Fn() -> bool) {
    match object.kind() {
        kind::ARRAY => {
            if let Some(body) = body::<ArrayBody>(arena, object) {
                // What it had announced is taken back by now.
                EventCount::new(&body.event).wake_all();
            }
        }
        kind::DICT | kind::NAMESPACE => {
            if let Some(dict) = Content::of(arena, object) {
                dict.memory.locks().for_each(|word| RawLock::new(word).repair(who, still, &|_| ()));
            }
        }
        _ => {}
    }
}

/// Every block of the object, as [`Rings::messages`](crate::arena::Rings::messages) wants them.
pub(super) fn blocks(arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
    match object.kind() {
        kind::STRUCT => of_struct(arena, object, each),
        kind::ARRAY => of_array(arena, object, each),
        kind::LIST => of_list(arena, object, each),
        kind::DICT | kind::NAMESPACE => of_dictionary(arena, object, each),
        _ => {}
    }
}

/// Every block that readers and writers are led to and that is none of the object's, as [`Rings::astray`](crate::arena::Rings::astray) wants them.
pub(super) fn astray(arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
    match object.kind() {
        kind::STRUCT => {
            if let Some(body) = body::<StructBody>(arena, object) {
                let blocks = ArenaBlocks::new(&body.chain, arena, object.id());
                chain_check::astray(&blocks, &mut |block| each(arena.offset_of(block).unwrap_or_default()));
            }
        }
        kind::LIST => {
            if let Some(stored) = Stored::of(arena, object) {
                // Nobody has the lock, nor had it when it died: nothing is under way.
                let settled = body::<LockBody>(arena, object).is_some_and(is_free);
                List::new(&stored, stored.is_boxed()).astray(settled, &mut |place| each(place.offset()));
            }
        }
        kind::DICT | kind::NAMESPACE => {
            if let Some(dict) = Content::of(arena, object) {
                dict.astray(&mut |block| each(block.offset));
            }
        }
        // An array has its elements in its body, and names a block while one is copied there: its record, which an heir looks at first.
        _ => {}
    }
}

fn is_free(lock: &LockBody) -> bool {
    LockWord(lock.word.load(Ordering::Acquire)).state() == LockState::Free
}

fn body<'a, T: Shared>(arena: &'a Arena, object: &ObjectView) -> Option<&'a T> {
    let fits = object.body_len() >= size_of::<T>() as u64;
    fits.then(|| arena.region().at(object.body_offset()))
}

fn of_struct(arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
    let Some(body) = body::<StructBody>(arena, object) else { return };
    Swap::new(ArenaBlocks::new(&body.chain, arena, object.id())).each(each);
}

fn of_array(arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
    let Some(body) = body::<ArrayBody>(arena, object) else { return };
    // What its last writer had committed and not copied when it died.
    let block = body.block.load(Ordering::Acquire);
    if arena.value(block, object.id()).is_some() {
        each(block);
    }
}

fn of_list(arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
    let Some(stored) = Stored::of(arena, object) else { return };
    List::new(&stored, stored.is_boxed()).each_block(&mut |place| {
        stored.view(place).inspect(|view| each(view.reference()));
    });
}

fn of_dictionary(arena: &Arena, object: &ObjectView, each: &mut dyn FnMut(u64)) {
    let Some(dict): Option<Dict<Content<'_>>> = Content::of(arena, object) else { return };
    dict.blocks(&mut |block| {
        dict.memory.block(block).inspect(|view| each(view.reference()));
    });
}
