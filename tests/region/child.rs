//! Forked children that are steered by single bytes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A forked child, killed and reaped on drop.
pub struct Child {
    pub pid: i32,
    ends: Ends,
    reaped: bool,
}

/// One side's ends of the two pipes.
pub struct Ends {
    read: File,
    write: File,
}

impl Ends {
    /// Sends one byte.
    pub fn say(&mut self, byte: u8) {
        self.write.write_all(&[byte]).unwrap();
    }

    /// Waits for one byte; 0 at the end of the stream.
    pub fn hear(&mut self) -> u8 {
        let mut byte = [0];
        match self.read.read(&mut byte) {
            Ok(1) => byte[0],
            _ => 0,
        }
    }
}

fn pipe() -> (File, File) {
    let mut fds = [0; 2];
    // SAFETY: the kernel writes two descriptors, which nobody else owns.
    let (read, write): (OwnedFd, OwnedFd) = unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    };
    (read.into(), write.into())
}

impl Child {
    /// Forks. The child runs `body` and exits: 0, or 101 after a panic.
    pub fn fork(body: impl FnOnce(&mut Ends)) -> Self {
        let (child_read, write) = pipe();
        let (read, child_write) = pipe();
        // SAFETY: the process has one thread (see `alone`), so the child may do everything.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            drop((read, write));
            crate::alone::deadline();
            let mut ends = Ends { read: child_read, write: child_write };
            let failed = catch_unwind(AssertUnwindSafe(|| body(&mut ends))).is_err();
            // SAFETY: ends the process without running the parent's exit handlers.
            unsafe { libc::_exit(if failed { 101 } else { 0 }) };
        }
        Self { pid, ends: Ends { read, write }, reaped: false }
    }

    pub fn say(&mut self, byte: u8) {
        self.ends.say(byte);
    }

    /// Waits for a byte and checks it.
    #[track_caller]
    pub fn hear(&mut self, byte: u8) {
        assert_eq!(self.ends.hear(), byte);
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: plain integers; the pid is that of an unreaped child.
        assert_eq!(unsafe { libc::kill(self.pid, signal) }, 0);
    }

    /// Waits until it is stopped.
    pub fn wait_stopped(&self) {
        let mut status = 0;
        // SAFETY: the kernel writes one integer.
        let got = unsafe { libc::waitpid(self.pid, &raw mut status, libc::WUNTRACED) };
        assert!(got == self.pid && libc::WIFSTOPPED(status), "status {status:#x}");
    }

    /// Waits until it is dead, without reaping it: it stays a zombie.
    pub fn wait_dead(&self) {
        // SAFETY: a plain structure that the kernel fills.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let id = self.pid as libc::id_t;
        // SAFETY: as above.
        let got = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED | libc::WNOWAIT) };
        assert_eq!(got, 0);
    }

    /// Reaps it; the signal that killed it as -N, else its exit code.
    pub fn end(&mut self) -> i32 {
        let mut status = 0;
        // SAFETY: the kernel writes one integer.
        assert_eq!(unsafe { libc::waitpid(self.pid, &raw mut status, 0) }, self.pid);
        self.reaped = true;
        if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
    }

    /// Kills it and reaps it.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        assert_eq!(self.end(), -libc::SIGKILL);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(libc::SIGKILL);
            self.end();
        }
    }
}

/// Stops or kills the calling process.
pub fn raise(signal: i32) {
    // SAFETY: plain integers.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// Sleeps until killed.
pub fn forever() -> ! {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    }
}
