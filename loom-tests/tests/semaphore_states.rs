//! The semaphore under every interleaving of its steps: three clients, each with a lane, and a reaper; kills of clients and
//! of the reaper, ids and lanes used again, waits with a deadline. Words and decisions are the library's own (`SemaphoreWord`,
//! `LaneWord`, `prim::semaphore::step`); the order of the steps is the protocol's, written down here a second time, one
//! shared operation a step.
//!
//! What is left out: weak memory (the loom model has it), the claiming of lanes, and more than three clients. The event
//! count is one step each for "announce", "sleep if nothing changed" and "wake".
#![cfg(not(loom))]

use processing::layout::semaphore::{LaneOp, LaneWord, SemaphoreWord, VALUE_MAX};
use processing::prim::semaphore::step;
use processing_loom_tests::{Model, deep, explore};

const CLIENTS: usize = 3;

/// What a client does, a letter each: `a` acquire, `t` acquire with a deadline, `r` give back, `g` give, `f` forget.
type Script = &'static str;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    /// Between two operations; of an acquire, at its first look.
    Start,
    Intent,
    Load,
    Look,
    Validate(LaneWord),
    Help(LaneWord),
    Change,
    /// An acquire whose change failed, and which finds nothing.
    Withdraw,
    Finish,
    Announce,
    SecondLook,
    Sleep,
    Asleep,
    Woken,
    Notify,
    Wake,
    Unmark,
    Left,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Client {
    at: At,
    script: Script,
    seen: SemaphoreWord,
    intent: LaneWord,
    /// The event word is as it was when this one announced itself (or, of a notifier, when it counted).
    unchanged: bool,
    /// The deadline has passed.
    late: bool,
    alive: bool,
    reaped: bool,
    lives: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Reaping {
    Load,
    Lane,
    Settle(LaneWord),
    Intent(LaneWord),
    LoadAgain,
    Look,
    Validate(LaneWord),
    Help(LaneWord),
    Change,
    Finish,
    WakeAll,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Reaper {
    at: Reaping,
    dead: usize,
    seen: SemaphoreWord,
    intent: LaneWord,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    word: SemaphoreWord,
    lanes: [LaneWord; CLIENTS],
    /// WAITERS of the event word.
    marked: bool,
    clients: [Client; CLIENTS],
    reaper: Option<Reaper>,
    kills: u8,
    reaper_kills: u8,
    /// Permits that exist.
    total: i64,
}

struct Protocol {
    /// What a process does that comes in place of a dead one.
    next_life: Script,
}

type Steps = Vec<(String, State)>;

/// The number of a client's lane.
fn number(client: usize) -> u32 {
    client as u32 + 1
}

impl State {
    /// The event word changes.
    fn count(&mut self) {
        self.clients.iter_mut().for_each(|client| client.unchanged = false);
    }

    /// The lane that `other` names.
    fn lane(&mut self, other: u32) -> &mut LaneWord {
        &mut self.lanes[other as usize - 1]
    }
}

impl Client {
    fn op(&self) -> Option<char> {
        self.script.chars().next()
    }

    /// The stamp that its changes leave.
    fn stamp(&self, me: u32) -> u32 {
        if self.op() == Some('g') { 0 } else { me }
    }

    fn rest(&mut self, at: At) {
        (self.at, self.seen, self.intent) = (at, SemaphoreWord(0), LaneWord(0));
        self.unchanged = false;
    }

    fn next_operation(&mut self) {
        self.rest(At::Start);
        self.script = &self.script[1..];
        self.late = false;
    }
}

impl Protocol {
    fn client(&self, state: &State, who: usize, out: &mut Steps) {
        let (client, me) = (state.clients[who], number(who));
        let mut emit = |what: &str, change: &dyn Fn(&mut State, &mut Client)| {
            let mut next = state.clone();
            let mut it = client;
            change(&mut next, &mut it);
            next.clients[who] = it;
            out.push((format!("{me}:{what}"), next));
        };
        if !client.alive {
            if client.reaped && client.lives > 0 {
                emit("comes anew", &|next, it| {
                    *it = new(self.next_life, it.lives - 1);
                    next.lanes[who] = next.lanes[who].inherited();
                });
            }
            return;
        }
        if client.at == At::Left {
            return;
        }
        if state.kills > 0 {
            emit("KILLED", &|next, it| {
                next.kills -= 1;
                *it = Client { alive: false, ..new("", it.lives) };
            });
        }
        match client.at {
            At::Start => match client.op() {
                None => emit("exits", &|_, it| it.rest(At::Left)),
                Some('a' | 't') => emit("look", &|next, it| {
                    if next.word.value() > 0 {
                        (it.seen, it.at) = (next.word, At::Intent);
                    } else {
                        it.rest(if it.late { At::Left } else { At::Announce });
                    }
                }),
                Some('f') => emit("forget", &|next, it| {
                    next.lanes[who] = next.lanes[who].forgotten();
                    next.total -= 1;
                    it.next_operation();
                }),
                Some('r') => emit("intent R", &|next, it| {
                    it.intent = next.lanes[who].intends(LaneOp::Release);
                    (next.lanes[who], it.at) = (it.intent, At::Load);
                }),
                _ => emit("give", &|_, it| it.at = At::Load),
            },
            At::Intent => emit("intent A", &|next, it| {
                it.intent = next.lanes[who].intends(LaneOp::Acquire);
                (next.lanes[who], it.at) = (it.intent, At::Look);
            }),
            At::Load => emit("load", &|next, it| (it.seen, it.at) = (next.word, At::Look)),
            At::Look => emit("whose stamp", &|next, it| {
                let other = step::others_stamp(it.seen, it.stamp(me));
                let pending = other
                    .map(|other| *next.lane(other))
                    .filter(|word| other.is_some_and(|other| step::helped(it.seen, other, *word).is_some()));
                it.at = pending.map_or(At::Change, At::Validate);
            }),
            At::Validate(word) => emit("still there", &|next, it| {
                it.at = if next.word == it.seen { At::Help(word) } else { At::Change };
            }),
            At::Help(word) => emit("help", &|next, it| {
                let other = it.seen.lane();
                if *next.lane(other) == word {
                    *next.lane(other) = word.finished();
                }
                it.at = At::Change;
            }),
            At::Change => emit("change", &|next, it| {
                if next.word != it.seen {
                    it.seen = next.word;
                    let none = next.word.value() == 0 && matches!(it.op(), Some('a' | 't'));
                    it.at = if none { At::Withdraw } else { At::Look };
                    return;
                }
                (next.word, it.at) = match it.op() {
                    Some('g') => (it.seen.given(), At::Notify),
                    Some('r') => (it.seen.returned(1, VALUE_MAX, me, it.intent), At::Finish),
                    _ => (it.seen.taken(me, it.intent), At::Finish),
                };
                if it.op() == Some('g') {
                    next.total += 1;
                    it.rest(At::Notify);
                }
            }),
            At::Withdraw => emit("withdraw", &|next, it| {
                next.lanes[who] = it.intent.withdrawn();
                it.rest(if it.late { At::Left } else { At::Announce });
            }),
            At::Finish => emit("finish", &|next, it| {
                next.lanes[who] = it.intent.finished();
                if it.op() == Some('r') { it.rest(At::Notify) } else { it.next_operation() }
            }),
            At::Announce => {
                let mut next = state.clone();
                next.count();
                next.marked = true;
                next.clients[who].unchanged = true;
                next.clients[who].at = At::SecondLook;
                out.push((format!("{me}:announce"), next));
            }
            At::SecondLook => emit("second look", &|next, it| {
                if next.word.value() > 0 { it.rest(At::Start) } else { it.at = At::Sleep }
            }),
            At::Sleep => emit("sleep", &|_, it| {
                let asleep = it.unchanged;
                it.rest(if asleep { At::Asleep } else { At::Start });
            }),
            At::Asleep => {
                if client.op() == Some('t') {
                    emit("time is up", &|_, it| (it.at, it.late) = (At::Start, true));
                }
            }
            At::Woken => {
                if client.op() == Some('t') {
                    emit("woken, time is up", &|_, it| {
                        it.late = true;
                        it.rest(if step::tries_after_wake() { At::Start } else { At::Left });
                    });
                }
                emit("woken", &|_, it| it.rest(At::Start));
            }
            At::Notify => {
                let mut next = state.clone();
                if state.marked {
                    next.count();
                    next.clients[who].unchanged = true;
                    next.clients[who].at = At::Wake;
                } else {
                    next.clients[who].next_operation();
                }
                out.push((format!("{me}:notify"), next));
            }
            At::Wake => {
                let sleepers = (0..CLIENTS).filter(|i| state.clients[*i].at == At::Asleep);
                for sleeper in sleepers.clone() {
                    emit(&format!("wakes {}", number(sleeper)), &|next, it| {
                        next.clients[sleeper].at = At::Woken;
                        it.next_operation();
                    });
                }
                if sleepers.count() == 0 {
                    emit("wakes nobody", &|_, it| it.at = At::Unmark);
                }
            }
            At::Unmark => emit("unmark", &|next, it| {
                if it.unchanged {
                    next.marked = false;
                }
                it.next_operation();
            }),
            At::Left => {}
        }
    }

    fn reaper(&self, state: &State, out: &mut Steps) {
        let Some(reaper) = state.reaper else {
            for dead in (0..CLIENTS).filter(|i| !state.clients[*i].alive && !state.clients[*i].reaped) {
                let mut next = state.clone();
                next.reaper = Some(begin(dead));
                out.push((format!("reap {}", number(dead)), next));
            }
            return;
        };
        let (dead, lane) = (reaper.dead, number(reaper.dead));
        let mut emit = |what: &str, change: &dyn Fn(&mut State, &mut Reaper)| {
            let mut next = state.clone();
            let mut it = reaper;
            change(&mut next, &mut it);
            if next.reaper.is_some() {
                next.reaper = Some(it);
            }
            out.push((format!("r{lane}:{what}"), next));
        };
        if state.reaper_kills > 0 {
            emit("KILLED", &|next, it| {
                next.reaper_kills -= 1;
                *it = begin(dead);
            });
        }
        match reaper.at {
            Reaping::Load => emit("word", &|next, it| (it.seen, it.at) = (next.word, Reaping::Lane)),
            Reaping::Lane => emit("lane", &|next, it| {
                let word = next.lanes[dead];
                it.at = match () {
                    () if word.is_pending() => Reaping::Settle(word),
                    () if word.held() > 0 => Reaping::Intent(word),
                    () => Reaping::WakeAll,
                };
            }),
            Reaping::Settle(word) => emit("settle", &|next, it| {
                if next.lanes[dead] == word {
                    next.lanes[dead] = step::settled(it.seen, lane, word);
                }
                *it = begin(dead);
            }),
            Reaping::Intent(word) => emit("intent T", &|next, it| {
                it.intent = word.intends(LaneOp::Return);
                (next.lanes[dead], it.at) = (it.intent, Reaping::LoadAgain);
            }),
            Reaping::LoadAgain => emit("load", &|next, it| (it.seen, it.at) = (next.word, Reaping::Look)),
            Reaping::Look => emit("whose stamp", &|next, it| {
                let other = step::others_stamp(it.seen, lane);
                let pending = other
                    .map(|other| *next.lane(other))
                    .filter(|word| other.is_some_and(|other| step::helped(it.seen, other, *word).is_some()));
                it.at = pending.map_or(Reaping::Change, Reaping::Validate);
            }),
            Reaping::Validate(word) => emit("still there", &|next, it| {
                it.at = if next.word == it.seen { Reaping::Help(word) } else { Reaping::Change };
            }),
            Reaping::Help(word) => emit("help", &|next, it| {
                let other = it.seen.lane();
                if *next.lane(other) == word {
                    *next.lane(other) = word.finished();
                }
                it.at = Reaping::Change;
            }),
            Reaping::Change => emit("return", &|next, it| {
                if next.word == it.seen {
                    next.word = it.seen.returned(it.intent.held(), VALUE_MAX, lane, it.intent);
                    it.at = Reaping::Finish;
                } else {
                    (it.seen, it.at) = (next.word, Reaping::Look);
                }
            }),
            Reaping::Finish => emit("finish", &|next, it| {
                next.lanes[dead] = it.intent.finished();
                *it = begin(dead);
            }),
            Reaping::WakeAll => emit("wake all", &|next, it| {
                if step::wakes_all() {
                    next.count();
                    for client in next.clients.iter_mut().filter(|client| client.at == At::Asleep) {
                        client.at = At::Woken;
                    }
                }
                *it = Reaper { at: Reaping::End, ..begin(dead) };
            }),
            Reaping::End => emit("end", &|next, _| {
                next.clients[dead].reaped = true;
                next.reaper = None;
            }),
        }
    }
}

fn begin(dead: usize) -> Reaper {
    Reaper { at: Reaping::Load, dead, seen: SemaphoreWord(0), intent: LaneWord(0) }
}

fn new(script: Script, lives: u8) -> Client {
    Client {
        at: At::Start,
        script,
        seen: SemaphoreWord(0),
        intent: LaneWord(0),
        unchanged: false,
        late: false,
        alive: true,
        reaped: false,
        lives,
    }
}

impl Model for Protocol {
    type State = State;

    fn next(&self, state: &State, out: &mut Steps) {
        for who in 0..CLIENTS {
            self.client(state, who, out);
        }
        self.reaper(state, out);
    }

    fn bad(&self, state: &State) -> Option<String> {
        (i64::from(state.word.value()) > state.total).then(|| "more permits than exist".to_owned())
    }

    fn stuck(&self, state: &State) -> Option<String> {
        let held: i64 = state.lanes.iter().map(|lane| i64::from(lane.held())).sum();
        let value = i64::from(state.word.value());
        if value + held != state.total {
            return Some(format!("{value} are free and {held} are held, of {}", state.total));
        }
        if state.lanes.iter().any(|lane| lane.is_pending()) {
            return Some("an operation was left behind".into());
        }
        let dead = |i: &usize| !state.clients[*i].alive;
        if (0..CLIENTS).filter(dead).any(|i| state.lanes[i].held() > 0) {
            return Some("the dead hold some".into());
        }
        let asleep = state.clients.iter().any(|client| client.at == At::Asleep);
        (value > 0 && asleep).then(|| "somebody sleeps beside a free permit".into())
    }
}

/// One dead client in each place is replaced by one that does `next_life`.
struct Setting {
    value: u32,
    scripts: [Script; CLIENTS],
    next_life: Script,
    kills: u8,
    reaper_kills: u8,
}

fn check(name: &str, setting: Setting) {
    let state = State {
        word: SemaphoreWord::new(setting.value),
        lanes: [LaneWord(0); CLIENTS],
        marked: false,
        clients: setting.scripts.map(|script| new(script, 1)),
        reaper: None,
        kills: setting.kills,
        reaper_kills: setting.reaper_kills,
        total: i64::from(setting.value),
    };
    explore(&Protocol { next_life: setting.next_life }, state, 12_000_000).expect_holds(name);
}

#[test]
fn a_holder_and_a_reaper_die() {
    check(
        "one permit, one forgotten",
        Setting { value: 1, scripts: ["ar", "af", ""], next_life: "a", kills: 1, reaper_kills: 1 },
    );
}

#[test]
fn two_die() {
    check(
        "one permit, two die",
        Setting { value: 1, scripts: ["ar", "af", ""], next_life: "", kills: 2, reaper_kills: 0 },
    );
}

#[test]
fn who_gives_has_no_lane() {
    check(
        "one permit, one given",
        Setting { value: 1, scripts: ["ar", "g", ""], next_life: "", kills: 1, reaper_kills: 1 },
    );
}

#[test]
fn sleepers_and_a_giver() {
    check(
        "no permit, one given",
        Setting { value: 0, scripts: ["ar", "a", "g"], next_life: "ar", kills: 1, reaper_kills: 0 },
    );
}

#[test]
fn a_deadline() {
    check(
        "one waits no longer",
        Setting { value: 1, scripts: ["ar", "tr", "a"], next_life: "", kills: 0, reaper_kills: 0 },
    );
}

#[test]
fn a_lane_changes_hands() {
    check(
        "ids and lanes are used again",
        Setting { value: 1, scripts: ["ar", "ar", ""], next_life: "a", kills: 2, reaper_kills: 0 },
    );
}

#[test]
fn a_stamp_outlives_its_owner() {
    check(
        "the next owner's first operation is not the last one's",
        Setting { value: 2, scripts: ["af", "ar", ""], next_life: "a", kills: 2, reaper_kills: 0 },
    );
}

#[test]
fn large_settings() {
    if !deep() {
        return;
    }
    let all = [
        (0, ["ar", "a", "g"], "ar", 1, 1),
        (1, ["ar", "tr", "a"], "a", 1, 0),
        (1, ["ar", "ar", ""], "a", 2, 1),
        (1, ["ar", "ar", "ar"], "", 1, 0),
        (1, ["a", "tr", "ar"], "", 0, 0),
        (2, ["aarr", "ar", "g"], "", 1, 0),
    ];
    for (value, scripts, next_life, kills, reaper_kills) in all {
        let name =
            format!("{value} permits, {scripts:?}, then {next_life:?}, {kills} kills + {reaper_kills}");
        check(&name, Setting { value, scripts, next_life, kills, reaper_kills });
    }
}
