//! One victim, and what follows.

use processing::Message;
use processing::sync::kill;
use processing::testing::{self, Ticket};

use crate::board::Board;
use crate::case::{Case, DONE, Fate, POINTS, Seen, Trigger};
use crate::child::{Child, End};
use crate::world::World;
use crate::{Outcome, words};

/// Who looks after the dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The survivor, at once, as a parent that joins its child.
    AtOnce,
    /// Whoever is blocked, or nobody before the final look.
    WhoNeedsIt,
    /// A process that dies before its j-th operation; then the survivor.
    ByOneThatDiesAt(u64),
}

/// How a round is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub fate: Fate,
    pub repair: Repair,
}

/// What came of a round.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    /// The victim got through; its shared operations.
    pub completed: Option<u64>,
    pub effect: Option<bool>,
    /// The reaper got through.
    pub repaired: bool,
}

/// Plays one round, and compares what is there before and after.
pub fn play<S, A: Message>(world: &World, case: &Case<S, A>, plan: Plan, board: Board) -> Outcome<Played> {
    let before = world.snapshot()?;
    let played = play_inside(world, case, plan, board)?;
    let after = world.snapshot()?;
    if !before.is_like(&after) {
        return Err(format!("something changed\n    before {before:?}\n    after  {after:?}"));
    }
    Ok(played)
}

fn play_inside<S, A: Message>(world: &World, case: &Case<S, A>, plan: Plan, board: Board) -> Outcome<Played> {
    board.clear();
    let (mut state, arguments) = (case.setup)(world)?;
    let mut ticket = Ticket::issue(arguments, "victim").map_err(words("packing"))?;
    let trigger = Trigger { fate: plan.fate, board };
    let mut victim = Child::fork(|| {
        (case.act)(&mut ticket, &trigger, world);
        trigger.release();
    });
    let stops = matches!(plan.fate, Fate::StopsAt(_));
    let stopped = if let Some(during) = &case.during {
        // The survivor is busy with its own part: another makes the stopped one go on.
        let helper = stops.then(|| Child::fork(|| victim.wake_when_stopped()));
        during(&mut state, &victim)?;
        helper.map_or(Ok(End::Code(0)), |mut helper| helper.wait())?;
        stops
    } else {
        stops && hold(world, case, &mut state, &mut victim)?
    };
    let end = victim.wait()?;
    let completed = board.get(DONE) != 0;
    if !(end == End::Code(0) && completed || end.is_killed() && matches!(plan.fate, Fate::DiesAt(_))) {
        return Err(format!("the victim ended with {end:?}"));
    }
    let repaired = look_after(world, &mut ticket, plan.repair)?;
    // What the dead one left half done may wait for the next owner of a lock: until then, too, all that is led to is there, and nothing is lost.
    if case.rests && plan.repair != Repair::WhoNeedsIt {
        let fsck = world.arena.fsck().map_err(words("fsck"))?;
        if !fsck.is_clean() {
            return Err(format!("fsck after the death: {fsck}"));
        }
    }
    let k = match plan.fate {
        Fate::DiesAt(k) | Fate::StopsAt(k) => k,
        Fate::Lives => u64::MAX,
    };
    let unswept = plan.repair == Repair::WhoNeedsIt;
    let seen = Seen { k, completed, stopped, unswept, board };
    let effect = (case.check)(state, seen)?;
    ticket.over();
    Ok(Played { completed: completed.then(|| board.get(POINTS)), effect, repaired })
}

/// The victim is stopped: nothing of it is taken, and others come to no harm. False: it was through before.
fn hold<S, A: Message>(world: &World, case: &Case<S, A>, state: &mut S, victim: &mut Child) -> Outcome<bool> {
    if victim.wait_or_stop()? != End::Stopped {
        return Ok(false);
    }
    let pid = victim.pid() as u32;
    // Nobody, while it has not joined yet.
    let present = || -> Outcome<Vec<_>> {
        let region = testing::region(&world.arena).map_err(words("region"))?;
        let own = region.participants().filter(|p| p.pid == pid);
        Ok(own.map(|p| (p.id, p.incarnation, p.state)).collect())
    };
    let before = present()?;
    testing::sweep(&world.arena).map_err(words("sweep"))?;
    if before != present()? {
        return Err(format!("the stopped process lost its place: {before:?} became {:?}", present()?));
    }
    if let Some(meanwhile) = &case.meanwhile {
        meanwhile(state)?;
    }
    victim.signal(libc::SIGCONT);
    Ok(true)
}

fn look_after<A: Message>(world: &World, ticket: &mut Ticket<A>, repair: Repair) -> Outcome<bool> {
    match repair {
        Repair::AtOnce => ticket.over(),
        Repair::WhoNeedsIt => ticket.withdraw(),
        Repair::ByOneThatDiesAt(j) => {
            let mut other = Ticket::issue(world.anchor.clone(), "reaper").map_err(words("packing"))?;
            let mut reaper = Child::fork(|| {
                let _anchor = other.board().expect("the reaper takes its arguments");
                let here = testing::arena_here(&world.arena).expect("attached");
                kill::arm(j);
                testing::sweep(&here).expect("a participant sweeps");
                kill::disarm();
            });
            let end = reaper.wait()?;
            other.withdraw();
            ticket.over();
            testing::sweep(&world.arena).map_err(words("sweep"))?;
            return match end {
                End::Code(0) => Ok(true),
                end if end.is_killed() => Ok(false),
                end => Err(format!("the reaper ended with {end:?}")),
            };
        }
    }
    Ok(true)
}
