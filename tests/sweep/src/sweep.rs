//! All rounds of one scenario.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Instant;

use processing_kill_tests::Outcome;

use crate::heap;
use crate::os::{Helper, watchdog};
use crate::program::Program;
use crate::record::Record;
use crate::round::{Plan, Played, Repair, Scenario, Way};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// A call of up to so many instructions is killed at each of them.
    pub whole: u64,
    /// Of a longer one, besides each first instruction of a state, at so many.
    pub between: u64,
    /// And at no more than can be walked to by so many instructions in all.
    pub between_walk: u64,
    /// Of a reaper's instructions, besides each first of a state, at every so-many-th.
    pub reaper_every: u64,
    /// Situations of the victim in which the reaper is swept, too.
    pub reapers: usize,
    /// At so many states inside the copying of a payload.
    pub copying: usize,
    /// Places where a victim is stopped and goes on.
    pub stops: usize,
    /// Longer ways are walked for one of so many only.
    pub walk_one_of: usize,
    /// Give up after so many failures of one scenario.
    pub failures: usize,
}

impl Extent {
    pub const USUAL: Self = Self {
        whole: 700,
        between: 200,
        between_walk: 300_000,
        reaper_every: 30_000,
        reapers: 6,
        copying: 6_000,
        stops: 8,
        walk_one_of: 50,
        failures: 3,
    };
    pub const QUICK: Self = Self {
        whole: 0,
        between: 8,
        between_walk: u64::MAX,
        reaper_every: u64::MAX,
        reapers: 1,
        copying: 8,
        stops: 2,
        walk_one_of: 50,
        failures: 1,
    };
    pub const FULL: Self = Self {
        whole: u64::MAX,
        between: 0,
        between_walk: u64::MAX,
        reaper_every: 1_000,
        reapers: usize::MAX,
        copying: usize::MAX,
        stops: usize::MAX,
        walk_one_of: 1,
        failures: 3,
    };
}

/// A way of so many instructions is walked; a longer one only for a sample.
const WALK: u64 = 1_500;
/// Seconds that a round may take: far beyond any.
const WATCHDOG: u32 = 120;

/// What was done, and what came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub name: String,
    /// Of the call, and of the repairs that were swept.
    pub instructions: u64,
    pub repair_instructions: u64,
    /// Distinct states of the region, of both.
    pub states: u64,
    pub repair_states: u64,
    pub rounds: u64,
    pub kills: u64,
    pub stops: u64,
    /// Rounds that came by as many instructions to another state than the recorded run: each was repaired as its own.
    pub strays: u64,
    pub failures: Vec<String>,
    pub seconds: f64,
}

impl Report {
    pub fn add(&mut self, other: &Self) {
        self.instructions += other.instructions;
        self.repair_instructions += other.repair_instructions;
        self.states += other.states;
        self.repair_states += other.repair_states;
        self.rounds += other.rounds;
        self.kills += other.kills;
        self.stops += other.stops;
        self.strays += other.strays;
        self.failures.extend_from_slice(&other.failures);
        self.seconds += other.seconds;
    }
}

/// Where the columns are.
pub const HEAD: &str = "                               call           repair                                     \n\
     scenario              instructions states  instructions states   kills  stops strays failures seconds";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:22} {:11} {:6} {:13} {:6} {:7} {:6} {:6} {:8} {:7.1}",
            self.name,
            self.instructions,
            self.states,
            self.repair_instructions,
            self.repair_states,
            self.kills,
            self.stops,
            self.strays,
            self.failures.len(),
            self.seconds
        )
    }
}

/// Sweeps one scenario.
pub struct Sweep<'a> {
    scenario: &'a dyn Scenario,
    program: &'a Program,
    extent: Extent,
    report: Report,
    /// Whether the call had taken effect, by the number of instructions.
    effects: Vec<(u64, bool)>,
}

/// Enough failures of this scenario.
struct Enough;

type Going = Result<(), Enough>;

/// The four ways to look after the dead: at once or by who needs it, and by lease or by value (by the number).
const LOOKS: [(u64, bool); 4] = [(0, true), (2, false), (2, true), (0, false)];

impl<'a> Sweep<'a> {
    pub fn new(scenario: &'a dyn Scenario, program: &'a Program, extent: Extent) -> Self {
        let report = Report { name: scenario.name().to_owned(), ..Report::default() };
        Self { scenario, program, extent, report, effects: Vec::new() }
    }

