//! Processes that are forked, traced, and stepped through instruction by instruction.
//!
//! # Safety
//!
//! All of it is system calls on this process and on children of its own that were not waited for yet, so that their numbers are theirs;
//! pointers given to the kernel are to locals. The program has one thread, so that a forked copy is whole.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use libc::{c_int, pid_t};
use processing_kill_tests::Outcome;

use crate::program::Program;

/// How far a traced process has come, told by a signal that it sends to itself and that never reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The call is next.
    Begin,
    /// The call has returned.
    End,
}

impl Mark {
    fn signal(self) -> c_int {
        match self {
            Self::Begin => libc::SIGUSR1,
            Self::End => libc::SIGUSR2,
        }
    }
}

/// In a traced process: stops it here until the tracer lets it go on.
pub fn mark(mark: Mark) {
    // SAFETY: see the module. With one thread the signal is met before the call returns.
    unsafe { libc::kill(libc::getpid(), mark.signal()) };
}

/// Why a traced process stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// One more instruction is done.
    Stepped,
    /// Somebody else has stopped it, or made it go on, as one does with all processes of a machine: it goes on where it stands.
    Passed,
    At(Mark),
    /// It is no more.
    Exited(c_int),
    Killed(c_int),
}

/// A child that stands still whenever this process does not drive it. It dies with this process.
pub struct Tracee {
    pid: pid_t,
    over: bool,
    program: Program,
}

impl Tracee {
    /// Forks; the child runs `f` up to its first [`mark`].
    pub fn start(program: &Program, f: impl FnOnce()) -> Outcome<Self> {
        let traced = || {
            // SAFETY: see the module.
            let traced = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
            assert_eq!(traced, 0, "ptrace is forbidden here: {}", io::Error::last_os_error());
            f();
        };
        let pid = fork(traced).map_err(|error| format!("fork: {error}"))?;
        let mut tracee = Self { pid, over: false, program: program.clone() };
        let mut stop = tracee.wait()?;
        while stop == Stop::Passed {
            tracee.resume(libc::PTRACE_CONT)?;
            stop = tracee.wait()?;
        }
        match stop {
            Stop::At(Mark::Begin) => {}
            other => return Err(format!("a process that was to begin is {other:?}")),
        }
        // SAFETY: see the module.
        let set = unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, tracee.pid, 0, libc::PTRACE_O_EXITKILL) };
        if set != 0 { Err(format!("PTRACE_SETOPTIONS: {}", io::Error::last_os_error())) } else { Ok(tracee) }
    }

    pub fn pid(&self) -> u32 {
        self.pid as u32
    }

    fn resume(&self, how: libc::c_uint) -> Outcome<()> {
        // SAFETY: see the module; no signal is passed on.
        if unsafe { libc::ptrace(how, self.pid, 0, 0) } != 0 {
            return Err(format!("ptrace({how}): {}", io::Error::last_os_error()));
        }
        Ok(())
    }

    /// One instruction. A system call is one, and so is a reading of the clock in the kernel's page, which takes more or less of them as
    /// the clock ticks, and writes nothing that is shared.
    pub fn step(&mut self) -> Outcome<Stop> {
        loop {
            self.resume(libc::PTRACE_SINGLESTEP)?;
            match self.wait()? {
                // No instruction was done.
                Stop::Passed => {}
                Stop::Stepped if self.program.is_kernels(self.place()?) => {}
                stop => return Ok(stop),
            }
        }
    }

    /// Goes on by itself to the next mark, or to its end.
    pub fn run(&mut self) -> Outcome<Stop> {
        loop {
            self.resume(libc::PTRACE_CONT)?;
            match self.wait()? {
                // The trap of a step whose instruction was the mark itself.
                Stop::Stepped | Stop::Passed => {}
                other => return Ok(other),
            }
        }
    }

    fn wait(&mut self) -> Outcome<Stop> {
        let mut status = 0;
        // SAFETY: see the module.
        while unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) } != self.pid {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(format!("waitpid: {error}"));
            }
        }
        if libc::WIFEXITED(status) {
            self.over = true;
            return Ok(Stop::Exited(libc::WEXITSTATUS(status)));
        }
        if libc::WIFSIGNALED(status) {
            self.over = true;
            return Ok(Stop::Killed(libc::WTERMSIG(status)));
        }
        match libc::WSTOPSIG(status) {
            libc::SIGTRAP => Ok(Stop::Stepped),
            libc::SIGSTOP | libc::SIGCONT => Ok(Stop::Passed),
            signal if signal == Mark::Begin.signal() => Ok(Stop::At(Mark::Begin)),
            signal if signal == Mark::End.signal() => Ok(Stop::At(Mark::End)),
            signal => Err(format!("signal {signal} at {:#x}", self.place()?)),
        }
    }

    /// The address of its next instruction.
    pub fn place(&self) -> Outcome<u64> {
        let word = std::mem::offset_of!(libc::user, regs) + std::mem::offset_of!(libc::user_regs_struct, rip);
        // SAFETY: see the module. The C library's function gives the word itself, and -1 is no address.
        match unsafe { libc::ptrace(libc::PTRACE_PEEKUSER, self.pid, word, 0) } {
            -1 => Err(format!("PTRACE_PEEKUSER: {}", io::Error::last_os_error())),
            place => Ok(place as u64),
        }
    }

    /// SIGKILL, where it stands; afterwards it is gone, and the kernel has let go of all that it had.
    pub fn kill(&mut self) -> Outcome<()> {
        // SAFETY: see the module.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        match self.wait()? {
            Stop::Killed(libc::SIGKILL) => Ok(()),
            other => Err(format!("killed, and it is {other:?}")),
        }
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.kill();
        }
    }
}

