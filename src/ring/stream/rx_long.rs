//! Receiving a message that runs through several lines.
//!
//! Its lines are freed some at a time: each store of the position costs both sides a cache miss, once the writer has looked at it. All are
//! free before the reader waits or answers, so that the writer never waits for a line that is read.

use super::fault::Fault;
use super::memory::{RxMemory, TxMemory};
use super::payload::{read, read_line};
use super::received::RecvEnd;
use super::rx::StreamRx;
use super::word::{LAST, MORE, pack};
use crate::layout::stream::LINE_BYTES;
use crate::prim::limits::Limits;
use crate::prim::spin::Spinner;
use crate::sync::atomic::Ordering;
use crate::sync::mutant;

/// Assembled messages up to this size leave their memory for the next one.
const KEEP: usize = 64 * 1024;

/// So many lines are freed at once while a message goes on.
pub(super) const FREED_AT_ONCE: u32 = if cfg!(loom) { 4 } else { 16 };

/// A message whose lines are being consumed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long {
    pub(super) tag: u32,
    pub(super) total: u64,
    pub(super) got: u64,
}

impl<T: TxMemory, R: RxMemory> StreamRx<T, R> {
    pub(super) fn begin_long(&mut self) -> Result<(), Fault> {
        let total = self.peer.line(self.number).payload[0].load(Ordering::Relaxed);
        if total <= LINE_BYTES as u64 || total > self.limit {
            return Err(Fault::Length { found: total, limit: self.limit });
        }
        self.taken = 8;
        self.long = Some(Long { tag: self.tag, total, got: 0 });
        self.partial.clear();
        Ok(())
    }

    pub(super) fn forget_long(&mut self) {
        self.long = None;
        self.reuse_partial();
    }

    fn reuse_partial(&mut self) {
        let bytes = core::mem::take(&mut self.partial);
        self.reuse(bytes);
    }

    /// Keeps the memory of a message for the next one, unless it is much.
    pub(super) fn reuse(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() <= KEEP {
            bytes.clear();
            self.partial = bytes;
        }
    }

    /// The rest of a long message into `partial`.
    #[inline(never)]
    pub(super) fn assemble(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(), RecvEnd> {
        while let Some(long) = self.long {
            if self.partial.capacity() - self.partial.len() < LINE_BYTES {
                self.make_room(long)?;
            }
            if let Some(bytes) = self.whole_line(long) {
                self.partial.extend_from_slice(&bytes);
                self.consume_piece(long, LINE_BYTES);
                continue;
            }
            self.more(limits, spinner, on_backstop)?;
            let len = self.piece(long)?;
            let mut bytes = [0; LINE_BYTES];
            let bytes = bytes.get_mut(..len).unwrap_or_default();
            read(self.peer.line(self.number), self.taken as usize / 8, bytes);
            self.partial.extend_from_slice(bytes);
            self.consume_piece(long, len);
        }
        Ok(())
    }

    /// The rest of a long message into `buffer`, which has its length.
    #[inline(never)]
    pub(super) fn recv_long_into(
        &mut self,
        buffer: &mut [u8],
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(), RecvEnd> {
        // An earlier call was interrupted: what it got comes first.
        let before = self.partial.len();
        buffer.get_mut(..before).unwrap_or_default().copy_from_slice(&self.partial);
        while let Some(long) = self.long {
            let got = long.got as usize;
            if let Some(bytes) = self.whole_line(long) {
                buffer.get_mut(got..got + LINE_BYTES).unwrap_or_default().copy_from_slice(&bytes);
                self.consume_piece(long, LINE_BYTES);
                continue;
            }
            let step = self.more(limits, spinner, on_backstop).and_then(|()| self.piece(long));
            let len = match step {
                Ok(len) => len,
                Err(end) => return Err(self.keep(end, buffer.get(before..got).unwrap_or(&[]))),
            };
            // `piece` checked the length against the rest of the message.
            let into = buffer.get_mut(got..got + len).unwrap_or_default();
            read(self.peer.line(self.number), self.taken as usize / 8, into);
            self.consume_piece(long, len);
        }
        self.reuse_partial();
        Ok(())
    }

    /// An interrupted `recv_into` keeps what it got, if the message goes on.
    #[cold]
    fn keep(&mut self, end: RecvEnd, bytes: &[u8]) -> RecvEnd {
        if self.long.is_none() {
            return end;
        }
        if self.partial.try_reserve(bytes.len()).is_err() {
            // Its beginning is lost, so the message is.
            let fault = Fault::Length { found: bytes.len() as u64, limit: 0 };
            self.die(fault);
            return RecvEnd::Fault(fault);
        }
        self.partial.extend_from_slice(bytes);
        end
    }

    /// The next line, if it is there, whole, and the message goes on after it: what [`more`](Self::more) and [`piece`](Self::piece)
    /// find out about any line, for the line that most are.
    #[inline(always)]
    fn whole_line(&self, long: Long) -> Option<[u8; LINE_BYTES]> {
        let in_the_middle = long.got != 0 && long.total - long.got > LINE_BYTES as u64;
        if !in_the_middle || self.valid != 0 || self.taken != 0 || self.is_over() {
            return None;
        }
        let line = self.peer.line(self.number);
        // Acquire: pairs with the writer's Release store; the payload is read after it.
        let found = line.word.load(Ordering::Acquire);
        (found == pack(self.number, LINE_BYTES as u32, MORE)).then(|| read_line(line))
    }

    /// As the message arrives, not as it was announced: an announcement costs the writer nothing.
    #[cold]
    fn make_room(&mut self, long: Long) -> Result<(), RecvEnd> {
        let rest = (long.total - long.got).min(self.partial.len().max(KEEP) as u64) as usize;
        self.partial.try_reserve(rest.max(LINE_BYTES)).map_err(|_| {
            self.free();
            RecvEnd::OutOfMemory { len: long.total }
        })
    }

    /// Waits until the current line has unread bytes of the long message.
    #[inline]
    fn more(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(), RecvEnd> {
        while !self.look_or_end()? {
            if self.ended() {
                if self.look_again()? {
                    break;
                }
                self.forget_long(); // never to be finished
                return Err(RecvEnd::End);
            }
            if !mutant::on("stream.waits_unfreed") {
                self.free();
            }
            self.wait_line(limits, spinner, on_backstop)?;
        }
        self.enter_message()
    }

    /// How many bytes of the long message the current line has; checks that the line says the same.
    #[inline]
    fn piece(&mut self, long: Long) -> Result<usize, RecvEnd> {
        let (here, rest) = (self.valid - self.taken, long.total - long.got);
        let fits = if self.code == LAST { u64::from(here) == rest } else { u64::from(here) < rest };
        if !fits {
            let fault = Fault::Valid(self.valid);
            self.die(fault);
            return Err(RecvEnd::Fault(fault));
        }
        Ok(here as usize)
    }

    #[inline]
    fn consume_piece(&mut self, long: Long, len: usize) {
        let got = long.got + len as u64;
        self.long = if got == long.total { None } else { Some(Long { got, ..long }) };
        self.step();
        if self.long.is_none() || self.number.is_multiple_of(16) {
            self.free();
        }
    }
}
