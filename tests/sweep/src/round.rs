//! One victim, and what follows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use processing::region::Region;
use processing::testing::Ticket;
use processing::{Message, Queue, testing};
use processing_kill_tests::board::Board;
use processing_kill_tests::seen::Seen;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

use crate::case::{Case, Stage};
use crate::os::{Mark, Stop, Tracee};
use crate::program::Program;
use crate::record::{Moment, Record};
use crate::watch::Watch;

/// How a process comes to where it is killed.
#[derive(Clone, Copy, Debug)]
pub enum Way<'a> {
    /// By so many instructions.
    Steps(u64),
    /// Not at all: the region is made to be what it was at the last of these moments of another run.
    Words(&'a [Moment]),
    /// Through the whole call, written down.
    Recorded,
    /// Through the whole call.
    Whole,
}

/// Who looks after the dead.
#[derive(Clone, Copy, Debug)]
pub enum Repair<'a> {
    /// The survivor, at once, as a parent that joins its child.
    AtOnce,
    /// Whoever is blocked, or nobody before the final look.
    WhoNeedsIt,
    /// A process that dies of it; then the survivor.
    ByOneThatDies(Way<'a>),
}

/// How a round is played.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    pub number: u64,
    pub victim: Way<'a>,
    /// While the victim stands still, the survivor goes on with its own.
    pub beside: bool,
    /// Then the victim goes on, too, and is not killed.
    pub goes_on: bool,
    pub repair: Repair<'a>,
}

/// What came of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Played {
    /// Before the first instruction, where the victim died, and where the reaper did.
    pub states: [u64; 3],
    pub effect: Option<bool>,
    /// Of the victim, or of the reaper.
    pub record: Option<Record>,
}

/// A scenario of any types.
pub trait Scenario {
    fn name(&self) -> &str;
    fn has_beside(&self) -> bool;
    fn only_looks(&self) -> bool;
    /// Plays one round in this process, which is good for no other afterwards.
    fn play(&self, plan: &Plan<'_>, program: &Program) -> Outcome<Played>;
}

impl<S, A: Message> Scenario for Case<S, A> {
    fn name(&self) -> &str {
        &self.name
    }

    fn has_beside(&self) -> bool {
        self.beside.is_some()
    }

    fn only_looks(&self) -> bool {
        self.only_looks
    }

    fn play(&self, plan: &Plan<'_>, program: &Program) -> Outcome<Played> {
        let world = World::new()?;
        let before = world.snapshot()?;
        let played = Round::start(self, &world, program)?.play(plan, program)?;
        let after = world.snapshot()?;
        if !before.is_like(&after) {
            return Err(format!("something changed\n    before {before:?}\n    after  {after:?}"));
        }
        Ok(played)
    }
}

/// Everybody stands at the begin.
struct Round<'a, S, A: Message> {
    case: &'a Case<S, A>,
    world: &'a World,
    region: Arc<Region>,
    board: Board,
    state: S,
    tickets: (Ticket<A>, Ticket<Queue<u64>>),
    victim: Tracee,
    /// Takes part from the begin, so that nobody who joins later repairs on the way.
    reaper: Tracee,
    watch: Watch,
}

impl<'a, S, A: Message> Round<'a, S, A> {
    fn start(case: &'a Case<S, A>, world: &'a World, program: &Program) -> Outcome<Self> {
        let board = Board::new();
        let stage = Stage { board };
        let (state, arguments) = (case.setup)(world)?;
        let mut ticket = Ticket::issue(arguments, "victim").map_err(words("packing"))?;
        let mut other = Ticket::issue(world.anchor.clone(), "reaper").map_err(words("packing"))?;
        let reaper = Tracee::start(program, || {
            let _anchor = other.board().expect("the reaper takes its arguments");
            let here = testing::arena_here(&world.arena).expect("attached");
            stage.begin();
            testing::sweep(&here).expect("a participant sweeps");
            stage.end();
        })?;
        let victim = Tracee::start(program, || {
            let arguments = ticket.board().expect("the victim takes its arguments");
            (case.act)(arguments, &stage, world);
        })?;
        let region = testing::region(&world.arena).map_err(words("region"))?;
        let watch = Watch::new(region.clone(), [std::process::id(), victim.pid(), reaper.pid()])?;
        Ok(Self { case, world, region, board, state, tickets: (ticket, other), victim, reaper, watch })
    }

