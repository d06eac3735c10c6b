//! The robust lock under every interleaving of its steps: contenders that come, bargers among them, sleep, run out of time,
//! are killed and stopped anywhere; a reaper that is killed, a helper that may be late for ever; ids used again by
//! the next incarnation. There is no backstop: what a sleeper would find at one is a failure here.
//!
//! The words and their steps are the library's own (`LockWord`, with the faults seeded there). What is mirrored by hand, one
//! shared operation a step, is the order of the steps in `prim::lock::RawLock` (`take`, `release_slow`, `recover`, `poison`, `repair`),
//! the kernel's queue, and the participant table as far as a lock asks it. Weak memory is left out: `lock_loom` has it.
#![cfg(not(loom))]

use processing::layout::ParticipantId;
use processing::layout::lock::{LockState, LockWord, WAITERS};
use processing::sync::mutant;
use processing_loom_tests::{Model, deep, explore};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    Fast,
    Look,
    /// A compare-and-swap from the word that was seen.
    Take,
    Inherit,
    Mark,
    /// The kernel compares, and puts to sleep.
    Sleep,
    Asleep,
    /// It has the lock.
    Inside,
    Recover,
    Poison,
    Release,
    ReleaseLook,
    ReleasePlain,
    StoreAndWake,
    /// As two steps: the fault `lock.wake_after_release`.
    WakeLate,
    Reclaim,
    Probe,
    MarkAgain,
    PoisonWake,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Contender {
    at: At,
    seen: LockWord,
    slept: bool,
    /// It was woken, and has not had its turn since.
    woken: bool,
    heir: bool,
    left: u8,
    alive: bool,
    stopped: bool,
    incarnation: u32,
}

/// Who repairs after a death.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Repairing {
    Idle,
    Load,
    Still,
    Change,
    Wake,
    Free,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Repairer {
    at: Repairing,
    dead: usize,
    incarnation: u32,
    seen: LockWord,
}

const IDLE: Repairer = Repairer { at: Repairing::Idle, dead: 0, incarnation: 0, seen: LockWord::FREE };
const REAPER: usize = 0;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    word: LockWord,
    contenders: Vec<Contender>,
    /// The reaper, which frees slots and may be killed, and a helper.
    repairers: [Repairer; 2],
    /// Owners that died with the lock, of whom nobody was told.
    untold: u8,
    kills: u8,
    stops: u8,
    timeouts: u8,
    respawns: u8,
    reaper_kills: u8,
    wrong: Option<&'static str>,
}

struct Lock {
    /// Nobody repairs, and only owners are killed: heirs come by asking alone.
    no_reaper: bool,
    helper: bool,
    heirs_give_up: bool,
}

fn owned(who: usize, incarnation: u32) -> LockWord {
    let incarnation = if mutant::on("lock.no_incarnation") { 0 } else { incarnation };
    // Threads of different processes may have the same number (in namespaces of their own).
    LockWord::owned(who as ParticipantId + 1, incarnation).by(1)
}

impl State {
    fn new(turns: &[u8]) -> Self {
        let contender = |left: &u8| Contender {
            at: At::Fast,
            seen: LockWord::FREE,
            slept: false,
            woken: false,
            heir: false,
            left: *left,
            alive: true,
            stopped: false,
            incarnation: 0,
        };
        Self {
            word: LockWord::FREE,
            contenders: turns.iter().map(contender).collect(),
            repairers: [IDLE; 2],
            untold: 0,
            kills: 0,
            stops: 0,
            timeouts: 0,
            respawns: 0,
            reaper_kills: 0,
            wrong: None,
        }
    }

    fn me(&self, i: usize) -> LockWord {
        owned(i, self.contenders[i].incarnation)
    }

    /// `region.is_dead` of a tenant: its slot is not its any more, or it has been killed.
    fn is_dead(&self, who: ParticipantId, incarnation: u32) -> bool {
        let tenant = self.contenders[usize::from(who) - 1];
        let is_another = !mutant::on("lock.no_incarnation") && tenant.incarnation != incarnation;
        is_another || !tenant.alive
    }

    fn owner_is_dead(&self) -> bool {
        matches!(self.word.state(), LockState::Owned(who, incarnation) if self.is_dead(who, incarnation))
    }

