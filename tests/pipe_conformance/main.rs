//! One suite for everything that can carry the messages of a `Connection`, between threads and between processes: what all of it promises,
//! and what each says of itself in its `PipeCapabilities`.

use std::os::fd::BorrowedFd;
use std::sync::Once;
use std::time::{Duration, Instant};

use processing::{
    Arena, Connection, Error, ErrorKind, PipeBackend, Process, Queue, Receiver, Sender, StartMethod,
    WaitStrategy, select,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(3);

/// Whom the other one is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Others {
    Threads,
    Processes,
}

/// It.
enum Other {
    Thread(std::thread::JoinHandle<()>),
    Process(Process),
}

impl Other {
    fn join(self) {
        match self {
            Self::Thread(thread) => thread.join().expect("the other thread"),
            Self::Process(process) => {
                let exit = process.join().expect("join");
                assert!(exit.success(), "{exit:?}");
            }
        }
    }
}

/// Calls a function with these in another thread or process, called `other`.
macro_rules! start {
    ($others:expr, $function:path, $($argument:expr),+) => {
        match $others {
            Others::Threads => {
                let arguments = ($($argument,)+);
                let thread = std::thread::Builder::new().name("other".into());
                Other::Thread(thread.spawn(move || spread!($function, arguments, $($argument),+)).expect("thread"))
            }
            Others::Processes => Other::Process(start_process!($function, $($argument),+)),
        }
    };
}

macro_rules! spread {
    ($function:path, $arguments:ident, $a:expr) => {
        $function($arguments.0)
    };
    ($function:path, $arguments:ident, $a:expr, $b:expr) => {
        $function($arguments.0, $arguments.1)
    };
}

macro_rules! start_process {
    ($function:path, $($argument:expr),+) => {
        Process::new($function, ($($argument,)+))
            .name("other")
            .start_method(StartMethod::ForkServer)
            .start()
            .expect("start")
    };
}

/// The suite, for each backend: those that ask who the other one is, and those that do not.
macro_rules! suite {
    (both: $($of:ident::$both:ident)+; once: $($on:ident::$once:ident)+) => {
        suite!(@ ring Ring, [$($of::$both)+], [$($on::$once)+]);
        suite!(@ socket Socket, [$($of::$both)+], [$($on::$once)+]);
    };
    (@ $name:ident $backend:ident, [$($of:ident::$both:ident)+], [$($on:ident::$once:ident)+]) => {
        mod $name {
            const BACKEND: processing::PipeBackend = processing::PipeBackend::$backend;
            mod threads {
                $(#[test] fn $both() { crate::$of::$both(super::BACKEND, crate::Others::Threads); })+
            }
            mod processes {
                $(#[test] fn $both() { crate::$of::$both(super::BACKEND, crate::Others::Processes); })+
            }
            $(#[test] fn $once() { crate::$on::$once(BACKEND); })+
        }
    };
}

mod between;
mod closing;
mod death;
mod descriptors;
mod giving;
mod itself;
mod outside;

suite! {
    both:
        between::first_in_first_out
        between::each_strategy_wakes
        between::messages_of_all_sizes
        between::values_of_many_types
        between::both_ways_at_once
        closing::a_close_ends_every_wait
        closing::a_close_after_sends_loses_nothing
        outside::select_beside_a_queue
        outside::a_descriptor_says_whether_there_is_something;
    once:
        itself::it_is_what_it_says
        itself::the_bounds
        itself::limits_of_time
        itself::another_type_stays_in_place
        itself::too_short_a_buffer_hands_over_the_message
        closing::each_way_to_close
        between::many_at_once
        between::polls
        death::what_a_killed_sender_leaves
        death::what_is_told_of_a_killed_receiver
        death::a_killed_one_is_told_of_at_once
        death::who_sleeps_is_told_of_a_death
        giving::an_end_takes_along_what_waits_in_it
        giving::given_away_twice
        giving::an_end_that_cannot_be_given_is_closed
        giving::an_end_whose_process_ends_before_it_runs_is_closed
        giving::every_start_method_carries_it
        giving::a_copy_of_the_process_may_not_use_it
        descriptors::no_descriptor_for_a_long_message
        descriptors::descriptors_come_back
}

/// A test that hangs has failed: it ends with all others.
fn watchdog() {
    static SET: Once = Once::new();
    // SAFETY: no pointers.
    SET.call_once(|| unsafe {
        libc::alarm(500);
    });
}

fn pair(backend: PipeBackend) -> (Connection, Connection) {
    watchdog();
    Connection::builder().backend(backend).build().expect("pipe")
}

/// So many bytes that depend on a number.
fn pattern(n: u64, len: usize) -> Vec<u8> {
    let mut word = (n ^ len as u64 ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let page: Vec<u8> = (0..512)
        .flat_map(|_| {
            word = word.rotate_left(7).wrapping_add(0x9e37_79b9_7f4a_7c15);
            word.to_le_bytes()
        })
        .take(len)
        .collect();
    let mut bytes = Vec::with_capacity(len);
    for (number, at) in (0..len).step_by(4096).enumerate() {
        bytes.extend_from_slice(&page[..page.len().min(len - at)]);
        bytes[at] ^= number as u8;
    }
    bytes
}

/// A number and so many bytes that depend on it.
type Numbered = (u64, Vec<u8>);

fn numbered(n: u64, len: usize) -> Numbered {
    (n, pattern(n, len))
}

fn number(message: &Numbered) -> u64 {
    assert!(message.1 == pattern(message.0, message.1.len()), "torn");
    message.0
}

/// Others have every chance to go to sleep; nothing depends on it.
fn let_them_sleep() {
    (0..1000).for_each(|_| std::thread::yield_now());
}

fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> ErrorKind {
    answer.expect_err("refused").kind()
}
