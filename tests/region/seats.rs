//! Reserved seats, half-made joins, a full table.

use std::os::fd::AsRawFd;

use processing::ErrorKind;
use processing::region::{ParticipantState, Region, Seat, word::Word};
use processing::sync::atomic::Ordering;

use crate::alone::alone;
use crate::child::{Child, forever, raise};
use crate::{Log, assert_free, attach, dead, join};

/// Takes the record lock of a participant behind the library's back.
fn lock(region: &Region, id: u16) {
    // SAFETY: a plain structure of integers.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_start = i64::from(id);
    lock.l_len = 1;
    // SAFETY: the kernel reads one local structure.
    assert_eq!(unsafe { libc::fcntl(region.beacon().as_raw_fd(), libc::F_SETLK, &raw const lock) }, 0);
}

#[test]
fn killed_between_lock_and_claim() {
    alone("seats::killed_between_lock_and_claim", || {
        let region = Region::create(1 << 20).unwrap();
        let mut child = Child::fork(|ends| {
            lock(&region, 2);
            ends.say(b'l');
            forever();
        });
        child.hear(b'l');
        // While it lives the slot is left to it; a joiner takes another one.
        assert_eq!(Child::fork(|_| assert_eq!(join(&region), 3)).end(), 0);
        child.kill();
        assert_eq!(Child::fork(|_| assert_eq!(join(&region), 2)).end(), 0);
        assert_eq!(region.sweep(&()), 2);
    });
}

#[test]
fn killed_between_claim_and_live() {
    alone("seats::killed_between_claim_and_live", || {
        let region = Region::create(1 << 20).unwrap();
        let mut child = Child::fork(|ends| {
            lock(&region, 2);
            region.slot(2).word.store(Word(0).joining().0, Ordering::Release);
            ends.say(b'j');
            raise(libc::SIGSTOP);
        });
        child.hear(b'j');
        child.wait_stopped();
        assert_eq!(region.sweep(&()), 0);
        child.kill();
        let log = Log::default();
        assert_eq!(region.sweep(&log), 1);
        assert_eq!(log.take(), [(dead(2, 0), true)]);
        assert_free(&region, 2, 1);
    });
}

#[test]
fn a_child_takes_its_seat_and_no_other_seat_does() {
    alone("seats::a_child_takes_its_seat_and_no_other_seat_does", || {
        let region = Region::create(1 << 20).unwrap();
        let seat = region.reserve("worker").unwrap();
        assert_eq!(seat, Seat { id: 2, incarnation: 0 });
        assert_eq!(Seat::from_bits(seat.to_bits()), Some(seat));
        assert_eq!(region.participant(2).state, ParticipantState::Reserved(1));
        // It is nobody's prey while the parent lives, and nobody else joins on it.
        assert_eq!(region.sweep(&()), 0);
        assert_eq!(Child::fork(|_| assert_eq!(join(&region), 3)).end(), 0);
        let mut child = Child::fork(|ends| {
            let region = attach(&region, Some(seat)).unwrap();
            assert_eq!(region.me().unwrap().id, 2);
            ends.say(b'+');
            forever();
        });
        child.hear(b'+');
        let seen = region.participant(2);
        assert_eq!((seen.name.as_str(), seen.pid), ("worker", child.pid as u32));
        assert!(!region.unreserve(seat));
        child.kill();
        assert!(!region.vacate(seat, &()));
        assert!(region.meet_dead(2, &()));
        // A second child with the same seat comes too late.
        late(&region, seat);
    });
}

