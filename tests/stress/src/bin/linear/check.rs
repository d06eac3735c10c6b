//! Whether a history is linearizable: whether each operation can have taken place at one instant between its begin and its end.
//!
//! The search of Wing and Gong with the memory of Lowe: of the calls that nothing before them keeps waiting, one is tried after
//! another; what was reached before with the same calls done and the same state is not tried again. A call whose process was
//! killed may have taken place at any time since it began, or not at all.

use crate::model::{Call, Model};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

/// Says why, with the calls, if a history is not linearizable.
pub fn check<M: Model>(history: &[Call]) -> Result<(), String> {
    let mut parts = BTreeMap::<u64, Vec<Call>>::new();
    for call in history {
        parts.entry(M::part(&call.op)).or_default().push(*call);
    }
    for (part, calls) in parts {
        let mut search = Search::<M>::new(&calls);
        if !search.is_possible() {
            return Err(story(part, &calls, &search));
        }
        // As good as never: a history of some hundred calls has some thousand.
        if search.seen.len() > MOST {
            return Err(format!("undecided: part {part} has more than {MOST} states"));
        }
    }
    Ok(())
}

/// So many states are looked at: the search is to end, whatever the history.
const MOST: usize = 2_000_000;

/// The calls around the place that the search did not get beyond.
fn story<M: Model>(part: u64, calls: &[Call], search: &Search<'_, M>) -> String {
    const AROUND: usize = 12;
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|id| calls[*id].start);
    let stuck = search.stuck.map_or(0, |id| order.iter().position(|other| *other == id).unwrap_or(0));
    let mut text = format!("not linearizable: no order of the {} calls of part {part} fits", calls.len());
    for id in &order[stuck.saturating_sub(AROUND)..(stuck + AROUND / 2).min(order.len())] {
        let mark = if Some(*id) == search.stuck { " <- this one, at the latest" } else { "" };
        let _ = write!(text, "\n  {}{mark}", calls[*id]);
    }
    text
}

/// The end of the list of events.
const NONE: usize = usize::MAX;

/// A begin or an end, in a list from which the calls that are placed are taken out, and into which they are put back.
#[derive(Clone, Copy)]
struct Event {
    call: usize,
    is_end: bool,
    before: usize,
    after: usize,
}

/// Between two calls.
struct Step<P> {
    /// Calls that may be the next one and are not tried yet; the last one first.
    left: Vec<usize>,
    /// The one that is the next one now.
    placed: Option<usize>,
    /// The one that ends first.
    due: Option<usize>,
    /// What it is like here.
    state: P,
}

