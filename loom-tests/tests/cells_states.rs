//! Lease cells, and the blocks that leased messages lie in, under every interleaving of their steps: a producer, two
//! consumers, a reaper and a helper that may be late for ever; kills of all but the helper, ids used again, close.
//! Words make the library's own steps (`SlotWord`, `CellWord`); the order of the steps is the protocol's, written down
//! here a second time, one shared operation a step.
//!
//! What is left out: weak memory (the loom models have it), and more than two slots, two cells, two messages.
#![cfg(not(loom))]

mod bfs;

use bfs::System;
use processing::ring::{CellState, CellWord, SlotState, SlotWord};
use processing::sync::mutant;

const SLOTS: u64 = 2;
const PRODUCER: u16 = 3;

/// The word of a message's block. Each message has a block of its own, so that no generation is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Own {
    Free,
    Private,
    Sent,
    Dying(u16),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct LeaseCell {
    word: CellWord,
    ticket: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Putting {
    Alloc,
    Claim,
    Send,
    Publish,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Getting {
    Look,
    Scan(usize),
    Detach,
    Fill,
    Hold,
    FreeSlot,
    /// Buried: the last step.
    LayDown,
    /// Leased in a cell.
    CommitCell,
    FreeCell,
    /// Leased in its slot.
    CommitSlot,
    FreeSlotLast,
    FreeBlock,
    SlotsIdle(usize),
    CellsIdle(usize),
    SawClosed,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Producer {
    at: Putting,
    message: u64,
    alive: bool,
    reaped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Consumer {
    at: Getting,
    ticket: u64,
    cell: usize,
    /// The epoch changed since its last look.
    news: bool,
    /// It must look at the cells.
    pending: bool,
    /// What it claimed came back too often.
    burying: bool,
    alive: bool,
    reaped: bool,
    lives: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Repairing {
    Idle,
    Block(usize),
    BlockSeen(usize, Own),
    /// The block is dying by the dead one's hand: its slot, then its cells.
    Unlink(usize),
    UnlinkSlot(usize, SlotWord),
    UnlinkCell(usize, usize),
    UnlinkCellSeen(usize, usize, CellWord),
    Cell(usize),
    CellSeen(usize, CellWord),
    CellJudged(usize, CellWord, bool),
    Slot(usize),
    SlotSeen(usize, SlotWord),
    SlotValid(usize, SlotWord),
    Bump,
    Free,
}

/// Somebody who repairs: the reaper (0) also frees blocks and the id; the helper (1) never does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Repairer {
    at: Repairing,
    dead: u16,
    incarnation: u8,
}

const IDLE: Repairer = Repairer { at: Repairing::Idle, dead: 0, incarnation: 0 };

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    slots: [SlotWord; SLOTS as usize],
    cells: Vec<LeaseCell>,
    own: Vec<Own>,
    producer: Producer,
    consumers: [Consumer; 2],
    repairers: [Repairer; 2],
    kills: u8,
    reaper_kills: u8,
    helps: u8,
    closed: bool,
    /// A message that came back so often is a dead letter; 0: never.
    letters_after: u8,
    published: u8,
    consumed: u8,
    wrong: Option<&'static str>,
}

fn index(ticket: u64) -> usize {
    (ticket % SLOTS) as usize
}

fn empty(ticket: u64) -> SlotWord {
    SlotWord::empty(ticket / SLOTS)
}

fn is_reading(state: &State, ticket: u64, who: u16) -> bool {
    let word = state.slots[index(ticket)];
    word.lap() == ticket / SLOTS && word.state() == SlotState::Reading && word.owner() == who
}

impl State {
    fn alive(&self, id: u16) -> bool {
        if id == PRODUCER { self.producer.alive } else { self.consumers[id as usize - 1].alive }
    }

    fn reaped(&self, id: u16) -> bool {
        if id == PRODUCER { self.producer.reaped } else { self.consumers[id as usize - 1].reaped }
    }

    fn incarnation(&self, id: u16) -> u8 {
        if id == PRODUCER { 1 } else { self.consumers[id as usize - 1].lives }
    }

    fn is_due(&self, redeliveries: u8) -> bool {
        self.letters_after != 0 && redeliveries >= self.letters_after
    }

    fn is_letter(&self, cell: &LeaseCell) -> bool {
        cell.word.state() == CellState::Orphan && self.is_due(cell.word.redeliveries())
    }

    /// The messages that are dead letters.
    fn letters(&self) -> u8 {
        self.cells.iter().filter(|cell| self.is_letter(cell)).fold(0, |all, cell| all | 1 << cell.ticket)
    }

    /// The messages that wait in slots.
    fn waiting(&self) -> u8 {
        let full = self.slots.iter().enumerate().filter(|(_, word)| word.state() == SlotState::Full);
        full.fold(0, |all, (i, word)| all | 1 << (word.lap() * SLOTS + i as u64))
    }

    /// The commit: the block's own word.
    fn commit(&mut self, ticket: u64, me: u16) {
        let own = &mut self.own[ticket as usize];
        if *own != Own::Sent {
            self.wrong = Some("consumed twice");
        }
        *own = Own::Dying(me);
        self.consumed |= 1 << ticket;
    }
}

struct Protocol {
    closes: bool,
}

type Steps = Vec<(String, State)>;

/// Takes a step's name and what it does to the state and to who makes it.
type Emit<'a> = dyn FnMut(&str, &dyn Fn(&mut State, &mut Consumer)) + 'a;

impl Protocol {
    fn producer(&self, state: &State, out: &mut Steps) {
        let producer = state.producer;
        if !producer.alive {
            return;
        }
        let mut emit = |what: &str, change: &dyn Fn(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            out.push((format!("p:{what}"), next));
        };
        if state.kills > 0 && producer.at != Putting::Closed {
            emit("KILLED", &|next| {
                next.kills -= 1;
                next.producer.alive = false;
            });
        }
        let ticket = producer.message;
        match producer.at {
            Putting::Alloc if ticket as usize == state.own.len() => {
                if self.closes {
                    emit("close", &|next| {
                        next.closed = true;
                        next.producer.at = Putting::Closed;
                    });
                }
            }
            Putting::Alloc => emit("alloc", &|next| {
                next.own[ticket as usize] = Own::Private;
                next.producer.at = Putting::Claim;
            }),
            Putting::Claim if state.slots[index(ticket)] == empty(ticket) => emit("claim", &|next| {
                next.slots[index(ticket)] = SlotWord::writing(ticket / SLOTS, PRODUCER);
                next.producer.at = Putting::Send;
            }),
            Putting::Send => emit("own = SENT", &|next| {
                next.own[ticket as usize] = Own::Sent;
                next.producer.at = Putting::Publish;
            }),
            Putting::Publish => emit("publish", &|next| {
                next.slots[index(ticket)] = SlotWord::full(ticket / SLOTS);
                next.published |= 1 << ticket;
                next.producer.message += 1;
                next.producer.at = Putting::Alloc;
            }),
            Putting::Claim | Putting::Closed => {}
        }
    }

    fn consumer(&self, state: &State, who: usize, out: &mut Steps) {
        let consumer = state.consumers[who];
        let me = who as u16 + 1;
        let mut emit = |what: &str, change: &dyn Fn(&mut State, &mut Consumer)| {
            let mut next = state.clone();
            let mut it = consumer;
            change(&mut next, &mut it);
            next.consumers[who] = it;
            out.push((format!("{me}:{what}"), next));
        };
        if !consumer.alive {
            if consumer.reaped && consumer.lives > 0 {
                emit("reborn", &|_, it| *it = Consumer { lives: it.lives - 1, ..NEW });
            }
            return;
        }
        if consumer.at == Getting::SawClosed {
            return;
        }
        if state.kills > 0 {
            emit("KILLED", &|next, it| {
                next.kills -= 1;
                *it = Consumer { alive: false, lives: it.lives, ..NEW };
            });
        }
        let slot = index(consumer.ticket);
        match consumer.at {
            Getting::Look if consumer.news || consumer.pending => emit("scan", &|_, it| {
                (it.news, it.pending, it.at) = (false, true, Getting::Scan(0));
            }),
            Getting::Look => self.look(state, me, &mut emit),
            Getting::Scan(cell) if cell == state.cells.len() => emit("scanned", &|_, it| {
                (it.pending, it.at) = (false, Getting::Look);
            }),
            Getting::Scan(cell) => emit("look at cell", &|next, it| {
                let letter = next.is_letter(&next.cells[cell]) && !mutant::on("mpmc.dead_letters_adopted");
                let seen = &mut next.cells[cell];
                if seen.word.state() == CellState::Orphan && !letter {
                    seen.word = seen.word.adopted(me);
                    (it.ticket, it.cell, it.at) = (seen.ticket, cell, Getting::CommitCell);
                    if mutant::on("mpmc.settled_by_adoption") {
                        it.pending = false;
                    }
                } else {
                    it.at = Getting::Scan(cell + 1);
                }
            }),
            Getting::Detach => emit("reserve a cell", &|next, it| match next
                .cells
                .iter()
                .position(|cell| cell.word.state() == CellState::Free)
            {
                Some(cell) => {
                    next.cells[cell].word = next.cells[cell].word.reserved(me);
                    (it.cell, it.at) = (cell, Getting::Fill);
                }
                // A dead letter without a cell is delivered once more.
                None => (it.at, it.burying) = (Getting::CommitSlot, false),
            }),
            Getting::Fill => emit("fill", &|next, it| {
                next.cells[it.cell].ticket = it.ticket;
                it.at = if mutant::on("mpmc.slot_before_cell") { Getting::FreeSlot } else { Getting::Hold };
            }),
            Getting::Hold => emit("HELD", &|next, it| {
                let count = next.slots[slot].redeliveries();
                next.cells[it.cell].word = next.cells[it.cell].word.held(count);
                it.at = match () {
                    _ if it.burying && mutant::on("mpmc.laid_down_first") => Getting::LayDown,
                    _ if mutant::on("mpmc.slot_before_cell") => in_cell(it),
                    _ => Getting::FreeSlot,
                };
            }),
            Getting::FreeSlot => emit("slot = E", &|next, it| {
                next.slots[slot] = empty(it.ticket + SLOTS);
                it.at = match () {
                    _ if mutant::on("mpmc.slot_before_cell") => Getting::Hold,
                    _ if it.burying && mutant::on("mpmc.laid_down_first") => Getting::Look,
                    _ => in_cell(it),
                };
            }),
            Getting::LayDown => emit("cell = ORPHAN", &|next, it| {
                let word = &mut next.cells[it.cell].word;
                let afresh = mutant::on("mpmc.laid_down_afresh");
                *word = if afresh { word.held(0).orphaned() } else { word.laid_down() };
                it.at = if mutant::on("mpmc.laid_down_first") { Getting::FreeSlot } else { Getting::Look };
            }),
            Getting::CommitCell => emit("own = DYING", &|next, it| {
                let word = next.cells[it.cell].word;
                if word.state() != CellState::Held || word.owner() != me {
                    next.wrong = Some("a living lease was robbed");
                }
                let due = next.is_due(word.redeliveries());
                next.wrong = next.wrong.or(due.then_some("a dead letter was delivered"));
                next.commit(it.ticket, me);
                it.at = Getting::FreeCell;
            }),
            Getting::FreeCell => emit("cell = FREE", &|next, it| {
                next.cells[it.cell].word = next.cells[it.cell].word.freed();
                it.at = Getting::FreeBlock;
            }),
            Getting::CommitSlot => emit("own = DYING (pinned)", &|next, it| {
                if !is_reading(next, it.ticket, me) {
                    next.wrong = Some("a living claim was robbed");
                }
                next.commit(it.ticket, me);
                it.at = Getting::FreeSlotLast;
            }),
            Getting::FreeSlotLast => emit("slot = E", &|next, it| {
                next.slots[slot] = empty(it.ticket + SLOTS);
                it.at = Getting::FreeBlock;
            }),
            Getting::FreeBlock => emit("own = FREE", &|next, it| {
                next.own[it.ticket as usize] = Own::Free;
                it.at = Getting::Look;
            }),
            Getting::SlotsIdle(at) => emit("slot idle?", &|next, it| {
                it.at = match () {
                    _ if at == next.slots.len() => self.after_slots(),
                    _ if next.slots[at].state() == SlotState::Empty => Getting::SlotsIdle(at + 1),
                    _ => Getting::Look,
                };
                see_closed(next, it);
            }),
            Getting::CellsIdle(at) => emit("cell idle?", &|next, it| {
                it.at = match () {
                    _ if at == next.cells.len() => self.after_cells(),
                    _ if next.cells[at].word.state() == CellState::Free => Getting::CellsIdle(at + 1),
                    _ if next.is_letter(&next.cells[at]) => Getting::CellsIdle(at + 1),
                    _ => Getting::Look,
                };
                see_closed(next, it);
            }),
            Getting::SawClosed => {}
        }
    }

    fn look(&self, state: &State, me: u16, emit: &mut Emit<'_>) {
        let full = (0..SLOTS).filter(|&i| state.slots[i as usize].state() == SlotState::Full);
        match full.min_by_key(|&i| state.slots[i as usize].lap() * SLOTS + i) {
            Some(i) => emit("take", &|next, it| {
                let word = next.slots[i as usize];
                it.ticket = word.lap() * SLOTS + i;
                it.burying = next.is_due(word.redeliveries());
                next.slots[i as usize] = word.reading(me);
                it.at = Getting::Detach;
            }),
            None if state.closed => emit("closed?", &|_, it| {
                let cells_first = mutant::on("mpmc.closed_cells_before_slots");
                it.at = if cells_first { Getting::CellsIdle(0) } else { Getting::SlotsIdle(0) };
            }),
            None => {}
        }
    }

    fn after_slots(&self) -> Getting {
        let last = mutant::on("mpmc.closed_cells_before_slots") || mutant::on("mpmc.closed_ignores_cells");
        if last { Getting::SawClosed } else { Getting::CellsIdle(0) }
    }

    fn after_cells(&self) -> Getting {
        if mutant::on("mpmc.closed_cells_before_slots") { Getting::SlotsIdle(0) } else { Getting::SawClosed }
    }

    fn repairer(&self, state: &State, who: usize, out: &mut Steps) {
        let repairer = state.repairers[who];
        let mut emit = |what: &str, change: &dyn Fn(&mut State, &mut Repairer)| {
            let mut next = state.clone();
            let mut it = repairer;
            change(&mut next, &mut it);
            next.repairers[who] = it;
            out.push((format!("r{who}({}):{what}", repairer.dead), next));
        };
        let dead = repairer.dead;
        if repairer.at == Repairing::Idle {
            for dead in (1..=PRODUCER).filter(|&id| !state.alive(id) && !state.reaped(id)) {
                if who == 0 || state.helps > 0 {
                    emit(&format!("begin {dead}"), &|next, it| {
                        next.helps -= who as u8;
                        *it = Repairer { at: Repairing::Block(0), dead, incarnation: next.incarnation(dead) };
                    });
                }
            }
            return;
        }
        if who == 0 && state.reaper_kills > 0 {
            emit("KILLED", &|next, it| {
                next.reaper_kills -= 1;
                *it = IDLE;
            });
        }
        // The second look: same incarnation, not given back yet.
        let still_dead = mutant::on("mpmc.no_second_look")
            || !state.reaped(dead) && state.incarnation(dead) == repairer.incarnation && !state.alive(dead);
        let slots_first = mutant::on("mpmc.slots_before_cells");
        match repairer.at {
            Repairing::Idle => {}
            Repairing::Block(at) if at == state.own.len() => emit("blocks done", &|_, it| {
                it.at = if slots_first { Repairing::Slot(0) } else { Repairing::Cell(0) };
            }),
            Repairing::Block(at) => emit("block", &|next, it| {
                let own = next.own[at];
                let mine = match own {
                    Own::Private => dead == PRODUCER,
                    Own::Sent => {
                        let word = next.slots[index(at as u64)];
                        dead == PRODUCER && word == SlotWord::writing(at as u64 / SLOTS, PRODUCER)
                    }
                    Own::Dying(by) => by == dead,
                    Own::Free => false,
                };
                it.at = if mine { Repairing::BlockSeen(at, own) } else { Repairing::Block(at + 1) };
            }),
            Repairing::BlockSeen(at, own) => emit("block = DYING", &|next, it| {
                if !still_dead {
                    *it = IDLE;
                    return;
                }
                if next.own[at] == own {
                    next.own[at] = Own::Dying(dead);
                    it.at = Repairing::Unlink(at);
                } else {
                    it.at = Repairing::Block(at + 1);
                }
            }),
            Repairing::Unlink(at) => emit("unlink", &|next, it| {
                it.at = match is_reading(next, at as u64, dead) {
                    true => Repairing::UnlinkSlot(at, next.slots[index(at as u64)]),
                    false => Repairing::UnlinkCell(at, 0),
                };
            }),
            Repairing::UnlinkSlot(at, seen) => emit("unlink slot", &|next, it| {
                if !still_dead {
                    *it = IDLE;
                    return;
                }
                let word = &mut next.slots[index(at as u64)];
                if *word == seen {
                    *word = empty(at as u64 + SLOTS);
                }
                it.at = Repairing::UnlinkCell(at, 0);
            }),
            Repairing::UnlinkCell(at, cell) if cell == state.cells.len() => {
                emit("unlinked", &|_, it| it.at = Repairing::Block(at + 1))
            }
            Repairing::UnlinkCell(at, cell) => emit("unlink cell?", &|next, it| {
                let seen = next.cells[cell];
                let names = seen.word.state() == CellState::Held
                    && seen.word.owner() == dead
                    && seen.ticket == at as u64
                    && !mutant::on("mpmc.cells_without_blocks");
                it.at = match names {
                    true => Repairing::UnlinkCellSeen(at, cell, seen.word),
                    false => Repairing::UnlinkCell(at, cell + 1),
                };
            }),
            Repairing::UnlinkCellSeen(at, cell, seen) => emit("unlink cell", &|next, it| {
                if !still_dead {
                    *it = IDLE;
                    return;
                }
                if next.cells[cell].word == seen {
                    next.cells[cell].word = seen.freed();
                }
                it.at = Repairing::UnlinkCell(at, cell + 1);
            }),
            Repairing::Cell(at) if at == state.cells.len() => emit("cells done", &|_, it| {
                it.at = if slots_first { Repairing::Bump } else { Repairing::Slot(0) };
            }),
            Repairing::Cell(at) => emit("cell?", &|next, it| {
                let word = next.cells[at].word;
                let owned =
                    matches!(word.state(), CellState::Private | CellState::Held) && word.owner() == dead;
                it.at = if owned { Repairing::CellSeen(at, word) } else { Repairing::Cell(at + 1) };
            }),
            Repairing::CellSeen(at, seen) => emit("judge cell", &|next, it| {
                if !still_dead {
                    *it = IDLE;
                    return;
                }
                let copied =
                    seen.state() == CellState::Private || is_reading(next, next.cells[at].ticket, dead);
                it.at = Repairing::CellJudged(at, seen, copied);
            }),
            Repairing::CellJudged(at, seen, copied) => emit("repair cell", &|next, it| {
                if next.cells[at].word == seen {
                    next.cells[at].word = if copied { seen.freed() } else { seen.orphaned() };
                }
                it.at = Repairing::Cell(at + 1);
            }),
            Repairing::Slot(at) if at == state.slots.len() => emit("slots done", &|_, it| {
                it.at = if slots_first { Repairing::Cell(0) } else { Repairing::Bump };
            }),
            Repairing::Slot(at) => emit("slot?", &|next, it| {
                let word = next.slots[at];
                let owned = word.is_claimed() && word.owner() == dead;
                it.at = if owned { Repairing::SlotSeen(at, word) } else { Repairing::Slot(at + 1) };
            }),
            Repairing::SlotSeen(at, seen) => emit("judge slot", &|_, it| match still_dead {
                true => it.at = Repairing::SlotValid(at, seen),
                false => *it = IDLE,
            }),
            Repairing::SlotValid(at, seen) => emit("repair slot", &|next, it| {
                if next.slots[at] == seen {
                    next.slots[at] = match seen.state() {
                        SlotState::Writing => SlotWord::empty(seen.lap() + 1),
                        _ => seen.redelivered(),
                    };
                }
                it.at = Repairing::Slot(at + 1);
            }),
            Repairing::Bump => emit("epoch", &|next, it| {
                for consumer in next.consumers.iter_mut().filter(|consumer| consumer.alive) {
                    consumer.news |= !mutant::on("mpmc.no_epoch_bump");
                }
                it.at = Repairing::Free;
            }),
            Repairing::Free => emit("end", &|next, it| {
                if who == 0 {
                    for own in next.own.iter_mut().filter(|own| **own == Own::Dying(dead)) {
                        *own = Own::Free;
                    }
                    match dead {
                        PRODUCER => next.producer.reaped = true,
                        id => next.consumers[id as usize - 1].reaped = true,
                    }
                }
                *it = IDLE;
            }),
        }
    }
}

/// What follows when the message is in its cell.
fn in_cell(consumer: &Consumer) -> Getting {
    if consumer.burying { Getting::LayDown } else { Getting::CommitCell }
}

fn see_closed(state: &mut State, consumer: &Consumer) {
    let left = state.published & !state.consumed & !state.letters();
    if consumer.at == Getting::SawClosed && left != 0 {
        state.wrong = Some("closed although a message is not consumed");
    }
}

impl System for Protocol {
    type State = State;

    fn next(&self, state: &State, out: &mut Steps) {
        self.producer(state, out);
        for who in 0..2 {
            self.consumer(state, who, out);
            self.repairer(state, who, out);
        }
    }

    fn wrong(&self, state: &State) -> Option<String> {
        let twice = state.letters() & (state.consumed | state.waiting()) != 0;
        twice.then(|| "a dead letter is elsewhere as well".into()).or(state.wrong.map(str::to_owned))
    }

    fn stuck(&self, state: &State) -> Option<String> {
        if !state.consumers.iter().any(|consumer| consumer.alive) {
            return None;
        }
        let letters = state.letters();
        if state.published & !state.consumed & !letters != 0 && !self.closes {
            return Some("lost".into());
        }
        let cell =
            state.cells.iter().any(|cell| cell.word.state() != CellState::Free && !state.is_letter(cell));
        let slot = state.slots.iter().any(|word| word.state() != SlotState::Empty);
        let kept = |ticket: usize| if letters >> ticket & 1 != 0 { Own::Sent } else { Own::Free };
        let block = state.own.iter().enumerate().any(|(ticket, own)| *own != kept(ticket));
        ((cell || slot || block) && !self.closes).then(|| "leaked".into())
    }
}

const NEW: Consumer = Consumer {
    at: Getting::Look,
    ticket: 0,
    cell: 0,
    news: false,
    pending: true,
    burying: false,
    alive: true,
    reaped: false,
    lives: 1,
};

fn start(cells: usize, messages: usize, kills: u8, reaper_kills: u8) -> State {
    State {
        slots: [empty(0), empty(1)],
        cells: vec![LeaseCell { word: CellWord(0), ticket: 0 }; cells],
        own: vec![Own::Free; messages],
        producer: Producer { at: Putting::Alloc, message: 0, alive: true, reaped: false },
        consumers: [NEW; 2],
        repairers: [IDLE; 2],
        kills,
        reaper_kills,
        helps: 1,
        closed: false,
        letters_after: 0,
        published: 0,
        consumed: 0,
        wrong: None,
    }
}

fn run(closes: bool, start: State) {
    match bfs::check(&Protocol { closes }, start, 6_000_000) {
        Ok(states) => println!("{states} states"),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn two_deaths() {
    run(false, start(1, 1, 2, 0));
}

#[test]
fn two_messages_one_cell() {
    run(false, start(1, 2, 1, 0));
}

#[test]
fn a_dead_reaper() {
    run(false, start(1, 1, 1, 1));
}

#[test]
fn closing() {
    run(true, start(1, 1, 2, 0));
}

// Two orphans wait: one look that finds the first must not hide the second.
#[test]
fn two_orphans() {
    let mut state = start(2, 2, 0, 0);
    for (ticket, cell) in state.cells.iter_mut().enumerate() {
        *cell = LeaseCell { word: CellWord(0).reserved(1).held(0).orphaned(), ticket: ticket as u64 };
    }
    state.own = vec![Own::Sent; 2];
    state.slots = [empty(2), empty(3)];
    state.producer.message = 2;
    state.published = 3;
    state.consumers[1] = Consumer { alive: false, reaped: true, lives: 0, ..NEW };
    run(false, state);
}

// One death makes a message due; another is that of who buries it, of who was to have it, or of the reaper.
#[test]
fn letters() {
    let starts =
        [(1, start(1, 1, 2, 0)), (1, start(1, 2, 1, 0)), (1, start(1, 1, 1, 1)), (2, start(1, 1, 2, 0))];
    for (letters_after, start) in starts {
        run(false, State { letters_after, ..start });
    }
}

#[test]
fn letters_while_closing() {
    run(true, State { letters_after: 1, ..start(1, 1, 2, 0) });
}
