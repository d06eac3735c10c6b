//! The stream under loom: the library's own source over loom's words.
#![cfg(loom)]

use std::cell::Cell;
use std::sync::Arc;

use loom::thread;
use processing::layout::stream::{EndWords, Line, RxHeader, TxHeader};
use processing::prim::limits::{Limits, WaitEnd};
use processing::prim::park::{self, Bell, Sleeper};
use processing::prim::spin::Spinner;
use processing::ring::stream::{
    Batch, Next, RecvEnd, RxMemory, SendEnd, StreamRx, StreamTx, TrySend, TxMemory,
};
use processing::sync::atomic::{AtomicU32, Ordering};

struct TxRoom {
    header: TxHeader,
    lines: Vec<Line>,
}

#[derive(Clone)]
struct Tx(Arc<TxRoom>);

#[derive(Clone)]
struct Rx(Arc<RxHeader>);

impl TxMemory for Tx {
    fn header(&self) -> &TxHeader {
        &self.0.header
    }
    fn lines(&self) -> u32 {
        self.0.lines.len() as u32
    }
    fn line(&self, number: u32) -> &Line {
        &self.0.lines[number as usize & (self.0.lines.len() - 1)]
    }
}

impl RxMemory for Rx {
    fn header(&self) -> &RxHeader {
        &self.0
    }
}

/// The writer's room of a writer that dies: after so many accesses its stores go nowhere. (Payload stores between
/// two accesses do not matter: the next header store alone makes them visible.)
struct Dying {
    real: Tx,
    nowhere: Tx,
    left: Cell<u32>,
}

impl Dying {
    fn room(&self) -> &Tx {
        match self.left.get() {
            0 => &self.nowhere,
            left => {
                self.left.set(left - 1);
                &self.real
            }
        }
    }
}

impl TxMemory for Dying {
    fn header(&self) -> &TxHeader {
        self.room().header()
    }
    fn lines(&self) -> u32 {
        self.real.lines()
    }
    fn line(&self, number: u32) -> &Line {
        self.room().line(number)
    }
}

fn room(lines: usize) -> Tx {
    let lines = (0..lines).map(|_| Line::default()).collect();
    Tx(Arc::new(TxRoom { header: TxHeader::default(), lines }))
}

fn rooms(lines: usize) -> (Tx, Rx) {
    (room(lines), Rx(Arc::new(RxHeader::default())))
}

fn ends(tx: &Tx, rx: &Rx) -> (StreamTx<Tx, Rx>, StreamRx<Tx, Rx>) {
    (StreamTx::new(tx.clone(), rx.clone()), StreamRx::new(tx.clone(), rx.clone(), 1 << 20))
}

/// A message that says its number in every byte.
fn message(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number * 32 + at % 16) as u8 | 16).collect()
}

/// Sends the messages of these lengths and closes.
fn send_all(mut tx: StreamTx<Tx, Rx>, lens: &[usize], wait: Wait) {
    let spinner = Spinner::default();
    for (number, len) in lens.iter().enumerate() {
        let bytes = message(number, *len);
        match wait {
            Wait::Asleep => assert_eq!(tx.send(7, &bytes, &Limits::NONE, &spinner, || false), Ok(())),
            Wait::Yield => {
                while let Err(full) = tx.try_send(7, &bytes) {
                    assert_eq!(full, TrySend::Full);
                    thread::yield_now();
                }
            }
        }
    }
    tx.close();
}