struct Search<'a, M: Model> {
    calls: &'a [Call],
    /// The first one is no event: what comes after it is the first.
    events: Vec<Event>,
    /// Where a call begins and ends in the list.
    begin: Vec<usize>,
    end: Vec<usize>,
    /// Bits of the calls that are placed.
    placed: Vec<u64>,
    state: M::Part,
    path: Vec<Step<M::Part>>,
    /// How many calls that have ended are not placed.
    open: usize,
    seen: HashSet<(Vec<u64>, M::Part)>,
    /// The call that could not be placed where the search got farthest, and how far that was.
    stuck: Option<usize>,
    farthest: usize,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(calls: &'a [Call]) -> Self {
        let begins = calls.iter().enumerate().map(|(id, call)| (call.start, false, id));
        let ends = calls.iter().enumerate().filter_map(|(id, call)| Some((call.end?.1, true, id)));
        let mut times: Vec<(u64, bool, usize)> = begins.chain(ends).collect();
        // At the same time: begins first, as if they overlapped.
        times.sort_unstable();
        let head = Event { call: NONE, is_end: false, before: NONE, after: NONE };
        let mut events = vec![head];
        let (mut begin, mut end) = (vec![NONE; calls.len()], vec![NONE; calls.len()]);
        for (at, (_, is_end, call)) in times.into_iter().enumerate() {
            events.push(Event { call, is_end, before: at, after: NONE });
            events[at].after = at + 1;
            if is_end { end[call] = at + 1 } else { begin[call] = at + 1 }
        }
        Self {
            calls,
            events,
            open: end.iter().filter(|at| **at != NONE).count(),
            begin,
            end,
            placed: vec![0; calls.len().div_ceil(64)],
            state: M::Part::default(),
            path: Vec::new(),
            seen: HashSet::new(),
            stuck: None,
            farthest: 0,
        }
    }

    fn is_possible(&mut self) -> bool {
        self.path = vec![self.step()];
        while self.open > 0 && self.seen.len() <= MOST {
            let Some(mut step) = self.path.pop() else { return false };
            if let Some(call) = step.placed.take() {
                self.unplace(call);
                self.state = step.state.clone();
            }
            let Some(call) = step.left.pop() else {
                if self.stuck.is_none() || self.path.len() > self.farthest {
                    (self.stuck, self.farthest) = (step.due, self.path.len());
                }
                continue;
            };
            let placed = self.place(call);
            step.placed = placed.then_some(call);
            self.path.push(step);
            if placed {
                let next = self.step();
                self.path.push(next);
            }
        }
        true
    }

    /// Which calls may be the next one: all that began before any other has ended. The one that ends first is tried first, and
    /// one that never did last: so others are placed before their time only if nothing else fits.
    fn step(&self) -> Step<M::Part> {
        let mut left = Vec::new();
        let mut at = self.events[0].after;
        while at != NONE && !self.events[at].is_end {
            left.push(self.events[at].call);
            at = self.events[at].after;
        }
        left.sort_by_key(|call| Reverse(self.calls[*call].end.map_or(u64::MAX, |(_, end)| end)));
        Step { due: left.last().copied(), left, placed: None, state: self.state.clone() }
    }

    /// Lets the call be the next one, if its answer is right and what comes of it is new.
    fn place(&mut self, call: usize) -> bool {
        let mut state = self.state.clone();
        let right = M::apply(&mut state, &self.calls[call].op);
        if self.calls[call].end.is_some_and(|(answer, _)| answer != right) {
            return false;
        }
        self.flip(call);
        if !self.seen.insert((self.placed.clone(), state.clone())) {
            self.flip(call);
            return false;
        }
        self.state = state;
        for at in [self.begin[call], self.end[call]].into_iter().filter(|at| *at != NONE) {
            self.unlink(at);
        }
        self.open -= usize::from(self.end[call] != NONE);
        true
    }

    fn unplace(&mut self, call: usize) {
        self.flip(call);
        // In the opposite order of how they were taken out.
        for at in [self.end[call], self.begin[call]].into_iter().filter(|at| *at != NONE) {
            self.link(at);
        }
        self.open += usize::from(self.end[call] != NONE);
    }

    fn flip(&mut self, call: usize) {
        self.placed[call / 64] ^= 1 << (call % 64);
    }

    fn unlink(&mut self, at: usize) {
        let Event { before, after, .. } = self.events[at];
        self.events[before].after = after;
        if after != NONE {
            self.events[after].before = before;
        }
    }

    fn link(&mut self, at: usize) {
        let Event { before, after, .. } = self.events[at];
        self.events[before].after = at;
        if after != NONE {
            self.events[after].before = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Op, What};
    use crate::models::{Dict, List, Register};
    use processing_stress::random::Random;

    fn call(process: usize, start: u64, end: u64, op: Op, answer: Answer) -> Call {
        Call { process, op, start, end: Some((answer, end)) }
    }

    fn killed(process: usize, start: u64, op: Op) -> Call {
        Call { process, op, start, end: None }
    }

    const GET: Op = Op::new(What::Get, 0, 0);

    const fn put(value: u64) -> Op {
        Op::new(What::Put, 0, value)
    }

    fn is_fine<M: Model>(history: &[Call]) -> bool {
        check::<M>(history).is_ok()
    }

    #[test]
    fn one_after_the_other() {
        let put = call(0, 0, 1, put(5), Answer::Nothing);
        assert!(is_fine::<Register>(&[put, call(1, 2, 3, GET, Answer::Value(5))]));
        // What was written before it began must be seen, and nothing else.
        assert!(!is_fine::<Register>(&[put, call(1, 2, 3, GET, Answer::Value(0))]));
        assert!(!is_fine::<Register>(&[put, call(1, 2, 3, GET, Answer::Value(6))]));
        assert!(!is_fine::<Register>(&[put, call(1, 2, 3, GET, Answer::Torn)]));
    }

    #[test]
    fn at_once_either_may_be_first_but_for_all_alike() {
        let put = call(0, 0, 9, put(5), Answer::Nothing);
        let [old, new] = [0, 5].map(Answer::Value);
        assert!(is_fine::<Register>(&[put, call(1, 1, 2, GET, old), call(2, 3, 4, GET, new)]));
        assert!(is_fine::<Register>(&[put, call(1, 1, 4, GET, new), call(2, 2, 3, GET, old)]));
        // Once it was seen it is there.
        assert!(!is_fine::<Register>(&[put, call(1, 1, 2, GET, new), call(2, 3, 4, GET, old)]));
        // At the same instant is at once.
        assert!(is_fine::<Register>(&[put, call(1, 9, 10, GET, old)]));
    }

    #[test]
    fn a_lost_update_is_seen() {
        let add = |process, answer| call(process, 0, 9, Op::new(What::Add, 0, 1), Answer::Value(answer));
        assert!(is_fine::<Register>(&[add(0, 1), add(1, 2)]));
        assert!(!is_fine::<Register>(&[add(0, 1), add(1, 1)]));
        let last = |answer| call(2, 10, 11, GET, Answer::Value(answer));
        assert!(!is_fine::<Register>(&[add(0, 1), add(1, 2), last(1)]));
    }

    #[test]
    fn who_was_killed_has_done_it_or_not_and_not_half() {
        let push = |value| Op::new(What::Push, 0, value);
        let len = |start, len| call(1, start, start + 1, Op::new(What::Len, 0, 0), Answer::Value(len));
        for lens in [[0, 0], [0, 1], [1, 1]] {
            assert!(is_fine::<List>(&[killed(0, 0, push(7)), len(2, lens[0]), len(4, lens[1])]), "{lens:?}");
        }
        assert!(!is_fine::<List>(&[killed(0, 0, push(7)), len(2, 1), len(4, 0)]));
        assert!(!is_fine::<List>(&[killed(0, 3, push(7)), len(1, 1)]), "before it began");
        let got = call(1, 8, 9, GET, Answer::Value(8));
        assert!(!is_fine::<List>(&[killed(0, 0, push(7)), len(2, 1), got]));
    }

    #[test]
    fn keys_do_not_touch_each_other_and_each_is_looked_at() {
        let at = |key, start, what, answer| call(0, start, start + 1, Op::new(what, key, 5), answer);
        let good = [
            at(0, 0, What::Put, Answer::Nothing),
            at(1, 2, What::Get, Answer::Nothing),
            at(0, 4, What::Remove, Answer::Value(5)),
        ];
        assert!(is_fine::<Dict>(&good));
        let mut bad = good;
        bad[1].end = Some((Answer::Value(5), 3));
        let story = check::<Dict>(&bad).unwrap_err();
        assert!(story.contains("part 1") && story.contains("Get(1): Value(5) <- this one"), "{story}");
    }

    /// All orders, for what is short.
    fn is_fine_by_all_orders<M: Model>(left: &[Call], state: &M::Part) -> bool {
        let bound = left.iter().filter_map(|call| Some(call.end?.1)).min();
        bound.is_none()
            || (0..left.len()).any(|at| {
                let call = left[at];
                let mut state = state.clone();
                let right = M::apply(&mut state, &call.op);
                let fits = call.end.is_none_or(|(answer, _)| answer == right);
                let mut rest = left.to_vec();
                rest.remove(at);
                fits && bound.is_none_or(|bound| call.start <= bound)
                    && is_fine_by_all_orders::<M>(&rest, &state)
            })
    }

    /// A short history of calls that did take place, some with a wrong answer, some of the killed.
    fn history<M: Model>(random: &mut Random) -> Vec<Call> {
        let mut state = M::Part::default();
        let mut calls = Vec::new();
        for at in 0..6u64 {
            let value = 1 + random.below(3);
            let mut op = M::draw(random, value);
            op.place = if op.place > 1 { 0 } else { op.place };
            let instant = 10 * at + 10;
            let mut answer = M::apply(&mut state, &op);
            if random.below(8) == 0 {
                answer = Answer::Value(random.below(3));
            }
            let (start, end) = (instant - random.below(25).min(instant), instant + random.below(25));
            let end = (random.below(6) > 0).then_some((answer, end));
            calls.push(Call { process: at as usize, op, start, end });
        }
        calls
    }

    fn agree<M: Model>(single: bool) {
        let mut random = Random::new(11);
        let mut fine = [0u32; 2];
        for _ in 0..4000 {
            let mut calls = history::<M>(&mut random);
            if single {
                calls.iter_mut().for_each(|call| call.op.place = 0);
            }
            let expected = is_fine_by_all_orders::<M>(&calls, &M::Part::default());
            assert_eq!(is_fine::<M>(&calls), expected, "{calls:#?}");
            fine[usize::from(expected)] += 1;
        }
        assert!(fine[0] > 200 && fine[1] > 200, "both must come: {fine:?}");
    }

    #[test]
    fn the_search_agrees_with_all_orders() {
        agree::<Register>(true);
        agree::<List>(false);
        agree::<Dict>(true);
    }

    #[test]
    fn a_long_history_in_which_one_was_held_up_is_no_trouble() {
        let mut random = Random::new(3);
        let mut list = Vec::new();
        let slow = killed(9, 0, Op::new(What::Push, 0, 1 << 40));
        let mut calls = vec![slow];
        for at in 1..300u64 {
            let op = List::draw(&mut random, at);
            let answer = List::apply(&mut list, &op);
            calls.push(call((at % 4) as usize, 10 * at - 25u64.min(10 * at), 10 * at + 15, op, answer));
        }
        assert!(is_fine::<List>(&calls));
        let last = calls.last_mut().unwrap();
        last.end = Some((Answer::Value(u64::MAX), 1 << 30));
        assert!(!is_fine::<List>(&calls));
    }
}
