//! `SharedStruct` of 4 KiB: a guard and one field of it, alone, and while another process replaces the whole by a schedule. The comparisons
//! are in `benches/peers`.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::contest::short_turns;
use crate::measure::payload::message;
use crate::measure::{Beside, Crew, Entry, Pad, Report};
use processing::rkyv::{self, Archive, Deserialize, Serialize};
use processing::{Process, Queue, SharedStruct};

/// Words of 4 KiB, and the one that is read.
const WORDS: usize = 512;
const FIELD: usize = 77;

/// 4 KiB.
#[derive(Clone, Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
pub struct Page {
    before: [u64; FIELD],
    field: u64,
    after: [u64; WORDS - FIELD - 1],
}

impl Page {
    fn new(number: u64) -> Self {
        let words: [u64; WORDS] = message(number);
        let mut page = Self { before: [0; FIELD], field: words[FIELD], after: [0; WORDS - FIELD - 1] };
        page.before.copy_from_slice(&words[..FIELD]);
        page.after.copy_from_slice(&words[FIELD + 1..]);
        page
    }
}

/// Nobody writes.
pub fn read() -> Entry {
    Entry::new("struct.read.4k", |cores| {
        let page = SharedStruct::new(&Page::new(0))?;
        let hand = Hand::start(&cores.one()?, |Desk { cores, orders, reports }| {
            Process::new(alone, (cores, orders, reports, page)).start()
        })?;
        Ok(Crew::new([hand]))
    })
}

fn alone(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, page: SharedStruct<Page>) {
    finish(serve(&Desk { cores, orders, reports }, |operations| reads(operations, &page)));
}

/// No value is older than the one before.
fn reads(operations: u64, page: &SharedStruct<Page>) -> anyhow::Result<Report> {
    let mut last = 0;
    short_turns(operations, || {
        let field = page.read()?.field.to_native();
        let wrong = field < last;
        last = field;
        Ok(wrong)
    })
}

pub fn read_beside() -> Entry {
    Entry::new("struct.read.4k.beside", |cores| {
        let (a, b) = cores.two()?;
        let (pad, name) = Pad::named()?;
        let page = SharedStruct::new(&Page::new(0))?;
        let start = |place, writes: bool| {
            Hand::start(place, |Desk { cores, orders, reports }| {
                let how = (name.clone(), writes);
                Process::new(beside, (cores, orders, reports, how, page.clone())).start()
            })
        };
        Ok(Beside::new(pad, start(&a, false)?, start(&b, true)?))
    })
}

fn beside(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    (pad, writes): (String, bool),
    page: SharedStruct<Page>,
) {
    let pad = match Pad::open(&pad) {
        Ok(pad) => pad,
        Err(error) => return finish(Err(error)),
    };
    finish(serve(&Desk { cores, orders, reports }, |operations| {
        if writes {
            return pad.write(|number| Ok(page.set(&Page::new(number))?));
        }
        pad.watch(|| reads(operations, &page))
    }));
}