/// Receives until the end; each message whole and in order.
fn receive_all(mut rx: StreamRx<Tx, Rx>, lens: &[usize], wait: Wait) {
    let spinner = Spinner::default();
    let limits = if wait == Wait::Asleep { Limits::NONE } else { Limits::TRY };
    let mut number = 0;
    loop {
        match rx.recv_with(&limits, &spinner, || false, |tag, bytes| (tag, bytes.to_vec())) {
            Ok((tag, bytes)) => {
                assert_eq!(tag, 7);
                assert_eq!(bytes, message(number, lens[number]));
                number += 1;
            }
            Err(RecvEnd::TimedOut) => thread::yield_now(),
            Err(end) => {
                assert_eq!((end, number), (RecvEnd::End, lens.len()));
                return;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Asleep,
    Yield,
}

fn both_ways(lines: usize, lens: &'static [usize], writer: Wait, reader: Wait) {
    loom::model(move || {
        let (tx, rx) = rooms(lines);
        let (sender, receiver) = ends(&tx, &rx);
        let thread = thread::spawn(move || send_all(sender, lens, writer));
        receive_all(receiver, lens, reader);
        thread.join().unwrap();
    });
}

#[test]
fn equal_lengths_share_a_line() {
    both_ways(2, &[8, 8, 8], Wait::Yield, Wait::Yield);
}

#[test]
fn a_sleeping_reader_of_equal_lengths() {
    both_ways(2, &[8, 8], Wait::Yield, Wait::Asleep);
}

#[test]
fn different_lengths_and_empty_messages() {
    both_ways(2, &[8, 16, 0, 3], Wait::Yield, Wait::Yield);
}

#[test]
fn a_sleeping_reader_of_different_lengths() {
    both_ways(4, &[8, 16, 3], Wait::Yield, Wait::Asleep);
}

#[test]
fn full_ring() {
    both_ways(2, &[56, 56, 56, 56], Wait::Yield, Wait::Yield);
}

#[test]
fn a_sleeping_writer_at_a_full_ring() {
    both_ways(2, &[56, 56, 56, 56], Wait::Asleep, Wait::Yield);
}

/// Without the end of the stream and the last message, which would be explored once more for each way to sleep.
#[test]
fn both_asleep_at_times() {
    loom::model(|| {
        let (tx, rx) = rooms(2);
        let (mut sender, mut receiver) = ends(&tx, &rx);
        let writer = thread::spawn(move || {
            for number in 0..3 {
                let sent = sender.send(7, &message(number, 56), &Limits::NONE, &Spinner::default(), || false);
                assert_eq!(sent, Ok(()));
            }
        });
        for number in 0..2 {
            let got = receiver.recv_vec(&Limits::NONE, &Spinner::default(), || false);
            assert_eq!(got, Ok((7, message(number, 56))));
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_long_message_through_a_ring_smaller_than_itself() {
    both_ways(2, &[120], Wait::Asleep, Wait::Yield);
}

/// A reader frees several lines of a long message at once, and all that it has read when it finds no more.
#[test]
fn a_long_message_whose_lines_are_freed_late() {
    loom::model(|| {
        let (tx, rx) = rooms(2);
        let (mut sender, mut receiver) = ends(&tx, &rx);
        let (bytes, spinner) = (message(0, 170), Spinner::default());
        assert_eq!(sender.send_some(7, &bytes, 0, &spinner), Ok(104));
        assert_eq!(receiver.recv_vec(&Limits::TRY, &spinner, || false), Err(RecvEnd::TimedOut));
        assert_eq!(sender.send_some(7, &bytes, 104, &spinner), Ok(170));
        assert_eq!(receiver.recv_vec(&Limits::TRY, &spinner, || false), Ok((7, bytes)));
    });
}

#[test]
fn four_lines_of_mixed_messages() {
    both_ways(4, &[40, 8, 60], Wait::Yield, Wait::Asleep);
}

/// The writer dies at each of its accesses in turn. Before its death is known, and after, the reader sees whole
/// messages in order: a prefix of what was sent. What was published is not lost; what was begun is discarded.
#[test]
fn a_writer_that_dies_at_each_store() {
    const LENS: [usize; 3] = [8, 8, 70];
    let furthest = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for accesses in 0..40 {
        let furthest_here = furthest.clone();
        loom::model(move || {
            let (tx, rx) = rooms(4);
            let mut receiver = ends(&tx, &rx).1;
            let peer = rx.clone();
            let writer = thread::spawn(move || {
                let room = Dying { real: tx, nowhere: room(4), left: Cell::new(accesses) };
                let mut sender = StreamTx::new(room, peer);
                for (number, len) in LENS.iter().enumerate() {
                    let _ = sender.try_send(7, &message(number, *len));
                }
                sender.close();
            });
            let spinner = Spinner::default();
            let mut got = 0;
            let mut receive = |receiver: &mut StreamRx<Tx, Rx>| {
                let end = receiver.recv_vec(&Limits::TRY, &spinner, || true);
                if let Ok((tag, bytes)) = &end {
                    assert_eq!((*tag, bytes), (7, &message(got, LENS[got])));
                    got += 1;
                }
                end
            };
            let _ = receive(&mut receiver);
            writer.join().unwrap();
            let end = loop {
                if let Err(end) = receive(&mut receiver) {
                    break end;
                }
            };
            assert!(matches!(end, RecvEnd::TimedOut | RecvEnd::End));
            assert!(end != RecvEnd::End || got == LENS.len());
            furthest_here.fetch_max(got, std::sync::atomic::Ordering::Relaxed);
        });
    }
    assert_eq!(furthest.load(std::sync::atomic::Ordering::Relaxed), LENS.len(), "more accesses are needed");
}

/// A send that gives up in the middle of a long message withdraws it; the next message is whole.
#[test]
fn a_withdrawn_message_is_forgotten() {
    loom::model(|| {
        let (tx, rx) = rooms(2);
        let (mut sender, mut receiver) = ends(&tx, &rx);
        let writer = thread::spawn(move || {
            let spinner = Spinner::default();
            let long = sender.send(2, &message(1, 110), &Limits::TRY, &spinner, || false);
            while sender.try_send(3, &message(2, 8)).is_err() {
                thread::yield_now();
            }
            sender.close();
            long.is_ok()
        });
        let spinner = Spinner::default();
        let mut got = Vec::new();
        loop {
            match receiver.recv_vec(&Limits::TRY, &spinner, || false) {
                Ok((tag, bytes)) => got.push((tag, bytes)),
                Err(RecvEnd::Withdrawn) => {}
                Err(RecvEnd::TimedOut) => thread::yield_now(),
                Err(end) => {
                    assert_eq!(end, RecvEnd::End);
                    break;
                }
            }
        }
        let long = writer.join().unwrap();
        let mut expected = Vec::new();
        if long {
            expected.push((2, message(1, 110)));
        }
        expected.push((3, message(2, 8)));
        assert_eq!(got, expected);
    });
}

/// The reader closes while the writer sends and sleeps on a full ring.
#[test]
fn closing_the_reading_end_wakes_a_writer() {
    loom::model(|| {
        let (tx, rx) = rooms(2);
        let (mut sender, mut receiver) = ends(&tx, &rx);
        let writer = thread::spawn(move || {
            let spinner = Spinner::default();
            let mut sent = 0;
            loop {
                match sender.send(0, &message(sent, 56), &Limits::NONE, &spinner, || false) {
                    Ok(()) => sent += 1,
                    Err(end) => {
                        assert_eq!(end, SendEnd::Closed);
                        return;
                    }
                }
                assert!(sent <= 3);
            }
        });
        let first = receiver.recv_vec(&Limits::NONE, &Spinner::default(), || false);
        assert_eq!(first, Ok((0, message(0, 56))));
        receiver.close();
        writer.join().unwrap();
    });
}

/// try_send and peek only: what is seen is a prefix, never torn, and the end comes after the last message.
#[test]
fn looking_without_waiting() {
    loom::model(|| {
        let (tx, rx) = rooms(2);
        let (mut sender, mut receiver) = ends(&tx, &rx);
        let writer = thread::spawn(move || {
            let mut sent = 0;
            for number in 0..3 {
                match sender.try_send(0, &message(number, 24)) {
                    Ok(()) => sent += 1,
                    Err(full) => {
                        assert_eq!(full, TrySend::Full);
                        break;
                    }
                }
            }
            sender.close();
            sent
        });
        let spinner = Spinner::default();
        let mut bytes = [0; 24];
        let mut got = 0;
        for _ in 0..3 {
            match receiver.peek().unwrap() {
                Next::Message { tag, len } => {
                    assert_eq!((tag, len), (0, 24));
                    let end = receiver.recv_into(&mut bytes, &Limits::TRY, &spinner, || false);
                    assert_eq!(end, Ok((0, 24)));
                    assert_eq!(bytes[..], message(got, 24));
                    got += 1;
                }
                Next::Empty => thread::yield_now(),
                Next::End => break,
            }
        }
        let sent = writer.join().unwrap();
        while let Ok((0, 24)) = receiver.recv_into(&mut bytes, &Limits::TRY, &spinner, || false) {
            assert_eq!(bytes[..], message(got, 24));
            got += 1;
        }
        assert_eq!(got, sent);
        assert_eq!(receiver.peek(), Ok(Next::End));
    });
}

/// Parking alone: two publications, each waited for asleep. A lost wake-up is a deadlock, which loom reports.
#[test]
fn park_against_publish() {
    loom::model(|| {
        let waker: Arc<EndWords> = Arc::default();
        let sleeper: Arc<EndWords> = Arc::default();
        let data = Arc::new(AtomicU32::new(0));
        let publisher = {
            let (waker, sleeper, data) = (waker.clone(), sleeper.clone(), data.clone());
            thread::spawn(move || {
                let mut bell = Bell::default();
                for value in 1..=2 {
                    data.store(value, Ordering::Release);
                    bell.ring(&sleeper.state, &waker.event);
                }
                park::close(&waker.state);
                bell.ring(&sleeper.state, &waker.event);
            })
        };
        let mut asleep = Sleeper::default();
        let spinner = Spinner::default();
        for value in 1..=2 {
            let ready = || data.load(Ordering::Relaxed) >= value;
            let end = asleep.wait(&sleeper, &waker.event, &Limits::NONE, &spinner, ready, || false);
            assert_eq!(end, WaitEnd::Ready);
        }
        let closed = || park::is_closed(&waker.state);
        asleep.wait(&sleeper, &waker.event, &Limits::NONE, &spinner, closed, || false);
        publisher.join().unwrap();
    });
}

/// So many messages of eight bytes by one call, or by as many as a full ring makes necessary.
fn batches(lines: usize, count: usize, writer: Wait, reader: Wait) {
    loom::model(move || {
        let (tx, rx) = rooms(lines);
        let (mut sender, receiver) = ends(&tx, &rx);
        let lens = vec![8; count];
        let thread = thread::spawn(move || {
            let messages: Vec<_> = (0..count).map(|number| message(number, 8)).collect();
            let batch = Batch { tag: 7, len: 8, count, message: |n: usize| &messages[n][..] };
            match writer {
                Wait::Asleep => {
                    let sent = sender.send_many(&batch, 0, &Limits::NONE, &Spinner::default(), || false);
                    assert_eq!(sent, (count, Ok(())));
                }
                Wait::Yield => {
                    let mut next = 0;
                    while next < count {
                        let (to, end) = sender.try_send_many(&batch, next);
                        assert!(end == Ok(()) && to == count || end == Err(TrySend::Full), "{to} {end:?}");
                        next = to;
                        thread::yield_now();
                    }
                }
            }
            sender.close();
        });
        receive_all(receiver, &lens, reader);
        thread.join().unwrap();
    });
}

#[test]
fn a_batch_in_one_line() {
    batches(2, 3, Wait::Yield, Wait::Yield);
}

#[test]
fn a_batch_over_two_lines() {
    batches(2, 9, Wait::Yield, Wait::Yield);
}

/// Without the close, which would wake the reader as well.
#[test]
fn a_batch_wakes_a_sleeping_reader() {
    loom::model(|| {
        let (tx, rx) = rooms(2);
        let (mut sender, mut receiver) = ends(&tx, &rx);
        let writer = thread::spawn(move || {
            let messages = [message(0, 8), message(1, 8)];
            let batch = Batch { tag: 7, len: 8, count: 2, message: |n: usize| &messages[n][..] };
            assert_eq!(sender.try_send_many(&batch, 0), (2, Ok(())));
            sender
        });
        for number in 0..2 {
            let got = receiver.recv_vec(&Limits::NONE, &Spinner::default(), || false);
            assert_eq!(got, Ok((7, message(number, 8))));
        }
        writer.join().unwrap();
    });
}

/// A run of short messages is taken at once, and its lines are free for a writer that sleeps for them.
#[test]
fn a_run_of_short_messages_is_taken_at_once() {
    const COUNT: usize = 5;
    loom::model(|| {
        let (tx, rx) = rooms(2);
        let (mut sender, mut receiver) = ends(&tx, &rx);
        let writer = thread::spawn(move || {
            let messages: Vec<_> = (0..COUNT).map(|number| message(number, 24)).collect();
            let batch = Batch { tag: 7, len: 24, count: COUNT, message: |n: usize| &messages[n][..] };
            let sent = sender.send_many(&batch, 0, &Limits::NONE, &Spinner::default(), || false);
            assert_eq!(sent, (COUNT, Ok(())));
            sender
        });
        let mut got = 0;
        while got < COUNT {
            let taken = receiver.take_words(7, 24, COUNT, |words| {
                let bytes: Vec<u8> = words[..3].iter().flat_map(|word| word.to_ne_bytes()).collect();
                assert_eq!(bytes, message(got, 24));
                got += 1;
                true
            });
            if taken == 0 {
                thread::yield_now();
            }
        }
        writer.join().unwrap();
    });
}
