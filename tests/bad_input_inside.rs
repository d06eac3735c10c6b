//! What the dead left is room for the living: found at once, and not only when somebody sleeps. Needs to see the participants.

use std::process::abort;
use std::sync::{Mutex, MutexGuard, PoisonError};

use processing::layout::MAX_PARTICIPANTS;
use processing::region::Region;
use processing::testing::{Ticket, region};
use processing::{Arena, Connection, ErrorKind, Process, Queue, pipe};

/// One at a time: they use the process tree's arena up.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the death of a process that this one does not clear up after.
fn until_dead(region: &Region, pid: u32) {
    let seat = region.participants().find(|seat| seat.pid == pid).expect("it has joined");
    while !region.is_dead(seat.id, Some(seat.incarnation)) {
        std::thread::yield_now();
    }
}

#[test]
fn seats_that_the_dead_had_reserved_are_free_for_a_start() {
    fn reserve_all(_: Queue<u8>, told: Connection) -> processing::Result<()> {
        let region = region(&Arena::default())?;
        let error = loop {
            if let Err(error) = region.reserve("nobody") {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        let text = error.to_string();
        assert!(text.contains("region ") && text.contains(&MAX_PARTICIPANTS.to_string()), "{text}");
        assert!(text.contains("end some processes"), "{text}");
        told.send(&())?;
        abort()
    }
    let _alone = alone();
    let q = Queue::<u8>::new(4).unwrap();
    let region = region(&Arena::default()).unwrap();
    let (told, tell) = pipe().unwrap();
    let p = Process::new(reserve_all, (q.clone(), tell)).start().unwrap();
    told.recv::<()>().unwrap_or_else(|_| panic!("{:?}", p.join()));
    until_dead(&region, p.pid());
    assert!(region.participants().count() > MAX_PARTICIPANTS - 8, "they are the dead one's still");
    // As a start does; but a start collects ended children first.
    let ticket = Ticket::issue((q.clone(),), "late").unwrap();
    drop(ticket);
    assert!(p.join().is_ok());
    assert_eq!(region.participants().count(), 1);
}

#[test]
fn memory_that_the_dead_had_filled_is_free_for_a_new_queue() {
    fn fill(q: Queue<Vec<u8>>, told: Connection) -> processing::Result<()> {
        let error = loop {
            if let Err(error) = q.try_put(&vec![7; 1 << 20]) {
                break processing::Error::from(error);
            }
        };
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        told.send(&())?;
        abort()
    }
    let _alone = alone();
    let arena = Arena::builder().limit(16 << 20).build().unwrap();
    let region = region(&arena).unwrap();
    for way in 0..2 {
        let q = Queue::<Vec<u8>>::builder().capacity(64).arena(&arena).build().unwrap();
        let (told, tell) = pipe().unwrap();
        let p = Process::new(fill, (q, tell)).start().unwrap();
        told.recv::<()>().unwrap_or_else(|_| panic!("{:?}", p.join()));
        until_dead(&region, p.pid());
        match way {
            0 => drop(Queue::<u64>::builder().capacity(1 << 18).arena(&arena).build().unwrap()),
            _ => {
                let many: Vec<_> = (0..100).map(|_| processing::pipe_in(&arena).unwrap()).collect();
                drop(many);
            }
        }
        assert!(p.join().is_ok());
        let report = arena.fsck().unwrap();
        assert!(report.is_clean() && report.objects == 0, "{report}");
    }
}

#[test]
fn two_hundred_processes_give_their_seats_back() {
    let _alone = alone();
    let q = Queue::<u32>::new(0).unwrap();
    let region = region(&Arena::default()).unwrap();
    for _ in 0..2 {
        let all: Vec<_> = (0..200)
            .map(|n| Process::new(|q: Queue<u32>, n: u32| q.put(&n), (q.clone(), n)).start().unwrap())
            .collect();
        let mut got: Vec<u32> = (0..200).map(|_| q.get().unwrap()).collect();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..200));
        assert!(all.iter().all(|p| p.join().unwrap().success()));
        assert_eq!(region.participants().count(), 1);
    }
}
