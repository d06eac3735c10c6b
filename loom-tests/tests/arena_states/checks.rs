//! All steps of a state, what must never be, and how everything must end.

use processing_loom_tests::Model;

use super::Arena;
use super::state::*;

/// Forgets what a walk will not look at again, so that states are one that differ in nothing else.
pub fn tidy(w: Walk) -> Walk {
    if matches!(w.pc, 0 | 1 | 10 | 14 | 17) {
        return Walk { pc: w.pc, dead: w.dead, lives: w.lives, i: w.i, ..NO_WALK };
    }
    w
}

pub fn tidy_op(op: Op) -> Op {
    if matches!(op.pc, 4 | 5 | 40) { op } else { Op { seen: NO_OP.seen, ..op } }
}

pub fn tidy_state(s: &mut State) {
    s.reap_op = tidy_op(s.reap_op);
    for p in &mut s.procs {
        p.op = tidy_op(p.op);
        if p.pc == 0 || p.pc >= 20 {
            (p.block, p.t, p.red) = (NO, 0, 0);
        }
    }
}

impl Arena {
    pub fn steps(&self, s: &State, out: &mut Vec<(String, State)>) {
        if let Some(i) = (1..s.procs.len()).find(|i| Self::private(s, *i)) {
            self.client(s, i, out);
            return;
        }
        let quiet = s.helps == 0 && s.help.pc == 0;
        if s.reap.dead != 0 && matches!(s.reap_op.pc, 1 | 2 | 7 | 8) && quiet {
            self.reaper(s, out);
            return;
        }
        for i in 1..s.procs.len() {
            self.client(s, i, out);
        }
        self.reaper(s, out);
        self.helper(s, out);
    }

    /// All that participant `i` may do next, or suffer.
    pub fn client(&self, s: &State, i: usize, out: &mut Vec<(String, State)>) {
        let p = s.procs[i];
        if !p.alive {
            // A new tenant, who was given a reference to the queue by one that holds it.
            let giver = s.object[0].0 == D::Live
                && (1..s.procs.len()).any(|g| s.procs[g].alive && s.entry[g][0].0 == T::Held);
            if p.reaped && p.lives > 0 && giver {
                let mut y = s.clone();
                let old = s.count[0];
                if old.who != 0 {
                    y.applied[old.who as usize] = y.applied[old.who as usize].max(old.seq);
                }
                y.seqno[i] += 1;
                y.count[0] = Count { n: old.n + 1, who: i as u8, seq: y.seqno[i] };
                y.entry[i][0] = (T::Held, 0);
                y.procs[i] = Proc { lives: p.lives - 1, ..proc(Role::Consumer, 0) };
                out.push((format!("respawn {i}"), y));
            }
            return;
        }
        if s.kills > 0 && p.pc != 30 && matches!(p.role, Role::Producer | Role::Consumer) {
            let mut y = s.clone();
            y.kills -= 1;
            y.procs[i] = Proc { alive: false, lives: p.lives, ..proc(p.role, 0) };
            out.push((format!("KILL {i}@{}.{}", p.pc, p.op.pc), y));
        }
        self.live(s, i, out);
    }

    /// The next step of `i` touches only what nobody else looks at while `i` lives: doing it at once, or dying
    /// before it, stands for every order.
    pub fn private(s: &State, i: usize) -> bool {
        let p = s.procs[i];
        if !p.alive {
            return false;
        }
        if p.op.pc != 0 {
            return matches!(p.op.pc, 1 | 2 | 7 | 8);
        }
        if s.object.contains(&(D::Dying, i as u8)) {
            return false;
        }
        match (p.role, p.pc) {
            (Role::Producer, 3 | 4 | 11 | 20) => s.helps == 0 && s.help.pc == 0,
            (Role::Producer, 1) => true,
            (Role::Consumer, 5 | 10 | 13 | 20) => true,
            _ => false,
        }
    }
}

impl Model for Arena {
    type State = State;

    fn next(&self, s: &State, out: &mut Vec<(String, State)>) {
        self.steps(s, out);
        for (_, next) in out {
            tidy_state(next);
        }
    }

    fn bad(&self, s: &State) -> Option<String> {
        match s.error {
            0 => {}
            1 => return Some("committed twice".into()),
            3 => return Some("own word was not what its owner left".into()),
            4 => return Some("a living claim was robbed".into()),
            5 => return Some("another's block was taken".into()),
            6 => return Some("the memory of a freed queue was written".into()),
            _ => return Some("error".into()),
        }
        for object in 0..2 {
            if s.freed[object] > 1 {
                return Some(format!("object {object} freed twice"));
            }
            if s.count[object].n < 0 {
                return Some(format!("count of {object} below zero"));
            }
            let mut held = s.entry.iter().any(|e| e[object].0 == T::Held);
            held |= object == 1 && s.blocks.iter().any(|b| b.child.0 == T::Held);
            if s.object[object].0 != D::Live && held {
                return Some(format!("object {object} gone while held"));
            }
        }
        for b in &s.blocks {
            if b.own.st == O::Free && b.child.0 != T::Empty {
                return Some("a block is free and has a child".into());
            }
        }
        if s.object[0].0 == D::Live {
            let named = [(s.slot.k == K::F, s.slot.block), (s.cell.k == C::Orphan, s.cell.block)];
            for (deliverable, (b, generation)) in named {
                if !deliverable {
                    continue;
                }
                let block = s.blocks[b as usize];
                if block.own.st != O::Sent || block.own.gen_ != generation {
                    return Some("a message can be delivered whose block is not SENT".into());
                }
                if block.child.0 != T::Held {
                    return Some("a message can be delivered without its child".into());
                }
            }
        }
        None
    }

    fn stuck(&self, s: &State) -> Option<String> {
        let lost = s.published & !(s.done | s.torn);
        if lost != 0 {
            return Some(format!("lost messages {lost:b}"));
        }
        if s.freed != [1, 1] {
            return Some(format!("leak: freed {:?}, counts {:?}", s.freed, s.count.map(|c| c.n)));
        }
        s.blocks.iter().position(|b| b.own.st != O::Free).map(|b| format!("block {b} leaked"))
    }
}
