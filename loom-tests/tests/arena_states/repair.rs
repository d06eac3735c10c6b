//! What is done with the words of the dead: by the reaper, and by a helper that may be late.

use super::Arena;
use super::checks::tidy;
use super::fault::Fault;
use super::state::*;

impl Arena {
    /// One step of steps (b) to (d) of the repair; `ok`: the second look. True when the walk is over.
    pub fn walk(&self, s: &mut State, w: &mut Walk, ok: bool) -> String {
        let d = w.dead;
        let first = if self.fault == Fault::SlotsFirst { 10 } else { 1 };
        let touch = |s: &mut State| {
            if s.object[0].0 == D::Free {
                s.error = 6;
            }
        };
        match w.pc {
            0 => {
                w.pc = first;
                "start".into()
            }
            1 => {
                if w.i as usize == s.blocks.len() {
                    w.i = 0;
                    w.pc = if self.fault == Fault::SlotsFirst { 17 } else { 10 };
                    return "blocks done".into();
                }
                w.own = s.blocks[w.i as usize].own;
                if w.own.who == d && w.own.st != O::Free {
                    w.pc = 2;
                } else {
                    w.i += 1;
                }
                "own".into()
            }
            2 => {
                w.ring = s.blocks[w.i as usize].ring;
                w.pc = 20;
                "ring".into()
            }
            20 => {
                w.ticket = s.blocks[w.i as usize].ticket;
                w.pc = 4;
                "ticket".into()
            }
            4 => {
                if w.ring == 1 && s.object[0].0 != D::Free {
                    w.slot = s.slot;
                } else {
                    w.slot = NO_SLOT;
                }
                w.pc = 5;
                "slot".into()
            }
            5 | 8 | 12 | 15 => {
                if ok {
                    w.pc += if w.pc == 12 || w.pc == 15 { 1 } else { 40 };
                    "look".into()
                } else {
                    *w = NO_WALK;
                    "gone".into()
                }
            }
            45 => {
                let b = w.i as usize;
                w.pc = 1;
                let mine = |k| w.ring == 1 && w.slot.k == k && w.slot.who == d && w.slot.t == w.ticket;
                match w.own.st {
                    O::Priv => Self::condemn(s, b, w.own, d),
                    O::Sent if mine(K::W) => Self::condemn(s, b, w.own, d),
                    O::Dying => {
                        if mine(K::R) && self.fault != Fault::SlotForgotten {
                            touch(s);
                            if s.slot == w.slot {
                                s.slot = Slot { t: w.slot.t + 1, block: w.slot.block, ..NO_SLOT };
                            }
                        }
                        if w.ring == 1 && self.fault != Fault::CellForgotten {
                            w.pc = 7;
                            return "unlink slot".into();
                        }
                    }
                    _ => {}
                }
                w.i += 1;
                "block".into()
            }
            7 => {
                w.cell = s.cell;
                let names = w.cell.k == C::Held
                    && w.cell.who == d
                    && w.cell.block == (w.i, w.own.gen_)
                    && s.object[0].0 != D::Free;
                if names {
                    w.pc = 8;
                } else {
                    w.pc = 1;
                    w.i += 1;
                }
                "unlink cell?".into()
            }
            48 => {
                touch(s);
                if s.cell == w.cell {
                    s.cell = Cell { k: C::Free, who: 0, gen_: s.cell.gen_ + 1, ..s.cell };
                }
                w.pc = 1;
                w.i += 1;
                "unlink cell".into()
            }
            10 => {
                w.cell = s.cell;
                let attached = Self::attached(s, d) || self.fault == Fault::StrangeRings;
                let theirs = w.cell.who == d && matches!(w.cell.k, C::Priv | C::Held) && attached;
                w.pc = if theirs { 11 } else { 14 };
                "cell".into()
            }
            11 => {
                let pinned = s.slot.k == K::R && s.slot.who == d && s.slot.t == w.cell.t;
                w.orphan = w.cell.k == C::Held && !pinned;
                w.pc = 12;
                "judge".into()
            }
            13 => {
                touch(s);
                if s.cell == w.cell {
                    s.cell = Cell {
                        k: if w.orphan { C::Orphan } else { C::Free },
                        who: 0,
                        gen_: s.cell.gen_ + 1,
                        red: s.cell.red + 1,
                        ..s.cell
                    };
                }
                w.pc = 14;
                "cell repaired".into()
            }
            14 => {
                w.slot = s.slot;
                let attached = Self::attached(s, d) || self.fault == Fault::StrangeRings;
                let theirs = w.slot.who == d && matches!(w.slot.k, K::W | K::R) && attached;
                w.pc = if theirs {
                    15
                } else if self.fault == Fault::SlotsFirst {
                    1
                } else {
                    17
                };
                "slot".into()
            }
            16 => {
                touch(s);
                if s.slot == w.slot {
                    s.slot = if w.slot.k == K::W {
                        Slot { t: w.slot.t + 1, block: w.slot.block, ..NO_SLOT }
                    } else {
                        Slot { k: K::F, who: 0, red: (w.slot.red + 1) % 8, ..w.slot }
                    };
                }
                w.pc = if self.fault == Fault::SlotsFirst { 1 } else { 17 };
                "slot repaired".into()
            }
            _ => unreachable!("{}", w.pc),
        }
    }

    /// The dead participant's entry for the queue protects its memory from the reaper's view.
    pub fn attached(s: &State, d: u8) -> bool {
        s.entry[d as usize][0].0 != T::Empty
    }

