//! A small explicit-state checker: breadth first, counterexamples by parent links.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::rc::Rc;

use processing_loom_tests::QuickHash;

/// What is checked: all states reachable from one, each step of which is atomic.
pub trait System {
    type State: Clone + Eq + Hash + Debug;
    /// All successors, each with a word on what happened.
    fn next(&self, state: &Self::State, out: &mut Vec<(String, Self::State)>);
    /// What is wrong with a state, at any time.
    fn wrong(&self, state: &Self::State) -> Option<String>;
    /// What is wrong with a state from which nothing can happen.
    fn stuck(&self, state: &Self::State) -> Option<String>;
}

/// The number of states, or what went wrong and how.
pub fn check<S: System>(system: &S, start: S::State, limit: usize) -> Result<usize, String> {
    let start = Rc::new(start);
    let mut known = HashMap::with_hasher(QuickHash::default());
    known.insert(Rc::clone(&start), 0);
    let mut states = vec![start];
    let mut parents = vec![(0, String::new())];
    let mut out = Vec::new();
    let mut at = 0;
    while at < states.len() {
        let state = Rc::clone(&states[at]);
        out.clear();
        system.next(&state, &mut out);
        let wrong = system.wrong(&state).or_else(|| out.is_empty().then(|| system.stuck(&state)).flatten());
        if let Some(wrong) = wrong {
            return Err(format!("{wrong}: {}\n{state:?}", trace(&parents, at).join(" | ")));
        }
        for (step, next) in out.drain(..) {
            if !known.contains_key(&next) {
                let next = Rc::new(next);
                known.insert(Rc::clone(&next), states.len());
                states.push(next);
                parents.push((at, step));
            }
        }
        at += 1;
        if states.len() > limit {
            return Err(format!("more than {limit} states"));
        }
    }
    Ok(states.len())
}

fn trace(parents: &[(usize, String)], mut at: usize) -> Vec<&str> {
    let mut steps = Vec::new();
    while at != 0 {
        steps.push(parents[at].1.as_str());
        at = parents[at].0;
    }
    steps.reverse();
    steps
}