/// Runs `f` in a child that ends without any clearing up, and at the latest with its parent.
fn fork(f: impl FnOnce()) -> io::Result<pid_t> {
    // SAFETY: see the module.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: a flag of this process.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let code = if catch_unwind(AssertUnwindSafe(f)).is_ok() { 0 } else { 101 };
            // SAFETY: ends the process.
            unsafe { libc::_exit(code) }
        }
        pid => Ok(pid),
    }
}

/// A forked process whose answer comes through a pipe.
pub struct Helper {
    pid: pid_t,
    answers: io::PipeReader,
}

impl Helper {
    /// Runs `f` with the pipe to write to.
    pub fn start(f: impl FnOnce(&mut dyn Write)) -> io::Result<Self> {
        let (answers, mut pipe) = io::pipe()?;
        let pid = fork(|| f(&mut pipe))?;
        Ok(Self { pid, answers })
    }

    /// Everything that it writes, and how it ended, in words if not well.
    pub fn finish(mut self) -> Outcome<Vec<u8>> {
        let mut bytes = Vec::new();
        self.answers.read_to_end(&mut bytes).map_err(|error| format!("reading a pipe: {error}"))?;
        let mut status = 0;
        // SAFETY: see the module.
        while unsafe { libc::waitpid(self.pid, &raw mut status, 0) } != self.pid {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(format!("waitpid: {error}"));
            }
        }
        match status {
            0 => Ok(bytes),
            _ if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGALRM => {
                Err("it hangs: the watchdog ended it".into())
            }
            _ if libc::WIFSIGNALED(status) => Err(format!("it died of signal {}", libc::WTERMSIG(status))),
            _ => Err(format!("it ended with code {}", libc::WEXITSTATUS(status))),
        }
    }
}

/// Ends this process by a signal after so many seconds, unless it asks again: a hang is a failure, and not for ever.
pub fn watchdog(seconds: u32) {
    // SAFETY: a timer of this process.
    unsafe { libc::alarm(seconds) };
}

/// This process, and all that it starts, on one core: a step is then two switches there, and no message between cores.
pub fn pin(core: usize) {
    // SAFETY: a set of bits, all zero.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `CPU_SET` ignores a core that has no bit; a core that is not there leaves us where we are.
    unsafe {
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), ptr::from_ref(&set));
    }
}
