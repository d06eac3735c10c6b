//! The check of everything at rest: what the kill tests ask after each death.
use std::collections::{HashMap, HashSet};
use std::fmt;

use super::Arena;
use super::count::Book;
use super::object::{ObjectView, read_name};
use super::root::NOBODY;
use crate::layout::block::{BlockRef, OwnState, OwnWord, Position};
use crate::layout::chunk::ChunkState;
use crate::layout::object::{CountWord, ObjectId, ObjectState, ObjectWord};
use crate::layout::reference::{ReferenceState, ReferenceWord};
use crate::layout::{OBJECTS, ParticipantId};
use crate::region::ParticipantState;
use crate::sync::atomic::Ordering::{Acquire, Relaxed};

/// What [`Arena::fsck`] found. At rest (no operation under way anywhere, every death repaired) `problems` is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsckReport {
    /// Blocks of each state.
    pub free: u64,
    pub private: u64,
    pub sent: u64,
    pub body: u64,
    pub value: u64,
    pub dying: u64,
    /// Blocks that nothing leads to, dying ones among them.
    pub leaked: u64,
    /// Objects that are alive.
    pub objects: u64,
    /// References counted in tables and messages.
    pub references: u64,
    /// Objects that only messages inside of each other keep alive; they go with the region.
    pub cycles: u64,
    /// Everything that must not be, in words.
    pub problems: Vec<String>,
}

impl FsckReport {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for FsckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "blocks: {} free, {} private, {} sent, {} body, {} value, {} dying, {} leaked; objects: {}, references: {}, in cycles: {}",
            self.free,
            self.private,
            self.sent,
            self.body,
            self.value,
            self.dying,
            self.leaked,
            self.objects,
            self.references,
            self.cycles
        )?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "  {problem}"))
    }
}

/// What was seen on the way.
#[derive(Default)]
struct Walk {
    report: FsckReport,
    /// Counted references to each object: from tables, and from messages (with the block's ring).
    held: HashMap<ObjectId, u64>,
    from_messages: HashMap<ObjectId, Vec<u64>>,
    /// How often slots and cells name each block, and of which ring.
    named: HashMap<u64, Vec<u64>>,
    /// Bodies that objects name.
    bodies: HashMap<u64, ObjectId>,
}

impl Walk {
    fn wrong(&mut self, what: impl Into<String>) {
        // One fault can show many times: the first tell enough.
        if self.report.problems.len() < 200 {
            self.report.problems.push(what.into());
        }
    }
}

impl Arena {
    /// Looks at every chunk, block, object and reference, and compares what they say of each other. Only at rest:
    /// while others work, it sees steps half done and reports them.
    pub fn fsck(&self) -> FsckReport {
        let mut walk = Walk::default();
        let present = self.present();
        self.check_chunks(&mut walk);
        self.check_objects(&mut walk);
        self.check_tables(&mut walk, &present);
        self.check_blocks(&mut walk, &present);
        self.check_counts(&mut walk);
        walk.report
    }

    /// Participants that may own something.
    fn present(&self) -> HashSet<ParticipantId> {
        self.region
            .participants()
            .filter(|p| !matches!(p.state, ParticipantState::Free | ParticipantState::Retired))
            .map(|p| p.id)
            .collect()
    }

    fn check_chunks(&self, walk: &mut Walk) {
        // (head, next chunk, end) of the run under way.
        let mut run: Option<(u64, u64, u64)> = None;
        self.each_used_chunk(|chunk, word| {
            if let Some((head, next, end)) = run {
                let proper = word.state == ChunkState::Tail && u64::from(word.value) == head && chunk == next;
                if !proper {
                    walk.wrong(format!("chunk {chunk} is {word:?}, but the run at {head} goes to {end}"));
                }
                run = (proper && next + 1 < end).then_some((head, next + 1, end));
                if proper {
                    return;
                }
            }
            match word.state {
                ChunkState::Free => {}
                ChunkState::Slab if word.committed => {}
                ChunkState::Slab => walk.wrong(format!("slab {chunk} is not committed")),
                ChunkState::Run => {
                    let end = chunk + u64::from(word.value);
                    if word.value == 0 || end > self.chunk_count() {
                        walk.wrong(format!("chunk {chunk} begins a run of {} chunks", word.value));
                    }
                    run = (word.value > 1).then_some((chunk, chunk + 1, end));
                }
                ChunkState::Claim => {
                    walk.wrong(format!("chunk {chunk} is claimed by participant {}", word.who));
                }
                ChunkState::Tail => {
                    walk.wrong(format!("chunk {chunk} is a tail of {}, which does not reach it", word.value));
                }
            }
        });
        if let Some((head, _, end)) = run {
            walk.wrong(format!("the run at {head} to {end} ends before its length"));
        }
    }

