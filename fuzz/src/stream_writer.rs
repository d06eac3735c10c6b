//! A reader that lies: any position, state and event, at any time between the writer's calls.

use std::sync::atomic::Ordering::Relaxed;

use processing::WaitStrategy;
use processing::prim::limits::Limits;
use processing::prim::spin::Spinner;
use processing::ring::stream::{StreamTx, word};

use crate::input::Input;
use crate::stream_room::Rooms;

pub fn stream_writer(bytes: &[u8]) {
    let mut input = Input(bytes);
    let rooms = Rooms::new(&mut input);
    let spinner = Spinner::new(WaitStrategy::Block);
    let mut writer = StreamTx::new(&rooms, &rooms);
    let message: Vec<u8> = (0..600u32).map(|i| i as u8).collect();
    while !input.is_empty() {
        match input.u8() % 8 {
            0 => rooms.rx.position.word.store(input.u32(), Relaxed),
            1 => {
                // Near the truth: a few lines around the writer's.
                let near = u32::from(input.u8()) % (2 * rooms.lines.len() as u32 + 2);
                let number = written(&rooms).wrapping_sub(near).wrapping_add(rooms.lines.len() as u32 / 2);
                let position = word::pack_position(number & word::NUMBER_MASK, u32::from(input.u8()));
                rooms.rx.position.word.store(position, Relaxed);
            }
            2 => rooms.rx.end.state.store(input.u32(), Relaxed),
            3 => {
                let _ = writer.try_send(u32::from(input.u8()), part(&message, &mut input));
            }
            4 | 5 => {
                let limits = Limits { deadline: Some(u64::from(input.u8() % 2)), cancel: None };
                let _ = writer.send(7, part(&message, &mut input), &limits, &spinner, || true);
            }
            6 => {
                let _ = writer.poll(&Limits::TRY, &spinner, || false);
                writer = StreamTx::new(&rooms, &rooms);
            }
            _ if input.u8() == 0 => writer.close(),
            _ => {}
        }
        check_lines(&rooms);
    }
}

fn part<'a>(message: &'a [u8], input: &mut Input<'_>) -> &'a [u8] {
    &message[..usize::from(input.u16()) % (message.len() + 1)]
}

/// The number of the newest line.
fn written(rooms: &Rooms) -> u32 {
    rooms.lines.iter().map(|line| word::number(line.word.load(Relaxed))).max().unwrap_or(0)
}

/// Whatever the reader says, each line is one that a reader could accept in its place.
fn check_lines(rooms: &Rooms) {
    for (index, line) in rooms.lines.iter().enumerate() {
        let header = line.word.load(Relaxed);
        if header != 0 {
            let number = word::number(header);
            assert_eq!(number as usize % rooms.lines.len(), index);
            assert!(word::parse(header, number, rooms.lines.len() as u32).is_ok_and(|seen| seen.is_some()));
        }
    }
}
