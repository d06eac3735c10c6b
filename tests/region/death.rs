//! Who is dead, and who repairs: kill, exec, fork, stop.

use std::ffi::CString;

use processing::ErrorKind;
use processing::region::{Dead, ParticipantState, Recover, Region};
use processing::sync::atomic::{AtomicU32, Ordering};

use crate::alone::alone;
use crate::child::{Child, forever, raise};
use crate::{Log, assert_free, attach, dead, join};

/// A child that has joined as `id` and then runs `then`.
fn participant(region: &Region, id: u16, then: impl FnOnce(&mut crate::child::Ends)) -> Child {
    let mut child = Child::fork(|ends| {
        assert_eq!(join(region), id);
        ends.say(b'+');
        then(ends);
        forever();
    });
    child.hear(b'+');
    child
}

#[test]
fn a_killed_process_is_dead_before_anybody_reaps_it() {
    alone("death::a_killed_process_is_dead_before_anybody_reaps_it", || {
        let region = Region::create(1 << 20).unwrap();
        let log = Log::default();
        for incarnation in 0..3 {
            let child = participant(&region, 2, |_| {});
            assert!(!region.is_dead(2, None));
            assert!(!region.meet_dead(2, &log));
            assert_eq!(region.sweep(&log), 0);
            child.signal(libc::SIGKILL);
            child.wait_dead(); // a zombie: its pid is still taken
            assert!(region.is_dead(2, Some(incarnation)));
            assert!(log.take().is_empty());
            assert!(region.meet_dead(2, &log));
            assert_eq!(log.take(), [(dead(2, incarnation), true)]);
            assert_free(&region, 2, incarnation + 1);
            // Nothing is left to do for those who come later.
            assert!(region.meet_dead(2, &log));
            assert_eq!(region.sweep(&log), 0);
            assert!(log.take().is_empty());
        }
    });
}

#[test]
fn exit_is_a_death_like_any_other() {
    alone("death::exit_is_a_death_like_any_other", || {
        let region = Region::create(1 << 20).unwrap();
        assert_eq!(Child::fork(|_| assert_eq!(join(&region), 2)).end(), 0);
        let log = Log::default();
        assert_eq!(region.sweep(&log), 1);
        assert_eq!(log.take(), [(dead(2, 0), true)]);
    });
}

#[test]
fn a_process_that_calls_exec_is_dead_though_its_pid_lives() {
    alone("death::a_process_that_calls_exec_is_dead_though_its_pid_lives", || {
        let region = Region::create(1 << 20).unwrap();
        let mut child = Child::fork(|ends| {
            assert_eq!(join(&region), 2);
            ends.say(b'+');
            ends.hear();
            let program = CString::new("/bin/sleep").unwrap();
            let time = CString::new("1000").unwrap();
            let args = [program.as_ptr(), time.as_ptr(), std::ptr::null()];
            // SAFETY: a list of strings that ends with null.
            unsafe { libc::execv(program.as_ptr(), args.as_ptr()) };
        });
        child.hear(b'+');
        assert!(!region.is_dead(2, Some(0)));
        child.say(b'x');
        child.hear(0); // its descriptors are closed by exec
        assert!(region.is_dead(2, Some(0)));
        child.signal(0); // lives
        assert_eq!(region.sweep(&()), 1);
        assert_free(&region, 2, 1);
    });
}

#[test]
fn a_forked_child_is_a_stranger_and_does_not_keep_its_parent_alive() {
    alone("death::a_forked_child_is_a_stranger_and_does_not_keep_its_parent_alive", || {
        let region = Region::create(1 << 20).unwrap();
        let mut parent = Child::fork(|ends| {
            assert_eq!(join(&region), 2);
            let grandchild = Child::fork(|_| {
                assert_eq!(region.me().unwrap_err().kind(), ErrorKind::WrongProcess);
                assert_eq!(region.sweep(&()), 0);
                ends.say(b'g');
                // Asks about its parent until that is dead, then joins on its own account.
                while !region.is_dead(2, Some(0)) {
                    std::thread::yield_now();
                }
                assert_eq!(join(&region), 3);
                ends.say(b'j');
                ends.hear();
            });
            std::mem::forget(grandchild);
            forever();
        });
        parent.hear(b'g');
        assert!(!region.is_dead(2, Some(0)));
        parent.signal(libc::SIGKILL);
        parent.wait_dead();
        assert!(region.is_dead(2, Some(0)));
        parent.hear(b'j');
        assert!(!region.is_dead(3, Some(0)));
        assert_eq!(region.sweep(&()), 1);
        assert_free(&region, 2, 1);
        assert_eq!(region.participant(3).state, ParticipantState::Live);
        parent.end();
    });
}

