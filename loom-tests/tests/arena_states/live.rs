//! The steps of a living participant.

use super::Arena;
use super::fault::Fault;
use super::state::*;

impl Arena {
    /// Steps of a living participant.
    pub fn live(&self, s: &State, i: usize, out: &mut Vec<(String, State)>) {
        let p = s.procs[i];
        let me = i as u8;
        let mut push = |label: &str, next: State| out.push((format!("{i}:{label}"), next));
        let mut y = s.clone();
        if p.op.pc != 0 {
            let (op, label, _) = self.operate(&mut y, me, p.op);
            y.procs[i].op = op;
            return push(&label, y);
        }
        let mut td = p.td;
        if let Some((label, op)) = self.tear(&mut y, me, &mut td) {
            y.procs[i].td = td;
            if let Some(op) = op {
                y.procs[i].op = op;
            }
            return push(&label, y);
        }
        let start = |mut y: State, entry: u8, add: bool, pc: u8| {
            y.procs[i].op = Op { pc: 1, entry, add, ..NO_OP };
            y.procs[i].pc = pc;
            y
        };
        let (b, generation) = p.block;
        match (p.role, p.pc) {
            (Role::Producer, 0) if p.left == 0 => push("end", start(y, 1, false, 20)),
            (Role::Producer, 0) | (Role::Other, 0) => {
                if p.role == Role::Other && p.left == 0 {
                    y.procs[i].pc = 30;
                    return push("done", y);
                }
                if p.role == Role::Producer && s.blocks.iter().all(|b| b.own.st != O::Free) {
                    y.procs[i].left = 0;
                    push("no memory", y);
                }
                for b in 0..s.blocks.len() {
                    let own = s.blocks[b].own;
                    if own.st == O::Free {
                        let mut y = s.clone();
                        y.blocks[b].own = Own { st: O::Priv, who: me, gen_: own.gen_ + 1 };
                        y.procs[i].block = (b as u8, own.gen_ + 1);
                        y.procs[i].pc = 1;
                        push(&format!("alloc {b}"), y);
                    }
                }
            }
            (Role::Producer, 1) => push("child", start(y, 2 + b, true, 2)),
            (Role::Producer, 2) => {
                if s.slot.k == K::E {
                    y.slot = Slot { k: K::W, who: me, ..s.slot };
                    y.procs[i].t = s.slot.t;
                    y.procs[i].pc = 3;
                    push("W", y);
                }
                // Or gives up (full, timeout, closed): the block is freed.
                let mut y = s.clone();
                y.procs[i].pc = 10;
                push("give up", y);
            }
            (Role::Producer, 3) => {
                y.blocks[b as usize].ring = 1;
                y.procs[i].pc = 4;
                push("header ring", y);
            }
            (Role::Producer, 4) => {
                y.blocks[b as usize].ticket = p.t;
                y.slot.block = p.block;
                y.procs[i].pc = if self.fault == Fault::PublishBeforeSent { 6 } else { 5 };
                push("header ticket", y);
            }
            (Role::Producer, 5) => {
                let own = s.blocks[b as usize].own;
                if own != (Own { st: O::Priv, who: me, gen_: generation })
                    && self.fault != Fault::PublishBeforeSent
                {
                    y.error = 3;
                }
                y.blocks[b as usize].own = Own { st: O::Sent, who: me, gen_: generation };
                if self.fault == Fault::PublishBeforeSent {
                    y.procs[i].pc = 0;
                    y.procs[i].left -= 1;
                } else {
                    y.procs[i].pc = 6;
                }
                push("SENT", y);
            }
            (Role::Producer, 6) => {
                if s.slot.who != me || s.slot.k != K::W || s.slot.t != p.t {
                    y.error = 4;
                }
                y.slot = Slot { k: K::F, who: 0, ..s.slot };
                y.published |= 1 << p.t;
                if self.fault == Fault::PublishBeforeSent {
                    y.procs[i].pc = 5;
                } else {
                    y.procs[i].pc = 0;
                    y.procs[i].left -= 1;
                }
                push("F", y);
            }
            (Role::Producer, 10) => {
                y.blocks[b as usize].own = Own { st: O::Dying, who: me, gen_: generation };
                y.procs[i].pc = 11;
                push("DYING", y);
            }
            (Role::Producer, 11) => push("drop child", start(y, 2 + b, false, 12)),
            (Role::Producer, 12) => {
                y.blocks[b as usize].own = Own { st: O::Free, who: 0, gen_: generation };
                y.procs[i].left -= 1;
                y.procs[i].pc = 0;
                push("FREE", y);
            }
            (Role::Producer, 20) => push("drop queue", start(y, 0, false, 30)),

            (Role::Other, 1) => {
                y.blocks[b as usize].ring = 2;
                y.procs[i].pc = 2;
                push("other ring", y);
            }
            (Role::Other, 2) => {
                y.blocks[b as usize].ticket = 1;
                y.blocks[b as usize].own = Own { st: O::Sent, who: me, gen_: generation };
                y.procs[i].pc = 3;
                push("other SENT", y);
            }
            (Role::Other, 3) => {
                if s.blocks[b as usize].own != (Own { st: O::Sent, who: me, gen_: generation }) {
                    y.error = 5;
                }
                y.blocks[b as usize].own = Own { st: O::Free, who: 0, gen_: generation };
                y.procs[i].left -= 1;
                y.procs[i].pc = 0;
                push("other FREE", y);
            }

            (Role::Consumer, 0) => {
                if s.slot.k == K::F {
                    let mut y = s.clone();
                    y.slot = Slot { k: K::R, who: me, ..s.slot };
                    y.procs[i].t = s.slot.t;
                    y.procs[i].red = s.slot.red;
                    y.procs[i].block = s.slot.block;
                    y.procs[i].pc = 1;
                    push("R", y);
                }
                if s.cell.k == C::Orphan {
                    let mut y = s.clone();
                    y.cell = Cell { k: C::Held, who: me, gen_: s.cell.gen_ + 1, ..s.cell };
                    y.procs[i].t = s.cell.t;
                    y.procs[i].block = s.cell.block;
                    y.procs[i].pc = 13;
                    push("adopt", y);
                }
                push("leave", Self::leave(s, i));
            }
            // R: by value, or a lease in the cell
            (Role::Consumer, 1) => {
                if s.cell.k == C::Free {
                    let mut y = s.clone();
                    y.cell = Cell { k: C::Priv, who: me, gen_: s.cell.gen_ + 1, ..s.cell };
                    y.procs[i].pc = 10;
                    push("cell", y);
                }
                if s.entry[i][1].0 == T::Held {
                    y.procs[i].pc = 2;
                    push("has it", y);
                } else {
                    push("own reference", start(y, 1, true, 2));
                }
            }
            (Role::Consumer, 2) => match self.fault {
                Fault::SlotBeforeCommit => self.release_slot(y, i, 3, &mut push),
                Fault::ChildrenBeforeCommit => push("drop child early", start(y, 2 + b, false, 4)),
                _ => self.commit(y, i, 3, &mut push),
            },
            (Role::Consumer, 3) => match self.fault {
                Fault::SlotBeforeCommit => self.commit(y, i, 5, &mut push),
                _ => self.release_slot(y, i, 5, &mut push),
            },
            (Role::Consumer, 4) => self.commit(y, i, 6, &mut push),
            (Role::Consumer, 6) => self.release_slot(y, i, 7, &mut push),
            (Role::Consumer, 5) => push("drop child", start(y, 2 + b, false, 7)),
            (Role::Consumer, 7) => {
                y.blocks[b as usize].own = Own { st: O::Free, who: 0, gen_: generation };
                y.procs[i].pc = 0;
                push("FREE", y);
            }
            (Role::Consumer, 10) => {
                y.cell = Cell { t: p.t, red: p.red, block: p.block, ..s.cell };
                y.procs[i].pc = 11;
                push("cell fill", y);
            }
            (Role::Consumer, 11) => {
                if s.cell.who != me || s.cell.k != C::Priv {
                    y.error = 4;
                }
                y.cell.k = C::Held;
                y.cell.gen_ += 1;
                y.procs[i].pc = 12;
                push("HELD", y);
            }
            (Role::Consumer, 12) => self.release_slot(y, i, 13, &mut push),
            (Role::Consumer, 13) => {
                if s.entry[i][1].0 == T::Held {
                    y.procs[i].pc = 14;
                    push("has it", y);
                } else {
                    push("own reference", start(y, 1, true, 14));
                }
            }
            (Role::Consumer, 14) => self.commit(y, i, 15, &mut push),
            (Role::Consumer, 15) => {
                if s.cell.who != me || s.cell.k != C::Held {
                    y.error = 4;
                }
                y.cell = Cell { k: C::Free, who: 0, gen_: s.cell.gen_ + 1, ..s.cell };
                y.procs[i].pc = 5;
                push("cell FREE", y);
            }
            (Role::Helper, 0) if s.help.pc == 0 => push("leave", Self::leave(s, i)),
            (Role::Consumer | Role::Helper, 20) => push("drop queue", start(y, 0, false, 30)),
            _ => {}
        }
    }

