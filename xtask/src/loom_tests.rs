//! The package `processing-loom-tests`: loom models (`*_loom`) and explicit-state checks (`*_states`).

use std::sync::Mutex;

use anyhow::{Result, bail};

use crate::cargo::{Program, cargo, programs};
use crate::cases::{self, Case, Outcome, Verdict};
use crate::root;

/// How far a run of the models goes.
pub struct Bounds {
    pub preemptions: u32,
    /// Seconds a model may explore; it passes when the time is over.
    pub explore: u64,
    /// Whether the explicit-state checks visit their large configurations too.
    pub deep: bool,
}

impl Bounds {
    /// The environment that loom and the explicit-state checks read.
    ///
    /// The checkpoint interval is how often loom looks at the clock.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut env = vec![
            ("LOOM_MAX_PREEMPTIONS", self.preemptions.to_string()),
            ("LOOM_MAX_DURATION", self.explore.to_string()),
            ("LOOM_CHECKPOINT_INTERVAL", "500".to_owned()),
        ];
        env.extend(self.deep.then(|| ("PROCESSING_DEEP", "1".to_owned())));
        env
    }

    /// Seconds after which a model hangs rather than explores.
    pub fn kill_after(&self) -> u64 {
        self.explore + 60
    }
}

/// Builds the loom models, in a target folder of their own: the flag changes every crate.
pub fn build_loom() -> Result<Vec<Program>> {
    let target = root::target_dir("loom").display().to_string();
    let job = cargo("test -p processing-loom-tests --release --no-run --target-dir").arg(target);
    Ok(named(programs(job.env("RUSTFLAGS", "--cfg loom"))?, "_loom"))
}

/// Builds the explicit-state checks.
pub fn build_states() -> Result<Vec<Program>> {
    let built = programs(cargo("test -p processing-loom-tests --release --no-run"))?;
    Ok(built.into_iter().filter(|program| !program.name.ends_with("_loom")).collect())
}

fn named(programs: Vec<Program>, suffix: &str) -> Vec<Program> {
    programs.into_iter().filter(|program| program.name.ends_with(suffix)).collect()
}

/// All cases of the programs whose name contains `filter`.
pub fn all_cases(programs: &[Program], filter: &str) -> Result<Vec<Case>> {
    let mut all = Vec::new();
    for program in programs {
        all.extend(cases::list(program, filter)?);
    }
    Ok(all)
}

/// Runs each model; a line for each, and how many were explored in full.
pub fn explore(models: Vec<Case>, bounds: &Bounds) -> Result<()> {
    let total = models.len();
    let cut = Mutex::new(Vec::new());
    cases::parallel(models, |case| {
        let verdict = case.run(&bounds.env(), bounds.kill_after())?;
        demand_pass(&case, &verdict)?;
        let full = verdict.time.as_secs() < bounds.explore;
        eprintln!("  {:7.1} s  {}{}", verdict.time.as_secs_f64(), case.name(), note(full));
        if !full {
            cases::lock(&cut).push(case.name());
        }
        Ok(())
    })?;
    let cut = cases::lock(&cut);
    eprintln!(
        "  {} of {total} models explored in full with {} preemptions",
        total - cut.len(),
        bounds.preemptions
    );
    Ok(())
}

fn note(full: bool) -> &'static str {
    if full { "" } else { "  (stopped by the clock: not explored in full)" }
}

fn demand_pass(case: &Case, verdict: &Verdict) -> Result<()> {
    let why = match verdict.outcome {
        Outcome::Passed => return Ok(()),
        Outcome::Failed => "failed",
        Outcome::TimedOut => "hung and was killed",
    };
    bail!("{} {why}\n{}\n  repeat: {}", case.name(), tail(&verdict.output, 60), verdict.repeat)
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }
}