    fn sleepers(&self) -> impl Iterator<Item = usize> + '_ {
        let is_asleep = |i: &usize| self.contenders[*i].alive && self.contenders[*i].at == At::Asleep;
        (0..self.contenders.len()).filter(is_asleep)
    }

    fn wake(&mut self, i: usize) {
        self.contenders[i].at = At::Look;
        self.contenders[i].woken = true;
    }

    fn wake_all(&mut self) {
        let all: Vec<usize> = self.sleepers().collect();
        all.into_iter().for_each(|i| self.wake(i));
    }

    /// `i` has it now.
    fn enter(&mut self, i: usize, heir: bool) {
        if self.untold > u8::from(heir) || heir && self.untold == 0 {
            self.wrong = Some(if heir { "told of no death" } else { "not told of a death" });
        }
        self.untold = 0;
        let contender = &mut self.contenders[i];
        (contender.heir, contender.woken) = (heir, false);
        contender.at = At::Inside;
    }

    fn leave(&mut self, i: usize) {
        let contender = &mut self.contenders[i];
        (contender.slept, contender.heir, contender.woken) = (false, false, false);
        (contender.seen, contender.left) = (LockWord::FREE, contender.left - 1);
        contender.at = if contender.left > 0 { At::Fast } else { At::Done };
    }

    /// A wake-up of one: a state for each that may be the one, `none` if nobody sleeps.
    fn wake_one(self, none: impl FnOnce(&mut Self), one: impl Fn(&mut Self)) -> Vec<Self> {
        let sleepers: Vec<usize> = self.sleepers().collect();
        if sleepers.is_empty() {
            let mut state = self;
            none(&mut state);
            return vec![state];
        }
        let woken = |i| {
            let mut state = self.clone();
            state.wake(i);
            one(&mut state);
            state
        };
        sleepers.into_iter().map(woken).collect()
    }
}

impl Contender {
    /// Its word says that the lock is its own.
    fn owns(&self) -> bool {
        use At::{
            Inside, MarkAgain, Poison, Probe, Recover, Release, ReleaseLook, ReleasePlain, StoreAndWake,
        };
        matches!(
            self.at,
            Inside
                | Recover
                | Poison
                | Release
                | ReleaseLook
                | ReleasePlain
                | StoreAndWake
                | Probe
                | MarkAgain
        )
    }
}

impl Lock {
    fn step(&self, state: &State, i: usize) -> Vec<State> {
        let mut next = state.clone();
        let (word, me, contender) = (state.word, state.me(i), state.contenders[i]);
        let same = word == contender.seen;
        let mine = &mut next.contenders[i];
        match contender.at {
            At::Fast if word == LockWord::FREE => {
                next.word = me;
                next.enter(i, false);
            }
            At::Fast => mine.at = At::Look,
            At::Look => return self.look(state, i),
            At::Take if same => {
                next.word = word.taken_by(me, contender.slept);
                next.enter(i, false);
            }
            At::Inherit if same => {
                next.word = LockWord::inherited_by(me);
                next.enter(i, true);
            }
            At::Mark if same => {
                next.word = word.with(WAITERS);
                (mine.seen, mine.at) = (next.word, At::Sleep);
            }
            At::Sleep => (mine.at, mine.slept) = (if same { At::Asleep } else { At::Look }, true),
            At::Take | At::Inherit | At::Mark => mine.at = At::Look,
            At::Inside if !contender.heir => mine.at = At::Release,
            At::Inside => {
                mine.at = At::Recover;
                if self.heirs_give_up {
                    let mut other = state.clone();
                    other.contenders[i].at = At::Release;
                    return vec![next, other];
                }
            }
            At::Recover => {
                next.word = LockWord(word.0 & !processing::layout::lock::DIRTY);
                mine.at = At::Release;
            }
            At::Release if word == me => {
                next.word = LockWord::FREE;
                next.leave(i);
            }
            At::Release => mine.at = At::ReleaseLook,
            At::ReleaseLook => {
                mine.at = if word.owner() != me {
                    next.wrong = Some("released by who does not have it");
                    At::Done
                } else if word.is_dirty() {
                    At::Poison
                } else if word.has_waiters() {
                    At::StoreAndWake
                } else {
                    At::ReleasePlain
                };
            }
            At::ReleasePlain if word == me => {
                next.word = LockWord::FREE;
                next.leave(i);
            }
            At::ReleasePlain => mine.at = At::ReleaseLook,
            At::StoreAndWake => {
                next.word = me.freed_by_kernel();
                mine.at = At::WakeLate;
                if !mutant::on("lock.wake_after_release") {
                    return next.wake_one(|s| s.contenders[i].at = At::Reclaim, |s| s.leave(i));
                }
            }
            At::WakeLate => return next.wake_one(|s| s.contenders[i].at = At::Reclaim, |s| s.leave(i)),
            At::Reclaim if word != me.freed_by_kernel() => next.leave(i),
            At::Reclaim if mutant::on("lock.mark_dropped_while_free") => {
                next.word = LockWord::FREE;
                next.leave(i);
            }
            At::Reclaim => {
                next.word = me;
                mine.at = At::Probe;
            }
            At::Probe => {
                let again =
                    if mutant::on("lock.probe_drops_waiters") { At::ReleaseLook } else { At::MarkAgain };
                return next
                    .wake_one(|s| s.contenders[i].at = At::ReleaseLook, |s| s.contenders[i].at = again);
            }
            At::MarkAgain => {
                next.word = word.with(WAITERS);
                mine.at = At::ReleaseLook;
            }
            At::Poison => {
                next.word = LockWord::POISONED;
                mine.at = At::PoisonWake;
            }
            At::PoisonWake => {
                if !mutant::on("lock.poison_wakes_nobody") {
                    next.wake_all();
                }
                next.leave(i);
            }
            At::Asleep | At::Done => return Vec::new(),
        }
        vec![next]
    }

