//! Running the command.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// What the command printed, and how it ended.
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `processing` with these arguments.
pub fn processing<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_processing"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
