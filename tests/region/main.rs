//! Regions and participants with real processes.

mod alone;
mod child;
mod death;
mod files;
#[cfg(feature = "kill-points")]
mod kills;
mod limits;
mod seats;
mod strangers;

use std::sync::{Arc, Mutex};

use processing::region::{Dead, ParticipantState, Recover, Region, Seat};
use processing::{ErrorKind, Result};

/// Attaches through duplicates of the region's descriptors, as a process that received them does.
fn attach(region: &Region, seat: Option<Seat>) -> Result<Arc<Region>> {
    let memfd = region.memfd().try_clone_to_owned().unwrap();
    let beacon = region.beacon().try_clone_to_owned().unwrap();
    Region::attach(memfd, beacon, seat)
}

/// Attaches in a forked child and returns its id.
fn join(region: &Region) -> u16 {
    attach(region, None).unwrap().me().unwrap().id
}

/// Remembers what it was asked to repair.
#[derive(Default)]
struct Log(Mutex<Vec<(Dead, bool)>>);

impl Recover for Log {
    fn repair(&self, region: &Region, dead: Dead, exclusive: bool) {
        assert!(dead.still_reaping(region));
        self.0.lock().unwrap().push((dead, exclusive));
    }
}

impl Log {
    fn take(&self) -> Vec<(Dead, bool)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn dead(id: u16, incarnation: u32) -> Dead {
    Dead { id, incarnation }
}

/// The slot is free, for the tenant `incarnation`.
#[track_caller]
fn assert_free(region: &Region, id: u16, incarnation: u32) {
    let slot = region.participant(id);
    assert_eq!((slot.state, slot.incarnation), (ParticipantState::Free, incarnation));
    assert_eq!((slot.pid, slot.name.as_str()), (0, ""));
}

#[test]
fn create_joins_and_attach_gives_the_same_region() {
    let region = Region::create(1 << 20).unwrap();
    let me = region.me().unwrap();
    assert_eq!((me.id, me.incarnation), (1, 0));
    let again = attach(&region, None).unwrap();
    assert!(Arc::ptr_eq(&region, &again));
    region.set_name("main").unwrap();
    let seen: Vec<_> = region.participants().collect();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].state, seen[0].pid), (ParticipantState::Live, std::process::id()));
    assert_eq!(seen[0].name, "main");
    assert!(!region.is_dead(1, Some(0)) && region.is_dead(1, Some(1)) && region.is_dead(2, None));
}

#[test]
fn leave_repairs_oneself_and_a_later_attach_is_another_tenant() {
    let region = Region::create(1 << 20).unwrap();
    let log = Log::default();
    for incarnation in 0..20 {
        assert_eq!(region.me().unwrap().incarnation, incarnation);
        region.leave(&log);
        assert_eq!(log.take(), [(dead(1, incarnation), true)]);
        assert_eq!(region.me().unwrap_err().kind(), ErrorKind::WrongProcess);
        assert_eq!(region.reserve("x").unwrap_err().kind(), ErrorKind::WrongProcess);
        assert_eq!(region.sweep(&log), 0);
        assert_free(&region, 1, incarnation + 1);
        assert!(Arc::ptr_eq(&region, &attach(&region, None).unwrap()));
    }
}
