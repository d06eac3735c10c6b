//! `cargo xtask mutants`: faults seeded in the library's source, each of which some test must notice.
//!
//! `loom-tests/mutants.txt` names them, one a line: `mutant test_program [filter]`. Names joined by commas are one
//! mutant. It is caught when one of the
//! program's tests (those whose name contains the filter) fails; a test that hangs proves nothing. Programs named `*_loom` and
//! `*_states` are those of `loom-tests`, `kill_sweep` is a scenario of [`kill_sweep`], `linear` an object of [`linear`], others are tests of the library with a main of
//! their own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::{kill_sweep, linear};
use crate::cargo::{Program, cargo, programs};
use crate::cases::{self, Case, Outcome};
use crate::loom_tests::{self, Bounds};
use crate::root::root;

#[derive(Args)]
pub struct Options {
    /// Only mutants whose name contains this
    #[arg(default_value = "")]
    filter: String,
    /// The longest that one model may take, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Does not run the tests without a mutant first
    #[arg(long)]
    no_baseline: bool,
}

/// How long a program of the library may take. Some find a fault only by their own watchdog.
const LIBRARY_SECONDS: u64 = 180;

/// Where the mutants are listed.
pub const LIST: &str = "loom-tests/mutants.txt";

/// A line of the list; its name may be several, joined by commas, which are seeded together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    pub name: String,
    pub program: String,
    pub filter: String,
}

pub fn run(options: &Options) -> Result<()> {
    let mut mutants = load()?;
    mutants.retain(|mutant| mutant.name.contains(&options.filter));
    ensure!(!mutants.is_empty(), "no mutant's name contains `{}` in {LIST}", options.filter);
    let (swept, mutants): (Vec<_>, Vec<_>) = mutants.into_iter().partition(kill_sweep::is_sweep);
    let (in_histories, mutants): (Vec<_>, Vec<_>) = mutants.into_iter().partition(linear::is_linear);
    if !mutants.is_empty() {
        check(mutants, options.seconds, !options.no_baseline)?;
    }
    if !in_histories.is_empty() {
        linear::hunt_all(&in_histories)?;
    }
    if swept.is_empty() { Ok(()) } else { kill_sweep::hunt_all(&swept) }
}

/// The first mutant of each test program: what there is time for in every run. The other steps of
/// `cargo xtask test` ran the same programs without a mutant.
pub fn quick() -> Result<()> {
    let mut seen = BTreeSet::new();
    let mut mutants = load()?;
    mutants.retain(|mutant| (is_loom(mutant) || is_states(mutant)) && seen.insert(mutant.program.clone()));
    check(mutants, 20, false)
}

pub fn load() -> Result<Vec<Mutant>> {
    let text = std::fs::read_to_string(root().join(LIST)).context(LIST)?;
    parse(&text).context(LIST)
}

/// Reads the list.
pub fn parse(text: &str) -> Result<Vec<Mutant>> {
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|(at, line)| parse_line(line).with_context(|| format!("line {}", at + 1))).collect()
}

fn parse_line(line: &str) -> Result<Mutant> {
    let words: Vec<&str> = line.split_whitespace().collect();
    ensure!((2..=3).contains(&words.len()), "expected `mutant test_program [filter]`, found `{line}`");
    let filter = words.get(2).copied().unwrap_or_default();
    Ok(Mutant { name: words[0].into(), program: words[1].into(), filter: filter.into() })
}

fn check(mutants: Vec<Mutant>, seconds: u64, baseline: bool) -> Result<()> {
    let plans = plan(mutants)?;
    if baseline {
        run_baseline(&plans, seconds)?;
    }
    let results = Mutex::new(Vec::new());
    let hunt_one = |plan: Plan| {
        let result = hunt(&plan, seconds)?;
        eprintln!("  {:40} {}", plan.mutant.name, result);
        cases::lock(&results).push((plan.mutant, result));
        Ok(())
    };
    // Programs of the library start processes of their own and measure how they end: one at a time.
    let (library, models): (Vec<_>, Vec<_>) = plans.into_iter().partition(|plan| is_library(&plan.mutant));
    cases::parallel(models, hunt_one)?;
    library.into_iter().try_for_each(hunt_one)?;
    let results = results.into_inner().unwrap_or_default();
    eprintln!("\n{}", table(&results));
    let survivors = results.iter().filter(|(_, result)| !result.is_caught()).count();
    ensure!(
        survivors == 0,
        "{survivors} mutants survived: a test that does not notice them proves less than it says"
    );
    Ok(())
}

impl Mutant {
    /// The faults that it seeds.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.name.split(',')
    }
}

/// A mutant and the cases that may catch it.
struct Plan {
    mutant: Mutant,
    cases: Vec<Case>,
}

fn plan(mutants: Vec<Mutant>) -> Result<Vec<Plan>> {
    let loom = mutants.iter().any(is_loom).then(loom_tests::build_loom).transpose()?.unwrap_or_default();
    let states =
        mutants.iter().any(is_states).then(loom_tests::build_states).transpose()?.unwrap_or_default();
    let library = mutants.iter().any(is_library).then(build_library).transpose()?.unwrap_or_default();
    let programs: Vec<Program> = loom.into_iter().chain(states).chain(library).collect();
    mutants.into_iter().map(|mutant| plan_one(mutant, &programs)).collect()
}

