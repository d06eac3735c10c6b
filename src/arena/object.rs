//! Objects, and this process's references to them.
//!
//! # Safety
//!
//! The body of a new object is cleared and given to its initialiser as raw bytes while its block is PRIVATE(me).
#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Weak};

use super::count::{self, Book, Outcome};
use super::handle::lock;
use super::{Arena, Block, BlockView, own};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::block::{BlockRef, OwnState};
use crate::layout::object::{CountWord, NAME, ObjectEntry, ObjectId, ObjectState, ObjectWord};
use crate::layout::reference::FIRST_REFERENCE;
use crate::layout::{OBJECTS, ParticipantId, REFERENCE_SIZE};
use crate::region::{Region, Seat};
use crate::sync::atomic::AtomicU32;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::kill;

/// An object as a layer above looks at it. Copies nothing and holds nothing: whoever has it knows why the object lives.
#[derive(Clone, Copy, Debug)]
pub struct ObjectView {
    id: ObjectId,
    kind: u32,
    /// Offset of the body in the region.
    body: u64,
    body_len: u64,
    /// References to other objects right before the body; see [`super::links`].
    links: u32,
}

impl ObjectView {
    /// The object's name.
    #[inline]
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// What it is, in the numbers of the layer above.
    #[inline]
    pub fn kind(&self) -> u32 {
        self.kind
    }

    /// Offset of the body in the region, a multiple of 64.
    #[inline]
    pub fn body_offset(&self) -> u64 {
        self.body
    }

    /// The body, in this process's mapping of `region`.
    #[inline]
    pub fn body(&self, region: &Region) -> *mut u8 {
        region.ptr(self.body, self.body_len)
    }

    /// Bytes of the body.
    #[inline]
    pub fn body_len(&self) -> u64 {
        self.body_len
    }

    /// Where link `i` is; `None` if it has fewer.
    pub(super) fn link_place(&self, i: u32) -> Option<u64> {
        (i < self.links).then(|| self.body - u64::from(self.links - i) * REFERENCE_SIZE)
    }
}

/// What this process knows of its own table of references.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub held: HashMap<ObjectId, Weak<Held>>,
    /// Objects of which this process may hold a claim beyond the end of a call ([`ObjectRef::expect_claims`]).
    pub claimed: HashSet<ObjectId>,
    /// References that a parent made for this process ([`Arena::reference_for`]), not asked for yet.
    pub inherited: HashMap<ObjectId, u64>,
    /// Entries that are EMPTY.
    pub free: Vec<u32>,
    /// Entries from here on have never been used.
    pub next: u32,
}

/// One HELD entry of this process.
pub(super) struct Held {
    arena: Arc<Arena>,
    view: ObjectView,
    place: u64,
    /// 1: it is in the list of [`Table::claimed`].
    claimed: AtomicU32,
}

/// A counted reference of this process to an object. Clones share it. The last one that is dropped gives it back; if it
/// was the last reference of all, the object is torn down in that call.
///
/// When the process dies, its reaper drops it.
#[derive(Clone)]
pub struct ObjectRef(Arc<Held>);

impl ObjectRef {
    /// The object's name.
    #[inline]
    pub fn id(&self) -> ObjectId {
        self.0.view.id
    }

    /// What it is, in the numbers of the layer above.
    #[inline]
    pub fn kind(&self) -> u32 {
        self.0.view.kind
    }

    /// The object as the layer above looks at it.
    #[inline]
    pub fn view(&self) -> ObjectView {
        self.0.view
    }

    /// The name of its body's block, by which threads announce that they are at work in it.
    pub fn body_reference(&self) -> u64 {
        // Relaxed: it is there as long as the object is.
        self.0.arena.object(self.id().index).body.load(Relaxed)
    }

    /// The body; other processes may change it at any time.
    #[inline]
    pub fn body(&self) -> *mut u8 {
        self.0.view.body(&self.0.arena.region)
    }

    /// Bytes of the body.
    #[inline]
    pub fn body_len(&self) -> u64 {
        self.0.view.body_len
    }