    pub fn condemn(s: &mut State, b: usize, seen: Own, d: u8) {
        if s.blocks[b].own == seen {
            s.blocks[b].own = Own { st: O::Dying, who: d, ..seen };
        }
    }

    pub fn reaper(&self, s: &State, out: &mut Vec<(String, State)>) {
        let n = s.procs.len();
        if s.reap.dead == 0 {
            for d in 1..n {
                if !s.procs[d].alive && !s.procs[d].reaped {
                    let mut y = s.clone();
                    y.reap = Walk { dead: d as u8, ..NO_WALK };
                    y.reap_op = NO_OP;
                    y.reap_td = 0;
                    out.push((format!("reap {d}"), y));
                }
            }
            return;
        }
        let d = s.reap.dead;
        if s.reaper_kills > 0 {
            // Another adopts, and starts over.
            let mut y = s.clone();
            y.reaper_kills -= 1;
            y.reap = Walk { dead: d, ..NO_WALK };
            y.reap_op = NO_OP;
            y.reap_td = 0;
            out.push(("KILL REAPER".into(), y));
        }
        let mut y = s.clone();
        let mut push = |label: String, y: State| out.push((format!("r{d}:{label}"), y));
        if s.reap_op.pc != 0 && s.reap_op.pc < 40 {
            let (op, label, _) = self.operate(&mut y, d, s.reap_op);
            y.reap_op = op;
            return push(label, y);
        }
        // (a)
        let place = s.place[d as usize];
        if place != 0 && (self.fault != Fault::OperationForgotten || s.reap_op.pc == 40) {
            let e = place - 1;
            let (t, seq) = Self::entry(s, d, e);
            if !matches!(t, T::Add | T::Drop) {
                y.place[d as usize] = 0;
                return push("place cleared".into(), y);
            }
            let object = Self::object_of(e);
            if s.reap_op.pc == 0 {
                y.reap_op = Op { pc: 40, entry: e, seq, add: t == T::Add, seen: s.count[object] };
                return push("judge".into(), y);
            }
            let x = s.reap_op;
            let stamped = x.seen.who == d && x.seen.seq == seq;
            let done = stamped || s.applied[d as usize] >= seq;
            y.reap_op.pc = match (done, x.add) {
                (true, false) if stamped && x.seen.n == 0 => 6,
                (true, _) => 7,
                (false, false) => 3,
                (false, true) => {
                    Self::set_entry(&mut y, d, e, (T::Empty, 0));
                    y.place[d as usize] = 0;
                    y.reap_op = NO_OP;
                    return push("given up".into(), y);
                }
            };
            return push("judged".into(), y);
        }
        // (b) to (d), one word a step: what names d is changed by nobody else but helpers, whose steps are
        // apart.
        if s.reap.pc != 17 {
            let mut w = s.reap;
            let mut label = String::new();
            while w.pc != 17 && y.error == 0 {
                let words = (y.blocks.clone(), y.slot, y.cell);
                label = self.walk(&mut y, &mut w, true);
                if words != (y.blocks.clone(), y.slot, y.cell) {
                    break;
                }
            }
            y.reap = tidy(w);
            return push(label, y);
        }
        // (g)
        for b in 0..s.blocks.len() {
            let own = s.blocks[b].own;
            if own.st == O::Dying && own.who == d {
                if s.blocks[b].child.0 == T::Held && self.fault != Fault::ChildrenForgotten {
                    y.reap_op = Op { pc: 1, entry: 2 + b as u8, ..NO_OP };
                    return push("child".into(), y);
                }
                y.blocks[b].own = Own { st: O::Free, who: 0, ..own };
                return push(format!("block {b} FREE"), y);
            }
        }
        // (h)
        let mut td = s.reap_td;
        if let Some((label, op)) = self.tear(&mut y, d, &mut td) {
            y.reap_td = td;
            if let Some(op) = op {
                y.reap_op = op;
            }
            return push(label, y);
        }
        // (i)
        for e in [1u8, 0] {
            if s.entry[d as usize][e as usize].0 == T::Held {
                y.reap_op = Op { pc: 1, entry: e, ..NO_OP };
                return push(format!("drop {e}"), y);
            }
        }
        y.procs[d as usize].reaped = true;
        y.reap = NO_WALK;
        push("end".into(), y);
    }

    pub fn helper(&self, s: &State, out: &mut Vec<(String, State)>) {
        let Some(me) = s.procs.iter().position(|p| p.role == Role::Helper) else { return };
        let strange = self.fault == Fault::StrangeRings;
        if s.help.pc == 0 {
            let free = s.helps > 0 && (s.procs[me].pc == 0 || strange);
            for d in 1..s.procs.len() {
                if free && !s.procs[d].alive && !s.procs[d].reaped && s.reap.dead == d as u8 {
                    let mut y = s.clone();
                    y.helps -= 1;
                    let mut w = Walk { dead: d as u8, lives: s.procs[d].lives, ..NO_WALK };
                    self.walk(&mut y, &mut w, true);
                    y.help = w;
                    out.push((format!("h{d}:start"), y));
                }
            }
            return;
        }
        let d = s.help.dead as usize;
        let ok = self.fault == Fault::NoSecondLook
            || (!s.procs[d].reaped && !s.procs[d].alive && s.procs[d].lives == s.help.lives);
        let mut y = s.clone();
        let mut w = s.help;
        let label = self.walk(&mut y, &mut w, ok);
        y.help = if w.pc == 17 { NO_WALK } else { tidy(w) };
        out.push((format!("h{d}:{label}"), y));
    }
}