    fn check_objects(&self, walk: &mut Walk) {
        let end = (self.control().object_end.load(Acquire) as u32).clamp(1, OBJECTS as u32);
        for index in 1..end {
            let entry = self.object(index);
            let word = ObjectWord::unpack(entry.word.load(Acquire));
            let id = ObjectId { index, generation: word.generation };
            let body = entry.body.load(Relaxed);
            match word.state {
                ObjectState::Free if body == 0 => continue,
                ObjectState::Free => {
                    walk.wrong(format!("object {index} is free and names a body"));
                    continue;
                }
                ObjectState::Live => walk.report.objects += 1,
                state => {
                    let name = read_name(entry);
                    walk.wrong(format!("object {index} ({name}) is {state:?} of participant {}", word.who));
                }
            }
            let named = self.block(body);
            let proper =
                named.is_some_and(|b| b.own().state == OwnState::Body && b.sent_through().0 == id.bits());
            if !proper && word.state == ObjectState::Live {
                walk.wrong(format!("object {index}: its body is {:?}", named.map(|b| b.own())));
            }
            if walk.bodies.insert(body, id).is_some() {
                walk.wrong(format!("object {index} shares its body with another"));
            }
            if let Some(view) = self.object_view(id) {
                let ring = id.bits();
                self.rings
                    .messages(self, &view, &mut |block| walk.named.entry(block).or_default().push(ring));
                if word.state == ObjectState::Live {
                    self.check_content(walk, index, &view);
                }
            }
        }
    }

    /// What users of the object would follow.
    fn check_content(&self, walk: &mut Walk, index: u32, view: &ObjectView) {
        self.rings.astray(self, view, &mut |offset| {
            let there = match self.view_at(offset) {
                Some(view) => Place(view.position(), view.own()).to_string(),
                None => "where none begins".to_owned(),
            };
            walk.wrong(format!(
                "object {index} leads to a block that is none of its, at {offset:#x}: {there}"
            ));
        });
    }

    fn check_tables(&self, walk: &mut Walk, present: &HashSet<ParticipantId>) {
        let all = self.region.participants().map(|p| p.id).filter(|id| present.contains(id));
        // What a region with a name holds itself.
        let own = self.region.name().map(|_| NOBODY);
        for participant in own.into_iter().chain(all) {
            let control = self.reference_control(participant);
            if control.place.load(Acquire) != 0 {
                walk.wrong(format!("participant {participant} has an operation under way"));
            }
            for place in self.reference_places(participant) {
                let Some(entry) = self.entry(place) else { continue };
                let word = ReferenceWord::unpack(entry.word.load(Acquire));
                let object = ObjectId::from_bits(entry.object.load(Relaxed));
                match (word.state, object) {
                    (ReferenceState::Empty, _) => {}
                    (ReferenceState::Held, Some(object)) => {
                        *walk.held.entry(object).or_default() += 1;
                        walk.report.references += 1;
                    }
                    (state, object) => {
                        walk.wrong(format!("participant {participant} has an entry {state:?} for {object:?}"))
                    }
                }
            }
        }
    }