    fn play(mut self, plan: &Plan<'_>, program: &Program) -> Outcome<Played> {
        let begin = self.watch.state();
        let mut record = go(&mut self.victim, &mut self.watch, plan.victim, program)?;
        let died_at = self.watch.state();
        if plan.beside
            && let Some(beside) = &self.case.beside
        {
            beside(&mut self.state)?;
        }
        if plan.goes_on {
            self.takes_nothing()?;
        }
        let completed = plan.goes_on || matches!(plan.victim, Way::Whole | Way::Recorded);
        if completed {
            self.complete(plan.goes_on)?
        } else {
            self.victim.kill()?
        };
        let more = self.look_after(plan.repair, program)?;
        let repaired_at = self.watch.state();
        record = record.or(more);
        let Self { case, world, board, state, mut tickets, victim, mut reaper, .. } = self;
        let unswept = matches!(plan.repair, Repair::WhoNeedsIt);
        let seen = Seen { k: plan.number, completed, stopped: plan.goes_on, unswept, board };
        let effect = (case.check)(state, seen)?;
        drop(victim);
        tickets.0.over();
        // It stood by all the time; now it goes, too.
        if !matches!(plan.repair, Repair::ByOneThatDies(_)) {
            reaper.kill()?;
        }
        tickets.1.over();
        testing::sweep(&world.arena).map_err(words("sweep"))?;
        Ok(Played { states: [begin, died_at, repaired_at], effect, record })
    }

    /// The call is over, or goes on to its end; then the victim says what it got, and ends without clearing up.
    fn complete(&mut self, from_the_middle: bool) -> Outcome<()> {
        if from_the_middle {
            expect(self.victim.run()?, Stop::At(Mark::End))?;
        }
        expect(self.victim.run()?, Stop::Exited(0))
    }

    /// It is stopped, and so alive: a look for the dead finds nobody.
    fn takes_nothing(&self) -> Outcome<()> {
        let present = || -> Vec<_> {
            let own = self.region.participants().filter(|p| p.pid == self.victim.pid());
            own.map(|p| (p.id, p.incarnation, p.state)).collect()
        };
        let before = present();
        testing::sweep(&self.world.arena).map_err(words("sweep"))?;
        let after = present();
        if before.len() != 1 || before != after {
            return Err(format!("the stopped process lost its place: {before:?} became {after:?}"));
        }
        Ok(())
    }

    fn look_after(&mut self, repair: Repair<'_>, program: &Program) -> Outcome<Option<Record>> {
        match repair {
            Repair::AtOnce => self.tickets.0.over(),
            Repair::WhoNeedsIt => self.tickets.0.withdraw(),
            Repair::ByOneThatDies(way) => {
                // What others did beside the victim is no change of the reaper's.
                self.watch.look()?;
                let record = go(&mut self.reaper, &mut self.watch, way, program)?;
                self.reaper.kill()?;
                self.tickets.1.withdraw();
                self.tickets.0.over();
                testing::sweep(&self.world.arena).map_err(words("sweep"))?;
                return Ok(record);
            }
        }
        Ok(None)
    }
}

fn expect(stop: Stop, wanted: Stop) -> Outcome<()> {
    if stop == wanted { Ok(()) } else { Err(format!("it should be {wanted:?}, and is {stop:?}")) }
}

/// Brings a process that stands at its begin to where it is wanted, and looks at the region there.
fn go(tracee: &mut Tracee, watch: &mut Watch, way: Way<'_>, program: &Program) -> Outcome<Option<Record>> {
    match way {
        Way::Recorded => return Record::take(tracee, watch, program).map(Some),
        Way::Whole => expect(tracee.run()?, Stop::At(Mark::End))?,
        Way::Steps(steps) => {
            for step in 0..steps {
                match tracee.step()? {
                    Stop::Stepped => {}
                    // Faster than the recorded one: it dies at the end, then.
                    Stop::At(Mark::End) => break,
                    stop => return Err(format!("after {step} of {steps} instructions it is {stop:?}")),
                }
            }
        }
        Way::Words(moments) => match moments.split_first() {
            Some((begin, later)) if begin.state == watch.state() => {
                later.iter().for_each(|moment| watch.replay(&moment.changes));
            }
            // Another begin than the recorded one: there only a walk is true.
            _ => {
                let steps = moments.last().map_or(0, |moment| moment.step);
                return go(tracee, watch, Way::Steps(steps), program);
            }
        },
    }
    watch.look()?;
    Ok(None)
}
