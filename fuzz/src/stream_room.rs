//! The two rooms of a stream in plain memory.

use std::sync::atomic::Ordering::Relaxed;

use processing::layout::stream::{Line, RxHeader, TxHeader};
use processing::ring::stream::{RxMemory, TxMemory};

use crate::input::Input;

/// Both rooms; an end holds a borrow of them.
pub struct Rooms {
    pub tx: TxHeader,
    pub rx: RxHeader,
    /// As many as a power of two.
    pub lines: Vec<Line>,
}

impl Rooms {
    pub fn new(input: &mut Input<'_>) -> Self {
        let count = 2usize << (input.u8() % 4);
        Self {
            tx: TxHeader::default(),
            rx: RxHeader::default(),
            lines: (0..count).map(|_| Line::default()).collect(),
        }
    }

    /// Any line of any number.
    pub fn at(&self, number: u32) -> &Line {
        &self.lines[number as usize % self.lines.len()]
    }

    /// Fills a line's payload.
    pub fn fill(&self, number: u32, input: &mut Input<'_>) {
        for word in &self.at(number).payload {
            word.store(input.u64(), Relaxed);
        }
    }
}

impl TxMemory for &Rooms {
    fn header(&self) -> &TxHeader {
        &self.tx
    }
    fn lines(&self) -> u32 {
        self.lines.len() as u32
    }
    fn line(&self, number: u32) -> &Line {
        self.at(number)
    }
}

impl RxMemory for &Rooms {
    fn header(&self) -> &RxHeader {
        &self.rx
    }
}
