//! Killed while it starts a process: nobody stays behind.

use std::process::ExitCode;
use std::time::Duration;

use processing::{Process, Queue, StartMethod};
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::child::until_alone;
use processing_kill_tests::suite::Suite;
use processing_kill_tests::words;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for method in [StartMethod::Fork, StartMethod::Spawn, StartMethod::ForkServer] {
        suite.run(start(method));
        suite.run(whole_life(method));
    }
    suite.finish()
}

/// Says that it runs, and stays until it is ended.
fn stay(queue: Queue<u64>) {
    let _ = queue.put(&1);
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Says that it runs, and ends.
fn greet(queue: Queue<u64>) {
    let _ = queue.put(&1);
}

/// The victim starts a process that would stay for ever.
fn start(method: StartMethod) -> Case<Queue<u64>, (Queue<u64>,)> {
    let case = case(
        format!("start.{method}"),
        |world| {
            let queue = Queue::builder().capacity(2).arena(&world.arena).build().map_err(words("queue"))?;
            Ok((queue.clone(), (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let process = Process::new(stay, (queue.clone(),)).start_method(method).start().expect("start");
            trigger.release();
            std::mem::forget((process, queue));
        },
        // Whether it came to run depends on how soon its creator's end was noticed.
        |queue, _| {
            until_alone()?;
            match queue.len() {
                0 | 1 => Ok(None),
                more => Err(format!("{more} children said that they run")),
            }
        },
    );
    let case = case.least(10).wavers();
    // A copy of an armed process is armed, too: it would stop, and nobody wakes it.
    if method == StartMethod::Fork { case.never_stops() } else { case }
}

/// The victim starts a process and joins it.
fn whole_life(method: StartMethod) -> Case<Queue<u64>, (Queue<u64>,)> {
    let case = case(
        format!("start-join.{method}"),
        |world| {
            let queue = Queue::builder().capacity(2).arena(&world.arena).build().map_err(words("queue"))?;
            Ok((queue.clone(), (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let process = Process::new(greet, (queue.clone(),)).start_method(method).start().expect("start");
            let exit = process.join();
            trigger.release();
            // A copy of an armed process is armed, too, and may have died in its creator's place.
            if method != StartMethod::Fork {
                exit.expect("join");
            }
            std::mem::forget(queue);
        },
        |queue, _| {
            until_alone()?;
            match queue.len() {
                0 | 1 => Ok(None),
                more => Err(format!("{more} children said that they run")),
            }
        },
    )
    .least(10)
    .wavers();
    if method == StartMethod::Fork { case.never_stops() } else { case }
}
