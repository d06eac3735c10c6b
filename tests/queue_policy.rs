//! Dead letters, what happens when there is no room, and statistics.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use processing::{Arena, ErrorKind, GetError, Process, PutError, Queue, WhenFull};

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(what: &str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("{what} did not come to an end"))
}

fn letters<T: processing::Message + std::fmt::Debug>(q: &Queue<T>) -> Vec<T> {
    q.dead_letters().unwrap().into_iter().map(|letter| letter.value.unwrap()).collect()
}

#[test]
fn a_message_is_delivered_so_often_and_then_kept() {
    for times in 1..=4u32 {
        let q = Queue::<String>::builder().capacity(4).dead_letters_after(times).build().unwrap();
        q.put(&"poison".to_owned()).unwrap();
        q.put(&"good".repeat(30)).unwrap();
        for n in 0..times {
            let lease = loop {
                let lease = q.try_get_ref().unwrap();
                if lease.as_str() == "poison" {
                    break lease;
                }
                drop(lease);
                q.put(&"good".repeat(30)).unwrap();
            };
            assert_eq!(lease.redeliveries(), n);
            lease.put_back();
        }
        assert_eq!(q.get().unwrap(), "good".repeat(30));
        assert!(q.is_empty());
        assert!(matches!(q.try_get(), Err(GetError::Empty)));
        // Looking changes nothing.
        for _ in 0..3 {
            let letters = q.dead_letters().unwrap();
            assert_eq!((letters.len(), letters[0].redeliveries), (1, times));
            assert_eq!(letters[0].value.as_deref().unwrap(), "poison");
        }
        // Given back, it is one still; consumed, it is gone.
        q.take_dead_letter().unwrap().unwrap().put_back();
        assert!(matches!(q.try_get(), Err(GetError::Empty)));
        let lease = q.take_dead_letter().unwrap().unwrap();
        assert_eq!((lease.as_str(), lease.redelivered()), ("poison", true));
        assert!(q.take_dead_letter().unwrap().is_none(), "it is in somebody's hands");
        drop(lease);
        assert!(q.dead_letters().unwrap().is_empty());
    }
}

#[test]
fn dead_letters_are_not_the_default_and_have_bounds() {
    let q = Queue::<u64>::new(2).unwrap();
    q.put(&1).unwrap();
    for _ in 0..20 {
        q.try_get_ref().unwrap().put_back();
    }
    assert!(q.dead_letters().unwrap().is_empty());
    assert!(q.take_dead_letter().unwrap().is_none());
    assert_eq!(q.get().unwrap(), 1);
    for wrong in [0, 5, u32::MAX] {
        let error = Queue::<u64>::builder().dead_letters_after(wrong).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}

/// Taken by value in a panicking conversion, a message comes back in its slot, and is buried from there.
#[test]
fn what_comes_back_in_its_slot_is_buried_by_the_next_consumer() {
    use processing::rkyv::rancor::Fallible;
    use processing::rkyv::{Archive, Deserialize, Serialize};

    #[derive(Archive, Serialize)]
    #[rkyv(crate = processing::rkyv)]
    struct Panics(u32);
    impl<D: Fallible + ?Sized> Deserialize<Panics, D> for ArchivedPanics {
        fn deserialize(&self, _: &mut D) -> Result<Panics, D::Error> {
            assert!(self.0 != 13, "on purpose");
            Ok(Panics(self.0.to_native()))
        }
    }

    let q = Queue::<Panics>::builder().capacity(4).dead_letters_after(2).build().unwrap();
    q.put_many(&[Panics(13), Panics(1)]).unwrap();
    for _ in 0..2 {
        let getter = q.clone();
        assert!(thread::spawn(move || getter.get().map(|p| p.0)).join().is_err());
    }
    assert_eq!(q.len(), 1, "one that is due does not count, though nobody has buried it yet");
    assert_eq!(q.stats().dead_letters, 1);
    assert_eq!(q.try_get().unwrap().0, 1);
    assert!(matches!(q.try_get(), Err(GetError::Empty)));
    assert_eq!(q.stats().dead_letters, 1);
    // Its slot is free.
    assert_eq!(q.try_put_many(&[1, 2, 3, 4, 5].map(Panics)).unwrap(), 4);
    let lease = q.take_dead_letter().unwrap().unwrap();
    assert_eq!((lease.0.to_native(), lease.redeliveries()), (13, 2));
}

#[test]
fn the_end_does_not_wait_for_dead_letters() {
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let q = Queue::<Vec<u8>>::builder().capacity(4).arena(&arena).dead_letters_after(1).build().unwrap();
    q.put(&vec![1; 5000]).unwrap();
    let lease = q.get_ref().unwrap();
    q.close().unwrap();
    assert!(matches!(q.try_get(), Err(GetError::Empty)), "the lease may come back");
    let waiter = q.clone();
    let waiter = thread::spawn(move || waiter.get().map(|v| v.len()));
    lease.put_back();
    let end = soon("a get at the end of the queue", || waiter.join().unwrap());
    assert!(matches!(end, Err(GetError::Closed)), "{end:?}");
    assert_eq!(letters(&q), [vec![1; 5000]]);
    drop(q);
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.sent == 0 && report.objects == 0, "{report}");
}

