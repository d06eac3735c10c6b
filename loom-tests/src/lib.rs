//! Models of the library's own source; see the tests.
//!
//! `explore` is the explicit-state checker that the `*_states` tests use: breadth-first over all states of a
//! model under sequential consistency, so that the first failure found has the shortest trace.

mod quick_hash;

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::rc::Rc;

pub use quick_hash::QuickHash;

/// Whether there is time for the large configurations: `cargo xtask loom` says so.
pub fn deep() -> bool {
    std::env::var_os("PROCESSING_DEEP").is_some()
}

/// A protocol as states and steps.
pub trait Model {
    /// Everything: shared words, and where each process stands.
    type State: Clone + Eq + Hash + Debug;

    /// All steps that are possible from `state`, each with a label and the state after it.
    fn next(&self, state: &Self::State, steps: &mut Vec<(String, Self::State)>);

    /// What must never be: the reason, if `state` shows it.
    fn bad(&self, state: &Self::State) -> Option<String>;

    /// Asked about states without a next step: the reason, if this is not a proper end.
    fn stuck(&self, state: &Self::State) -> Option<String>;

    /// Whether every state must have a way to some state without a next step. Costs memory for all steps.
    fn must_end(&self) -> bool {
        false
    }
}

/// The result of [`explore`].
#[derive(Debug)]
pub enum Outcome {
    /// No state fails; how many there are.
    Holds { states: usize },
    /// A state fails: why, and the labels of the steps to it.
    Fails { why: String, trace: Vec<String>, states: usize },
    /// There are more states than were allowed.
    TooMany { states: usize },
}

impl Outcome {
    /// Panics with the trace unless the model holds; prints the number of states.
    #[track_caller]
    pub fn expect_holds(self, name: &str) {
        match self {
            Self::Holds { states } => println!("{name}: holds, {states} states"),
            Self::Fails { why, trace, states } => {
                panic!("{name}: {why} ({states} states seen)\n  {}", trace.join("\n  "))
            }
            Self::TooMany { states } => panic!("{name}: more than {states} states"),
        }
    }

    /// Panics unless the model fails; prints the trace.
    #[track_caller]
    pub fn expect_fails(self, name: &str) {
        match self {
            Self::Fails { why, trace, states } => {
                println!(
                    "{name}: fails as it should: {why} ({states} states seen)\n  {}",
                    trace.join("\n  ")
                );
            }
            Self::Holds { states } => panic!("{name}: the fault was not noticed in {states} states"),
            Self::TooMany { states } => {
                panic!("{name}: the fault was not noticed in {states} states, not all")
            }
        }
    }
}

/// Visits every state that can be reached from `initial`, at most `limit` of them.
pub fn explore<M: Model>(model: &M, initial: M::State, limit: usize) -> Outcome {
    let initial = Rc::new(initial);
    let mut index = HashMap::with_hasher(QuickHash::default());
    index.insert(Rc::clone(&initial), 0usize);
    let mut states = vec![initial];
    // (the state before, the step from there)
    let mut parents: Vec<(usize, String)> = vec![(0, String::new())];
    let mut steps = Vec::new();
    let mut ends = Vec::new();
    // (to, from)
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut at = 0;
    while at < states.len() {
        let state = Rc::clone(&states[at]);
        steps.clear();
        model.next(&state, &mut steps);
        let why = model.bad(&state).or_else(|| steps.is_empty().then(|| model.stuck(&state)).flatten());
        if let Some(why) = why {
            let mut trace = trace(&parents, at);
            trace.push(format!("=> {state:?}"));
            return Outcome::Fails { why, trace, states: states.len() };
        }
        if steps.is_empty() {
            ends.push(at);
        }
        for (label, next) in steps.drain(..) {
            let known = index.get(&next).copied();
            let to = known.unwrap_or(states.len());
            if known.is_none() {
                let next = Rc::new(next);
                index.insert(Rc::clone(&next), to);
                states.push(next);
                parents.push((at, label));
            }
            if model.must_end() {
                edges.push((to as u32, at as u32));
            }
        }
        if states.len() > limit {
            return Outcome::TooMany { states: limit };
        }
        at += 1;
    }
    if model.must_end()
        && let Some(lost) = first_without_end(states.len(), &ends, edges)
    {
        let mut trace = trace(&parents, lost);
        trace.push(format!("=> {:?}", states[lost]));
        return Outcome::Fails { why: "no end can be reached".into(), trace, states: states.len() };
    }
    Outcome::Holds { states: states.len() }
}