#[test]
fn a_stopped_process_is_alive() {
    alone("death::a_stopped_process_is_alive", || {
        let region = Region::create(1 << 20).unwrap();
        let mut child = participant(&region, 2, |_| raise(libc::SIGSTOP));
        child.wait_stopped();
        assert!(!region.is_dead(2, None) && !region.meet_dead(2, &()));
        assert_eq!(region.sweep(&()), 0);
        child.kill();
        assert!(region.meet_dead(2, &()));
    });
}

#[test]
fn closing_all_descriptors_declares_oneself_dead() {
    alone("death::closing_all_descriptors_declares_oneself_dead", || {
        let region = Region::create(1 << 20).unwrap();
        let mut child = Child::fork(|ends| {
            assert_eq!(join(&region), 2);
            ends.hear();
            // Keeps the pipes, whose descriptors lie above those of the region.
            for fd in [region.beacon(), region.memfd()] {
                // SAFETY: the very misuse that this test is about; nothing of the region is used to write.
                unsafe { libc::close(std::os::fd::AsRawFd::as_raw_fd(&fd)) };
            }
            // Other files take the numbers.
            let files = [(); 4].map(|()| std::fs::File::open("/dev/null").unwrap());
            // It must not take everybody else for dead, and learns that it is out itself.
            assert!(!region.is_dead(1, Some(0)));
            assert_eq!(region.me().unwrap_err().kind(), ErrorKind::WrongProcess);
            std::mem::forget(files);
            ends.say(b'c');
            forever();
        });
        child.say(b'x');
        child.hear(b'c');
        assert!(region.is_dead(2, Some(0)));
        assert_eq!(region.sweep(&()), 1);
    });
}

#[test]
fn another_descriptor_of_the_beacon_does_not_end_the_process() {
    alone("death::another_descriptor_of_the_beacon_does_not_end_the_process", || {
        let region = Region::create(1 << 20).unwrap();
        let foreign = Region::create(1 << 20).unwrap();
        attach(&region, None).unwrap();
        // Refused, because the two files do not belong together: still, the beacon is not closed.
        let memfd = foreign.memfd().try_clone_to_owned().unwrap();
        let beacon = region.beacon().try_clone_to_owned().unwrap();
        let error = Region::attach(memfd, beacon, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRegion);
        assert_eq!(Child::fork(|_| assert!(!region.is_dead(1, Some(0)))).end(), 0);
        // Two regions do not disturb each other: one goes, the other stays.
        drop(foreign);
        assert_eq!(Child::fork(|_| assert!(!region.is_dead(1, Some(0)))).end(), 0);
    });
}

struct DieInRepair;

impl Recover for DieInRepair {
    fn repair(&self, _: &Region, _: Dead, _: bool) {
        raise(libc::SIGKILL);
    }
}

#[test]
fn a_reaper_that_is_killed_is_followed_by_another() {
    alone("death::a_reaper_that_is_killed_is_followed_by_another", || {
        let region = Region::create(1 << 20).unwrap();
        let victim = participant(&region, 2, |_| {});
        // A chain: 3 dies while it repairs 2, then 4 dies while it repairs 3 and 2.
        let mut reapers = [3, 4].map(|id| {
            participant(&region, id, |ends| {
                ends.hear();
                region.sweep(&DieInRepair);
            })
        });
        victim.signal(libc::SIGKILL);
        victim.wait_dead();
        for (reaper, id) in reapers.iter_mut().zip([3, 4]) {
            reaper.say(b's');
            reaper.wait_dead();
            assert_eq!(region.participant(2).state, ParticipantState::Reaping(id));
        }
        let log = Log::default();
        assert_eq!(region.sweep(&log), 3);
        let mut repaired = log.take();
        repaired.sort_by_key(|(dead, _)| dead.id);
        assert_eq!(repaired, [2, 3, 4].map(|id| (dead(id, 0), true)));
        for id in 2..=4 {
            assert_free(&region, id, 1);
        }
    });
}

struct StopInRepair;

