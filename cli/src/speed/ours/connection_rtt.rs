//! Round trips between two `Connection`s: both sides spinning, waiting as they please, sleeping at once,
//! sharing one core, and in a crowd.

use super::hands::{Desk, Figures, Hand, finish, serve};
use crate::measure::round_trip::{Answerer, Asker, End};
use crate::measure::{Crew, Crowd, Entry, Place, Row};
use crate::speed::raw::{futex, mq, ping_pong, pipe, unix_socket};
use processing::rkyv::{self, Archive, Deserialize, Serialize};
use processing::{Connection, Process, Queue, WaitStrategy};

pub fn rows() -> Vec<Row> {
    [of_size::<1>(), of_size::<3>(), of_size::<7>()].into_iter().flatten().collect()
}

/// The rows for messages of so many words.
fn of_size<const WORDS: usize>() -> [Row; 5] {
    [
        Row::ours(busy::<WORDS>()).against(ping_pong::two_line()),
        Row::ours(adaptive::<WORDS>()).against(ping_pong::two_line()),
        Row::ours(asleep::<WORDS>())
            .against(futex::two_cores())
            .against(pipe::two_cores())
            .against(unix_socket::two_cores())
            .against(mq::two_cores()),
        Row::ours(one_core::<WORDS>()).against(pipe::one_core()).against(futex::one_core()),
        Row::ours(crowded::<WORDS>()).against(pipe::crowded()),
    ]
}

pub fn busy<const WORDS: usize>() -> Entry {
    on_two_cores::<WORDS>("busy", Waiting::Spin)
}

pub fn adaptive<const WORDS: usize>() -> Entry {
    on_two_cores::<WORDS>("adaptive", Waiting::Adaptive)
}

pub fn asleep<const WORDS: usize>() -> Entry {
    on_two_cores::<WORDS>("asleep", Waiting::Block)
}

fn on_two_cores<const WORDS: usize>(how: &str, waiting: Waiting) -> Entry {
    Entry::new(name::<WORDS>(how), move |cores| {
        let (a, b) = cores.two()?;
        Ok(Crew::new(conversation::<WORDS>(waiting, Bound::Operations, &a, &b)?))
    })
}

pub fn one_core<const WORDS: usize>() -> Entry {
    Entry::new(name::<WORDS>("one_core"), |cores| {
        let place = cores.one()?;
        Ok(Crew::new(conversation::<WORDS>(Waiting::Adaptive, Bound::Operations, &place, &place)?))
    })
}

pub fn crowded<const WORDS: usize>() -> Entry {
    Entry::new(name::<WORDS>("crowded"), |cores| {
        let place = cores.shared_by_all()?;
        let mut hands = Vec::new();
        for _ in 0..pipe::CROWD {
            hands.extend(conversation::<WORDS>(Waiting::Adaptive, Bound::Time, &place, &place)?);
        }
        Ok(Crowd::new(Crew::new(hands), pipe::CROWD as u64))
    })
}

fn name<const WORDS: usize>(how: &str) -> String {
    format!("connection.rtt.{how}.{}b", WORDS * 8)
}

/// How both ends wait.
#[derive(Clone, Copy, Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
enum Waiting {
    Spin,
    Adaptive,
    Block,
}

impl From<Waiting> for WaitStrategy {
    fn from(waiting: Waiting) -> Self {
        match waiting {
            Waiting::Spin => Self::Spin,
            Waiting::Adaptive => Self::Adaptive,
            Waiting::Block => Self::Block,
        }
    }
}

/// What an order bounds.
#[derive(Clone, Copy, Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
enum Bound {
    Operations,
    Time,
}

/// Starts both sides of a conversation.
fn conversation<const WORDS: usize>(
    waiting: Waiting,
    bound: Bound,
    asker: &Place,
    answerer: &Place,
) -> anyhow::Result<[Hand; 2]> {
    let (asks, answers) = processing::pipe()?;
    Ok([
        Hand::start(answerer, |Desk { cores, orders, reports }| {
            Process::new(answer::<WORDS>, (cores, orders, reports, answers, waiting, bound)).start()
        })?,
        Hand::start(asker, |Desk { cores, orders, reports }| {
            Process::new(ask::<WORDS>, (cores, orders, reports, asks, waiting, bound)).start()
        })?,
    ])
}

fn ask<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    mut connection: Connection,
    waiting: Waiting,
    bound: Bound,
) {
    connection.set_wait_strategy(waiting.into());
    let mut asker = Asker::<_, WORDS>::new(connection);
    let desk = Desk { cores, orders, reports };
    finish(match bound {
        Bound::Operations => serve(&desk, |operations| asker.batch(operations)),
        Bound::Time => serve(&desk, |nanos| asker.for_time(nanos)),
    });
}

fn answer<const WORDS: usize>(
    cores: Vec<u32>,
    orders: Queue<u64>,
    reports: Queue<Figures>,
    mut connection: Connection,
    waiting: Waiting,
    bound: Bound,
) {
    connection.set_wait_strategy(waiting.into());
    let mut answerer = Answerer::<_, WORDS>::new(connection);
    let desk = Desk { cores, orders, reports };
    finish(match bound {
        Bound::Operations => serve(&desk, |operations| answerer.batch(operations)),
        Bound::Time => serve(&desk, |_| answerer.until_stopped()),
    });
}

impl<const WORDS: usize> End<WORDS> for Connection {
    #[inline(always)]
    fn send(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        Ok(Connection::send(self, message)?)
    }

    #[inline(always)]
    fn receive(&mut self) -> anyhow::Result<[u64; WORDS]> {
        Ok(self.recv()?)
    }
}