/// The first state from which no end can be reached.
fn first_without_end(count: usize, ends: &[usize], mut edges: Vec<(u32, u32)>) -> Option<usize> {
    edges.sort_unstable();
    let mut reaches = vec![false; count];
    let mut work = ends.to_vec();
    ends.iter().for_each(|end| reaches[*end] = true);
    while let Some(to) = work.pop() {
        let start = edges.partition_point(|edge| (edge.0 as usize) < to);
        for (_, from) in edges[start..].iter().take_while(|edge| edge.0 as usize == to) {
            if !std::mem::replace(&mut reaches[*from as usize], true) {
                work.push(*from as usize);
            }
        }
    }
    reaches.iter().position(|reached| !reached)
}

fn trace(parents: &[(usize, String)], mut at: usize) -> Vec<String> {
    let mut labels = Vec::new();
    while at != 0 {
        let (before, label) = &parents[at];
        labels.push(label.clone());
        at = *before;
    }
    labels.reverse();
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two processes add one to a word, by load and store (broken) or in one step.
    struct Counter {
        atomic: bool,
    }

    impl Model for Counter {
        type State = (u8, [(u8, u8); 2]);

        fn next(&self, state: &Self::State, steps: &mut Vec<(String, Self::State)>) {
            for i in 0..2 {
                let mut next = *state;
                match state.1[i].0 {
                    0 if self.atomic => (next.0, next.1[i].0) = (state.0 + 1, 2),
                    0 => next.1[i] = (1, state.0),
                    1 => (next.0, next.1[i].0) = (state.1[i].1 + 1, 2),
                    _ => continue,
                }
                steps.push((format!("{i}:{}", state.1[i].0), next));
            }
        }

        fn bad(&self, _: &Self::State) -> Option<String> {
            None
        }

        fn stuck(&self, state: &Self::State) -> Option<String> {
            (state.0 != 2).then(|| format!("counted {}", state.0))
        }
    }

    /// Walks in a circle, or leaves it.
    struct Circle {
        door: bool,
    }

    impl Model for Circle {
        type State = u8;

        fn next(&self, state: &u8, steps: &mut Vec<(String, u8)>) {
            match state {
                0..=2 => steps.push(("on".into(), (state + 1) % 3)),
                _ => return,
            }
            if self.door && *state == 1 {
                steps.push(("out".into(), 9));
            }
        }

        fn bad(&self, _: &u8) -> Option<String> {
            None
        }

        fn stuck(&self, _: &u8) -> Option<String> {
            None
        }

        fn must_end(&self) -> bool {
            true
        }
    }

    #[test]
    fn finds_a_circle_without_a_way_out() {
        explore(&Circle { door: true }, 0, 10).expect_holds("door");
        explore(&Circle { door: false }, 0, 10).expect_fails("no door");
    }

    #[test]
    fn finds_a_lost_update_by_its_shortest_trace() {
        explore(&Counter { atomic: true }, (0, [(0, 0); 2]), 1000).expect_holds("atomic");
        match explore(&Counter { atomic: false }, (0, [(0, 0); 2]), 1000) {
            Outcome::Fails { trace, .. } => assert_eq!(trace.len(), 5),
            other => panic!("{other:?}"),
        }
    }
}
