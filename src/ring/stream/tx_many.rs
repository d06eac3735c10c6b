//! Sending several short messages at once: line after line is filled, each gets its header once, and the reader is woken once.
//!
//! A message is visible from its line's header on. The lines of a batch get theirs from the second to the last of up to sixteen, and the
//! first one's after them, as the lines of a long message do: killed in between, the reader finds what was before the
//! first of them, and then the end.

use super::memory::{RxMemory, TxMemory};
use super::tx::{BATCH, SendEnd, StreamTx, TrySend, write};
use super::word::{pack, short_code, stride};
use crate::layout::stream::{LINE_BYTES, Line};
use crate::prim::limits::Limits;
use crate::prim::park::CLOSED;
use crate::prim::spin::Spinner;
use crate::sync::atomic::Ordering;
use crate::sync::mutant;

/// Messages of one length, up to 56 bytes, and of one tag.
#[derive(Clone, Copy, Debug)]
pub struct Batch<F> {
    /// Their tag.
    pub tag: u32,
    /// The length of each.
    pub len: usize,
    /// How many.
    pub count: usize,
    /// The bytes of message so and so, `len` of them.
    pub message: F,
}

impl<'m, F: Fn(usize) -> &'m [u8]> Batch<F> {
    fn code(&self) -> u32 {
        short_code(self.len)
    }

    /// How many of them a line holds.
    fn per_line(&self) -> usize {
        LINE_BYTES / stride(self.code()) as usize
    }
}

impl<T: TxMemory, R: RxMemory> StreamTx<T, R> {
    /// Sends the messages from `from` on that there is room for, without waiting: up to which, and why not more.
    ///
    /// All that were sent are visible when it returns, and the reader is awake.
    pub fn try_send_many<'m, F: Fn(usize) -> &'m [u8]>(
        &mut self,
        batch: &Batch<F>,
        from: usize,
    ) -> (usize, Result<(), TrySend>) {
        debug_assert!(batch.len <= LINE_BYTES, "longer messages go one by one");
        // Relaxed: nothing of the reader's is read on the strength of it.
        if self.peer.header().end.state.load(Ordering::Relaxed) & CLOSED != 0 {
            return (from, Err(TrySend::Closed));
        }
        let mut next = self.append(batch, from);
        let mut end = Ok(());
        while next < batch.count && end.is_ok() {
            end = self.make_ready();
            if end.is_ok() {
                next = self.put_lines(batch, next);
            }
        }
        if next > from && !mutant::on("stream.batch_without_bell") {
            self.bell.ring(&self.peer.header().end.state, &self.own.header().end.event);
        }
        (next, end)
    }

    /// Sends the messages from `from` on, waiting for room as `limits` say: up to which, and why not all. What was sent is told to the
    /// reader before each wait.
    pub fn send_many<'m, F: Fn(usize) -> &'m [u8]>(
        &mut self,
        batch: &Batch<F>,
        from: usize,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
    ) -> (usize, Result<(), SendEnd>) {
        let mut next = from;
        loop {
            let (sent, end) = self.try_send_many(batch, next);
            next = sent;
            let wait = match end {
                Ok(()) => return (next, Ok(())),
                Err(TrySend::Full | TrySend::Larger) => self.wait_room(limits, spinner, &mut on_backstop),
                Err(TrySend::Closed) => Err(SendEnd::Closed),
                Err(TrySend::Fault(fault)) => Err(SendEnd::Fault(fault)),
            };
            if let Err(end) = wait {
                return (next, Err(end));
            }
        }
    }

    /// What the current line has room for.
    fn append<'m, F: Fn(usize) -> &'m [u8]>(&mut self, batch: &Batch<F>, from: usize) -> usize {
        let code = batch.code();
        if code != self.code || batch.tag != self.tag {
            return from;
        }
        let room = (LINE_BYTES as u32 - self.used) / stride(code);
        let to = batch.count.min(from + room as usize);
        if to > from {
            let header = self.fill_line(batch, from, to);
            // Release: pairs with the reader's Acquire load of the word.
            self.own.line(self.number).word.store(header, Ordering::Release);
        }
        to
    }

    /// Some new lines; there is room for one at least. Answers the first message that is not in them.
    fn put_lines<'m, F: Fn(usize) -> &'m [u8]>(&mut self, batch: &Batch<F>, from: usize) -> usize {
        let (first, mut next) = self.put_line(batch, from);
        let number = self.number;
        let mut lines = 1;
        while lines < BATCH && self.room > 0 && next < batch.count {
            let (header, to) = self.put_line(batch, next);
            // Release: the payload; and before the first header, which lets the reader come here.
            self.own.line(self.number).word.store(header, Ordering::Release);
            next = to;
            lines += 1;
        }
        let order =
            if mutant::on("stream.batch_header_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        // Release: pairs with the reader's Acquire load of the word; the payload, and the lines behind it.
        self.own.line(number).word.store(first, order);
        next
    }

    /// One new line: its header, which is not stored yet, and the first message that is not in it.
    #[inline]
    fn put_line<'m, F: Fn(usize) -> &'m [u8]>(&mut self, batch: &Batch<F>, from: usize) -> (u32, usize) {
        self.enter(batch.code(), batch.tag);
        let to = batch.count.min(from + batch.per_line());
        (self.fill_line(batch, from, to), to)
    }

    /// Messages `from..to` into the current line, which has room for them; its new header.
    #[inline]
    fn fill_line<'m, F: Fn(usize) -> &'m [u8]>(&mut self, batch: &Batch<F>, from: usize, to: usize) -> u32 {
        let (code, stride) = (batch.code(), stride(batch.code()));
        let line: &Line = self.own.line(self.number);
        let mut used = self.used;
        for message in from..to {
            write(line, used as usize / 8, (batch.message)(message));
            used += stride;
        }
        self.used = used;
        pack(self.number, used, code)
    }
}