impl Recover for StopInRepair {
    fn repair(&self, _: &Region, _: Dead, exclusive: bool) {
        assert!(exclusive);
        raise(libc::SIGSTOP);
    }
}

#[test]
fn a_reaper_that_is_stopped_is_helped() {
    alone("death::a_reaper_that_is_stopped_is_helped", || {
        let region = Region::create(1 << 20).unwrap();
        let mut victim = participant(&region, 2, |_| {});
        let mut reaper = participant(&region, 3, |ends| {
            ends.hear();
            assert_eq!(region.sweep(&StopInRepair), 1);
            ends.say(b'f');
        });
        victim.kill();
        reaper.say(b's');
        reaper.wait_stopped();
        let log = Log::default();
        // Nothing is stuck: everybody may repair the words, nobody frees the slot.
        assert!(region.meet_dead(2, &log));
        assert_eq!(region.sweep(&log), 0);
        assert_eq!(log.take(), [(dead(2, 0), false); 2]);
        assert_eq!(region.participant(2).state, ParticipantState::Reaping(3));
        // The seat is not given to another one meanwhile.
        assert_eq!(Child::fork(|_| assert_eq!(join(&region), 4)).end(), 0);
        assert!(region.meet_dead(4, &log));
        assert_eq!(log.take(), [(dead(4, 0), true)]);
        reaper.signal(libc::SIGCONT);
        reaper.hear(b'f');
        assert_free(&region, 2, 1);
        // Stopped once more and killed then: adopted.
        let mut victim = participant(&region, 2, |_| {});
        let mut second = participant(&region, 4, |ends| {
            ends.hear();
            region.meet_dead(2, &StopInRepair);
        });
        victim.kill();
        second.say(b's');
        second.wait_stopped();
        assert!(region.meet_dead(2, &log));
        assert_eq!(log.take(), [(dead(2, 1), false)]);
        second.kill();
        assert!(region.meet_dead(2, &log));
        assert_eq!(log.take(), [(dead(2, 1), true)]);
        assert_free(&region, 2, 2);
    });
}

/// Counts exclusive repairs per slot in the region itself.
struct CountExclusive(u64);

impl Recover for CountExclusive {
    fn repair(&self, region: &Region, dead: Dead, exclusive: bool) {
        if exclusive {
            region.at::<AtomicU32>(self.0 + 4 * u64::from(dead.id)).fetch_add(1, Ordering::Relaxed);
        }
        std::thread::yield_now();
    }
}

#[test]
fn sweepers_at_once_repair_each_death_once() {
    alone("death::sweepers_at_once_repair_each_death_once", || {
        let region = Region::create(1 << 20).unwrap();
        let counts = region.geometry().chunk(0);
        region.commit(counts, 4096).unwrap();
        const VICTIMS: u16 = 40;
        for round in 1..=5 {
            let mut victims: Vec<_> = (0..VICTIMS)
                .map(|_| {
                    let mut child = Child::fork(|ends| {
                        ends.say(join(&region) as u8);
                        forever();
                    });
                    // Ids 2..: the sweepers of the round before are free again.
                    child.hear(child_id(&region, &child));
                    child
                })
                .collect();
            let mut sweepers: Vec<_> = (0..3)
                .map(|_| {
                    let mut child = Child::fork(|ends| {
                        let region = attach(&region, None).unwrap();
                        ends.say(b'+');
                        ends.hear();
                        region.sweep(&CountExclusive(counts));
                        region.leave(&());
                    });
                    child.hear(b'+');
                    child
                })
                .collect();
            victims.iter_mut().for_each(Child::kill);
            sweepers.iter_mut().for_each(|child| child.say(b's'));
            region.sweep(&CountExclusive(counts));
            sweepers.iter_mut().for_each(|child| assert_eq!(child.end(), 0));
            region.sweep(&CountExclusive(counts));
            for id in 2..2 + VICTIMS {
                assert_free(&region, id, round);
                assert_eq!(region.at::<AtomicU32>(counts + 4 * u64::from(id)).load(Ordering::Relaxed), round);
            }
        }
    });
}

/// The id under which a child is seen in the table.
fn child_id(region: &Region, child: &Child) -> u8 {
    loop {
        let seen = region
            .participants()
            .find(|seen| seen.pid == child.pid as u32 && seen.state == ParticipantState::Live);
        if let Some(seen) = seen {
            return seen.id as u8;
        }
        std::thread::yield_now();
    }
}
