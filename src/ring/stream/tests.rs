//! Both ends in one process: every length, hand-over, waiting, and a peer that lies.
//!
//! # Safety
//!
//! The mappings are made and kept here.
#![allow(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use memmap2::{MmapMut, MmapOptions};

use super::*;
use crate::layout::stream::{Line, RX_ROOM, RxHeader, TxHeader, tx_room};
use crate::prim::limits::Limits;
use crate::prim::spin::{Spinner, WaitStrategy};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sys::clock;

const LIMIT: u64 = 1 << 20;

/// Two rooms that live as long as anything made from them.
#[derive(Clone)]
struct Rooms {
    tx: MappedTx,
    rx: MappedRx,
    _memory: Arc<(MmapMut, MmapMut)>,
}

struct Tx(Rooms);
struct Rx(Rooms);

impl TxMemory for Tx {
    fn header(&self) -> &TxHeader {
        self.0.tx.header()
    }
    fn lines(&self) -> u32 {
        self.0.tx.lines()
    }
    fn line(&self, number: u32) -> &Line {
        self.0.tx.line(number)
    }
}

impl RxMemory for Rx {
    fn header(&self) -> &RxHeader {
        self.0.rx.header()
    }
}

type Sender = StreamTx<Tx, Rx>;
type Receiver = StreamRx<Tx, Rx>;

impl Rooms {
    fn new(lines: u32) -> Self {
        let map = |len: u64| MmapOptions::new().len(len as usize).map_anon().expect("anonymous memory");
        let (mut tx_map, mut rx_map) = (map(tx_room(lines)), map(RX_ROOM));
        // SAFETY: the mappings are kept in `_memory` and nobody borrows their bytes.
        let (tx, rx) =
            unsafe { (MappedTx::new(tx_map.as_mut_ptr(), lines), MappedRx::new(rx_map.as_mut_ptr())) };
        Self { tx: tx.expect("lines"), rx: rx.expect("aligned"), _memory: Arc::new((tx_map, rx_map)) }
    }

    fn sender(&self) -> Sender {
        StreamTx::new(Tx(self.clone()), Rx(self.clone()))
    }

    fn receiver(&self) -> Receiver {
        StreamRx::new(Tx(self.clone()), Rx(self.clone()), LIMIT)
    }
}

/// A small generator of numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }
}

fn message(number: u64, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number as usize * 7 + at) as u8).collect()
}

fn never() -> bool {
    false
}

fn take(rx: &mut Receiver) -> Result<(u32, Vec<u8>), RecvEnd> {
    rx.recv_vec(&Limits::TRY, &Spinner::default(), never)
}

#[test]
fn every_length_arrives_by_each_way_of_receiving() {
    let rooms = Rooms::new(16);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    let spinner = Spinner::default();
    for len in 0..600usize {
        let bytes = message(len as u64, len);
        let tag = len as u32 / 3;
        for way in 0..3 {
            assert_eq!(tx.try_send(tag, &bytes), Ok(()), "{len}");
            assert_eq!(rx.peek(), Ok(Next::Message { tag, len: len as u64 }));
            let got = match way {
                0 => rx.recv_vec(&Limits::TRY, &spinner, never).expect("there"),
                1 => rx
                    .recv_with(&Limits::TRY, &spinner, never, |tag, bytes| (tag, bytes.to_vec()))
                    .expect("there"),
                _ => {
                    let mut buffer = [0; 600];
                    let end = rx.recv_into(&mut buffer, &Limits::TRY, &spinner, never);
                    let (tag, len) = end.expect("there");
                    (tag, buffer[..len].to_vec())
                }
            };
            assert_eq!(got, (tag, bytes.clone()));
            assert_eq!(rx.peek(), Ok(Next::Empty));
        }
    }
}

#[test]
fn eight_byte_messages_share_lines_and_a_full_ring_says_so() {
    let rooms = Rooms::new(4);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    let mut sent = 0u64;
    while tx.try_send(1, &sent.to_ne_bytes()).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 4 * 7);
    assert_eq!(tx.try_send(1, &[0; 8]), Err(TrySend::Full));
    assert_eq!(tx.try_send(1, &[0; 500]), Err(TrySend::Larger));
    for number in 0..sent {
        assert_eq!(take(&mut rx), Ok((1, number.to_ne_bytes().to_vec())));
    }
    assert_eq!(take(&mut rx), Err(RecvEnd::TimedOut));
}

