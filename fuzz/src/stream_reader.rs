//! A writer that lies: any word of its room, at any time between the reader's calls.

use std::sync::atomic::Ordering::Relaxed;

use processing::WaitStrategy;
use processing::prim::limits::Limits;
use processing::prim::spin::Spinner;
use processing::ring::stream::{Next, RecvEnd, StreamRx, word};

use crate::input::Input;
use crate::stream_room::Rooms;

/// No message is longer; no call returns more.
const LIMIT: u64 = 4096;

pub fn stream_reader(bytes: &[u8]) {
    let mut input = Input(bytes);
    let rooms = Rooms::new(&mut input);
    let spinner = Spinner::new(WaitStrategy::Block);
    let mut reader = StreamRx::new(&rooms, &rooms, LIMIT);
    // Where an honest writer would be, so that lies are near the truth.
    let mut number = 0;
    while !input.is_empty() {
        match input.u8() % 16 {
            0..=5 => lie(&rooms, &mut number, &mut input),
            6 => check_peek(reader.peek().ok()),
            7 => check(reader.wait(&Limits::TRY, &spinner, || false).map(|(_, len)| len)),
            8 => {
                let mut buffer = vec![0; usize::from(input.u16() % 300)];
                check(
                    reader
                        .recv_into(&mut buffer, &Limits::TRY, &spinner, || false)
                        .map(|(_, len)| len as u64),
                );
            }
            9 | 10 => {
                check(reader.recv_vec(&Limits::TRY, &spinner, || false).map(|(_, bytes)| bytes.len() as u64))
            }
            11 | 12 => {
                check(reader.recv_with(&Limits::TRY, &spinner, || false, |_, bytes| bytes.len() as u64));
            }
            13 => {
                // The end moves to another process, if it may.
                if reader.settle() {
                    let fault = reader.fault();
                    reader = StreamRx::new(&rooms, &rooms, LIMIT);
                    assert!(fault.is_none() || reader.fault().is_none());
                }
            }
            14 => check(
                reader.recv_vec(&Limits { deadline: Some(1), cancel: None }, &spinner, || true).map(|_| 0),
            ),
            _ if input.u8() == 0 => reader.close(),
            _ => {}
        }
    }
    // Whatever happened, the reader comes to an end.
    rooms.tx.end.state.store(processing::prim::park::CLOSED, Relaxed);
    // The line that it is in may have been overwritten: it is one more.
    let most = 2 + (rooms.lines.len() + 1) * 60;
    let ended = (0..most).any(|_| {
        let end = reader.recv_vec(&Limits::TRY, &spinner, || false);
        matches!(end, Err(RecvEnd::End | RecvEnd::Fault(_)))
    });
    assert!(ended, "still receiving after {most} messages from {} lines", rooms.lines.len());
}

/// One thing that a writer may write; the likely ones are likely.
fn lie(rooms: &Rooms, number: &mut u32, input: &mut Input<'_>) {
    match input.u8() % 8 {
        0 => rooms.at(input.u32()).word.store(input.u32(), Relaxed),
        1 => rooms.at(input.u32()).tag.store(input.u32(), Relaxed),
        2 => rooms.fill(input.u32(), input),
        3 => rooms.tx.end.state.store(input.u32(), Relaxed),
        4 => rooms.tx.end.event.store(input.u32(), Relaxed),
        kind => {
            // A line in its place, with codes and counts that may be true.
            if kind == 5 {
                rooms.fill(*number, input);
            }
            let (code, count) = (u32::from(input.u8() % 64), u32::from(input.u8() % 64));
            let valid = if kind == 6 { count } else { fitting(code, count) };
            if code == word::FIRST {
                rooms.at(*number).payload[0].store(u64::from(input.u16() % 512), Relaxed);
            }
            rooms.at(*number).word.store(word::pack(*number, valid, code), Relaxed);
            if input.u8() % 4 != 0 {
                *number = word::next(*number);
            }
        }
    }
}

/// A count that goes with the code.
fn fitting(code: u32, count: u32) -> u32 {
    match code {
        1..=56 => {
            let stride = word::stride(code);
            (count / stride * stride).clamp(stride, 56 / stride * stride)
        }
        word::ZERO | word::LAST => count.clamp(1, 56),
        _ => 56,
    }
}

fn check(answer: Result<u64, RecvEnd>) {
    match answer {
        Ok(len) | Err(RecvEnd::TooShort { len, .. }) => assert!(len <= LIMIT),
        Err(_) => {}
    }
}

fn check_peek(next: Option<Next>) {
    if let Some(Next::Message { len, .. }) = next {
        assert!(len <= LIMIT);
    }
}