    pub fn leave(s: &State, i: usize) -> State {
        let mut y = s.clone();
        if s.entry[i][1].0 == T::Held {
            y.procs[i].op = Op { pc: 1, entry: 1, ..NO_OP };
        }
        y.procs[i].pc = 20;
        y
    }

    pub fn commit(&self, mut y: State, i: usize, pc: u8, push: &mut impl FnMut(&str, State)) {
        let (b, generation) = y.procs[i].block;
        let t = y.procs[i].t;
        let own = y.blocks[b as usize].own;
        if self.fault == Fault::AsDesigned && (own.st != O::Sent || own.gen_ != generation) {
            y.error = 3;
        }
        y.blocks[b as usize].own = Own { st: O::Dying, who: i as u8, gen_: generation };
        if y.done >> t & 1 == 1 {
            y.error = 1;
        }
        y.done |= 1 << t;
        y.procs[i].pc = pc;
        push("commit", y);
    }

    pub fn release_slot(&self, mut y: State, i: usize, pc: u8, push: &mut impl FnMut(&str, State)) {
        if y.slot.who != i as u8 || y.slot.k != K::R || y.slot.t != y.procs[i].t {
            y.error = 4;
        }
        y.slot = Slot { t: y.slot.t + 1, block: y.slot.block, ..NO_SLOT };
        y.procs[i].pc = pc;
        push("slot E", y);
    }
}