#[test]
fn a_buffer_that_is_too_short_leaves_the_message() {
    let rooms = Rooms::new(8);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    let spinner = Spinner::default();
    for len in [20, 200] {
        tx.try_send(9, &message(1, len)).expect("room");
        let end = rx.recv_into(&mut [0; 10], &Limits::TRY, &spinner, never);
        assert_eq!(end, Err(RecvEnd::TooShort { tag: 9, len: len as u64 }));
        assert_eq!(take(&mut rx), Ok((9, message(1, len))));
    }
}

#[test]
fn line_numbers_wrap() {
    let rooms = Rooms::new(2);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    for number in 0..(1u64 << 20) + 5 {
        assert_eq!(tx.try_send(1, &[number as u8; 56]), Ok(()));
        if number % 65_521 == 0 || number >= (1 << 20) - 2 {
            // Every now and then, and around the wrap, both ends move.
            assert!(rx.settle());
            (tx, rx) = (rooms.sender(), rooms.receiver());
        }
        let got = rx.recv_with(&Limits::TRY, &Spinner::default(), never, |_, bytes| bytes[55]);
        assert_eq!(got, Ok(number as u8), "{number}");
    }
}

#[test]
fn ends_move_between_any_two_messages() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let rooms = Rooms::new(2 << dice.roll(4));
        let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
        let (mut sent, mut got) = (0u64, 0u64);
        let mut on_the_way = std::collections::VecDeque::new();
        for _ in 0..600 {
            match dice.roll(6) {
                0 => tx = rooms.sender(),
                1 if rx.settle() => rx = rooms.receiver(),
                2 => {
                    let _ = rx.peek();
                }
                3 | 4 => {
                    let len = [0, 8, 8, 24, 56, 57, 100][dice.roll(7) as usize];
                    let tag = dice.roll(2) as u32;
                    if tx.try_send(tag, &message(sent, len)).is_ok() {
                        on_the_way.push_back((tag, message(sent, len)));
                        sent += 1;
                    }
                }
                _ => match take(&mut rx) {
                    Ok(found) => {
                        assert_eq!(Some(found), on_the_way.pop_front(), "seed {seed}, message {got}");
                        got += 1;
                    }
                    Err(end) => assert_eq!((end, on_the_way.len()), (RecvEnd::TimedOut, 0)),
                },
            }
        }
        tx.close();
        while let Ok(found) = take(&mut rx) {
            assert_eq!(Some(found), on_the_way.pop_front(), "seed {seed}");
        }
        assert!(on_the_way.is_empty(), "seed {seed}");
        assert_eq!(rx.peek(), Ok(Next::End));
    }
}

#[test]
fn an_end_that_moves_after_a_message_was_given_up_withdraws_it() {
    let rooms = Rooms::new(2);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    let spinner = Spinner::default();
    assert_eq!(tx.send(1, &[1; 300], &Limits::TRY, &spinner, never), Err(SendEnd::TimedOut));
    assert!(rx.settle()); // nothing consumed yet
    assert_eq!(take(&mut rx), Err(RecvEnd::TimedOut));
    assert!(!rx.settle());
    tx = rooms.sender();
    assert_eq!(tx.try_send(2, b"whole"), Ok(()));
    assert_eq!(take(&mut rx), Err(RecvEnd::Withdrawn));
    assert_eq!(take(&mut rx), Ok((2, b"whole".to_vec())));
}

#[test]
fn an_interrupted_receiver_goes_on_where_it_was() {
    let rooms = Rooms::new(2);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    let bytes = message(3, 1000);
    let writer = std::thread::spawn({
        let bytes = bytes.clone();
        move || tx.send(5, &bytes, &Limits::NONE, &Spinner::new(WaitStrategy::Block), never)
    });
    let mut buffer = vec![0; 1000];
    let spinner = Spinner::default();
    let mut interruptions = 0;
    loop {
        match rx.recv_into(&mut buffer, &Limits::TRY, &spinner, never) {
            Ok(got) => {
                assert_eq!(got, (5, 1000));
                break;
            }
            Err(end) => {
                assert_eq!(end, RecvEnd::TimedOut);
                interruptions += 1;
                buffer.fill(0xee);
                std::thread::sleep(Duration::from_micros(300));
            }
        }
    }
    assert_eq!(writer.join().expect("no panic"), Ok(()));
    assert_eq!(buffer, bytes);
    assert!(interruptions > 0);
}

