//! The ring's own source under loom: a slot's or a cell's payload is a loom cell, so that every unordered access is
//! found. A client "dies" by forgetting its claim after the k-th step, a reaper by its second look saying no.
#![cfg(loom)]

use std::cell::Cell;
use std::mem;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use processing::WaitStrategy;
use processing::layout::ring::{Control, Geometry, Hint};
use processing::prim::limits::Limits;
use processing::prim::spin::Spinner;
use processing::ring::{ClientCursor, GetClaim, GetFail, PutFail, Ring, RingMemory, SlotState, Taken};
use processing::sync::atomic::{AtomicU64, Ordering::*};
use processing::sync::mutant;

/// A slot or a cell.
#[derive(Default)]
struct Place {
    word: AtomicU64,
    ticket: AtomicU64,
    length: AtomicU64,
    data: UnsafeCell<u64>,
}

#[derive(Default)]
struct Memory {
    control: Control,
    head: Hint,
    tail: Hint,
    slots: Vec<Place>,
    cells: Vec<Place>,
}

// SAFETY: loom checks every access to `data`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

// SAFETY: slots and cells are elements of vectors that never change; payload pointers are never dereferenced, as
// no message here lies in a block.
unsafe impl RingMemory for Memory {
    fn control(&self) -> &Control {
        &self.control
    }
    fn head(&self) -> &Hint {
        &self.head
    }
    fn tail(&self) -> &Hint {
        &self.tail
    }
    fn word(&self, index: u32) -> &AtomicU64 {
        &self.slots[index as usize].word
    }
    fn length(&self, index: u32) -> &AtomicU64 {
        &self.slots[index as usize].length
    }
    fn payload(&self, _: u32) -> *mut u8 {
        std::ptr::null_mut()
    }
    fn cell_word(&self, cell: u32) -> &AtomicU64 {
        &self.cells[cell as usize].word
    }
    fn cell_ticket(&self, cell: u32) -> &AtomicU64 {
        &self.cells[cell as usize].ticket
    }
    fn cell_length(&self, cell: u32) -> &AtomicU64 {
        &self.cells[cell as usize].length
    }
    fn cell_payload(&self, _: u32) -> *mut u8 {
        std::ptr::null_mut()
    }
    unsafe fn copy_to_cell(&self, index: u32, cell: u32, _: usize) {
        let value = read(&self.slots[index as usize]);
        write(&self.cells[cell as usize], value);
    }
}

fn read(place: &Place) -> u64 {
    // SAFETY: loom reports an access that is not ordered.
    place.data.with(|at| unsafe { *at })
}

fn write(place: &Place, value: u64) {
    // SAFETY: loom reports an access that is not ordered.
    place.data.with_mut(|at| unsafe { *at = value });
}

type Queue = Arc<Ring<Memory>>;

/// Hints are stored at every ticket where a model is about them, never otherwise.
fn queue(capacity: u32, cells: u32, hints: bool) -> Queue {
    Arc::new(ring(capacity, cells, hints))
}

/// A message that came back once is a dead letter.
fn letter_queue(capacity: u32, cells: u32) -> Queue {
    let mut ring = ring(capacity, cells, false);
    ring.set_dead_letters_after(1);
    Arc::new(ring)
}

fn ring(capacity: u32, cells: u32, hints: bool) -> Ring<Memory> {
    let places = |count| (0..count).map(|_| Place::default()).collect();
    let memory = Memory { slots: places(capacity), cells: places(cells), ..Memory::default() };
    let period = if hints { 1 } else { 1 << 40 };
    Ring::with_hint_period(memory, &Geometry::fixed(capacity, 8, cells), period)
}

struct Client {
    id: u16,
    cursor: ClientCursor,
}