    /// One round of `take`.
    fn look(&self, state: &State, i: usize) -> Vec<State> {
        let mut next = state.clone();
        next.contenders[i].seen = state.word;
        let mut all = Vec::new();
        next.contenders[i].at = match state.word.state() {
            LockState::Free => At::Take,
            LockState::Orphan(_) => At::Inherit,
            LockState::Poison => {
                next.leave(i);
                return vec![next];
            }
            LockState::Owned(who, incarnation) => {
                if state.is_dead(who, incarnation) {
                    // It may ask now, or at the next backstop, which it may not live to see.
                    let mut heir = next.clone();
                    heir.contenders[i].at = At::Inherit;
                    all.push(heir);
                }
                if state.timeouts > 0 {
                    let mut late = next.clone();
                    late.timeouts -= 1;
                    late.leave(i);
                    all.push(late);
                }
                if state.word.has_waiters() { At::Sleep } else { At::Mark }
            }
        };
        all.push(next);
        all
    }

    fn repair(&self, state: &State, r: usize, out: &mut Vec<(String, State)>) {
        let repairer = state.repairers[r];
        let name = if r == REAPER { "reaper" } else { "helper" };
        if repairer.at == Repairing::Idle {
            for (i, dead) in state.contenders.iter().enumerate().filter(|(_, contender)| !contender.alive) {
                // A slot that the reaper has freed is taken again, or stays empty.
                if dead.left > 0 {
                    let mut next = state.clone();
                    next.repairers[r] =
                        Repairer { at: Repairing::Load, dead: i, incarnation: dead.incarnation, ..IDLE };
                    out.push((format!("{name} begins {i}"), next));
                }
            }
            return;
        }
        let mut next = state.clone();
        let dead = state.contenders[repairer.dead];
        let at = match repairer.at {
            Repairing::Idle => return,
            Repairing::Load => {
                next.repairers[r].seen = state.word;
                let names = matches!(state.word.state(), LockState::Owned(who, _) if usize::from(who) == repairer.dead + 1);
                if names { Repairing::Still } else { Repairing::Wake }
            }
            Repairing::Still => {
                let reaping = !dead.alive && dead.left > 0 && dead.incarnation == repairer.incarnation;
                if r == REAPER || reaping || mutant::on("lock.no_second_look") {
                    Repairing::Change
                } else {
                    Repairing::Wake
                }
            }
            Repairing::Change if state.word == repairer.seen => {
                next.word = repairer.seen.orphaned();
                Repairing::Wake
            }
            Repairing::Change => Repairing::Load,
            Repairing::Wake => {
                if !mutant::on("lock.reaper_wakes_nobody") {
                    next.wake_all();
                }
                if r == REAPER { Repairing::Free } else { Repairing::Idle }
            }
            Repairing::Free => {
                next.free(repairer.dead);
                Repairing::Idle
            }
        };
        next.repairers[r] = if at == Repairing::Idle { IDLE } else { Repairer { at, ..next.repairers[r] } };
        out.push((format!("{name} {:?}", repairer.at), next));
    }
}

