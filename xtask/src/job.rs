//! A command line: shown, run, bounded, and shown again when it fails.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{bounded, root};

/// A command line with its environment and a bound on its time.
#[derive(Clone, Debug)]
pub struct Job {
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    bound: Option<Duration>,
}

/// What a captured job left behind.
pub struct Captured {
    /// `None` when the bound passed.
    pub status: Option<ExitStatus>,
    pub stdout: String,
    pub stderr: String,
}

impl Captured {
    pub fn passed(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

impl Job {
    pub fn new(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref().display().to_string();
        Self { program, args: Vec::new(), env: Vec::new(), bound: None }
    }

    /// Arguments, separated by blanks.
    pub fn words(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(str::to_owned));
        self
    }

    /// One argument as it is.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub fn bound(mut self, seconds: u64) -> Self {
        self.bound = Some(Duration::from_secs(seconds));
        self
    }

    /// Shows the command line, runs it with our own input and output, and demands success.
    pub fn run(&self) -> Result<()> {
        eprintln!("  $ {self}");
        let mut child = self.command().spawn().with_context(|| self.cannot_start())?;
        let status = bounded::wait(&mut child, self.bound)?;
        self.demand(status)
    }

    /// Runs the job quietly and keeps what it prints; its exit status is the caller's to judge.
    ///
    /// The output goes to files, not pipes: a grandchild that survives a killed job would keep a pipe open.
    pub fn capture(&self) -> Result<Captured> {
        let (out, err) = (Scratch::new()?, Scratch::new()?);
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(out.file()?).stderr(err.file()?);
        let mut child = command.spawn().with_context(|| self.cannot_start())?;
        let status = bounded::wait(&mut child, self.bound)?;
        Ok(Captured { status, stdout: out.read()?, stderr: err.read()? })
    }

    /// Runs the job, keeps its standard output, lets its standard error through, and demands success.
    pub fn stdout(&self) -> Result<String> {
        eprintln!("  $ {self}");
        let out = Scratch::new()?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(out.file()?);
        let mut child = command.spawn().with_context(|| self.cannot_start())?;
        let status = bounded::wait(&mut child, self.bound)?;
        self.demand(status)?;
        out.read()
    }

    /// Runs the job, hands over each line of its standard output as it comes, and keeps both outputs; its exit
    /// status is the caller's to judge.
    pub fn follow(&self, mut line: impl FnMut(&str)) -> Result<Captured> {
        eprintln!("  $ {self}");
        let err = Scratch::new()?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(err.file()?);
        let mut child = command.spawn().with_context(|| self.cannot_start())?;
        let mut stdout = String::new();
        for text in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
            let text = text?;
            line(&text);
            stdout = stdout + &text + "\n";
        }
        Ok(Captured { status: Some(child.wait()?), stdout, stderr: err.read()? })
    }

    fn demand(&self, status: Option<ExitStatus>) -> Result<()> {
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("{status}\n  repeat: {self}"),
            None => bail!(
                "did not end within {} s and was killed\n  repeat: {self}",
                self.bound.unwrap_or_default().as_secs()
            ),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(root::root());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn cannot_start(&self) -> String {
        format!("cannot start `{self}`")
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        let program = Path::new(&self.program);
        let is_cargo = program.file_name().is_some_and(|name| name == "cargo");
        f.write_str(&quoted(if is_cargo { "cargo" } else { &self.program }))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A file that goes away by itself.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        static NEXT: Mutex<u64> = Mutex::new(0);
        let mut next = NEXT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *next += 1;
        let name = format!("xtask-{}-{next}", std::process::id());
        Ok(Self(std::env::temp_dir().join(name)))
    }

    fn file(&self) -> Result<File> {
        File::create(&self.0).with_context(|| format!("cannot create {}", self.0.display()))
    }

    fn read(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.0)?).into_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_reads_as_a_command_line() {
        let job = Job::new("/usr/bin/cargo").words("test -p x").env("RUSTFLAGS", "--cfg loom");
        assert_eq!(job.to_string(), "RUSTFLAGS='--cfg loom' cargo test -p x");
        assert_eq!(Job::new("echo").arg("it's").to_string(), r"echo 'it'\''s'");
    }

    #[test]
    fn both_outputs_are_kept() {
        let captured = Job::new("sh").arg("-c").arg("echo a; echo b >&2; exit 1").capture().unwrap();
        assert!(!captured.passed());
        assert_eq!((captured.stdout.as_str(), captured.stderr.as_str()), ("a\n", "b\n"));
    }

    #[test]
    fn lines_come_one_by_one() {
        let mut lines = Vec::new();
        let job = Job::new("sh").arg("-c").arg("echo a; echo b; echo c >&2; exit 2");
        let captured = job.follow(|line| lines.push(line.to_owned())).unwrap();
        assert_eq!((lines.join(","), captured.stderr.as_str()), ("a,b".to_owned(), "c\n"));
        assert_eq!(captured.status.unwrap().code(), Some(2));
    }

    #[test]
    fn a_failure_says_how_to_repeat_it() {
        let error = Job::new("false").run().unwrap_err().to_string();
        assert!(error.contains("repeat: false"), "{error}");
    }

    #[test]
    fn the_bound_ends_a_job() {
        let job = Job::new("sleep").words("1000").bound(0);
        assert!(job.run().unwrap_err().to_string().contains("did not end"));
        assert!(job.capture().unwrap().status.is_none());
    }
}
