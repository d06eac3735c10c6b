//! Runs the body of a test in a process of its own with one thread, so that it may fork.

use std::process::Command;

/// Ends the calling process if it takes much too long. A forked child needs its own call.
pub fn deadline() {
    // SAFETY: a plain integer.
    unsafe { libc::alarm(60) };
}

const MARK: &str = "REGION_TEST_ALONE";

/// Calls `body` in a fresh copy of this test binary that runs the test `name` only; panics if it fails there.
pub fn alone(name: &str, body: fn()) {
    if std::env::var_os(MARK).is_some() {
        deadline();
        return body();
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1", "--include-ignored"])
        .env(MARK, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{name}: {status}");
}
