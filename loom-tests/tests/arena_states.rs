//! The arena's protocol, state by state (sequential consistency): message blocks that belong to the slot or
//! lease cell that names them, with one child reference each, in a queue of one slot and one cell, both
//! objects counted. Producer, consumers and the reaper are killed anywhere, a helper may be late for ever, ids
//! are reused. The steps are those of `src/arena` (module docs). Each seeded mutant must fail.
#![cfg(not(loom))]

use processing_loom_tests::{Model, Outcome, explore};

/// Own word of a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum O {
    Free,
    Priv,
    Sent,
    Dying,
}
/// Slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum K {
    E,
    W,
    F,
    R,
}
/// Lease cell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum C {
    Free,
    Priv,
    Held,
    Orphan,
}
/// Reference entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum T {
    Empty,
    Add,
    Held,
    Drop,
}
/// Object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum D {
    Live,
    Dying,
    Free,
}

/// A block reference: block and generation.
type Ref = (u8, u8);
const NO: Ref = (9, 0);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Own {
    st: O,
    who: u8,
    gen_: u8,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Block {
    own: Own,
    /// Header: ring (0 none, 1 the modelled queue, 2 another) and ticket.
    ring: u8,
    ticket: u8,
    child: (T, u8),
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Slot {
    t: u8,
    k: K,
    who: u8,
    red: u8,
    block: Ref,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Cell {
    k: C,
    who: u8,
    gen_: u8,
    t: u8,
    red: u8,
    block: Ref,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Count {
    n: i8,
    who: u8,
    seq: u8,
}
/// A reference operation under way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Op {
    pc: u8,
    seen: Count,
    entry: u8,
    seq: u8,
    add: bool,
}
const NO_OP: Op = Op { pc: 0, seen: Count { n: 0, who: 0, seq: 0 }, entry: 0, seq: 0, add: false };

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Role {
    Producer,
    Consumer,
    /// Holds a reference to the queue, helps when it likes, leaves.
    Helper,
    /// Uses blocks for something else: must never be disturbed.
    Other,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Proc {
    role: Role,
    pc: u8,
    block: Ref,
    t: u8,
    red: u8,
    op: Op,
    left: u8,
    alive: bool,
    reaped: bool,
    lives: u8,
    /// Position in a teardown.
    td: u8,
}
/// A walk over the words of a dead participant: of the reaper or of a helper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Walk {
    pc: u8,
    dead: u8,
    lives: u8,
    i: u8,
    own: Own,
    ring: u8,
    ticket: u8,
    slot: Slot,
    cell: Cell,
    orphan: bool,
}
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    blocks: Vec<Block>,
    slot: Slot,
    cell: Cell,
    count: [Count; 2],
    object: [(D, u8); 2],
    entry: Vec<[(T, u8); 2]>,
    seqno: Vec<u8>,
    applied: Vec<u8>,
    place: Vec<u8>,
    procs: Vec<Proc>,
    reap: Walk,
    reap_op: Op,
    reap_td: u8,
    help: Walk,
    kills: u8,
    reaper_kills: u8,
    helps: u8,
    published: u8,
    done: u8,
    torn: u8,
    freed: [u8; 2],
    error: u8,
}

const NO_OWN: Own = Own { st: O::Free, who: 0, gen_: 0 };
const NO_SLOT: Slot = Slot { t: 0, k: K::E, who: 0, red: 0, block: NO };
const NO_CELL: Cell = Cell { k: C::Free, who: 0, gen_: 0, t: 9, red: 0, block: NO };
const NO_WALK: Walk = Walk {
    pc: 0,
    dead: 0,
    lives: 0,
    i: 0,
    own: NO_OWN,
    ring: 0,
    ticket: 0,
    slot: NO_SLOT,
    cell: NO_CELL,
    orphan: false,
};

/// What is seeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    AsDesigned,
    /// get: the slot is released before the commit.
    SlotBeforeCommit,
    /// put: published before SENT.
    PublishBeforeSent,
    /// Repair: slots and cells before blocks.
    SlotsFirst,
    /// Repair: a committed block's lease cell is not emptied.
    CellForgotten,
    /// Repair: a committed block's slot is not released.
    SlotForgotten,
    /// Helper: no second look at the participant.
    NoSecondLook,
    /// get: the children are dropped before the commit.
    ChildrenBeforeCommit,
    /// Drop to zero: the entry forgets before the object is DYING.
    EntryBeforeDying,
    /// Repair: the operation under way is not finished.
    OperationForgotten,
    /// The stamp is overwritten without raising `applied`.
    NoApplied,
    /// Teardown believes a slot's reference although the block lives another life.
    NoGeneration,
    /// Repair of DYING blocks: freed without their children.
    ChildrenForgotten,
    /// Helper: works on queues that it is not attached to.
    StrangeRings,
}

struct Arena {
    fault: Fault,
}

impl Arena {
    fn object_of(entry: u8) -> usize {
        if entry == 0 { 0 } else { 1 }
    }
    /// Entries: 0 queue, 1 object in the table of `p`; 2 + b the child of block b.
    fn entry(s: &State, p: u8, e: u8) -> (T, u8) {
        if e >= 2 { s.blocks[e as usize - 2].child } else { s.entry[p as usize][e as usize] }
    }
    fn set_entry(s: &mut State, p: u8, e: u8, value: (T, u8)) {
        if e >= 2 { s.blocks[e as usize - 2].child = value } else { s.entry[p as usize][e as usize] = value }
    }
    /// One step of an operation as `d`; true when it is over.
    fn operate(&self, s: &mut State, d: u8, mut x: Op) -> (Op, String, bool) {
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
    fn tear(&self, s: &mut State, d: u8, td: &mut u8) -> Option<(String, Option<Op>)> {
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

    /// Steps of a living participant.
    fn live(&self, s: &State, i: usize, out: &mut Vec<(String, State)>) {
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

    fn leave(s: &State, i: usize) -> State {
        let mut y = s.clone();
        if s.entry[i][1].0 == T::Held {
            y.procs[i].op = Op { pc: 1, entry: 1, ..NO_OP };
        }
        y.procs[i].pc = 20;
        y
    }

    fn commit(&self, mut y: State, i: usize, pc: u8, push: &mut impl FnMut(&str, State)) {
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

    fn release_slot(&self, mut y: State, i: usize, pc: u8, push: &mut impl FnMut(&str, State)) {
        if y.slot.who != i as u8 || y.slot.k != K::R || y.slot.t != y.procs[i].t {
            y.error = 4;
        }
        y.slot = Slot { t: y.slot.t + 1, block: y.slot.block, ..NO_SLOT };
        y.procs[i].pc = pc;
        push("slot E", y);
    }

    /// One step of steps (b) to (d) of the repair; `ok`: the second look. True when the walk is over.
    fn walk(&self, s: &mut State, w: &mut Walk, ok: bool) -> String {
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
    fn attached(s: &State, d: u8) -> bool {
        s.entry[d as usize][0].0 != T::Empty
    }

    fn condemn(s: &mut State, b: usize, seen: Own, d: u8) {
        if s.blocks[b].own == seen {
            s.blocks[b].own = Own { st: O::Dying, who: d, ..seen };
        }
    }

    fn reaper(&self, s: &State, out: &mut Vec<(String, State)>) {
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

    fn helper(&self, s: &State, out: &mut Vec<(String, State)>) {
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

/// Forgets what a walk will not look at again, so that states are one that differ in nothing else.
fn tidy(w: Walk) -> Walk {
    if matches!(w.pc, 0 | 1 | 10 | 14 | 17) {
        return Walk { pc: w.pc, dead: w.dead, lives: w.lives, i: w.i, ..NO_WALK };
    }
    w
}

fn tidy_op(op: Op) -> Op {
    if matches!(op.pc, 4 | 5 | 40) { op } else { Op { seen: NO_OP.seen, ..op } }
}

fn tidy_state(s: &mut State) {
    s.reap_op = tidy_op(s.reap_op);
    for p in &mut s.procs {
        p.op = tidy_op(p.op);
        if p.pc == 0 || p.pc >= 20 {
            (p.block, p.t, p.red) = (NO, 0, 0);
        }
    }
}

impl Arena {
    fn steps(&self, s: &State, out: &mut Vec<(String, State)>) {
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
    fn client(&self, s: &State, i: usize, out: &mut Vec<(String, State)>) {
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
    fn private(s: &State, i: usize) -> bool {
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

fn proc(role: Role, left: u8) -> Proc {
    Proc {
        role,
        pc: 0,
        block: NO,
        t: 0,
        red: 0,
        op: NO_OP,
        left,
        alive: true,
        reaped: false,
        lives: 0,
        td: 0,
    }
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

use Role::{Consumer, Helper, Other, Producer};

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
const ALL: [(&str, Setup); 6] = [
    ("small", SMALL),
    ("two consumers", TWO_CONSUMERS),
    ("two messages", TWO_MESSAGES),
    ("helped", HELPED),
    ("reused", REUSED),
    ("disturbed", DISTURBED),
];

#[test]
fn the_protocol_holds() {
    for (name, setup) in ALL {
        run(Fault::AsDesigned, setup).expect_holds(name);
    }
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
