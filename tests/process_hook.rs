//! Programs whose children are not caught before `main`, stale variables, and kernels that keep no exit statuses.

mod process_scenarios;

use std::process::Command;

use processing::{Builder, ErrorKind, Process, StartMethod, freeze_support};

fn main() {
    process_scenarios::watchdog();
    process_scenarios::quick_panics();
    // Not an argument: a child gets none.
    match std::env::var("ROLE").ok().as_deref() {
        None => all(),
        Some("without") => without(),
        Some("with") => {
            freeze_support();
            start_both();
        }
        Some("slipped") => slipped(),
        Some("plain") => start_both(),
        Some("relay") => relay(),
        Some(other) => panic!("no role {other}"),
    }
}

fn all() {
    let exe = std::env::current_exe().expect("exe");
    let run = |role: &str, variables: &[(&str, &str)]| {
        println!("{role} {variables:?}");
        let status =
            Command::new(&exe).env("ROLE", role).envs(variables.iter().copied()).status().expect("run");
        assert!(status.success(), "{role}: {status}");
    };
    let no_hook = ("PROCESSING_TEST_NO_HOOK", "1");
    run("without", &[no_hook]);
    run("with", &[no_hook]);
    run("with", &[]);
    run("slipped", &[no_hook, ("PROCESSING_CHILD", "99")]);
    // What is no private socket is nothing to this program.
    for stale in ["99", "0", "2", "-1", "x", ""] {
        run("plain", &[("PROCESSING_CHILD", stale)]);
    }
    run("relay", &[("PROCESSING_TEST_RELAY", "1")]);
    println!("ok");
}

fn start_both() {
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let handle = Builder::new().start_method(method).spawn(|a: u64| a + 1, (1,)).expect("start");
        assert_eq!(handle.join().expect("join"), 2);
    }
}

/// Nothing is started that would run this `main` once more; and the error says what to do.
fn without() {
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let error = Process::new(|| (), ()).start_method(method).start().expect_err("not caught");
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        assert!(error.to_string().contains("freeze_support() in the first line of main"), "{error}");
    }
    let p = Process::new(|| (), ()).start_method(StartMethod::Fork).start().expect("needs no catching");
    assert!(p.join().expect("join").success());
}

/// A child that runs `main` after all starts nothing.
fn slipped() {
    for method in [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork] {
        let error = Process::new(|| (), ()).start_method(method).start().expect_err("a child");
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        assert!(error.to_string().contains("itself a child"), "{error}");
    }
}

/// Everything once more, with statuses from the fork server.
fn relay() {
    for (name, scenario) in process_scenarios::ALL {
        println!("relay {name}");
        scenario(StartMethod::ForkServer);
    }
    let many: Vec<_> = (0..50)
        .map(|n: i32| Process::new(|n: i32| std::process::exit(n), (n,)).start().expect("start"))
        .collect();
    for (n, p) in many.iter().enumerate() {
        assert_eq!(p.join().expect("join"), processing::Exit::Code(n as i32));
    }
}
