//! Attaching in a process that inherited nothing but the descriptors.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use processing::region::{ParticipantState, Region, Seat};
use processing::sync::atomic::{AtomicU64, Ordering};
use processing::{Error, ErrorKind};

use crate::{assert_free, attach};

const DESCRIPTORS: &str = "REGION_TEST_DESCRIPTORS";

/// Runs `stranger` below in a new process that gets the region's descriptors and a seat.
fn start(region: &Region, seat: Seat) -> Child {
    let fds = [region.memfd().as_raw_fd(), region.beacon().as_raw_fd()];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "strangers::stranger", "--nocapture"])
        .env(DESCRIPTORS, format!("{} {} {}", fds[0], fds[1], seat.to_bits()))
        .stdin(Stdio::piped());
    // SAFETY: fcntl is safe between fork and exec; it changes the flags of the child's own descriptors.
    unsafe {
        command.pre_exec(move || {
            fds.iter().for_each(|fd| assert_eq!(libc::fcntl(*fd, libc::F_SETFD, 0), 0));
            Ok(())
        })
    };
    command.spawn().unwrap()
}

fn stage(region: &Region) -> &AtomicU64 {
    region.at(region.geometry().chunk(0))
}

fn wait_for(region: &Region, wanted: u64) {
    while stage(region).load(Ordering::Acquire) != wanted {
        std::thread::yield_now();
    }
}

#[test]
fn a_process_that_got_the_descriptors_only() {
    let region = Region::create(1 << 20).unwrap();
    region.commit(region.geometry().chunk(0), 4096).unwrap();
    let seat = region.reserve("stranger").unwrap();
    let mut stranger = start(&region, seat);
    wait_for(&region, 1);
    let seen = region.participant(seat.id);
    assert_eq!((seen.state, seen.pid), (ParticipantState::Live, stranger.id()));
    assert_eq!(seen.name, "stranger");
    assert!(!region.is_dead(seat.id, Some(0)) && !region.meet_dead(seat.id, &()));
    // It drops its last handle: dead, though the process lives.
    stage(&region).store(2, Ordering::Release);
    while !region.is_dead(seat.id, Some(0)) {
        std::thread::yield_now();
    }
    assert!(stranger.try_wait().unwrap().is_none());
    assert_eq!(region.sweep(&()), 1);
    assert_free(&region, seat.id, 1);
    // It attaches again, and is another tenant.
    drop(stranger.stdin.take());
    wait_for(&region, 3);
    assert!(!region.is_dead(seat.id, Some(1)));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(region.is_dead(seat.id, Some(1)));
}

#[test]
fn a_process_whose_seat_is_gone_fails_to_attach() {
    let region = Region::create(1 << 20).unwrap();
    let seat = region.reserve("late").unwrap();
    assert!(region.unreserve(seat));
    assert_eq!(start(&region, seat).wait().unwrap().code(), Some(7));
    assert_eq!(region.participants().count(), 1);
}

/// The other process; nothing at all in a usual run.
#[test]
fn stranger() {
    let Ok(text) = std::env::var(DESCRIPTORS) else {
        return;
    };
    let numbers: Vec<u64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
    // SAFETY: inherited for this purpose, and nobody else in this process knows of them.
    let [memfd, beacon] = [0, 1].map(|i| unsafe { OwnedFd::from_raw_fd(numbers[i] as i32) });
    let seat = Seat::from_bits(numbers[2]);
    let spare = [memfd.try_clone().unwrap(), beacon.try_clone().unwrap()];
    match Region::attach(memfd, beacon, seat) {
        Ok(region) => visit(region, seat, spare),
        Err(error) => leave(&error),
    }
}

fn leave(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
    std::process::exit(7);
}

fn visit(region: Arc<Region>, seat: Option<Seat>, [memfd, beacon]: [OwnedFd; 2]) {
    let me = region.me().unwrap();
    assert_eq!(Some(Seat { id: me.id, incarnation: me.incarnation }), seat);
    assert!(Arc::ptr_eq(&region, &attach(&region, None).unwrap()));
    assert!(!region.is_dead(1, Some(0)));
    assert_eq!(region.sweep(&()), 0);
    stage(&region).store(1, Ordering::Release);
    wait_for(&region, 2);
    drop(region);
    // Until the other side has seen it.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    let region = Region::attach(memfd, beacon, None).unwrap();
    assert_eq!(region.me().unwrap().incarnation, 1);
    stage(&region).store(3, Ordering::Release);
    std::thread::sleep(std::time::Duration::from_secs(60));
}