    /// Identity of the content's type, as given at creation.
    pub fn type_hash(&self) -> u64 {
        self.0.arena.object(self.id().index).type_hash.load(Relaxed)
    }

    /// The name given at creation, cut to 16 bytes.
    pub fn name(&self) -> String {
        read_name(self.0.arena.object(self.id().index))
    }

    /// From now on a claim of this process in the object may outlast the call that made it. Those that are left when the
    /// last reference of this process goes were forgotten, and nobody would find them: its death is looked for only where
    /// it holds a reference. They are undone then. One load, but for the first time.
    #[inline]
    pub fn expect_claims(&self) {
        // Relaxed: set under the table's lock, which is what the end of the reference takes.
        if self.0.claimed.load(Relaxed) == 0 {
            self.0.note_claims();
        }
    }

    /// The arena it lives in.
    #[inline]
    pub fn arena(&self) -> &Arc<Arena> {
        &self.0.arena
    }
}

impl fmt::Debug for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.view.fmt(f)
    }
}

impl Held {
    #[cold]
    fn note_claims(&self) {
        lock(&self.arena.table).claimed.insert(self.view.id);
        self.claimed.store(1, Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.arena.release(self);
    }
}

impl Arena {
    /// Creates an object with a body of `body_len` bytes, all zero, which `init` fills before anybody else can see it. `name` is for people, and
    /// cut to 16 bytes.
    ///
    /// Killed in it: nothing is left of the object. Cost: a few dozen stores, independent of how many objects there are.
    ///
    /// # Errors
    /// `Limit` if the directory or this process's table of references is full; what [`alloc`](Self::alloc) answers for the
    /// body.
    pub fn create_object(
        self: &Arc<Self>,
        kind: u32,
        type_hash: u64,
        name: &str,
        body_len: u64,
        init: impl FnOnce(*mut u8),
    ) -> Result<ObjectRef> {
        self.create_linked(kind, type_hash, name, 0, body_len, init)
    }

    /// As [`create_object`](Self::create_object), with room for `links` references to other objects before the body: a
    /// multiple of 4, so that the body is aligned to 64.
    pub(super) fn create_linked(
        self: &Arc<Self>,
        kind: u32,
        type_hash: u64,
        name: &str,
        links: u32,
        body_len: u64,
        init: impl FnOnce(*mut u8),
    ) -> Result<ObjectRef> {
        let body = self.alloc(body_len, links)?;
        if !body.is_zero() {
            kill::point();
            // SAFETY: PRIVATE(me), `body_len` bytes.
            unsafe { body.ptr().write_bytes(0, body_len as usize) };
        }
        kill::point();
        init(body.ptr());
        // From here on nothing of a caller's runs that could panic.
        self.name_object(kind, type_hash, name, body)
    }

    /// Creates an object without content, which holds a counted reference to `target` for as long as it lives. When its last reference
    /// goes, whoever had it, [`Rings::holder_gone`](super::Rings::holder_gone) is told; then the reference to `target` goes, too.
    ///
    /// Killed in it: nothing is left of the object.
    ///
    /// # Errors
    /// As for [`create_object`](Self::create_object); `Limit` if `target` has too many references.
    pub fn create_holder(
        self: &Arc<Self>,
        kind: u32,
        type_hash: u64,
        name: &str,
        target: &ObjectRef,
    ) -> Result<ObjectRef> {
        let body = self.alloc(0, 1)?;
        body.add_child(0, target)?;
        self.name_object(kind, type_hash, name, body)
    }

