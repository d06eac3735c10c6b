//! Single tests of built test programs, run as processes of their own, some at a time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cargo::Program;
use crate::job::Job;

/// One `#[test]` of one test program, or a program that brings its own main as a whole.
#[derive(Clone, Debug)]
pub struct Case {
    pub program: Program,
    /// Empty: the whole program.
    pub test: String,
}

/// How a case ended.
pub struct Verdict {
    pub outcome: Outcome,
    pub time: Duration,
    /// What it printed, for the report of a failure.
    pub output: String,
    /// The command line to repeat it.
    pub repeat: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    TimedOut,
}

/// The cases of a test program whose `program::test` name contains `filter`.
pub fn list(program: &Program, filter: &str) -> Result<Vec<Case>> {
    let listed = Job::new(&program.path).words("--list --format terse").bound(60).capture()?;
    ensure!(listed.passed(), "{} --list failed: {}", program.path.display(), listed.stderr);
    let names = listed.stdout.lines().filter_map(|line| line.strip_suffix(": test"));
    let cases = names.map(|test| Case { program: program.clone(), test: test.to_owned() });
    Ok(cases.filter(|case| case.name().contains(filter)).collect())
}

/// A program without the standard harness.
pub fn whole(program: &Program) -> Case {
    Case { program: program.clone(), test: String::new() }
}

impl Case {
    pub fn name(&self) -> String {
        if self.test.is_empty() {
            return self.program.name.clone();
        }
        format!("{}::{}", self.program.name, self.test)
    }

    /// Runs the case alone, with `env`, for at most `bound` seconds.
    pub fn run(&self, env: &[(&str, String)], bound: u64) -> Result<Verdict> {
        let job = Job::new(&self.program.path).bound(bound);
        let job =
            if self.test.is_empty() { job } else { job.arg("--exact").arg(&self.test).words("--nocapture") };
        let job = env.iter().fold(job, |job, (name, value)| job.env(name, value.as_str()));
        let start = Instant::now();
        let captured = job.capture()?;
        let outcome = match captured.status {
            None => Outcome::TimedOut,
            Some(status) if status.success() => Outcome::Passed,
            Some(_) => Outcome::Failed,
        };
        let output = captured.stdout + &captured.stderr;
        Ok(Verdict { outcome, time: start.elapsed(), output, repeat: job.to_string() })
    }
}

/// Calls `work` for each item, on as many threads as there are cores, until one fails.
pub fn parallel<T: Send>(items: Vec<T>, work: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    let queue = Mutex::new(items.into_iter());
    let failure = Mutex::new(None);
    let next = || {
        let stop = lock(&failure).is_some();
        if stop { None } else { lock(&queue).next() }
    };
    let worker = || {
        while let Some(item) = next() {
            if let Err(error) = work(item) {
                lock(&failure).get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| (0..cores()).for_each(|_| drop(scope.spawn(worker))));
    let failure = lock(&failure).take();
    failure.map_or(Ok(()), Err)
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once() {
        let seen = Mutex::new(Vec::new());
        parallel((0..100).collect(), |n: i32| {
            lock(&seen).push(n);
            Ok(())
        })
        .unwrap();
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_failure_is_kept_and_stops_the_rest() {
        let count = Mutex::new(0);
        let outcome = parallel((0..1000).collect(), |n: i32| {
            *lock(&count) += 1;
            anyhow::ensure!(n != 0, "zero");
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().to_string(), "zero");
        assert!(*lock(&count) < 1000);
    }
}