fn client(id: u16) -> Client {
    Client { id, cursor: ClientCursor::default() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Done,
    Dead,
    Full,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Get {
    Done(u64),
    /// Killed, before or after the commit.
    Dead {
        committed: bool,
    },
    Empty,
    Closed,
}

const IMMORTAL: u32 = u32::MAX;

/// Steps: 0 nothing, 1 claimed, 2 written, 3 published, 4 told.
fn put_until(ring: &Ring<Memory>, client: &Client, value: u64, steps: u32, tell: bool) -> Put {
    if steps == 0 {
        return Put::Dead;
    }
    let claim = match ring.claim_put(&client.cursor, client.id) {
        Ok(claim) => claim,
        Err(PutFail::Full) => return Put::Full,
        Err(PutFail::Closed) => return Put::Closed,
    };
    if steps == 1 {
        mem::forget(claim);
        return Put::Dead;
    }
    write(&ring.memory().slots[claim.index() as usize], value);
    if steps == 2 {
        mem::forget(claim);
        return Put::Dead;
    }
    let ticket = claim.ticket();
    claim.store_inline(8);
    if steps == 3 {
        return Put::Dead;
    }
    if tell {
        ring.notify_published(1, ticket);
    }
    Put::Done
}

fn put(ring: &Ring<Memory>, client: &Client, value: u64) -> Put {
    put_until(ring, client, value, IMMORTAL, false)
}

fn value_of(ring: &Ring<Memory>, taken: &Taken<'_, Memory>) -> u64 {
    match taken {
        Taken::Slot(claim) => read(&ring.memory().slots[claim.index() as usize]),
        Taken::Cell(lease) => read(&ring.memory().cells[lease.cell() as usize]),
    }
}

fn finish(taken: Taken<'_, Memory>) {
    match taken {
        Taken::Slot(claim) => claim.store_commit(),
        Taken::Cell(lease) => lease.store_release(),
    }
}

/// Steps: 0 nothing, 1 claimed, 2 read, 3 committed.
fn get_until(ring: &Ring<Memory>, client: &Client, steps: u32) -> Get {
    if steps == 0 {
        return Get::Dead { committed: false };
    }
    let taken = match ring.claim_get(&client.cursor, client.id) {
        Ok(taken) => taken,
        Err(GetFail::Empty) => return Get::Empty,
        Err(GetFail::Closed) => return Get::Closed,
    };
    if steps == 1 {
        mem::forget(taken);
        return Get::Dead { committed: false };
    }
    let value = value_of(ring, &taken);
    if steps == 2 {
        mem::forget(taken);
        return Get::Dead { committed: false };
    }
    finish(taken);
    if steps == 3 { Get::Dead { committed: true } } else { Get::Done(value) }
}

fn get(ring: &Ring<Memory>, client: &Client) -> Get {
    get_until(ring, client, IMMORTAL)
}

fn got(ring: &Ring<Memory>, client: &Client) -> Option<u64> {
    match get(ring, client) {
        Get::Done(value) => Some(value),
        _ => None,
    }
}

fn drain(ring: &Ring<Memory>, client: &Client, out: &mut Vec<u64>) {
    while let Some(value) = got(ring, client) {
        out.push(value);
    }
}

fn repair(ring: &Ring<Memory>, dead: u16) {
    assert!(ring.repair_words(dead, &|| true));
    // Without the wake-ups of `announce_repair`, which cost the model much where nobody sleeps.
    ring.announce_repair();
}

/// The variable may ask for more preemptions than a model needs, not for fewer.
fn model(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound = Some(bound.unwrap_or(preemptions).max(preemptions));
    builder.max_branches = 20_000;
    builder.check(run);
}

// Two producers, one consumer, nobody dies: nothing lost, doubled or torn.
#[test]
fn a_two_producers_one_consumer() {
    for hints in [false, true] {
        model(3, move || {
            let ring = queue(2, 0, hints);
            let producers: Vec<_> = (1..3)
                .map(|id| {
                    let ring = ring.clone();
                    thread::spawn(move || assert_eq!(put(&ring, &client(id), u64::from(id) * 10), Put::Done))
                })
                .collect();
            let consumer = client(9);
            let mut all: Vec<_> = (0..2).filter_map(|_| got(&ring, &consumer)).collect();
            for producer in producers {
                producer.join().unwrap();
            }
            drain(&ring, &consumer, &mut all);
            all.sort_unstable();
            assert_eq!(all, [10, 20]);
        });
    }
}

// Four messages through two slots, two consumers: payloads are ordered when slots are used again, first in first
// out for each consumer.
#[test]
fn b_lapping() {
    for hints in [false, true] {
        model(2, move || {
            let ring = queue(2, 0, hints);
            let theirs = ring.clone();
            let producer = thread::spawn(move || {
                let me = client(1);
                (1..5).filter(|&value| put(&theirs, &me, value) == Put::Done).collect::<Vec<u64>>()
            });
            let theirs = ring.clone();
            let other = thread::spawn(move || {
                let me = client(2);
                (0..2).filter_map(|_| got(&theirs, &me)).collect::<Vec<u64>>()
            });
            let me = client(3);
            let mut mine: Vec<_> = (0..2).filter_map(|_| got(&ring, &me)).collect();
            let sent = producer.join().unwrap();
            let others = other.join().unwrap();
            drain(&ring, &me, &mut mine);
            assert!(mine.is_sorted() && others.is_sorted(), "{mine:?} {others:?}");
            mine.extend(others);
            mine.sort_unstable();
            assert_eq!(mine, sent);
        });
    }
}

// Never `Empty` although a put had returned, while another producer is at work on the slot before.
#[test]
fn c_empty_is_exact() {
    for hints in [false, true] {
        model(3, move || {
            let ring = queue(2, 0, hints);
            let done = Arc::new(AtomicU64::new(0));
            let theirs = ring.clone();
            let first = thread::spawn(move || put(&theirs, &client(1), 10));
            let (theirs, says) = (ring.clone(), done.clone());
            let second = thread::spawn(move || {
                assert_eq!(put(&theirs, &client(2), 20), Put::Done);
                says.store(1, Release);
            });
            if done.load(Acquire) == 1 {
                assert!(matches!(get(&ring, &client(3)), Get::Done(_)), "Empty although a put had returned");
            }
            first.join().unwrap();
            second.join().unwrap();
        });
    }
}

// Never `Full` although a get had returned.
#[test]
fn d_full_is_exact() {
    for hints in [false, true] {
        model(3, move || {
            let ring = queue(2, 0, hints);
            let done = Arc::new(AtomicU64::new(0));
            put(&ring, &client(7), 1);
            let theirs = ring.clone();
            let other = thread::spawn(move || put(&theirs, &client(1), 10));
            let (theirs, says) = (ring.clone(), done.clone());
            let consumer = thread::spawn(move || {
                assert_eq!(get(&theirs, &client(2)), Get::Done(1));
                says.store(1, Release);
            });
            if done.load(Acquire) == 1 {
                assert_eq!(put(&ring, &client(3), 20), Put::Done, "a slot was free");
            }
            other.join().unwrap();
            consumer.join().unwrap();
        });
    }
}

// A new producer in a ring that another one laps: never more than one of two slots is used.
#[test]
fn d2_full_when_lapped() {
    for hints in [false, true] {
        model(3, move || {
            let ring = queue(2, 0, hints);
            put(&ring, &client(7), 1);
            let theirs = ring.clone();
            let other = thread::spawn(move || {
                let me = client(1);
                get(&theirs, &me);
                put(&theirs, &me, 2);
                get(&theirs, &me);
                put(&theirs, &me, 3);
            });
            assert_eq!(put(&ring, &client(3), 20), Put::Done, "at most one of two slots was used");
            other.join().unwrap();
        });
    }
}

// First in, first out for puts of which one caused the other.
#[test]
fn e_causal_order() {
    model(3, || {
        let ring = queue(2, 0, false);
        let done = Arc::new(AtomicU64::new(0));
        let (theirs, says) = (ring.clone(), done.clone());
        let first = thread::spawn(move || {
            put(&theirs, &client(1), 10);
            says.store(1, Release);
        });
        let (theirs, hears) = (ring.clone(), done);
        let second = thread::spawn(move || {
            if hears.load(Acquire) == 1 {
                put(&theirs, &client(2), 20);
            }
        });
        let consumer = client(3);
        let mut all: Vec<_> = (0..2).filter_map(|_| got(&ring, &consumer)).collect();
        first.join().unwrap();
        second.join().unwrap();
        drain(&ring, &consumer, &mut all);
        assert!(all.is_sorted(), "{all:?}");
    });
}

// A producer dies at each step while another works; the consumer repairs. All slots are usable afterwards.
#[test]
fn f_dead_producer() {
    for steps in 0..5 {
        model(2, move || {
            let ring = queue(2, 0, true);
            let dead = Arc::new(AtomicU64::new(0));
            let (theirs, says) = (ring.clone(), dead.clone());
            let mortal = thread::spawn(move || {
                let end = put_until(&theirs, &client(1), 10, steps, false);
                if end == Put::Dead {
                    says.store(1, Release);
                }
                end
            });
            let theirs = ring.clone();
            let other = thread::spawn(move || {
                let me = client(2);
                (20..22).filter(|&value| put(&theirs, &me, value) == Put::Done).collect::<Vec<u64>>()
            });
            let consumer = client(3);
            let mut all = vec![];
            for _ in 0..2 {
                if dead.load(Acquire) == 1 {
                    repair(&ring, 1);
                }
                all.extend(got(&ring, &consumer));
            }
            let end = mortal.join().unwrap();
            let sent = other.join().unwrap();
            if end == Put::Dead {
                repair(&ring, 1);
            }
            drain(&ring, &consumer, &mut all);
            let tens = all.iter().filter(|&&value| value == 10).count();
            all.retain(|&value| value != 10);
            assert_eq!(all, sent);
            match end {
                Put::Done => assert_eq!(tens, 1),
                Put::Dead => assert!(tens == usize::from(steps == 3) || tens == 0),
                Put::Full | Put::Closed => assert_eq!(tens, 0),
            }
            usable(&ring, &client(5));
        });
    }
}

/// All slots can be used again.
fn usable(ring: &Ring<Memory>, consumer: &Client) {
    let producer = client(4);
    let capacity = ring.capacity();
    for value in 0..capacity {
        assert_eq!(put(ring, &producer, value), Put::Done);
    }
    assert_eq!(put(ring, &producer, 9), Put::Full);
    let mut all = vec![];
    drain(ring, consumer, &mut all);
    assert_eq!(all, (0..capacity).collect::<Vec<_>>());
}

// A consumer dies at each step; another, whose cursor is past it, finds what comes back, once.
#[test]
fn g_dead_consumer() {
    for steps in 0..4 {
        model(2, move || {
            let ring = queue(2, 0, true);
            let dead = Arc::new(AtomicU64::new(0));
            let producer = client(7);
            put(&ring, &producer, 1);
            put(&ring, &producer, 2);
            let (theirs, says) = (ring.clone(), dead.clone());
            let mortal = thread::spawn(move || {
                let end = get_until(&theirs, &client(1), steps);
                if matches!(end, Get::Dead { .. }) {
                    says.store(1, Release);
                }
                end
            });
            let theirs = ring.clone();
            let other = thread::spawn(move || got(&theirs, &client(2)));
            let consumer = client(3);
            let mut all = vec![];
            all.extend(got(&ring, &consumer));
            if dead.load(Acquire) == 1 {
                repair(&ring, 1);
                all.extend(got(&ring, &consumer));
            }
            let end = mortal.join().unwrap();
            all.extend(other.join().unwrap());
            if matches!(end, Get::Dead { .. }) {
                repair(&ring, 1);
            }
            drain(&ring, &consumer, &mut all);
            if let Get::Done(value) = end {
                all.push(value);
            }
            all.sort_unstable();
            // Killed after its commit, the message counts as consumed by the dead.
            match end {
                Get::Dead { committed: true } => assert!(all == [1] || all == [2], "{all:?}"),
                _ => assert_eq!(all, [1, 2], "after step {steps}"),
            }
            usable(&ring, &consumer);
        });
    }
}

// The reaper is a third party: a consumer that sees the new epoch sees the word that came back.
#[test]
fn g2_third_party_reaper() {
    model(3, || {
        let ring = queue(4, 0, false);
        let producer = client(7);
        put(&ring, &producer, 1);
        put(&ring, &producer, 2);
        get_until(&ring, &client(1), 1);
        let survivor = client(2);
        assert_eq!(get(&ring, &survivor), Get::Done(2)); // its cursor is past the dead one's slot
        let theirs = ring.clone();
        let reaper = thread::spawn(move || repair(&theirs, 1));
        let theirs = ring.clone();
        let consumer = thread::spawn(move || {
            let first = got(&theirs, &survivor);
            (survivor, first)
        });
        reaper.join().unwrap();
        let (survivor, first) = consumer.join().unwrap();
        let second = got(&ring, &survivor);
        assert_eq!(first.or(second), Some(1), "never found");
        assert!(first.is_none() || second.is_none(), "found twice");
    });
}

// The reaper dies at each step, a second one takes over; the message is found once.
#[test]
fn g3_dead_reaper() {
    for steps in 0..3 {
        model(3, move || {
            let ring = queue(2, 0, false);
            let dead = Arc::new(AtomicU64::new(0));
            let producer = client(7);
            put(&ring, &producer, 1);
            put(&ring, &producer, 2);
            get_until(&ring, &client(1), 1);
            let survivor = client(2);
            assert_eq!(get(&ring, &survivor), Get::Done(2));
            let (theirs, says) = (ring.clone(), dead.clone());
            let first = thread::spawn(move || {
                // 0: killed before its CAS; 1: between the words and the epoch; 2: not at all.
                if theirs.repair_words(1, &|| steps > 0) && steps > 1 {
                    theirs.announce_repair();
                }
                says.store(1, Release);
            });
            let (theirs, hears) = (ring.clone(), dead);
            let second = thread::spawn(move || {
                let takes_over = hears.load(Acquire) == 1;
                if takes_over {
                    repair(&theirs, 1);
                }
                takes_over
            });
            let mut all: Vec<_> = got(&ring, &survivor).into_iter().collect();
            first.join().unwrap();
            if !second.join().unwrap() {
                repair(&ring, 1);
            }
            drain(&ring, &survivor, &mut all);
            assert_eq!(all, [1]);
        });
    }
}

// Close against a put: one that was accepted is seen before `Closed` is.
#[test]
fn h_close() {
    model(3, || {
        let ring = queue(2, 0, false);
        let theirs = ring.clone();
        let producer = thread::spawn(move || put(&theirs, &client(1), 10));
        let theirs = ring.clone();
        let closer = thread::spawn(move || theirs.memory().control.closed.store(1, Release));
        let consumer = client(3);
        let mut taken = 0;
        let mut closed = false;
        for _ in 0..2 {
            match get(&ring, &consumer) {
                Get::Done(_) => taken += 1,
                Get::Closed => closed = true,
                _ => {}
            }
            if closed {
                break;
            }
        }
        let accepted = producer.join().unwrap() == Put::Done;
        closer.join().unwrap();
        assert!(!closed || taken == usize::from(accepted), "closed too early");
    });
}

// Closed while another holds the last message and dies: the survivor must not have left.
#[test]
fn h2_close_while_held() {
    for steps in 0..4 {
        model(3, move || {
            let ring = queue(2, 0, false);
            let dead = Arc::new(AtomicU64::new(0));
            put(&ring, &client(7), 1);
            ring.memory().control.closed.store(1, Release);
            let (theirs, says) = (ring.clone(), dead.clone());
            let mortal = thread::spawn(move || {
                let end = get_until(&theirs, &client(1), steps);
                if matches!(end, Get::Dead { .. }) {
                    says.store(1, Release);
                }
                end
            });
            let survivor = client(2);
            let mut taken = 0;
            let mut closed = false;
            for _ in 0..2 {
                if dead.load(Acquire) == 1 {
                    repair(&ring, 1);
                }
                match get(&ring, &survivor) {
                    Get::Done(_) => taken += 1,
                    Get::Closed => closed = true,
                    _ => {}
                }
                if closed {
                    break;
                }
            }
            let committed = mortal.join().unwrap() == Get::Dead { committed: true };
            assert!(
                !closed || taken + usize::from(committed) == 1,
                "left, and the message was never consumed"
            );
        });
    }
}

/// Takes one message, sleeping until there is one.
fn get_asleep(ring: &Ring<Memory>, client: &Client) -> Get {
    let spinner = Spinner::new(WaitStrategy::Block);
    let mut last = Get::Empty;
    while last == Get::Empty {
        ring.wait_not_empty(
            &Limits::NONE,
            &spinner,
            || {
                last = get(ring, client);
                last == Get::Empty
            },
            || (),
        );
    }
    last
}

// Two consumers asleep, two puts: both wake.
#[test]
fn i_sleep() {
    model(2, || {
        let ring = queue(2, 0, false);
        let consumers: Vec<_> = (2..4)
            .map(|id| {
                let ring = ring.clone();
                thread::spawn(move || get_asleep(&ring, &client(id)))
            })
            .collect();
        let producer = client(1);
        for value in 1..3 {
            assert_eq!(put_until(&ring, &producer, value, IMMORTAL, true), Put::Done);
        }
        let mut all: Vec<_> = consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect();
        all.sort_by_key(|end| format!("{end:?}"));
        assert_eq!(all, [Get::Done(1), Get::Done(2)]);
    });
}

// A consumer asleep, the producer dies at each step of put and notification; repair wakes it.
#[test]
fn j_sleep_and_a_dead_producer() {
    for steps in 0..4 {
        model(2, move || {
            let ring = queue(2, 0, false);
            let theirs = ring.clone();
            let consumer = thread::spawn(move || get_asleep(&theirs, &client(2)));
            let theirs = ring.clone();
            let mortal = thread::spawn(move || put_until(&theirs, &client(1), 10, steps, true));
            mortal.join().unwrap();
            repair(&ring, 1);
            assert_eq!(put_until(&ring, &client(3), 20, IMMORTAL, true), Put::Done);
            consumer.join().unwrap();
        });
    }
}

// Two producers asleep in a full ring; slots are freed in the wrong order, each waking one producer: the first one
// woken finds the slot of its ticket still held. Both must get through.
#[test]
fn j2_slots_freed_out_of_order() {
    model(2, || {
        let ring = queue(2, 0, false);
        let producer = client(7);
        put(&ring, &producer, 1);
        put(&ring, &producer, 2);
        let consumer = client(8);
        let first = ring.claim_get(&consumer.cursor, consumer.id).ok().unwrap();
        let second = ring.claim_get(&consumer.cursor, consumer.id).ok().unwrap();
        let producers: Vec<_> = (1..3)
            .map(|id| {
                let ring = ring.clone();
                thread::spawn(move || {
                    let me = client(id);
                    let spinner = Spinner::new(WaitStrategy::Block);
                    let mut last = Put::Full;
                    while last == Put::Full {
                        ring.wait_not_full(
                            &Limits::NONE,
                            &spinner,
                            || {
                                last = put_until(&ring, &me, 5, IMMORTAL, true);
                                last == Put::Full
                            },
                            || (),
                        );
                    }
                })
            })
            .collect();
        second.commit();
        first.commit();
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

// A late helper: it loaded the dead one's word, was stopped, all was repaired, the id used again by a living
// process that holds the same ticket. The helper's CAS must fail.
#[test]
fn k_late_helper() {
    model(0, || {
        let ring = queue(2, 0, false);
        put(&ring, &client(7), 1);
        get_until(&ring, &client(1), 1);
        let holder = Cell::new(None);
        let once = Cell::new(true);
        let reborn = client(1);
        ring.repair_words(1, &|| {
            if once.replace(false) {
                // The helper has loaded the word and is stopped here.
                repair(&ring, 1);
                holder.set(ring.claim_get(&reborn.cursor, 1).ok());
            }
            true // even if its second look came too early
        });
        let taken = holder.into_inner().unwrap();
        assert!(taken.redelivered());
        assert_eq!(
            ring.slot_state(taken.ticket()),
            Some((SlotState::Reading, 1)),
            "a living lease was robbed"
        );
        finish(taken);
    });
}

// The same seven deaths later: the count wraps, so only a full round of deaths could fool the helper.
#[test]
fn k2_late_helper_after_many_deaths() {
    model(0, || {
        let ring = queue(2, 0, false);
        put(&ring, &client(7), 1);
        for _ in 0..7 {
            get_until(&ring, &client(1), 1);
            repair(&ring, 1);
        }
        get_until(&ring, &client(1), 1); // R(0, 1, 7)
        let holder = Cell::new(None);
        let once = Cell::new(true);
        let reborn = client(1);
        ring.repair_words(1, &|| {
            if once.replace(false) {
                repair(&ring, 1);
                holder.set(ring.claim_get(&reborn.cursor, 1).ok());
            }
            true
        });
        let taken = holder.into_inner().unwrap();
        assert_eq!(
            ring.slot_state(taken.ticket()),
            Some((SlotState::Reading, 1)),
            "a living lease was robbed"
        );
        finish(taken);
    });
}

// Tickets beyond one lap, seen by new clients that know the hints only.
#[test]
fn l_hints() {
    model(3, || {
        let ring = queue(2, 0, true);
        let done = Arc::new(AtomicU64::new(0));
        let theirs = ring.clone();
        let first = thread::spawn(move || put(&theirs, &client(1), 10));
        let (theirs, says) = (ring.clone(), done.clone());
        let second = thread::spawn(move || {
            assert_eq!(put(&theirs, &client(2), 20), Put::Done);
            says.store(1, Release);
        });
        if done.load(Acquire) == 1 {
            assert!(matches!(get(&ring, &client(3)), Get::Done(_)), "Empty although a put had returned");
        }
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// Claims and detaches; the lease is in a cell unless none was free.
fn lease<'r>(ring: &'r Ring<Memory>, client: &Client) -> Option<Taken<'r, Memory>> {
    ring.claim_get(&client.cursor, client.id).ok().map(Taken::detach)
}

// Two consumers lease through one cell while a producer laps: nothing torn, lost or doubled, no slot pinned for
// longer than the lease.
#[test]
fn m_leases() {
    model(2, || {
        let ring = queue(1, 1, false);
        put(&ring, &client(7), 1);
        let consumers: Vec<_> = (1..3)
            .map(|id| {
                let ring = ring.clone();
                thread::spawn(move || {
                    let taken = lease(&ring, &client(id))?;
                    let value = value_of(&ring, &taken);
                    finish(taken);
                    Some(value)
                })
            })
            .collect();
        let sent = put(&ring, &client(3), 2) == Put::Done;
        let mut all: Vec<_> = consumers.into_iter().filter_map(|consumer| consumer.join().unwrap()).collect();
        drain(&ring, &client(4), &mut all);
        all.sort_unstable();
        assert_eq!(all, if sent { vec![1, 2] } else { vec![1] });
    });
}

// A holder dies with its lease in a cell; a third party repairs; a consumer that knew of nothing finds it once.
#[test]
fn m2_orphans() {
    model(3, || {
        let ring = queue(2, 1, false);
        put(&ring, &client(7), 1);
        let consumer = client(2);
        assert_eq!(get(&ring, &consumer), Get::Done(1)); // settled
        put(&ring, &client(7), 2);
        mem::forget(lease(&ring, &client(1)));
        let theirs = ring.clone();
        let reaper = thread::spawn(move || repair(&theirs, 1));
        let theirs = ring.clone();
        let other = thread::spawn(move || got(&theirs, &client(3)));
        let first = got(&ring, &consumer);
        reaper.join().unwrap();
        let second = other.join().unwrap();
        let last = got(&ring, &consumer);
        let all: Vec<_> = [first, second, last].into_iter().flatten().collect();
        assert_eq!(all, [2]);
    });
}

// A holder dies at each step of moving its message to a cell, while another consumer and a reaper are at work.
#[test]
fn m6_death_while_detaching() {
    for steps in 0..4 {
        model(2, move || {
            let ring = queue(1, 1, false);
            put(&ring, &client(7), 1);
            let holder = client(1);
            let Ok(Taken::Slot(claim)) = ring.claim_get(&holder.cursor, 1) else { unreachable!() };
            detach_until(claim, steps);
            let theirs = ring.clone();
            let reaper = thread::spawn(move || repair(&theirs, 1));
            let theirs = ring.clone();
            let helper = thread::spawn(move || repair(&theirs, 1));
            let me = client(2);
            let mut all: Vec<_> = got(&ring, &me).into_iter().collect();
            reaper.join().unwrap();
            helper.join().unwrap();
            drain(&ring, &me, &mut all);
            assert_eq!(all, [1], "killed after step {steps}");
            usable(&ring, &me);
        });
    }
}

/// Steps: 0 the claim, 1 the copy, 2 the cell is held (with a mutant: the slot is free), 3 both.
fn detach_until(claim: GetClaim<'_, Memory>, steps: u32) {
    if steps == 0 {
        return mem::forget(claim);
    }
    let Ok(mut detaching) = claim.begin_detach() else { unreachable!() };
    let wrong = mutant::on("mpmc.slot_before_cell");
    if steps > 1 {
        if wrong { detaching.free_slot() } else { detaching.hold_cell() }
    }
    if steps > 2 {
        if wrong {
            detaching.hold_cell()
        } else {
            detaching.free_slot()
        }
        mem::forget(detaching.finish());
    } else {
        mem::forget(detaching);
    }
}

// Two orphans wait: finding one must not hide the other.
#[test]
fn m7_two_orphans() {
    model(0, || {
        let ring = queue(2, 2, false);
        for value in 1..3 {
            put(&ring, &client(7), value);
            mem::forget(lease(&ring, &client(1)));
        }
        repair(&ring, 1);
        let me = client(2);
        let mut all = vec![];
        drain(&ring, &me, &mut all);
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

// Closed while a message moves from its slot to a cell, whose holder then dies: a consumer that saw `Closed` must not
// have missed it.
#[test]
fn m3_close_and_leases() {
    model(3, || {
        let ring = queue(1, 1, false);
        put(&ring, &client(7), 1);
        ring.memory().control.closed.store(1, Release);
        let theirs = ring.clone();
        let holder = thread::spawn(move || {
            let me = client(1);
            let taken = lease(&theirs, &me);
            let had = taken.is_some();
            mem::forget(taken); // dies with it
            had
        });
        let survivor = client(2);
        let mut closed = false;
        let mut taken = 0;
        for _ in 0..2 {
            match get(&ring, &survivor) {
                Get::Done(_) => taken += 1,
                Get::Closed => closed = true,
                _ => {}
            }
        }
        let held = holder.join().unwrap();
        assert!(!(closed && held), "left although the message may come back");
        repair(&ring, 1);
        taken += usize::from(matches!(get(&ring, &survivor), Get::Done(_)));
        assert_eq!(taken, 1);
        assert_eq!(get(&ring, &survivor), Get::Closed);
    });
}

// The last lease of a closed ring is released while a consumer goes to sleep: it must see the end.
#[test]
fn m4_sleep_until_the_end() {
    for detached in [false, true] {
        model(2, move || {
            let ring = queue(1, 1, false);
            put(&ring, &client(7), 1);
            let holder = client(1);
            let claim = ring.claim_get(&holder.cursor, holder.id).ok().unwrap();
            let taken = if detached { claim.detach() } else { claim };
            assert_eq!(taken.is_pinned(), !detached);
            let theirs = ring.clone();
            let sleeper = thread::spawn(move || get_asleep(&theirs, &client(2)));
            ring.close();
            taken.commit();
            assert_eq!(sleeper.join().unwrap(), Get::Closed);
        });
    }
}

// A holder gives its lease back while a consumer sleeps.
#[test]
fn m5_put_back_wakes() {
    for detached in [false, true] {
        model(2, move || {
            let ring = queue(1, 1, false);
            put(&ring, &client(7), 1);
            let holder = client(1);
            let claim = ring.claim_get(&holder.cursor, holder.id).ok().unwrap();
            let taken = if detached { claim.detach() } else { claim };
            let theirs = ring.clone();
            let sleeper = thread::spawn(move || get_asleep(&theirs, &client(2)));
            taken.put_back();
            assert_eq!(sleeper.join().unwrap(), Get::Done(1));
        });
    }
}

// The last lease of a closed ring becomes a dead letter while a consumer goes to sleep: it must see the end.
#[test]
fn n_letter_at_the_end() {
    for detached in [false, true] {
        model(2, move || {
            let ring = letter_queue(1, 1);
            put(&ring, &client(7), 1);
            let holder = client(1);
            let claim = ring.claim_get(&holder.cursor, holder.id).ok().unwrap();
            let taken = if detached { claim.detach() } else { claim };
            let theirs = ring.clone();
            let sleeper = thread::spawn(move || get_asleep(&theirs, &client(2)));
            ring.close();
            taken.put_back();
            assert_eq!(sleeper.join().unwrap(), Get::Closed);
            assert_eq!(letters(&ring, 3), [1]);
        });
    }
}

/// Takes all dead letters.
fn letters(ring: &Ring<Memory>, me: u16) -> Vec<u64> {
    ring.bury_all(me);
    let leases = ring.claim_dead_letters(me);
    leases
        .map(|lease| {
            let taken = Taken::Cell(lease);
            let value = value_of(ring, &taken);
            finish(taken);
            value
        })
        .collect()
}

// What is due in a slot is buried by one of two consumers while a third looks for dead letters: nobody gets it as a message,
// and it is a dead letter once.
#[test]
fn n2_burying() {
    model(2, || {
        let ring = letter_queue(2, 2);
        put(&ring, &client(7), 1);
        drop(ring.claim_get(&client(7).cursor, 7));
        put(&ring, &client(7), 2);
        let theirs = ring.clone();
        let other = thread::spawn(move || got(&theirs, &client(1)));
        let theirs = ring.clone();
        let looker = thread::spawn(move || letters(&theirs, 3));
        let first = got(&ring, &client(2));
        let second = other.join().unwrap();
        let mut all: Vec<_> = [first, second].into_iter().flatten().collect();
        let mut found = looker.join().unwrap();
        drain(&ring, &client(2), &mut all);
        found.extend(letters(&ring, 3));
        assert_eq!((all, found), (vec![2], vec![1]));
        usable(&ring, &client(2));
    });
}