    /// All of it.
    pub fn run(mut self) -> Report {
        let start = Instant::now();
        if let Err(what) = self.try_run() {
            self.fail(&what, None, None);
        }
        self.report.seconds = start.elapsed().as_secs_f64();
        self.report
    }

    fn try_run(&mut self) -> Outcome<()> {
        let record = self.recorded(Way::Recorded, Repair::AtOnce, false)?;
        self.check_record(&record)?;
        self.report.instructions = record.steps;
        self.report.states = record.distinct().len() as u64;
        let all = |this: &mut Self| -> Going {
            this.kill_everywhere(&record)?;
            this.complete(&record)?;
            this.stop_somewhere(&record)?;
            this.kill_reapers(&record)
        };
        if all(self).is_ok() {
            self.check_effects()?;
        }
        Ok(())
    }

    fn check_record(&self, record: &Record) -> Outcome<()> {
        let states = record.distinct().len();
        if self.scenario.only_looks() != (states == 1) {
            return Err(format!(
                "{states} states in {} instructions: not what the call is for",
                record.steps
            ));
        }
        Ok(())
    }

    fn recorded(&mut self, victim: Way<'_>, repair: Repair<'_>, beside: bool) -> Outcome<Record> {
        let plan = Plan { number: 0, victim, beside, goes_on: false, repair };
        let played = self.ask(&plan)?;
        self.count(&plan);
        played.record.ok_or_else(|| "nothing was recorded".to_owned())
    }

    /// Plays a round in a process of its own.
    fn ask(&self, plan: &Plan<'_>) -> Outcome<Played> {
        let start = Instant::now();
        let answer = ask(self.scenario, plan, self.program);
        if std::env::var_os("SWEEP_DEBUG").is_some() {
            eprintln!("{:7.1} ms {plan}", start.elapsed().as_secs_f64() * 1e3);
        }
        answer
    }

    fn count(&mut self, plan: &Plan<'_>) {
        self.report.rounds += 1;
        self.report.stops += u64::from(plan.goes_on);
        let dies = !plan.goes_on && !matches!(plan.victim, Way::Whole | Way::Recorded);
        self.report.kills += u64::from(dies) + u64::from(matches!(plan.repair, Repair::ByOneThatDies(_)));
    }

    fn fail(&mut self, what: &str, step: Option<u64>, reaper_step: Option<u64>) {
        let mut line = format!("cargo xtask kill-sweep --scenario {}", self.report.name);
        for (option, value) in [("step", step), ("reaper-step", reaper_step)] {
            line += &value.map_or(String::new(), |value| format!(" --{option} {value}"));
        }
        // Short enough for one write to a pipe, with others of its kind.
        let what: String = what.chars().take(900).collect();
        self.report.failures.push(format!("{}: {what}\n    repeat: {line}", self.report.name));
    }

    /// Plays a round that must go well; the effect of it, if it went so.
    fn play(
        &mut self,
        plan: &Plan<'_>,
        wanted: [Option<u64>; 2],
        step: u64,
        reaper_step: Option<u64>,
    ) -> Result<Option<bool>, Enough> {
        self.count(plan);
        match self.ask(plan) {
            Ok(played) => {
                let reached = [played.states[1], played.states[2]];
                let strays =
                    reached.iter().zip(wanted).any(|(state, wanted)| wanted.is_some_and(|w| w != *state));
                self.report.strays += u64::from(strays);
                Ok(played.effect)
            }
            Err(what) => {
                self.fail(&format!("{plan}: {what}"), Some(step), reaper_step);
                if self.report.failures.len() < self.extent.failures { Ok(None) } else { Err(Enough) }
            }
        }
    }