/// An attach with a seat that is not reserved any more fails, and says so.
fn late(region: &Region, seat: Seat) {
    let answer = Child::fork(|_| {
        let error = attach(region, Some(seat)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
        assert!(error.to_string().contains("should exit"), "{error}");
        assert_eq!(region.me().unwrap_err().kind(), ErrorKind::WrongProcess);
    })
    .end();
    assert_eq!(answer, 0);
}

#[test]
fn a_seat_that_is_taken_back_is_repaired() {
    alone("seats::a_seat_that_is_taken_back_is_repaired", || {
        let region = Region::create(1 << 20).unwrap();
        let seat = region.reserve("never").unwrap();
        let log = Log::default();
        assert!(region.vacate(seat, &log));
        assert_eq!(log.take(), [(dead(2, 0), true)]);
        assert_free(&region, 2, 1);
        assert!(!region.vacate(seat, &log) && !region.unreserve(seat));
        late(&region, seat);
        assert!(!region.vacate(Seat { id: 999, incarnation: 0 }, &log));
        late(&region, Seat { id: 999, incarnation: 0 });
        // Leaving takes seats that were never used along.
        let seat = region.reserve("also never").unwrap();
        region.leave(&log);
        assert_eq!(log.take(), [(dead(1, 0), true), (dead(2, 1), true)]);
        late(&region, seat);
    });
}

#[test]
fn seats_of_a_dead_parent_go_with_it_and_a_late_child_fails() {
    alone("seats::seats_of_a_dead_parent_go_with_it_and_a_late_child_fails", || {
        let region = Region::create(1 << 20).unwrap();
        let seats = [Seat { id: 3, incarnation: 0 }, Seat { id: 4, incarnation: 0 }];
        let mut parent = Child::fork(|ends| {
            let region = attach(&region, None).unwrap();
            assert_eq!([region.reserve("a").unwrap(), region.reserve("b").unwrap()], seats);
            ends.say(b'+');
            forever();
        });
        parent.hear(b'+');
        // One child comes before the parent dies, one after its death was noticed.
        let mut early = Child::fork(|ends| {
            attach(&region, Some(seats[0])).unwrap();
            ends.say(b'+');
            forever();
        });
        early.hear(b'+');
        parent.kill();
        assert!(region.is_dead(4, Some(0)));
        let log = Log::default();
        assert_eq!(region.sweep(&log), 2);
        assert_eq!(log.take(), [(dead(2, 0), true), (dead(4, 0), true)]);
        assert!(!region.is_dead(3, Some(0)));
        assert_free(&region, 4, 1);
        late(&region, seats[1]);
    });
}

#[test]
fn a_parent_that_dies_between_claim_and_sweep_does_not_lose_the_seat() {
    alone("seats::a_parent_that_dies_between_claim_and_sweep_does_not_lose_the_seat", || {
        let region = Region::create(1 << 20).unwrap();
        let mut parent = Child::fork(|ends| {
            let region = attach(&region, None).unwrap();
            region.reserve("a").unwrap();
            ends.say(b'+');
            forever();
        });
        parent.hear(b'+');
        parent.kill();
        // The parent is dead, but nobody has noticed: the child is in time.
        let seat = Seat { id: 3, incarnation: 0 };
        let mut child = Child::fork(|ends| {
            attach(&region, Some(seat)).unwrap();
            ends.say(b'+');
            forever();
        });
        child.hear(b'+');
        assert_eq!(region.sweep(&()), 1);
        assert!(!region.is_dead(3, Some(0)));
    });
}

#[test]
fn a_full_table_is_a_clear_error() {
    alone("seats::a_full_table_is_a_clear_error", || {
        let region = Region::create(1 << 20).unwrap();
        let seats: Vec<_> = (0..1022).map(|_| region.reserve("x").unwrap()).collect();
        assert_eq!(seats.last().unwrap().id, 1023);
        let error = region.reserve("x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.to_string().contains("all 1023 participant slots"), "{error}");
        let answer = Child::fork(|_| {
            assert_eq!(attach(&region, None).unwrap_err().kind(), ErrorKind::Limit);
        });
        assert_eq!({ answer }.end(), 0);
        assert!(region.unreserve(seats[500]));
        assert_eq!(region.reserve("again").unwrap(), Seat { id: 502, incarnation: 1 });
    });
}
