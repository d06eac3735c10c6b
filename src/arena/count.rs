//! Counted references: the operations on an entry and its object's count, over borrowed words.
//!
//! The steps are numbered in [`super`]. Whoever operates as participant `who` does so alone: the participant under a lock of its
//! process, or its one reaper.
//!
//! A stamp has 31 bits of the operation's number. A stale one could pass for another's only if a participant died in an operation
//! exactly a multiple of 2^31 operations after the one that left it on an object that nobody used meanwhile.
use crate::layout::object::{CountWord, ObjectId};
use crate::layout::reference::{ReferenceControl, ReferenceEntry, ReferenceState, ReferenceWord};
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::mutant;

/// Where the words are.
pub trait Book {
    /// The control of a participant's table.
    fn control(&self, who: u16) -> &ReferenceControl;
    /// The entry at a place, if that can be one.
    fn entry(&self, place: u64) -> Option<&ReferenceEntry>;
    /// The count word of an object.
    fn count(&self, object: ObjectId) -> &AtomicU64;
    /// The count of `object` went to zero by an operation of `who`: marks it DYING(who), if it was not
    /// marked before.
    fn last_reference_gone(&self, object: ObjectId, who: u16);
}

/// The object has as many references as the count word can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// What an operation did to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Other references are left.
    Counted,
    /// That was the last one: the object is DYING(who), and whoever operated tears it down.
    Last(ObjectId),
}

/// Adds a reference to `object` as `who` in the EMPTY entry at `place`. The caller knows that another
/// reference keeps the object alive meanwhile, or that the object is its own INIT.
pub fn add(book: &impl Book, who: u16, place: u64, object: ObjectId) -> Result<(), TooMany> {
    let Some(entry) = book.entry(place) else { return Err(TooMany) };
    entry.object.store(object.bits(), Relaxed);
    let seq = begin(book, who, place, entry, ReferenceState::Add);
    let done = apply(book, who, object, seq, true);
    end(book, who, entry, if done.is_ok() { ReferenceWord::HELD } else { ReferenceWord::EMPTY });
    done.map(|_| ())
}

/// Takes away the HELD reference at `place` as `who`. `None`: there was none.
pub fn remove(book: &impl Book, who: u16, place: u64) -> Option<Outcome> {
    let entry = book.entry(place)?;
    if ReferenceWord::unpack(entry.word.load(Acquire)).state != ReferenceState::Held {
        return None;
    }
    let object = ObjectId::from_bits(entry.object.load(Relaxed))?;
    let seq = begin(book, who, place, entry, ReferenceState::Drop);
    Some(conclude_drop(book, who, entry, object, seq))
}

/// Finishes or gives up the operation that a dead participant had under way: step (a) of the repair. `Some`
/// if an object lost its last reference by it.
pub fn finish(book: &impl Book, dead: u16) -> Option<ObjectId> {
    let control = book.control(dead);
    let place = control.place.load(Acquire);
    if place == 0 {
        return None;
    }
    let outcome = book.entry(place).and_then(|entry| finish_entry(book, dead, entry));
    // Also where nothing was found: the operation ended but for this, or never began.
    control.place.store(0, Release);
    outcome
}

fn finish_entry(book: &impl Book, dead: u16, entry: &ReferenceEntry) -> Option<ObjectId> {
    let word = ReferenceWord::unpack(entry.word.load(Acquire));
    if !matches!(word.state, ReferenceState::Add | ReferenceState::Drop) {
        return None;
    }
    let object = ObjectId::from_bits(entry.object.load(Relaxed))?;
    // First the count, then `applied`: who overwrites the stamp raises `applied` before.
    let seen = CountWord::unpack(book.count(object).load(Acquire));
    let stamped = seen.who == dead && u64::from(seen.seq) == word.seq & CountWord::SEQ;
    let applied =
        stamped || (!mutant::on("arena.no_applied") && book.control(dead).applied.load(Acquire) >= word.seq);
    match (word.state, applied) {
        (ReferenceState::Add, true) => entry.word.store(ReferenceWord::HELD.pack(), Release),
        (ReferenceState::Add, false) => entry.word.store(ReferenceWord::EMPTY.pack(), Release),
        (_, false) => {
            if let Outcome::Last(object) = conclude_drop(book, dead, entry, object, word.seq) {
                return Some(object);
            }
        }
        (_, true) => {
            let last = stamped && seen.count == 0;
            if last {
                book.last_reference_gone(object, dead);
            }
            entry.word.store(ReferenceWord::EMPTY.pack(), Release);
            return last.then_some(object);
        }
    }
    None
}

/// Steps 1 to 3: announces an operation, and says its number.
fn begin(book: &impl Book, who: u16, place: u64, entry: &ReferenceEntry, state: ReferenceState) -> u64 {
    let control = book.control(who);
    // Relaxed: nobody else writes it.
    let seq = control.seqno.load(Relaxed) + 1;
    control.seqno.store(seq, Release);
    control.place.store(place, Release);
    entry.word.store(ReferenceWord { state, seq }.pack(), Release);
    seq
}

/// Steps 4 to 8 of a DROP, and 9.
fn conclude_drop(book: &impl Book, who: u16, entry: &ReferenceEntry, object: ObjectId, seq: u64) -> Outcome {
    // A count that is zero already can only be a corrupt region: nothing is taken away then.
    let last = apply(book, who, object, seq, false) == Ok(0);
    if last && !mutant::on("arena.zero_forgotten") {
        // Before the entry forgets: a death after this finds the object by its word, one before by the entry.
        book.last_reference_gone(object, who);
    }
    end(book, who, entry, ReferenceWord::EMPTY);
    if last { Outcome::Last(object) } else { Outcome::Counted }
}

/// Steps 8 and 9.
fn end(book: &impl Book, who: u16, entry: &ReferenceEntry, word: ReferenceWord) {
    // Asked before the stores: a model's participant may die here.
    let control = book.control(who);
    entry.word.store(word.pack(), Release);
    control.place.store(0, Release);
}

/// Steps 4 to 6: the new count.
fn apply(book: &impl Book, who: u16, object: ObjectId, seq: u64, up: bool) -> Result<u32, TooMany> {
    let word = book.count(object);
    // Acquire: pairs with the CAS of the operation that stamped it, after its `seqno`.
    let mut seen = word.load(Acquire);
    loop {
        let old = CountWord::unpack(seen);
        let count = if up { old.count + 1 } else { old.count.wrapping_sub(1) };
        if count > CountWord::MAX {
            return Err(TooMany);
        }
        if old.who != 0 && old.who != who && !mutant::on("arena.no_help") {
            remember(book.control(old.who), old.seq);
        }
        let new = CountWord { count, who, seq: (seq & CountWord::SEQ) as u32 }.pack();
        // Release: the decisions of who sees the new count come after what this process did with the object, and
        // `applied` above is seen by who finds the stamp gone.
        match word.compare_exchange(seen, new, AcqRel, Acquire) {
            Ok(_) => return Ok(count),
            Err(now) => seen = now,
        }
    }
}

/// Before the stamp of `control`'s participant is overwritten: its operation with that number is done.
fn remember(control: &ReferenceControl, stamp: u32) {
    // The stamp has the low bits of a number that was the last one begun when it was written.
    let last = control.seqno.load(Acquire);
    let seq = last - (last.wrapping_sub(u64::from(stamp)) & CountWord::SEQ).min(last);
    control.applied.fetch_max(seq, AcqRel);
}
