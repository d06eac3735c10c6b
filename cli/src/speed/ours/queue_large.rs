//! Large messages through a `Queue`: all their bytes are written by the producer and read by the consumer.
//!
//! Those of 4 KiB, of a plain type, are copied in and out, which is cheaper than a block and a lease; those of 1 MiB are written in place, by a
//! reservation, and read in place, by a lease.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::in_place::{Read, Reader, Write, Writer};
use crate::measure::payload::{are_message, message, write_message_bytes};
use crate::measure::{Crew, Entry, Row};
use crate::speed::raw::line_copy::{self, WORDS_1M, WORDS_4K, depth};
use processing::{Process, Queue};

/// Beside the least that the machine allows. (What is beside loans of another project is in `benches/peers`.)
pub fn rows() -> Vec<Row> {
    vec![
        Row::ours(of_4k("queue.stream.4k.1x1")).against(line_copy::of_4k("raw.line_copy")),
        Row::ours(of_1m("queue.stream.1m.1x1")).against(line_copy::of_1m("raw.line_copy")),
    ]
}

/// Messages of 4 KiB, of a plain type.
pub fn of_4k(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let (a, b) = cores.two()?;
        let queue = Queue::<[u64; WORDS_4K]>::new(depth(WORDS_4K))?;
        let reader = Hand::start(&b, |Desk { cores, orders, reports }| {
            Process::new(read_plain, (cores, orders, reports, queue.clone())).start()
        })?;
        let writer = Hand::start(&a, |Desk { cores, orders, reports }| {
            Process::new(write_plain, (cores, orders, reports, queue.clone())).start()
        })?;
        Ok(Crew::new([reader, writer]))
    })
}

/// Messages of 1 MiB, as bytes.
pub fn of_1m(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let (a, b) = cores.two()?;
        let queue = Queue::<Vec<u8>>::new(depth(WORDS_1M))?;
        let reader = Hand::start(&b, |Desk { cores, orders, reports }| {
            Process::new(read_filled, (cores, orders, reports, queue.clone())).start()
        })?;
        let writer = Hand::start(&a, |Desk { cores, orders, reports }| {
            Process::new(write_filled, (cores, orders, reports, queue.clone())).start()
        })?;
        Ok(Crew::new([reader, writer]))
    })
}

fn write_plain(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, queue: Queue<[u64; WORDS_4K]>) {
    let mut writer = Writer::new(Plain(queue));
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| writer.batch(operations)));
}

fn read_plain(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, queue: Queue<[u64; WORDS_4K]>) {
    let mut reader = Reader::new(Plain(queue));
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| reader.batch(operations)));
}

fn write_filled(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, queue: Queue<Vec<u8>>) {
    let mut writer = Writer::new(Reserved(queue));
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| writer.batch(operations)));
}

fn read_filled(cores: Vec<u32>, orders: Queue<u64>, reports: Queue<Figures>, queue: Queue<Vec<u8>>) {
    let mut reader = Reader::new(Leased(queue));
    let desk = Desk { cores, orders, reports };
    finish(serve(&desk, |operations| reader.batch(operations)));
}

/// Either end of a queue whose slots hold the messages.
struct Plain(Queue<[u64; WORDS_4K]>);

impl Write for Plain {
    #[inline(always)]
    fn write(&mut self, number: u64) -> anyhow::Result<()> {
        Ok(self.0.put(&message(number))?)
    }
}

impl Read for Plain {
    #[inline(always)]
    fn read(&mut self, number: u64) -> anyhow::Result<bool> {
        Ok(are_message(self.0.get()?.iter().copied(), number))
    }
}

/// Bytes of a large message.
const BYTES_1M: usize = WORDS_1M * 8;

/// The end that writes blocks in place.
struct Reserved(Queue<Vec<u8>>);

impl Write for Reserved {
    fn write(&mut self, number: u64) -> anyhow::Result<()> {
        let mut room = self.0.reserve_bytes(BYTES_1M)?;
        write_message_bytes(&mut room, number);
        Ok(room.commit().map_err(processing::Error::from)?)
    }
}

/// The end that reads them in place.
struct Leased(Queue<Vec<u8>>);

impl Read for Leased {
    fn read(&mut self, number: u64) -> anyhow::Result<bool> {
        let lease = self.0.get_ref()?;
        let words = lease.as_slice().as_chunks::<8>().0.iter();
        Ok(lease.len() == BYTES_1M && are_message(words.map(|word| u64::from_ne_bytes(*word)), number))
    }
}
