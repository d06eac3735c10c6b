//! The folder of shared memory is missing, full, or cannot be written to. Each in a mount namespace of its own, which takes a
//! right that not everybody has: without it there is nothing to test here, and the test says so.

use std::process::Command;

use crate::program::Program;

/// A program whose `/dev/shm` was changed by `script`; `None`: not allowed here.
fn program_after(script: &str) -> Option<Program> {
    let inside = |then: &str| {
        let mut command = Command::new("unshare");
        let script = format!("{script} && {then}");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
        command
    };
    if !inside("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("no mount namespace is to be had here: not tested: {script}");
        return None;
    }
    let mut command = inside("exec \"$@\"");
    command.arg(std::env::current_exe().unwrap());
    Some(Program::start_as(command))
}

#[test]
fn what_nobody_uses_is_listed_as_such_until_somebody_removes_it() {
    // In a folder of its own: elsewhere another program may clear up at any moment.
    let Some(mut program) = program_after("mount -t tmpfs none /dev/shm") else { return };
    program.does("leave orders");
    assert_eq!(program.ask("listed orders"), "false []");
    assert_eq!(program.ask("listed orders"), "false []");
    program.does("gc");
    assert_eq!(program.ask("listed orders"), "none");
    program.does("leave orders");
    let answer = program.ask("open orders");
    assert!(answer.starts_with("NotFound"), "{answer}");
    assert_eq!(program.ask("listed orders"), "none");
}

#[test]
fn a_full_folder_is_an_error_and_no_bus_error() {
    let Some(mut program) = program_after("mount -t tmpfs -o size=300k none /dev/shm") else { return };
    let answer = program.ask("many full 0 10");
    assert!(answer.starts_with("OutOfMemory") && answer.contains("--shm-size"), "{answer}");
    assert!(answer.contains("/dev/shm has 307200 bytes"), "{answer}");
    // What was made before it was full is gone, and so there is room for one.
    program.does("create full");
    program.does("put 1");
    assert_eq!(program.ask("get"), "1");
    program.does("drop");
    // Full in the middle of a put: the queue is there, its messages find no room.
    let answer = program.ask("large full");
    assert!(answer.starts_with("OutOfMemory"), "{answer}");
    let answer = program.ask("listed full");
    assert_eq!(answer, "none");
    program.end();
}

#[test]
fn without_the_folder_names_are_unsupported() {
    for script in [
        "mount -t tmpfs none /dev && mkdir /dev/x",
        "mount -t tmpfs none /dev/shm && mount -o remount,ro /dev/shm",
    ] {
        let Some(mut program) = program_after(script) else { return };
        let answer = program.ask("create orders");
        assert!(answer.starts_with("Unsupported") && answer.contains("/dev/shm"), "{script}: {answer}");
        let answer = program.ask("open orders");
        assert!(answer.starts_with("NotFound"), "{script}: {answer}");
        assert_eq!(program.ask("listed orders"), "none");
        program.does("gc");
    }
}

#[test]
fn a_folder_without_execution_is_fine() {
    let Some(mut program) = program_after("mount -t tmpfs -o noexec,nosuid,nodev none /dev/shm") else {
        return;
    };
    program.does("create orders");
    program.does("put 1");
    assert_eq!(program.ask("get"), "1");
}