fn is_loom(mutant: &Mutant) -> bool {
    mutant.program.ends_with("_loom")
}

fn is_states(mutant: &Mutant) -> bool {
    mutant.program.ends_with("_states")
}

/// A test program of the library itself, which has its own main and is one case.
fn is_library(mutant: &Mutant) -> bool {
    !is_loom(mutant) && !is_states(mutant) && !kill_sweep::is_sweep(mutant) && !linear::is_linear(mutant)
}

fn build_library() -> Result<Vec<Program>> {
    programs(cargo("test -p processing-ipc --features mutants,kill-points --no-run"))
}

fn plan_one(mutant: Mutant, programs: &[Program]) -> Result<Plan> {
    let program = programs.iter().find(|program| program.name == mutant.program);
    let program = program.with_context(|| format!("{LIST}: no test program `{}`", mutant.program))?;
    let cases =
        if is_library(&mutant) { vec![cases::whole(program)] } else { cases::list(program, &mutant.filter)? };
    ensure!(!cases.is_empty(), "{LIST}: no test of {} contains `{}`", mutant.program, mutant.filter);
    Ok(Plan { mutant, cases })
}

fn run_baseline(plans: &[Plan], seconds: u64) -> Result<()> {
    let (library, models): (Vec<_>, Vec<_>) = plans.iter().partition(|plan| is_library(&plan.mutant));
    eprintln!("  without a mutant:");
    loom_tests::explore(cases_of(&models), &bounds(seconds))?;
    cases_of(&library)
        .into_iter()
        .try_for_each(|case| loom_tests::explore(vec![case], &bounds(LIBRARY_SECONDS)))
}

/// Each case once.
fn cases_of(plans: &[&Plan]) -> Vec<Case> {
    let mut seen = BTreeSet::new();
    let all = plans.iter().flat_map(|plan| plan.cases.iter());
    all.filter(|case| seen.insert(case.name())).cloned().collect()
}

fn bounds(seconds: u64) -> Bounds {
    Bounds { preemptions: 2, explore: seconds, deep: false }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hunt {
    Caught { by: String, seconds: u64 },
    Survived,
    Hung { by: String },
}

impl Hunt {
    fn is_caught(&self) -> bool {
        matches!(self, Self::Caught { .. })
    }
}

impl std::fmt::Display for Hunt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Caught { by, seconds } => write!(f, "caught by {by} in {seconds} s"),
            Self::Survived => f.write_str("SURVIVED"),
            Self::Hung { by } => write!(f, "HUNG in {by}: not a proof"),
        }
    }
}

fn hunt(plan: &Plan, seconds: u64) -> Result<Hunt> {
    let bounds = bounds(if is_library(&plan.mutant) { LIBRARY_SECONDS } else { seconds });
    let mut env = bounds.env();
    env.push(("PROCESSING_MUTANT", plan.mutant.name.clone()));
    let mut worst = Hunt::Survived;
    for case in &plan.cases {
        let verdict = case.run(&env, bounds.kill_after())?;
        match verdict.outcome {
            Outcome::Failed => {
                return Ok(Hunt::Caught { by: case.name(), seconds: verdict.time.as_secs() });
            }
            Outcome::TimedOut => worst = Hunt::Hung { by: case.name() },
            Outcome::Passed => {}
        }
    }
    Ok(worst)
}

fn table(results: &[(Mutant, Hunt)]) -> String {
    let mut sorted: Vec<_> = results.iter().collect();
    sorted.sort_by_key(|(mutant, _)| &mutant.name);
    let width = sorted.iter().map(|(mutant, _)| mutant.name.len()).max().unwrap_or(0);
    sorted.iter().fold(String::new(), |mut text, (mutant, hunt)| {
        let _ = writeln!(text, "{:width$}  {hunt}", mutant.name);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_comments_and_filters_are_read() {
        let list = parse("# head\n\nring.no_bump mpmc_loom\nx.y  z_states  only_this\n").unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!((list[0].name.as_str(), list[0].filter.as_str()), ("ring.no_bump", ""));
        assert_eq!((list[1].program.as_str(), list[1].filter.as_str()), ("z_states", "only_this"));
        assert!(is_loom(&list[0]) && !is_loom(&list[1]));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = format!("{:#}", parse("# head\nlonely\n").unwrap_err());
        assert!(error.contains("line 2") && error.contains("lonely"), "{error}");
    }

    #[test]
    fn the_table_shows_survivors() {
        let mutant = |name: &str| Mutant { name: name.into(), program: "p".into(), filter: String::new() };
        let text = table(&[(mutant("b"), Hunt::Survived), (mutant("a"), Hunt::Hung { by: "p::t".into() })]);
        assert_eq!(text, "a  HUNG in p::t: not a proof\nb  SURVIVED\n");
    }
}