    /// The way to a moment: on foot where it is short, or where words alone would not do.
    fn way<'r>(&self, record: &'r Record, at: usize, number: usize) -> Way<'r> {
        let step = record.moments[at].step;
        let walks =
            step <= WALK || !record.is_words_alone(at) || number.is_multiple_of(self.extent.walk_one_of);
        if walks { Way::Steps(step) } else { Way::Words(&record.moments[..=at]) }
    }

    fn kill_everywhere(&mut self, record: &Record) -> Going {
        let situations = record.situations();
        let distinct = record.distinct();
        let inside: Vec<usize> =
            distinct.into_iter().filter(|at| situations.binary_search(at).is_err()).collect();
        for (number, at) in situations.iter().enumerate() {
            // One of these is walked, however far.
            for (turn, (leases, at_once)) in LOOKS.into_iter().enumerate() {
                self.kill_at(record, *at, turn, leases, at_once, false)?;
            }
            if self.scenario.has_beside() {
                self.kill_at(record, *at, number + 1, 2 * (number as u64 % 2), number % 4 < 2, true)?;
            }
        }
        for (number, at) in sample(&inside, self.extent.copying).into_iter().enumerate() {
            let (leases, at_once) = LOOKS[number % 4];
            self.kill_at(record, at, number, leases, at_once, false)?;
        }
        self.kill_between(record)
    }

    /// Whatever the state there: each instruction of a short call, a sample of a long one.
    fn kill_between(&mut self, record: &Record) -> Going {
        let each = record.steps <= self.extent.whole;
        // They are walked to half of it, on average.
        let most = self.extent.between.min(2 * (self.extent.between_walk / record.steps.max(1)).max(1));
        let every = if each { 1 } else { record.steps.div_ceil(most) };
        for (number, step) in (every / 2..record.steps).step_by(every as usize).enumerate() {
            let (leases, at_once) = LOOKS[number % 4];
            // Who needs it may wait for what is not there: a little, but not for each of so many.
            let plan = self.plan(leases, Way::Steps(step), at_once || each);
            let effect = self.play(&plan, [record.state_at(step), None], step, None)?;
            self.effects.extend(effect.map(|effect| (step, effect)));
        }
        Ok(())
    }

    fn plan<'p>(&self, number: u64, victim: Way<'p>, at_once: bool) -> Plan<'p> {
        let repair = if at_once { Repair::AtOnce } else { Repair::WhoNeedsIt };
        Plan { number, victim, beside: false, goes_on: false, repair }
    }

    fn kill_at(
        &mut self,
        record: &Record,
        at: usize,
        number: usize,
        leases: u64,
        at_once: bool,
        beside: bool,
    ) -> Going {
        let moment = &record.moments[at];
        let plan = Plan { beside, ..self.plan(leases, self.way(record, at, number), at_once) };
        let effect = self.play(&plan, [Some(moment.state), None], moment.step, None)?;
        // Beside a stopped one others may take what it would have taken.
        self.effects.extend(effect.filter(|_| !beside).map(|effect| (moment.step, effect)));
        Ok(())
    }

    /// Killed when the call has returned: as a program that ends.
    fn complete(&mut self, record: &Record) -> Going {
        for (leases, at_once) in LOOKS {
            let plan = self.plan(leases, Way::Whole, at_once);
            let effect = self.play(&plan, [record.state_at(record.steps), None], record.steps, None)?;
            self.effects.extend(effect.map(|effect| (record.steps + 1, effect)));
        }
        Ok(())
    }

    /// Stopped, not killed: nothing is taken of it, and it goes on to the end.
    fn stop_somewhere(&mut self, record: &Record) -> Going {
        for (number, at) in sample(&record.situations(), self.extent.stops).into_iter().enumerate() {
            let moment = &record.moments[at];
            let plan = Plan {
                goes_on: true,
                beside: true,
                ..self.plan(2 * (number as u64 % 2), Way::Steps(moment.step), true)
            };
            self.play(&plan, [Some(moment.state), None], moment.step, None)?;
        }
        Ok(())
    }

    fn kill_reapers(&mut self, record: &Record) -> Going {
        for (number, at) in sample(&record.situations(), self.extent.reapers).into_iter().enumerate() {
            let victim = self.way(record, at, number);
            // By turns, others have gone past the dead before the repair.
            let beside = self.scenario.has_beside() && number % 2 == 1;
            let repair = match self.recorded(victim, Repair::ByOneThatDies(Way::Recorded), beside) {
                Ok(repair) => repair,
                Err(what) => {
                    self.fail(&what, Some(record.moments[at].step), None);
                    return Err(Enough);
                }
            };
            self.kill_reaper_everywhere(record, at, victim, &repair, beside)?;
        }
        Ok(())
    }

    /// The victim died at this moment; whoever repairs dies at each of its own.
    fn kill_reaper_everywhere(
        &mut self,
        record: &Record,
        at: usize,
        victim: Way<'_>,
        repair: &Record,
        beside: bool,
    ) -> Going {
        let distinct = repair.distinct();
        self.report.repair_instructions += repair.steps;
        self.report.repair_states += distinct.len() as u64;
        let moments = distinct
            .into_iter()
            .enumerate()
            .map(|(number, moment)| (repair.moments[moment].step, self.way(repair, moment, number + 1)));
        let between = (1..).map(|i| i * self.extent.reaper_every.min(repair.steps + 1));
        let between = between.take_while(|step| *step < repair.steps).map(|step| (step, Way::Steps(step)));
        let places: Vec<_> = moments.chain(between).collect();
        let step = record.moments[at].step;
        for (number, (reaper_step, way)) in places.into_iter().enumerate() {
            let dies = Repair::ByOneThatDies(way);
            let plan = Plan { repair: dies, beside, ..self.plan(2 * (number as u64 % 2), victim, true) };
            let wanted = [Some(record.moments[at].state), repair.state_at(reaper_step)];
            let effect = self.play(&plan, wanted, step, Some(reaper_step))?;
            self.effects.extend(effect.filter(|_| !beside).map(|effect| (step, effect)));
        }
        Ok(())
    }

    /// No before, yes after, one change between; whoever repairs, and how.
    fn check_effects(&mut self) -> Outcome<()> {
        self.effects.sort_unstable();
        self.effects.dedup();
        let Some(((_, first), (_, last))) = self.effects.first().zip(self.effects.last()) else {
            return Ok(());
        };
        if *first || !*last {
            return Err(format!("effect at the first instruction: {first}; of the completed call: {last}"));
        }
        if let Some(turned) = self.effects.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("at instruction {} it takes effect, or not, as it happens", turned[0].0));
        }
        match self.effects.windows(2).find(|pair| pair[0].1 && !pair[1].1) {
            Some(pair) => {
                Err(format!("effect after {} instructions, and none after {}", pair[0].0, pair[1].0))
            }
            None => Ok(()),
        }
    }
}

