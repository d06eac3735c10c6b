//! The words of the model, and where each participant stands.

/// Own word of a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum O {
    Free,
    Priv,
    Sent,
    Dying,
}
/// Slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum K {
    E,
    W,
    F,
    R,
}
/// Lease cell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum C {
    Free,
    Priv,
    Held,
    Orphan,
}
/// Reference entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum T {
    Empty,
    Add,
    Held,
    Drop,
}
/// Object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum D {
    Live,
    Dying,
    Free,
}

/// A block reference: block and generation.
pub type Ref = (u8, u8);
pub const NO: Ref = (9, 0);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Own {
    pub st: O,
    pub who: u8,
    pub gen_: u8,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Block {
    pub own: Own,
    /// Header: ring (0 none, 1 the modelled queue, 2 another) and ticket.
    pub ring: u8,
    pub ticket: u8,
    pub child: (T, u8),
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Slot {
    pub t: u8,
    pub k: K,
    pub who: u8,
    pub red: u8,
    pub block: Ref,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cell {
    pub k: C,
    pub who: u8,
    pub gen_: u8,
    pub t: u8,
    pub red: u8,
    pub block: Ref,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Count {
    pub n: i8,
    pub who: u8,
    pub seq: u8,
}
/// A reference operation under way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Op {
    pub pc: u8,
    pub seen: Count,
    pub entry: u8,
    pub seq: u8,
    pub add: bool,
}
pub const NO_OP: Op = Op { pc: 0, seen: Count { n: 0, who: 0, seq: 0 }, entry: 0, seq: 0, add: false };

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    Producer,
    Consumer,
    /// Holds a reference to the queue, helps when it likes, leaves.
    Helper,
    /// Uses blocks for something else: must never be disturbed.
    Other,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Proc {
    pub role: Role,
    pub pc: u8,
    pub block: Ref,
    pub t: u8,
    pub red: u8,
    pub op: Op,
    pub left: u8,
    pub alive: bool,
    pub reaped: bool,
    pub lives: u8,
    /// Position in a teardown.
    pub td: u8,
}
/// A walk over the words of a dead participant: of the reaper or of a helper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Walk {
    pub pc: u8,
    pub dead: u8,
    pub lives: u8,
    pub i: u8,
    pub own: Own,
    pub ring: u8,
    pub ticket: u8,
    pub slot: Slot,
    pub cell: Cell,
    pub orphan: bool,
}
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    pub blocks: Vec<Block>,
    pub slot: Slot,
    pub cell: Cell,
    pub count: [Count; 2],
    pub object: [(D, u8); 2],
    pub entry: Vec<[(T, u8); 2]>,
    pub seqno: Vec<u8>,
    pub applied: Vec<u8>,
    pub place: Vec<u8>,
    pub procs: Vec<Proc>,
    pub reap: Walk,
    pub reap_op: Op,
    pub reap_td: u8,
    pub help: Walk,
    pub kills: u8,
    pub reaper_kills: u8,
    pub helps: u8,
    pub published: u8,
    pub done: u8,
    pub torn: u8,
    pub freed: [u8; 2],
    pub error: u8,
}

pub const NO_OWN: Own = Own { st: O::Free, who: 0, gen_: 0 };
pub const NO_SLOT: Slot = Slot { t: 0, k: K::E, who: 0, red: 0, block: NO };
pub const NO_CELL: Cell = Cell { k: C::Free, who: 0, gen_: 0, t: 9, red: 0, block: NO };
pub const NO_WALK: Walk = Walk {
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

pub fn proc(role: Role, left: u8) -> Proc {
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