#[test]
fn without_a_cell_a_message_is_delivered_once_more() {
    let q = Queue::<u64>::builder().capacity(1).dead_letters_after(1).build().unwrap();
    q.put(&1).unwrap();
    q.get_ref().unwrap().put_back(); // takes the only cell
    assert_eq!(letters(&q), [1]);
    q.put(&2).unwrap();
    for n in 0..3 {
        let lease = q.try_get_ref().unwrap();
        assert_eq!((lease.to_native(), lease.redeliveries()), (2, n));
        lease.put_back();
    }
    drop(q.take_dead_letter().unwrap().unwrap());
    // Now there is one.
    assert!(matches!(q.try_get_ref().map(|lease| lease.to_native()), Err(GetError::Empty)));
    assert_eq!(letters(&q), [2]);
}

#[test]
fn a_queue_that_fails_does_so_at_once_in_every_form() {
    let q = Queue::<u64>::builder().capacity(2).when_full(WhenFull::Fail).build().unwrap();
    q.put_many(&[1, 2]).unwrap();
    let end = {
        let q = q.clone();
        soon("put of a queue that fails", move || {
            let forms = [
                q.put(&3),
                q.try_put(&3),
                q.put_timeout(&3, Duration::from_secs(3600)),
                q.put_many(&[3]).map_err(|e| e.into_error()),
                q.reserve(8).and_then(|r| r.commit().map_err(|e| e.into_error())),
            ];
            forms.into_iter().all(|end| matches!(end, Err(PutError::Full)))
        })
    };
    assert!(end);
    assert_eq!(q.get_many(9).unwrap(), [1, 2]);
}

#[test]
fn the_oldest_is_dropped_for_the_newest() {
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let q = Queue::<(u64, Vec<u8>)>::builder()
        .capacity(3)
        .arena(&arena)
        .when_full(WhenFull::DropOldest)
        .build()
        .unwrap();
    // In slots and in blocks.
    let message = |n: u64| (n, vec![n as u8; if n.is_multiple_of(2) { 3 } else { 3000 }]);
    for n in 0..10 {
        q.try_put(&message(n)).unwrap();
    }
    q.put_many(&[message(10), message(11)]).unwrap();
    assert_eq!((q.len(), q.stats().dropped), (3, 9));
    let lease = q.get_ref().unwrap();
    for n in 12..20 {
        q.put(&message(n)).unwrap();
    }
    assert_eq!(lease.to_owned().unwrap(), message(9), "what is leased is not dropped");
    assert_eq!(q.get_many(9).unwrap(), [message(17), message(18), message(19)]);
    drop(lease);
    q.close().unwrap();
    assert!(q.put(&message(1)).unwrap_err().is_closed());
    drop(q);
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.sent == 0, "{report}");
}

/// The slots are a ring: room is where the oldest message was, and while somebody has that, no other makes room.
#[test]
fn nothing_is_dropped_in_vain() {
    let q = Queue::<u64>::builder().capacity(4).when_full(WhenFull::DropOldest).build().unwrap();
    let mut n = 0;
    let mut put = || {
        n += 1;
        q.put(&n).unwrap();
    };
    // Four leases lie in cells, the next one stays in its slot.
    let mut leases = Vec::new();
    for _ in 0..5 {
        put();
        leases.push(q.try_get_ref().unwrap());
    }
    (0..3).for_each(|_| put());
    assert_eq!((q.len(), q.stats().dropped), (3, 0));
    assert!(q.try_put(&0).is_err_and(|error| error.is_full()));
    assert!(q.put_timeout(&0, Duration::from_millis(3)).is_err_and(|error| error.is_full()));
    assert_eq!((q.len(), q.stats().dropped), (3, 0), "dropped, and no room");
    // Given back, it is the oldest again.
    leases.pop().unwrap().put_back();
    put();
    assert_eq!((q.len(), q.stats().dropped), (4, 1));
    assert_eq!(q.get_many(9).unwrap(), [n - 3, n - 2, n - 1, n]);
    drop(leases);
}