    fn check_blocks(&self, walk: &mut Walk, present: &HashSet<ParticipantId>) {
        self.each_block(|position, header| {
            let own = OwnWord::unpack(header.own.load(Acquire));
            let reference = BlockRef::new(position, own.generation).0;
            let rings = walk.named.remove(&reference).unwrap_or_default();
            let at = Place(position, own);
            match own.state {
                OwnState::Free => walk.report.free += 1,
                OwnState::Private => {
                    walk.report.private += 1;
                    if !present.contains(&own.who) {
                        walk.report.leaked += 1;
                        walk.wrong(format!("{at}: its owner is not there"));
                    }
                }
                OwnState::Sent | OwnState::Value => {
                    let count = match own.state {
                        OwnState::Sent => &mut walk.report.sent,
                        _ => &mut walk.report.value,
                    };
                    *count += 1;
                    if rings.is_empty() {
                        walk.report.leaked += 1;
                        walk.wrong(format!("{at}: no object names it"));
                    } else if rings.iter().any(|ring| *ring != header.ring.load(Relaxed)) {
                        walk.wrong(format!("{at}: named by another object than it belongs to"));
                    }
                }
                OwnState::Body => {
                    walk.report.body += 1;
                    if !walk.bodies.contains_key(&reference) {
                        walk.report.leaked += 1;
                        walk.wrong(format!("{at}: no object names it"));
                    }
                }
                OwnState::Dying => {
                    walk.report.dying += 1;
                    walk.report.leaked += 1;
                    walk.wrong(format!("{at}: it was not freed"));
                }
                OwnState::Invalid => walk.wrong(format!("{at}: no such state")),
            }
            if !matches!(own.state, OwnState::Sent | OwnState::Value) && !rings.is_empty() {
                walk.wrong(format!("{at}: an object names it"));
            }
            if rings.len() > 1 {
                walk.wrong(format!("{at}: named {} times", rings.len()));
            }
            self.check_children(walk, position, own, header.children.load(Relaxed));
        });
        for (block, rings) in std::mem::take(&mut walk.named) {
            let of: Vec<_> =
                rings.iter().filter_map(|ring| ObjectId::from_bits(*ring)).map(|id| id.index).collect();
            walk.wrong(format!("object {of:?} names block {block:#x}, which is not there"));
        }
    }

    fn check_children(&self, walk: &mut Walk, position: Position, own: OwnWord, children: u64) {
        if children == 0 {
            return;
        }
        let at = Place(position, own);
        if own.state == OwnState::Free {
            return walk.wrong(format!("{at}: it has {children} children"));
        }
        let Some(view) = self.block_at(position) else { return };
        for i in 0..view.children() {
            let Some(entry) = view.child_place(i).and_then(|place| self.entry(place)) else { continue };
            let word = ReferenceWord::unpack(entry.word.load(Acquire));
            match (word.state, ObjectId::from_bits(entry.object.load(Relaxed))) {
                (ReferenceState::Empty, _) => {}
                (ReferenceState::Held, Some(object)) => {
                    *walk.held.entry(object).or_default() += 1;
                    walk.from_messages.entry(object).or_default().push(view.sent_through().0);
                    walk.report.references += 1;
                }
                (state, object) => walk.wrong(format!("{at}: child {i} is {state:?} for {object:?}")),
            }
        }
    }

    fn check_counts(&self, walk: &mut Walk) {
        let end = (self.control().object_end.load(Acquire) as u32).clamp(1, OBJECTS as u32);
        for index in 1..end {
            let word = ObjectWord::unpack(self.object(index).word.load(Acquire));
            let id = ObjectId { index, generation: word.generation };
            let count = u64::from(CountWord::unpack(self.count(id).load(Acquire)).count);
            let held = walk.held.remove(&id).unwrap_or(0);
            if count != held {
                walk.wrong(format!("object {index} counts {count} references, {held} are there"));
            }
            if word.state == ObjectState::Live && held == 0 {
                walk.wrong(format!("object {index} lives without a reference"));
            }
            let messages = walk.from_messages.get(&id).map_or(0, |from| from.len() as u64);
            if word.state == ObjectState::Live && held > 0 && messages == held {
                walk.report.cycles += u64::from(self.only_from_within(walk, id));
            }
        }
        for (id, held) in std::mem::take(&mut walk.held) {
            walk.wrong(format!(
                "{held} references are held to object {} of generation {}, which is gone",
                id.index, id.generation
            ));
        }
    }

    /// Whether all that keeps the object alive are messages in queues of which the same is true, in a cycle.
    fn only_from_within(&self, walk: &Walk, id: ObjectId) -> bool {
        let mut seen = HashSet::from([id.bits()]);
        let mut work = vec![id];
        while let Some(id) = work.pop() {
            let rings = walk.from_messages.get(&id).cloned().unwrap_or_default();
            let count = u64::from(CountWord::unpack(self.count(id).load(Acquire)).count);
            if (rings.len() as u64) < count {
                return false;
            }
            for ring in rings {
                if seen.insert(ring) {
                    work.extend(ObjectId::from_bits(ring));
                }
            }
        }
        true
    }
}

struct Place(Position, OwnWord);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(position, own) = self;
        let kind = if position.index == Position::RUN { "run" } else { "block" };
        write!(
            f,
            "{kind} {}.{} ({:?} of participant {}, generation {})",
            position.chunk, position.index, own.state, own.who, own.generation
        )
    }
}
