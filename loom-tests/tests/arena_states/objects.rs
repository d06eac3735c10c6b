//! Counted references: one operation at a time, and what the last one takes down.

use super::Arena;
use super::fault::Fault;
use super::state::*;

impl Arena {
    pub fn object_of(entry: u8) -> usize {
        if entry == 0 { 0 } else { 1 }
    }
    /// Entries: 0 queue, 1 object in the table of `p`; 2 + b the child of block b.
    pub fn entry(s: &State, p: u8, e: u8) -> (T, u8) {
        if e >= 2 { s.blocks[e as usize - 2].child } else { s.entry[p as usize][e as usize] }
    }
    pub fn set_entry(s: &mut State, p: u8, e: u8, value: (T, u8)) {
        if e >= 2 { s.blocks[e as usize - 2].child = value } else { s.entry[p as usize][e as usize] = value }
    }
    /// One step of an operation as `d`; true when it is over.
    pub fn operate(&self, s: &mut State, d: u8, mut x: Op) -> (Op, String, bool) {
        let object = Self::object_of(x.entry);
        let mut over = false;
        let label = match x.pc {
            1 => {
                s.seqno[d as usize] += 1;
                x.seq = s.seqno[d as usize];
                s.place[d as usize] = x.entry + 1;
                x.pc = 2;
                "place"
            }
            2 => {
                Self::set_entry(s, d, x.entry, (if x.add { T::Add } else { T::Drop }, x.seq));
                x.pc = 3;
                "intent"
            }
            3 => {
                x.seen = s.count[object];
                let other = x.seen.who != 0 && x.seen.who != d && self.fault != Fault::NoApplied;
                x.pc = if other { 4 } else { 5 };
                "load"
            }
            4 => {
                let q = x.seen.who as usize;
                s.applied[q] = s.applied[q].max(x.seen.seq);
                x.pc = 5;
                "applied"
            }
            5 => {
                if s.count[object] == x.seen {
                    let n = x.seen.n + if x.add { 1 } else { -1 };
                    s.count[object] = Count { n, who: d, seq: x.seq };
                    x.pc = if n > 0 {
                        7
                    } else if self.fault == Fault::EntryBeforeDying {
                        10
                    } else {
                        6
                    };
                } else {
                    x.pc = 3;
                }
                "cas"
            }
            6 => {
                s.object[object] = (D::Dying, d);
                x.pc = 7;
                "DYING"
            }
            7 => {
                let word = if x.add { T::Held } else { T::Empty };
                Self::set_entry(s, d, x.entry, (word, 0));
                x.pc = 8;
                "entry"
            }
            8 => {
                s.place[d as usize] = 0;
                x = NO_OP;
                over = true;
                "end"
            }
            10 => {
                Self::set_entry(s, d, x.entry, (T::Empty, 0));
                s.place[d as usize] = 0;
                x.pc = 11;
                "entry first"
            }
            _ => {
                s.object[object] = (D::Dying, d);
                x = NO_OP;
                over = true;
                "DYING late"
            }
        };
        (x, label.to_string(), over)
    }

    /// One step of tearing down the objects that are DYING(d). `td` is where the queue's teardown is.
    pub fn tear(&self, s: &mut State, d: u8, td: &mut u8) -> Option<(String, Option<Op>)> {
        if s.object[0] == (D::Dying, d) {
            let named = match *td {
                0 if s.slot.k == K::F => Some((s.slot.block, s.slot.t)),
                1 if s.cell.k == C::Orphan => Some((s.cell.block, s.cell.t)),
                _ => None,
            };
            if let Some(((b, generation), t)) = named {
                let believe = self.fault == Fault::NoGeneration;
                let own = s.blocks[b as usize].own;
                if own.st == O::Sent && (own.gen_ == generation || believe) {
                    s.blocks[b as usize].own = Own { st: O::Dying, who: d, ..own };
                    s.torn |= 1 << t;
                    return Some((format!("td block {b} DYING"), None));
                }
                if own.st == O::Dying && own.who == d && own.gen_ == generation {
                    if s.blocks[b as usize].child.0 == T::Held {
                        return Some(("td child".into(), Some(Op { pc: 1, entry: 2 + b, ..NO_OP })));
                    }
                    s.blocks[b as usize].own = Own { st: O::Free, who: 0, ..own };
                    return Some((format!("td block {b} FREE"), None));
                }
            }
            if *td < 2 {
                *td += 1;
                return Some(("td next".into(), None));
            }
            *td = 0;
            s.object[0] = (D::Free, 0);
            s.freed[0] += 1;
            return Some(("queue FREE".into(), None));
        }
        if s.object[1] == (D::Dying, d) {
            s.object[1] = (D::Free, 0);
            s.freed[1] += 1;
            return Some(("object FREE".into(), None));
        }
        None
    }
}
