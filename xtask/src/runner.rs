//! Steps, one after the other: the first failure stops, the table of times comes always.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A named step.
pub type Step = (&'static str, fn() -> Result<()>);

/// Runs the steps in order; prints a table of the times at the end, also after a failure.
pub fn run(steps: &[Step]) -> Result<()> {
    let mut times = Vec::new();
    let outcome = steps.iter().try_for_each(|step| one(step, &mut times));
    eprintln!("\n{}", table(&times));
    outcome
}

fn one((name, action): &Step, times: &mut Vec<(&'static str, Duration)>) -> Result<()> {
    eprintln!("\n── {name}");
    let start = Instant::now();
    let outcome = action().with_context(|| {
        format!("step `{name}` failed\n  repeat the step: cargo xtask test --only {name}\n  cause")
    });
    times.push((name, start.elapsed()));
    outcome
}

fn table(times: &[(&'static str, Duration)]) -> String {
    let width = times.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(5);
    let mut text = String::new();
    for (name, time) in times {
        let _ = writeln!(text, "{name:width$}  {:>7.1} s", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    let _ = write!(text, "{:width$}  {:>7.1} s", "total", total.as_secs_f64());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stops_and_names_its_step() {
        let steps: [Step; 3] =
            [("one", || Ok(())), ("two", || anyhow::bail!("broken")), ("three", || panic!("not reached"))];
        let error = format!("{:#}", run(&steps).unwrap_err());
        assert!(error.contains("step `two`") && error.contains("--only two") && error.contains("broken"));
    }

    #[test]
    fn the_table_adds_up() {
        let text = table(&[("a", Duration::from_secs(1)), ("longer-name", Duration::from_secs(2))]);
        assert!(text.ends_with("total            3.0 s"), "{text}");
    }
}