#[test]
fn closing_ends_both_ways() {
    let rooms = Rooms::new(4);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    tx.try_send(1, b"last").expect("room");
    tx.close();
    assert_eq!(tx.try_send(1, b"late"), Err(TrySend::Closed));
    assert_eq!(rooms.sender().try_send(1, b"late"), Err(TrySend::Closed));
    assert_eq!(take(&mut rx), Ok((1, b"last".to_vec())));
    assert_eq!(take(&mut rx), Err(RecvEnd::End));

    let rooms = Rooms::new(4);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    tx.try_send(1, b"unread").expect("room");
    rx.close();
    assert_eq!(take(&mut rx), Err(RecvEnd::End));
    assert_eq!(tx.try_send(1, b"late"), Err(TrySend::Closed));
    assert_eq!(tx.try_send(1, &[0; 100]), Err(TrySend::Closed));
}

#[test]
fn deadline_cancel_and_a_dead_peer_end_a_wait() {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let rooms = Rooms::new(2);
        let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
        let spinner = Spinner::new(strategy);
        let soon = Limits { deadline: Some(clock::now() + 3_000_000), cancel: None };
        let start = Instant::now();
        assert_eq!(rx.wait(&soon, &spinner, never), Err(RecvEnd::TimedOut));
        assert!(start.elapsed() >= Duration::from_millis(3));

        let set = AtomicU32::new(1);
        let cancelled = Limits { deadline: None, cancel: Some(&set) };
        assert_eq!(rx.wait(&cancelled, &spinner, never), Err(RecvEnd::Cancelled));
        assert_eq!(rx.wait(&Limits::NONE, &spinner, || true), Err(RecvEnd::PeerGone));

        while tx.try_send(1, &[0; 56]).is_ok() {}
        assert_eq!(tx.send(1, &[0; 56], &cancelled, &spinner, never), Err(SendEnd::Cancelled));
        assert_eq!(tx.send(1, &[0; 156], &Limits::NONE, &spinner, || true), Err(SendEnd::PeerGone));

        // What the dead one published is delivered before its death is told.
        let mut asked = 0;
        let mut seen = 0;
        loop {
            let backstop = || {
                asked += 1;
                true
            };
            match rx.recv_vec(&Limits::NONE, &spinner, backstop) {
                Ok(_) => seen += 1,
                Err(end) => {
                    assert_eq!((end, seen), (RecvEnd::PeerGone, 2));
                    break;
                }
            }
        }
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_message_published_between_death_and_question_is_delivered() {
    let rooms = Rooms::new(2);
    let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
    let backstop = || tx.try_send(1, b"just before").is_ok();
    let got = rx.recv_vec(&Limits::NONE, &Spinner::new(WaitStrategy::Block), backstop);
    assert_eq!(got, Ok((1, b"just before".to_vec())));
}

#[test]
fn threads_of_each_strategy_pass_everything_in_order() {
    for strategy in [WaitStrategy::Adaptive, WaitStrategy::Block] {
        for lines in [2, 8, 64] {
            let rooms = Rooms::new(lines);
            let (mut tx, mut rx) = (rooms.sender(), rooms.receiver());
            let writer = std::thread::spawn(move || {
                let spinner = Spinner::new(strategy);
                let mut dice = Dice(u64::from(lines));
                for number in 0..3000 {
                    let len = dice.roll(90) as usize;
                    let sent = tx.send(len as u32 % 2, &message(number, len), &Limits::NONE, &spinner, never);
                    assert_eq!(sent, Ok(()));
                }
                tx.close();
            });
            let spinner = Spinner::new(strategy);
            let mut dice = Dice(u64::from(lines));
            for number in 0..3000 {
                let len = dice.roll(90) as usize;
                let got = rx.recv_vec(&Limits::NONE, &spinner, never);
                assert_eq!(got, Ok((len as u32 % 2, message(number, len))), "{number}");
            }
            assert_eq!(rx.recv_vec(&Limits::NONE, &spinner, never), Err(RecvEnd::End));
            writer.join().expect("no panic");
        }
    }
}

/// Anything at all in the writer's room: messages, nothing, or a fault after which the end stays dead; each call returns.
#[test]
fn a_writer_that_lies_costs_an_error() {
    let mut faults = std::collections::HashSet::new();
    for seed in 0..30_000 {
        let mut dice = Dice(seed);
        let rooms = Rooms::new(2 << dice.roll(3));
        let mut rx = rooms.receiver();
        let mut tx = rooms.sender();
        let mut fault = None;
        for _ in 0..24 {
            let line = rooms.tx.line(dice.roll(16) as u32);
            match dice.roll(8) {
                0 => line.word.store(dice.roll(1 << 31) as u32 * 2, Ordering::Relaxed),
                1 => {
                    // Nearly right, so that it is believed for a while.
                    let number = dice.roll(5) as u32;
                    let forged = word::pack(number, dice.roll(64) as u32, dice.roll(64) as u32);
                    rooms.tx.line(number).word.store(forged, Ordering::Relaxed);
                }
                2 => line.payload[0].store(1 << dice.roll(64), Ordering::Relaxed),
                3 => line.tag.store(dice.roll(9) as u32, Ordering::Relaxed),
                4 => {
                    let _ = tx.try_send(1, &message(seed, [8, 30, 56, 120][dice.roll(4) as usize]));
                }
                _ => {
                    let end = take(&mut rx);
                    if let Some(fault) = fault {
                        assert_eq!(end, Err(RecvEnd::Fault(fault)));
                    }
                    if let Err(RecvEnd::Fault(found)) = end {
                        faults.insert(core::mem::discriminant(&found));
                        assert_eq!(rx.peek(), Err(found));
                        fault = Some(found);
                    }
                }
            }
        }
    }
    assert_eq!(faults.len(), 4, "line number, code, valid and length");
}

#[test]
fn a_reader_that_lies_costs_an_error() {
    let rooms = Rooms::new(4);
    let mut tx = rooms.sender();
    rooms.rx.header().position.word.store(word::pack_position(77, 0), Ordering::Relaxed);
    let fault = Fault::Position { found: 77, line: word::NUMBER_MASK };
    assert_eq!(tx.try_send(1, b"x"), Err(TrySend::Fault(fault)));
    rooms.rx.header().position.word.store(0, Ordering::Relaxed);
    assert_eq!(tx.try_send(1, b"x"), Err(TrySend::Fault(fault)), "dead for good");
    let end = tx.send(1, &[0; 99], &Limits::NONE, &Spinner::default(), never);
    assert_eq!(end, Err(SendEnd::Fault(fault)));
}

#[test]
fn lengths_over_the_limit_are_refused_before_memory_is_taken() {
    let rooms = Rooms::new(4);
    let mut rx = rooms.receiver();
    let line = rooms.tx.line(0);
    for total in [0, 56, LIMIT + 1, u64::MAX] {
        line.payload[0].store(total, Ordering::Relaxed);
        line.word.store(word::pack(0, 56, word::FIRST), Ordering::Release);
        let fault = Fault::Length { found: total, limit: LIMIT };
        assert_eq!(rx.peek(), Err(fault));
        rx = rooms.receiver();
    }
}

#[test]
fn rooms_must_be_aligned_and_counts_a_power_of_two() {
    let mut map = MmapOptions::new().len(1 << 16).map_anon().expect("memory");
    let base = map.as_mut_ptr();
    // SAFETY: all within the mapping, which outlives the values.
    unsafe {
        assert!(MappedTx::new(base, 64).is_some());
        assert!(MappedTx::new(base.add(64), 64).is_none());
        for lines in [0, 1, 3, 1 << 20] {
            assert!(MappedTx::new(base, lines).is_none());
        }
        assert!(MappedRx::new(base.add(8)).is_none());
    }
}