#[test]
fn handles_in_dropped_messages_are_let_go() {
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let builder = || Queue::<Queue<u64>>::builder().capacity(1).arena(&arena);
    let q = builder().when_full(WhenFull::DropOldest).build().unwrap();
    for _ in 0..5 {
        q.put(&Queue::builder().capacity(1).arena(&arena).build().unwrap()).unwrap();
    }
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.objects == 2, "{report}");
}

#[test]
fn dropping_producers_and_consumers_keep_each_producers_order() {
    let q = Queue::<(u32, u32)>::builder().capacity(4).when_full(WhenFull::DropOldest).build().unwrap();
    let (found, put) = thread::scope(|scope| {
        let putters: Vec<_> = (0..2u32)
            .map(|id| {
                let q = q.clone();
                scope.spawn(move || (0..5_000).for_each(|n| q.put(&(id, n)).unwrap()))
            })
            .collect();
        let getters: Vec<_> = (0..2)
            .map(|_| {
                let q = q.clone();
                scope.spawn(move || std::iter::from_fn(|| q.get().ok()).collect::<Vec<_>>())
            })
            .collect();
        putters.into_iter().for_each(|putter| putter.join().unwrap());
        q.close().unwrap();
        let found: Vec<_> = getters.into_iter().map(|getter| getter.join().unwrap()).collect();
        (found, 10_000)
    });
    for one in &found {
        for id in 0..2 {
            assert!(one.iter().filter(|m| m.0 == id).is_sorted(), "a producer's messages out of order");
        }
    }
    let mut all: Vec<_> = found.into_iter().flatten().collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "a message came twice");
    assert_eq!(count as u64 + q.stats().dropped, put);
}

#[test]
fn statistics_tell_who_has_what() {
    fn holds(q: Queue<u64>, ready: Queue<()>, end: Queue<()>) -> processing::Result<()> {
        let lease = q.get_ref()?;
        ready.put(&())?;
        end.get()?;
        lease.put_back();
        Ok(())
    }
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let q = Queue::<u64>::builder().capacity(100).arena(&arena).build().unwrap();
    let (ready, end) = (Queue::new(1).unwrap(), Queue::new(1).unwrap());
    q.put_many(&[1, 2, 3]).unwrap();
    let child = Process::new(holds, (q.clone(), ready.clone(), end.clone())).name("holder").start().unwrap();
    ready.get_timeout(Duration::from_secs(30)).unwrap();
    let stats = q.stats();
    assert_eq!((stats.capacity, stats.depth, stats.leased, stats.closed), (100, 2, 1, false));
    assert_eq!((stats.redelivered, stats.dead_letters, stats.dropped), (0, 0, 0));
    assert_eq!(stats.holders.len(), 2, "{stats}");
    let holder = stats.holders.iter().find(|holder| holder.leases > 0).unwrap();
    assert_eq!((holder.pid, holder.name.as_str(), holder.leases), (child.pid(), "holder", 1));
    assert!(stats.to_string().contains(&format!("holder (pid {}) has 1", child.pid())), "{stats}");
    end.put(&()).unwrap();
    child.join().unwrap();
    let stats = q.stats();
    assert_eq!((stats.depth, stats.leased, stats.redelivered, stats.holders.len()), (3, 0, 1, 1), "{stats}");
    q.close().unwrap();
    assert!(
        q.stats().to_string().starts_with("<QueueStats(3 of 100, at most 3, closed; 1 redelivered;"),
        "{stats}"
    );
}

#[test]
fn the_high_water_mark_rises_and_stays() {
    let q = Queue::<u64>::new(256).unwrap();
    assert_eq!(q.stats().high_water, 0);
    q.put_many(&[7; 200]).unwrap();
    while q.try_get().is_ok() {}
    let mark = q.stats().high_water;
    assert!((128..=200).contains(&mark), "noted by the producer: {mark}");
    while q.try_put(&1).is_ok() {}
    assert_eq!(q.get_many(999).unwrap().len(), 256);
    assert_eq!((q.stats().high_water, q.stats().depth), (256, 0));
    // One at a time keeps the mark low.
    let q = Queue::<u64>::new(64).unwrap();
    for n in 0..10_000 {
        q.put(&n).unwrap();
        q.get().unwrap();
    }
    assert!(q.stats().high_water <= 1, "{}", q.stats());
}
