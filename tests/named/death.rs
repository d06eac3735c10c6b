//! Users that are killed.

use processing::{ErrorKind, Queue, gc_named, list_named};

use crate::program::{Name, Program};

fn open(name: &str) -> processing::Result<Queue<u64>> {
    Queue::builder().capacity(16).open(name)
}

#[test]
fn what_the_last_user_left_is_gone_at_the_next_open() {
    let name = Name::new("open");
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    other.does("put 1");
    other.kill();
    assert_eq!(open(&name).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!name.exists());
}

#[test]
fn what_the_last_user_left_is_no_hindrance_to_the_next_create() {
    let name = Name::new("create");
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    other.does("put 1");
    other.kill();
    let queue = Queue::<String>::builder().capacity(8).create(&name).unwrap();
    assert!(queue.is_empty());
    drop(queue);
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    other.kill();
    assert_eq!(Queue::<String>::builder().capacity(8).open_or_create(&name).unwrap().capacity(), 8);
    assert!(!name.exists());
}

#[test]
fn gc_removes_what_nobody_uses_and_nothing_else() {
    let (stale, used) = (Name::new("stale"), Name::new("used"));
    let (mut dead, mut alive) = (Program::start(), Program::start());
    dead.does(&format!("create {}", &*stale));
    alive.does(&format!("create {}", &*used));
    let own = Name::new("own");
    let here = Queue::<u64>::builder().capacity(4).create(&own).unwrap();
    dead.kill();
    let done = gc_named().unwrap();
    // Another test may have been faster with the first.
    assert!(!stale.exists());
    assert!(done.kept.iter().any(|info| info.name == *used && info.in_use), "{done}");
    assert!(done.kept.iter().any(|info| info.name == *own && info.in_use), "{done}");
    assert!(!done.removed.iter().any(|info| info.name == *used || info.name == *own), "{done}");
    alive.does("put 1");
    assert_eq!(open(&used).unwrap().get().unwrap(), 1);
    here.put(&1).unwrap();
}

#[test]
fn a_queue_survives_its_creator() {
    let name = Name::new("creator");
    let (mut creator, mut other) = (Program::start(), Program::start());
    creator.does(&format!("create {}", &*name));
    other.does(&format!("open {}", &*name));
    creator.does("put 1");
    creator.kill();
    gc_named().unwrap();
    let here = open(&name).unwrap();
    assert_eq!(here.get().unwrap(), 1);
    other.does("put 2");
    assert_eq!(here.get().unwrap(), 2);
    assert_eq!(list_named().unwrap().iter().find(|info| info.name == *name).unwrap().pids.len(), 2);
    drop(here);
    other.kill();
    assert!(open(&name).unwrap_err().is_not_found());
}

#[test]
fn one_user_after_the_other_is_killed_and_there_is_still_a_slot() {
    let name = Name::new("slots");
    let here = Queue::<u64>::builder().capacity(16).create(&name).unwrap();
    // More than one page of slots has, so that those of the dead must come back or another page is needed.
    for i in 0..24 {
        let mut other = Program::start();
        other.does(&format!("open {}", &*name));
        other.does(&format!("put {i}"));
        other.kill();
        assert_eq!(here.try_get().unwrap(), i);
    }
    assert!(name.exists());
}

#[test]
fn a_process_that_is_stopped_keeps_what_it_has() {
    let name = Name::new("stopped");
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    other.does("put 1");
    let signal = |signal| {
        let pid = rustix::process::Pid::from_raw(other.pid() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    };
    signal(rustix::process::Signal::STOP);
    gc_named().unwrap();
    assert_eq!(open(&name).unwrap().get().unwrap(), 1);
    assert!(name.exists());
    signal(rustix::process::Signal::CONT);
    other.does("put 2");
    assert_eq!(other.ask("len"), "1");
}

#[test]
fn users_come_and_go_and_die_while_others_clear_up() {
    let name = Name::new("crowd");
    let turns = 4000;
    let crowd = format!("crowd {} {turns}", &*name);
    let mut steady: Vec<Program> = (0..2).map(|_| Program::start()).collect();
    steady.iter_mut().for_each(|program| program.tell(&crowd));
    let mut hash = u64::from(std::process::id());
    for _ in 0..25 {
        let mut victim = Program::start();
        victim.tell(&crowd);
        // At a random moment of it.
        hash = hash.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        for _ in 0..hash >> 52 {
            std::hint::spin_loop();
        }
        for _ in 0..hash >> 60 {
            gc_named().unwrap();
        }
        victim.kill();
    }
    for program in &mut steady {
        assert_eq!(program.hear(), "ok");
        program.end();
    }
    gc_named().unwrap();
    assert!(!name.exists());
}

/// The kernel makes message queues by name only. Who is killed between making one and taking its name away leaves it.
#[test]
fn the_name_of_a_message_queue_that_was_left_is_removed() {
    let user = rustix::process::geteuid().as_raw();
    let name = std::ffi::CString::new(format!("/processing-ipc-{user}")).unwrap();
    let open = |flags: libc::c_int| {
        let attributes = std::ptr::null_mut::<libc::mq_attr>();
        // SAFETY: a name that ends in zero, and default attributes.
        let number = unsafe { libc::mq_open(name.as_ptr(), flags, 0o600 as libc::mode_t, attributes) };
        (number >= 0).then(|| {
            // SAFETY: just opened.
            unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(number) }
        })
    };
    let left = open(libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC).expect("mq_open");
    gc_named().unwrap();
    assert!(open(libc::O_RDWR | libc::O_CLOEXEC).is_none(), "{}", std::io::Error::last_os_error());
    drop(left);
}