impl State {
    /// Something happens without a kill or a stop.
    fn moves(&self, reaper: bool) -> bool {
        let runs = |contender: &Contender| {
            contender.alive && !contender.stopped && !matches!(contender.at, At::Asleep | At::Done)
        };
        let is_unburied = |contender: &Contender| reaper && !contender.alive && contender.left > 0;
        self.contenders.iter().any(|contender| runs(contender) || is_unburied(contender))
            || self.repairers.iter().any(|repairer| repairer.at != Repairing::Idle)
    }

    /// The slot is free, and taken again by the next incarnation.
    fn free(&mut self, i: usize) {
        let again = self.respawns > 0;
        self.respawns -= u8::from(again);
        let contender = &mut self.contenders[i];
        *contender =
            Contender { at: At::Done, incarnation: contender.incarnation + 1, left: 0, ..*contender };
        (contender.slept, contender.woken, contender.heir) = (false, false, false);
        contender.seen = LockWord::FREE;
        if again {
            (contender.at, contender.left, contender.alive) = (At::Fast, 1, true);
        }
    }

    fn kill(&mut self, i: usize) {
        self.kills -= 1;
        let me = self.me(i);
        self.untold += u8::from(self.word.owner() == me);
        let contender = &mut self.contenders[i];
        (contender.alive, contender.at, contender.seen) = (false, At::Done, LockWord::FREE);
        (contender.slept, contender.woken, contender.heir) = (false, false, false);
        contender.left = 1;
    }

    fn stop(&mut self, i: usize) {
        self.stops -= 1;
        self.contenders[i].stopped = true;
        if self.contenders[i].at == At::Asleep {
            // The kernel takes it from the queue; the call starts anew when it goes on.
            self.contenders[i].at = At::Sleep;
        }
    }
}

impl Model for Lock {
    type State = State;

    fn next(&self, state: &State, steps: &mut Vec<(String, State)>) {
        for (i, contender) in state.contenders.iter().enumerate() {
            if !contender.alive || contender.stopped || contender.at == At::Done {
                continue;
            }
            let label = |what: &str| format!("{i} {what}{:?}", contender.at);
            steps.extend(self.step(state, i).into_iter().map(|next| (label(""), next)));
            if state.kills > 0 && (contender.owns() || !self.no_reaper) {
                let mut next = state.clone();
                next.kill(i);
                steps.push((label("KILLED at "), next));
            }
            if state.stops > 0 {
                let mut next = state.clone();
                next.stop(i);
                steps.push((label("STOPPED at "), next));
            }
        }
        if !self.no_reaper {
            self.repair(state, REAPER, steps);
        }
        if self.helper {
            self.repair(state, 1, steps);
        }
        if state.reaper_kills > 0 && state.repairers[REAPER].at != Repairing::Idle {
            let mut next = state.clone();
            next.reaper_kills -= 1;
            next.repairers[REAPER] = IDLE; // another one adopts it
            steps.push(("reaper KILLED".into(), next));
        }
    }

    fn bad(&self, state: &State) -> Option<String> {
        if let Some(wrong) = state.wrong {
            return Some(wrong.into());
        }
        let owners = state.contenders.iter().filter(|contender| contender.alive && contender.owns()).count();
        if owners > 1 {
            return Some("two owners".into());
        }
        // Kills and stops that are still possible are no way out.
        (!state.moves(!self.no_reaper)).then(|| self.stranded(state)).flatten()
    }

    fn stuck(&self, _: &State) -> Option<String> {
        None
    }
}

impl Lock {
    /// Somebody sleeps who should not, nothing moves any more.
    fn stranded(&self, state: &State) -> Option<String> {
        state.sleepers().next()?;
        // A stopped one took the wake-up with it, which no protocol can see.
        let lost = state.contenders.iter().any(|contender| {
            contender.alive && contender.stopped && (contender.woken || contender.at == At::PoisonWake)
        });
        let why = match state.word.state() {
            LockState::Owned(..) if !state.owner_is_dead() || self.no_reaper => return None,
            LockState::Owned(..) => "held by the dead",
            LockState::Free => "free",
            LockState::Orphan(_) => "an orphan",
            LockState::Poison => "poisoned",
        };
        (!lost).then(|| format!("asleep while the lock is {why}"))
    }
}

