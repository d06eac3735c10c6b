//! The arena's protocol, state by state (sequential consistency): message blocks that belong to the slot or
//! lease cell that names them, with one child reference each, in a queue of one slot and one cell, both
//! objects counted. Producer, consumers and the reaper are killed anywhere, a helper may be late for ever, ids
//! are reused. The steps are those of `src/arena` (module docs). Each seeded mutant must fail.
#![cfg(not(loom))]

mod checks;
mod fault;
mod live;
mod objects;
mod repair;
mod state;

use fault::Fault;
use processing_loom_tests::{Outcome, deep, explore};
use state::Role::{Consumer, Helper, Other, Producer};
use state::*;

/// The model, with what is seeded in it.
struct Arena {
    fault: Fault,
}

/// One configuration: who takes part, how many blocks, kills of clients and of the reaper, helps, reuses.
#[derive(Clone, Copy, Debug)]
struct Setup {
    roles: &'static [(Role, u8)],
    blocks: usize,
    kills: u8,
    reaper_kills: u8,
    helps: u8,
    lives: u8,
}

fn run(fault: Fault, setup: Setup) -> Outcome {
    let n = setup.roles.len() + 1;
    let mut procs = vec![Proc { alive: false, reaped: true, ..proc(Role::Other, 0) }];
    let mut entry = vec![[(T::Empty, 0); 2]];
    let mut holders = [0, 0];
    for (role, left) in setup.roles {
        let lives = if *role == Role::Consumer { setup.lives } else { 0 };
        procs.push(Proc { lives, ..proc(*role, *left) });
        let queue = if *role == Role::Other { T::Empty } else { T::Held };
        let object = if *role == Role::Producer { T::Held } else { T::Empty };
        holders[0] += i8::from(queue == T::Held);
        holders[1] += i8::from(object == T::Held);
        entry.push([(queue, 0), (object, 0)]);
    }
    let init = State {
        blocks: vec![Block { own: NO_OWN, ring: 0, ticket: 9, child: (T::Empty, 0) }; setup.blocks],
        slot: NO_SLOT,
        cell: NO_CELL,
        count: holders.map(|n| Count { n, who: 0, seq: 0 }),
        object: [(D::Live, 0); 2],
        entry,
        seqno: vec![0; n],
        applied: vec![0; n],
        place: vec![0; n],
        procs,
        reap: NO_WALK,
        reap_op: NO_OP,
        reap_td: 0,
        help: NO_WALK,
        kills: setup.kills,
        reaper_kills: setup.reaper_kills,
        helps: setup.helps,
        published: 0,
        done: 0,
        torn: 0,
        freed: [0; 2],
        error: 0,
    };
    explore(&Arena { fault }, init, 9_000_000)
}

const SMALL: Setup = Setup {
    roles: &[(Producer, 1), (Consumer, 0)],
    blocks: 1,
    kills: 2,
    reaper_kills: 1,
    helps: 0,
    lives: 0,
};
const TWO_CONSUMERS: Setup = Setup {
    roles: &[(Producer, 1), (Consumer, 0), (Consumer, 0)],
    blocks: 1,
    kills: 1,
    reaper_kills: 1,
    helps: 0,
    lives: 0,
};
const TWO_MESSAGES: Setup = Setup {
    roles: &[(Producer, 2), (Consumer, 0)],
    blocks: 2,
    kills: 1,
    reaper_kills: 1,
    helps: 0,
    lives: 0,
};
const HELPED: Setup = Setup {
    roles: &[(Producer, 1), (Consumer, 0), (Helper, 0)],
    blocks: 1,
    kills: 1,
    reaper_kills: 0,
    helps: 1,
    lives: 0,
};
const REUSED: Setup = Setup {
    roles: &[(Producer, 1), (Consumer, 0), (Helper, 0)],
    blocks: 1,
    kills: 1,
    reaper_kills: 0,
    helps: 1,
    lives: 1,
};
const DISTURBED: Setup = Setup {
    roles: &[(Producer, 1), (Consumer, 0), (Other, 1)],
    blocks: 1,
    kills: 1,
    reaper_kills: 1,
    helps: 0,
    lives: 0,
};

fn holds(name: &str, setup: Setup) {
    run(Fault::AsDesigned, setup).expect_holds(name);
}

#[test]
fn holds_small() {
    holds("small", SMALL);
}

#[test]
fn holds_helped() {
    holds("helped", HELPED);
}

// The next two have millions of states, and no mutant needs them: only where there is time.

#[test]
fn holds_two_consumers() {
    if deep() {
        holds("two consumers", TWO_CONSUMERS);
    }
}

#[test]
fn holds_two_messages() {
    if deep() {
        holds("two messages", TWO_MESSAGES);
    }
}

#[test]
fn holds_reused() {
    holds("reused", REUSED);
}

#[test]
fn holds_disturbed() {
    holds("disturbed", DISTURBED);
}

/// Each fault, and the configuration that shows it.
const FAULTS: [(Fault, Setup); 13] = [
    (Fault::SlotBeforeCommit, SMALL),
    (Fault::PublishBeforeSent, SMALL),
    (Fault::SlotsFirst, SMALL),
    (Fault::CellForgotten, SMALL),
    (Fault::SlotForgotten, SMALL),
    (Fault::NoSecondLook, REUSED),
    (Fault::ChildrenBeforeCommit, SMALL),
    (Fault::EntryBeforeDying, SMALL),
    (Fault::OperationForgotten, SMALL),
    (Fault::NoApplied, SMALL),
    (Fault::NoGeneration, DISTURBED),
    (Fault::ChildrenForgotten, SMALL),
    (Fault::StrangeRings, HELPED),
];

#[test]
fn every_mutant_fails() {
    let mut alive = vec![];
    for (fault, setup) in FAULTS {
        match run(fault, setup) {
            Outcome::Fails { why, states, .. } => println!("{fault:?}: {why} ({states} states seen)"),
            other => {
                println!("{fault:?}: {other:?}");
                alive.push(fault);
            }
        }
    }
    assert!(alive.is_empty(), "not caught: {alive:?}");
}