/// Plays a round in a process of its own.
pub fn ask(scenario: &dyn Scenario, plan: &Plan<'_>, program: &Program) -> Outcome<Played> {
    let helper = Helper::start(|pipe| {
        heap::begin_round();
        watchdog(WATCHDOG);
        let answer = scenario.play(plan, program);
        serde_json::to_writer(pipe, &answer).expect("the pipe takes the answer");
    });
    let bytes = helper.map_err(|error| format!("a process for the round: {error}"))?.finish()?;
    serde_json::from_slice(&bytes).map_err(|error| format!("the answer of a round: {error}"))?
}

/// `count` of them, spread evenly, with the first and the last; all if there are not more.
fn sample(all: &[usize], count: usize) -> Vec<usize> {
    if all.len() <= count {
        return all.to_vec();
    }
    if count < 2 {
        // One alone is best in the middle of things.
        return all.get(all.len() / 2).copied().into_iter().take(count).collect();
    }
    (0..count).map(|i| all[i * (all.len() - 1) / (count - 1)]).collect()
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |way: Way<'_>| match way {
            Way::Steps(steps) => format!("at instruction {steps}"),
            Way::Words(moments) => {
                let step = moments.last().map_or(0, |moment| moment.step);
                format!("at instruction {step} (its words written, not walked)")
            }
            Way::Recorded | Way::Whole => "at the end".to_owned(),
        };
        let done = if self.goes_on { "stopped" } else { "killed" };
        let beside = if self.beside { ", others beside it" } else { "" };
        let repair = match self.repair {
            Repair::AtOnce => "repaired at once".to_owned(),
            Repair::WhoNeedsIt => "repaired by who needs it".to_owned(),
            Repair::ByOneThatDies(reaper) => format!("its reaper killed {}", way(reaper)),
        };
        let taken = if self.number % 4 < 2 { "leases" } else { "values" };
        write!(f, "{done} {}{beside}, {repair}, the rest taken as {taken}", way(self.victim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_both_ends() {
        let all: Vec<usize> = (10..20).collect();
        assert_eq!(sample(&all, 3), [10, 14, 19]);
        assert_eq!(sample(&all, 10), all);
        assert_eq!(sample(&all, 1), [15]);
        assert_eq!(sample(&all, 0), [0; 0]);
    }
}
