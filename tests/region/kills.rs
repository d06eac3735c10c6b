//! Death at every shared operation of join, sweep, reserve, vacate and leave.
//! `cargo test --features kill-points --test region`.

use processing::region::{Dead, ParticipantState, Recover, Region};
use processing::sync::atomic::{AtomicU64, Ordering};
use processing::sync::kill;

use crate::alone::alone;
use crate::child::{Child, forever};
use crate::{attach, join};

/// Stamps words of the region on join and clears them in repair, as the layers above do.
struct Stamps;

impl Stamps {
    fn word(region: &Region, index: u64) -> &AtomicU64 {
        region.at(region.geometry().chunk(0) + 8 * index)
    }

    fn any_of(region: &Region, id: u16) -> bool {
        (0..4).any(|index| Self::word(region, index).load(Ordering::Relaxed) == u64::from(id))
    }
}

impl Recover for Stamps {
    fn repair(&self, region: &Region, dead: Dead, _exclusive: bool) {
        for index in 0..4 {
            let word = Self::word(region, index);
            if word.load(Ordering::Acquire) == u64::from(dead.id) && dead.still_reaping(region) {
                let _ = word.compare_exchange(u64::from(dead.id), 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
    }
}

fn new_region() -> std::sync::Arc<Region> {
    let region = Region::create(1 << 20).unwrap();
    region.commit(region.geometry().chunk(0), 4096).unwrap();
    region
}

/// Runs `act` in a child that dies at operation k, for every k until it completes; `after` checks each time.
fn at_every_point(region: &Region, act: impl Fn(), mut after: impl FnMut(bool)) -> u64 {
    for k in 0.. {
        let code = Child::fork(|_| {
            kill::arm(k);
            act();
            kill::disarm();
        })
        .end();
        assert!(code == 0 || code == -libc::SIGKILL, "exit {code} at operation {k}");
        after(code == 0);
        assert_at_rest(region);
        if code == 0 {
            return k;
        }
    }
    unreachable!()
}

/// One live participant, all other slots free, no stamp left.
#[track_caller]
fn assert_at_rest(region: &Region) {
    let left: Vec<_> = region.participants().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].id, left[0].state), (1, ParticipantState::Live));
    assert!((2..20).all(|id| !Stamps::any_of(region, id)));
}

#[test]
fn join_at_every_point() {
    alone("kills::join_at_every_point", || {
        let region = new_region();
        let points = at_every_point(
            &region,
            || {
                let id = join(&region);
                Stamps::word(&region, 0).store(u64::from(id), Ordering::Release);
            },
            |_| {
                region.sweep(&Stamps);
            },
        );
        assert!(points >= 8, "{points}");
    });
}

#[test]
fn sweep_at_every_point() {
    alone("kills::sweep_at_every_point", || {
        let region = new_region();
        let points = at_every_point(
            &region,
            || {
                // Two dead: one that also reserved a seat.
                for seats in 0..2 {
                    let mut victim = Child::fork(|ends| {
                        kill::disarm();
                        let region = attach(&region, None).unwrap();
                        let id = region.me().unwrap().id;
                        Stamps::word(&region, seats).store(u64::from(id), Ordering::Release);
                        (0..seats).for_each(|_| _ = region.reserve("x").unwrap());
                        ends.say(b'+');
                        forever();
                    });
                    victim.hear(b'+');
                    victim.kill();
                }
                join(&region);
                region.sweep(&Stamps);
            },
            |_| {
                region.sweep(&Stamps);
            },
        );
        assert!(points >= 20, "{points}");
    });
}

#[test]
fn reserve_vacate_and_leave_at_every_point() {
    alone("kills::reserve_vacate_and_leave_at_every_point", || {
        let region = new_region();
        let points = at_every_point(
            &region,
            || {
                let region = attach(&region, None).unwrap();
                let seats = [region.reserve("a").unwrap(), region.reserve("b").unwrap()];
                Stamps::word(&region, 2).store(u64::from(seats[0].id), Ordering::Release);
                assert!(region.vacate(seats[0], &Stamps));
                region.leave(&Stamps);
            },
            |done| {
                let repaired = region.sweep(&Stamps);
                assert!(!done || repaired == 0);
            },
        );
        assert!(points >= 20, "{points}");
    });
}