    /// An object with this body.
    fn name_object(
        self: &Arc<Self>,
        kind: u32,
        type_hash: u64,
        name: &str,
        body: Block<'_>,
    ) -> Result<ObjectRef> {
        let me = self.me()?;
        let body_len = body.len();
        let (id, entry) = self.claim_entry(me)?;
        entry.kind.store(u64::from(kind) | u64::from(me) << 48, Relaxed);
        entry.type_hash.store(type_hash, Relaxed);
        entry.body_len.store(body_len, Relaxed);
        write_name(entry, name);
        // Before BODY: a body is always found through its object.
        entry.body.store(body.reference(), Release);
        own::body(body.view().header(), body.view().own(), id.bits());
        let links = body.view().children();
        let skip = u64::from(links) * REFERENCE_SIZE;
        let view = ObjectView { id, kind, body: body.view().bytes() + skip, body_len, links };
        let added = self.add_entry(view);
        match added {
            Ok(object) => {
                body.forget();
                entry.word.store(word(id, ObjectState::Live, 0), Release);
                Ok(object)
            }
            Err(error) => {
                entry.body.store(0, Release);
                drop(body);
                self.free_entry(id, me);
                Err(error)
            }
        }
    }

    /// Takes a reference to the object that child `i` of a message refers to; the caller has the message, which keeps
    /// the object alive meanwhile. A reference that this process has already is shared.
    ///
    /// # Errors
    /// `InvalidInput` if there is no such child, `Limit` as for [`create_object`](Self::create_object).
    pub fn attach_child(self: &Arc<Self>, view: &BlockView<'_>, i: u32) -> Result<ObjectRef> {
        self.me()?;
        let object = view.child(i).and_then(|id| self.object_view(id)).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "message",
                format!("there is no handle in place {i} of {}", view.children()),
            )
        })?;
        self.share(object)
    }

    /// The reference to `object` that this process has, or a new one. Something else keeps the object alive.
    pub(super) fn share(self: &Arc<Self>, object: ObjectView) -> Result<ObjectRef> {
        let known = lock(&self.table).held.get(&object.id).and_then(Weak::upgrade);
        // Outside of the lock: to drop a reference takes it.
        match known {
            Some(held) => Ok(ObjectRef(held)),
            None => self.add_entry(object),
        }
    }

    /// A reference that this process holds already, if it does.
    pub fn attached(&self, id: ObjectId) -> Option<ObjectRef> {
        lock(&self.table).held.get(&id).and_then(Weak::upgrade).map(ObjectRef)
    }

    /// The participants that hold a reference to an object just now. Cost: a look at all their references.
    pub fn holders(&self, id: ObjectId) -> Vec<ParticipantId> {
        let present = self.region.participants().map(|participant| participant.id);
        present.filter(|who| self.held_by(*who).any(|held| held == id)).collect()
    }

    /// Every reference that this process holds.
    pub(super) fn all_attached(&self) -> Vec<ObjectRef> {
        lock(&self.table).held.values().filter_map(Weak::upgrade).map(ObjectRef).collect()
    }

    /// Makes a reference of this process also one of the process that will take `seat`, which this process
    /// reserved. The child asks for it with [`inherit`](Self::inherit); if it never comes, the reference goes
    /// with the seat.
    ///
    /// # Errors
    /// `Limit` if the seat's table is full, `OutOfMemory`.
    pub fn reference_for(&self, seat: Seat, object: &ObjectRef) -> Result<()> {
        self.me()?;
        // The seat's operations go one after the other too: this process alone makes them.
        let _alone = lock(&self.table);
        self.region.commit(self.reference_place(seat.id, 0), FIRST_REFERENCE as u64 * REFERENCE_SIZE)?;
        let control = self.reference_control(seat.id);
        let index = control.end.load(Relaxed).max(u64::from(FIRST_REFERENCE));
        if index >= self.references_each() {
            return Err(no_references(self.references_each()));
        }
        let place = self.reference_place(seat.id, index as u32);
        self.region.commit(place, REFERENCE_SIZE)?;
        control.end.store(index + 1, Release);
        count::add(self, seat.id, place, object.id()).map_err(|_| too_many(object.id()))
    }

    /// The reference to `id` that a parent made for this process.
    ///
    /// # Errors
    /// `InvalidInput` if there is none.
    pub fn inherit(self: &Arc<Self>, id: ObjectId) -> Result<ObjectRef> {
        self.me()?;
        if let Some(known) = self.attached(id) {
            return Ok(known);
        }
        let missing = || {
            Error::new(
                ErrorKind::InvalidInput,
                format!("object {}", id.index),
                "this process was given no reference to it",
            )
        };
        let view = self.object_view(id).ok_or_else(missing)?;
        let mut table = lock(&self.table);
        let place = table.inherited.remove(&id).ok_or_else(missing)?;
        Ok(self.hold(&mut table, view, place))
    }

    /// Whether there is such an object, and nobody tears it down.
    pub fn is_live(&self, id: ObjectId) -> bool {
        if !(1..OBJECTS as u32).contains(&id.index)
            || u64::from(id.index) >= self.control().object_end.load(Acquire)
        {
            return false;
        }
        let word = ObjectWord::unpack(self.object(id.index).word.load(Acquire));
        word.generation == id.generation && word.state == ObjectState::Live
    }

    /// What the directory says of an object that is not free.
    pub(super) fn object_view(&self, id: ObjectId) -> Option<ObjectView> {
        let entry = self.object(id.index);
        let word = ObjectWord::unpack(entry.word.load(Acquire));
        if word.generation != id.generation || matches!(word.state, ObjectState::Free | ObjectState::Invalid)
        {
            return None;
        }
        let body = self.locate(BlockRef(entry.body.load(Acquire)).position()?)?;
        let links = body.header.children.load(Acquire).min(body.room / REFERENCE_SIZE);
        let skip = links * REFERENCE_SIZE;
        let body_len = entry.body_len.load(Relaxed).min(body.room - skip);
        let kind = entry.kind.load(Relaxed) as u32;
        Some(ObjectView { id, kind, body: body.bytes + skip, body_len, links: links as u32 })
    }

    /// Adds a reference in an entry of this process's table.
    fn add_entry(self: &Arc<Self>, object: ObjectView) -> Result<ObjectRef> {
        let mut table = lock(&self.table);
        let index = match table.free.pop() {
            Some(index) => index,
            None if u64::from(table.next) < self.references_each() => {
                self.ensure_reference(table.next)?;
                table.next += 1;
                // The mark first: a reaper looks at entries below it.
                self.reference_control(self.me.id).end.store(u64::from(table.next), Release);
                table.next - 1
            }
            None => return Err(no_references(self.references_each())),
        };
        let place = self.reference_place(self.me.id, index);
        if count::add(&**self, self.me.id, place, object.id).is_err() {
            table.free.push(index);
            return Err(too_many(object.id));
        }
        Ok(self.hold(&mut table, object, place))
    }

    fn hold(self: &Arc<Self>, table: &mut Table, view: ObjectView, place: u64) -> ObjectRef {
        let held = Arc::new(Held { arena: self.clone(), view, place, claimed: AtomicU32::new(0) });
        table.held.insert(view.id, Arc::downgrade(&held));
        ObjectRef(held)
    }

    /// The last clone of a reference is gone.
    fn release(&self, held: &Held) {
        // In a forked child, or after `leave`, the entry is not this process's.
        if self.me().is_err() {
            return;
        }
        let mut table = lock(&self.table);
        // Another thread may have attached anew meanwhile: then the list names its entry.
        if table.held.get(&held.view.id).is_some_and(|known| known.strong_count() == 0) {
            table.held.remove(&held.view.id);
            // Before the reference goes: killed in here, the reaper does it.
            if table.claimed.remove(&held.view.id) {
                self.rings.repair(self, &held.view, self.me.id, &|| true);
                self.rings.repair_alone(self, &held.view, self.me.id);
            }
        }
        let outcome = count::remove(self, self.me.id, held.place);
        let start = self.reference_place(self.me.id, 0);
        table.free.push(((held.place - start) / REFERENCE_SIZE) as u32);
        drop(table);
        if let Some(Outcome::Last(object)) = outcome {
            self.tear_down_all(self.me.id, vec![object]);
        }
    }

    /// Tears down objects that are DYING(who), and those that their messages took along.
    #[cold]
    pub(super) fn tear_down_all(&self, who: ParticipantId, mut work: Vec<ObjectId>) {
        while let Some(id) = work.pop() {
            self.tear_down(id, who, &mut work);
        }
    }

    fn tear_down(&self, id: ObjectId, who: ParticipantId, work: &mut Vec<ObjectId>) {
        let entry = self.object(id.index);
        let now = ObjectWord::unpack(entry.word.load(Acquire));
        if now.generation != id.generation || now.state != ObjectState::Dying || now.who != who {
            return;
        }
        let body = self.block(entry.body.load(Acquire)).filter(|body| {
            // Past BODY the messages are gone already, and the bytes may be another's.
            body.own().state == OwnState::Body && body.sent_through().0 == id.bits()
        });
        if let (Some(body), Some(view)) = (body, self.object_view(id)) {
            let mut take = |block| self.take_content(block, id, who, work);
            self.rings.messages(self, &view, &mut take);
            // Before the body is DYING: killed until then, this is done again.
            if let Some(target) = body.child(0).and_then(|target| self.object_view(target)) {
                self.rings.holder_gone(self, &view, &target);
            }
            own::dying(body.header(), body.own(), who);
            self.bury(body, who, Some(work));
        }
        self.free_entry(id, who);
    }

    /// A message or a value of an object that goes: SENT | VALUE -> DYING(who) -> FREE. One that was freed before a death of the
    /// one who tore down is told by its generation.
    fn take_content(&self, reference: u64, of: ObjectId, who: ParticipantId, work: &mut Vec<ObjectId>) {
        let Some(block) = self.block(reference) else { return };
        match block.own().state {
            OwnState::Value if block.sent_through().0 != of.bits() => return,
            OwnState::Sent | OwnState::Value => {
                block.header().own.store(block.own().to(OwnState::Dying, who).pack(), Release)
            }
            OwnState::Dying if block.own().who == who => {}
            _ => return,
        }
        if let Some(block) = self.block(reference) {
            self.bury(block, who, Some(work));
        }
    }

    /// INIT(who) or DYING(who) without a body -> FREE.
    pub(super) fn free_entry(&self, id: ObjectId, who: ParticipantId) {
        let entry = self.object(id.index);
        entry.body.store(0, Release);
        let generation = id.generation.wrapping_add(1);
        let free = ObjectWord { state: ObjectState::Free, who: 0, generation };
        entry.word.store(free.pack(), Release);
        let objects = &self.control().objects;
        objects.store(objects.load(Relaxed).saturating_sub(1), Relaxed);
        if who == self.me.id {
            let mut hints = lock(&self.hints.objects);
            if hints.freed.len() < 1024 {
                hints.freed.push(id.index);
            }
        }
    }

    /// FREE -> INIT(me).
    fn claim_entry(&self, me: ParticipantId) -> Result<(ObjectId, &ObjectEntry)> {
        let mut hints = lock(&self.hints.objects);
        while let Some(index) = hints.freed.pop() {
            if let Some(found) = self.try_entry(index, me) {
                return Ok(found);
            }
        }
        let control = self.control();
        let end = (control.object_end.load(Acquire) as u32).clamp(1, OBJECTS as u32);
        // Where an eighth of the used entries is free, a search among them is short.
        let crowded = control.objects.load(Relaxed) + 1 > u64::from(end - 1) * 7 / 8;
        let tries = if crowded && u64::from(end) < OBJECTS { 0 } else { end - 1 };
        for _ in 0..tries {
            hints.cursor = if hints.cursor + 1 < end { hints.cursor + 1 } else { 1 };
            if let Some(found) = self.try_entry(hints.cursor, me) {
                return Ok(found);
            }
        }
        for index in end..OBJECTS as u32 {
            self.ensure_object(index)?;
            // The mark first: a reaper looks at entries below it.
            control.object_end.fetch_max(u64::from(index) + 1, AcqRel);
            if let Some(found) = self.try_entry(index, me) {
                return Ok(found);
            }
        }
        // The count of objects was wrong, or the last entries were taken just now.
        for index in 1..OBJECTS as u32 {
            if let Some(found) = self.try_entry(index, me) {
                return Ok(found);
            }
        }
        Err(Error::new(
            ErrorKind::Limit,
            "arena",
            format!("the region holds {} objects, as many as it can: need 1, free 0", OBJECTS - 1),
        )
        .hint("drop queues and shared values that are not used any more, or use a second region"))
    }

    fn try_entry(&self, index: u32, me: ParticipantId) -> Option<(ObjectId, &ObjectEntry)> {
        let entry = self.object(index);
        let seen = entry.word.load(Relaxed);
        let old = ObjectWord::unpack(seen);
        if old.state != ObjectState::Free {
            return None;
        }
        // Acquire: pairs with the Release of the entry's last life.
        entry.word.compare_exchange(seen, old.to(ObjectState::Init, me).pack(), AcqRel, Relaxed).ok()?;
        let objects = &self.control().objects;
        objects.store(objects.load(Relaxed) + 1, Relaxed);
        Some((ObjectId { index, generation: old.generation }, entry))
    }

    /// Repair step (h): objects that the dead one was making or tearing down.
    pub(super) fn repair_objects(&self, dead: ParticipantId) {
        let end = (self.control().object_end.load(Acquire) as u32).clamp(1, OBJECTS as u32);
        let mut alive = 0;
        for index in 1..end {
            let entry = self.object(index);
            let word = ObjectWord::unpack(entry.word.load(Acquire));
            alive += u64::from(word.state != ObjectState::Free);
            if word.who != dead {
                continue;
            }
            if word.state == ObjectState::Init {
                let counted = CountWord::unpack(
                    self.count(ObjectId { index, generation: word.generation }).load(Acquire),
                );
                // Complete but for the last store, or not.
                let next = if counted.count > 0 {
                    word.to(ObjectState::Live, 0)
                } else {
                    word.to(ObjectState::Dying, dead)
                };
                entry.word.store(next.pack(), Release);
            }
        }
        self.control().objects.store(alive, Relaxed);
        // Work that teardown finds is DYING(dead) too, wherever it stands.
        for index in 1..end {
            let word = ObjectWord::unpack(self.object(index).word.load(Acquire));
            if word.who == dead && word.state == ObjectState::Dying {
                self.tear_down_all(dead, vec![ObjectId { index, generation: word.generation }]);
            }
        }
    }

    /// Repair step (i): the references that the dead one held.
    pub(super) fn repair_references(&self, dead: ParticipantId) {
        let places: Vec<u64> = self.reference_places(dead).collect();
        for place in places {
            if let Some(Outcome::Last(object)) = count::remove(self, dead, place) {
                self.tear_down_all(dead, vec![object]);
            }
        }
        // The table is empty: the next tenant begins at its start.
        self.reference_control(dead).end.store(u64::from(FIRST_REFERENCE), Release);
    }
}

