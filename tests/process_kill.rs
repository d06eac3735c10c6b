//! The creator is killed at each step of a start: no process is left, whichever step it was. (What it shared with
//! its children is for the kill tests of what it shared.)

mod process_scenarios;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use processing::sync::kill;
use processing::{Process, StartMethod};

fn main() {
    process_scenarios::watchdog();
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, method, at] = arguments.as_slice() {
        return start(method.parse().expect("a method"), at.parse().expect("a number"));
    }
    // SAFETY: a flag of this process: orphans become its children, so that it can wait for them.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    for method in [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer] {
        let mut points = 0;
        while killed_at(method, points) {
            points += 1;
        }
        println!("{method}: killed at {points} points");
        assert!(points >= 8, "{method}: {points} points are too few to be all");
    }
    println!("ok");
}

/// Runs a program that is killed before step `at` of its starts. False: it came to its end before that.
fn killed_at(method: StartMethod, at: u64) -> bool {
    let status = Command::new(std::env::current_exe().expect("exe"))
        .args([method.to_string(), at.to_string()])
        .stderr(Stdio::null())
        .status()
        .expect("run");
    // SAFETY: no pointers. Ends when the last orphan has.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
    match status.signal() {
        Some(signal) => assert_eq!(signal, libc::SIGKILL, "{method} {at}"),
        // A copy inherits the count, and is killed in its own steps; its creator sees that, or a panic of its own.
        None => return status.code() != Some(0),
    }
    true
}

fn start(method: StartMethod, at: u64) {
    kill::arm(at);
    let all = [0, 1].map(|_| Process::new(std::thread::park, ()).start_method(method).start());
    kill::disarm();
    let mut killed = false;
    for p in all {
        let p = p.expect("start");
        p.terminate().expect("terminate");
        killed |= p.join().expect("join") != processing::Exit::Signal(libc::SIGTERM);
    }
    assert!(!killed, "a child was");
}