const PLAIN: Lock = Lock { no_reaper: false, helper: false, heirs_give_up: false };

fn check(name: &str, lock: &Lock, start: State) {
    explore(lock, start, 12_000_000).expect_holds(name);
}

#[test]
fn without_deaths() {
    let timeouts = |turns: &[u8], timeouts| State { timeouts, ..State::new(turns) };
    check("three, with timeouts", &PLAIN, timeouts(&[2, 1, 1], 2));
    if deep() {
        check("four", &PLAIN, timeouts(&[1, 1, 1, 1], 1));
    }
}

#[test]
fn one_is_stopped() {
    check("three", &PLAIN, State { stops: 1, ..State::new(&[1, 1, 1]) });
    check("two", &PLAIN, State { stops: 1, ..State::new(&[2, 2]) });
    if deep() {
        check("three, longer", &PLAIN, State { stops: 1, ..State::new(&[2, 1, 1]) });
        check("four", &PLAIN, State { stops: 1, ..State::new(&[1, 1, 1, 1]) });
    }
}

#[test]
fn one_dies() {
    let more = u8::from(deep());
    let start = State { kills: 1, timeouts: more, reaper_kills: more, ..State::new(&[1 + more, 1, 1]) };
    check("three", &PLAIN, start);
    check("two", &PLAIN, State { kills: 1, timeouts: 1, reaper_kills: 1, ..State::new(&[2, 2]) });
}

#[test]
fn two_die() {
    check("three", &PLAIN, State { kills: 2, ..State::new(&[1, 1, 1]) });
}

#[test]
fn one_dies_and_another_is_stopped() {
    check("two", &PLAIN, State { kills: 1, stops: 1, ..State::new(&[2, 1]) });
    if deep() {
        check("three", &PLAIN, State { kills: 1, stops: 1, ..State::new(&[1, 1, 1]) });
    }
}

#[test]
fn an_id_is_used_again() {
    let lock = Lock { helper: true, ..PLAIN };
    let start = State { kills: 1, respawns: 1, reaper_kills: 1, ..State::new(&[1, 1]) };
    check("two and a late helper", &lock, start);
    if deep() {
        check("three", &PLAIN, State { kills: 1, respawns: 1, ..State::new(&[1, 1, 1]) });
    }
}

#[test]
fn heirs_that_give_up() {
    let lock = Lock { heirs_give_up: true, ..PLAIN };
    check("three", &lock, State { kills: 1, ..State::new(&[1, 1, 1]) });
    if deep() {
        check("three, longer", &lock, State { kills: 1, ..State::new(&[2, 1, 1]) });
        check("two deaths", &lock, State { kills: 2, stops: 1, ..State::new(&[1, 1, 1]) });
    }
}

/// The mark of the sleepers outlives their owners without any reaper's wake-up.
#[test]
fn heirs_keep_the_mark() {
    let lock = Lock { no_reaper: true, ..PLAIN };
    check("three", &lock, State { kills: 1, timeouts: 1, ..State::new(&[1, 1, 1]) });
    if deep() {
        check("two deaths", &lock, State { kills: 2, ..State::new(&[2, 1, 1]) });
    }
}

/// From the middle: the first has released, woke nobody, and has not taken the lock back; a second comes in between, for
/// which two others go to sleep.
#[test]
fn a_late_releaser_takes_back() {
    let mut start = State { timeouts: 1, ..State::new(&[1, 2, 1, 1]) };
    start.word = LockWord::FREE_AND_WAITERS;
    start.contenders[0].at = At::Reclaim;
    check("four", &PLAIN, start);
}

/// From the middle: the first has taken the lock back, after a second one came and went, whose release woke one of three
/// sleepers, which then ran out of time. Two sleep without a mark.
#[test]
fn a_late_releaser_wakes_again() {
    let mut start = State { timeouts: 1, ..State::new(&[1, 1, 1, 1]) };
    start.word = start.me(0);
    start.contenders[0].at = At::Probe;
    for sleeper in &mut start.contenders[1..3] {
        (sleeper.at, sleeper.slept) = (At::Asleep, true);
    }
    check("four", &PLAIN, start);
}