fn word(id: ObjectId, state: ObjectState, who: ParticipantId) -> u64 {
    ObjectWord { state, who, generation: id.generation }.pack()
}

#[cold]
pub(super) fn too_many(id: ObjectId) -> Error {
    Error::new(
        ErrorKind::Limit,
        format!("object {}", id.index),
        format!("it has {} references, as many as can be counted", CountWord::MAX),
    )
    .hint("consume the messages that carry handles to it")
}

#[cold]
fn no_references(all: u64) -> Error {
    Error::new(
        ErrorKind::Limit,
        "arena",
        format!("this process holds {all} references to objects, as many as it can: need 1, free 0"),
    )
    .hint("drop handles that are not used any more")
}

fn write_name(entry: &ObjectEntry, name: &str) {
    let cut = (0..=NAME.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    let name = &name[..cut];
    let mut bytes = [0; NAME];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    for (word, part) in entry.name.iter().zip(bytes.as_chunks::<8>().0) {
        word.store(u64::from_ne_bytes(*part), Relaxed);
    }
}

pub(super) fn read_name(entry: &ObjectEntry) -> String {
    let mut bytes = [0u8; NAME];
    for (word, part) in entry.name.iter().zip(bytes.chunks_exact_mut(8)) {
        part.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
    }
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(NAME);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
