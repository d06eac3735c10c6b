//! The writing end.

#[cfg(not(loom))]
use super::awaited::{Awaited, AwaitedRoom};
use super::fault::Fault;
use super::memory::{RxMemory, TxMemory};
use super::payload::{write, write_line};
use super::word::{self, FIRST, FIRST_BYTES, LAST, MORE, NUMBER_MASK, pack};
use crate::layout::stream::LINE_BYTES;
use crate::prim::limits::{Limits, WaitEnd};
use crate::prim::park::{self, Bell, CLOSED, Sleeper};
use crate::prim::spin::{Spinner, WaitStrategy};
#[cfg(not(loom))]
use crate::prim::watch::Watch;
use crate::sync::atomic::Ordering;
use crate::sync::mutant;

/// How many free lines a writer that found the ring full hopes for before it goes on, and how often it looks.
const GATHER_LINES: u32 = 16;
const GATHER_LOOKS: u32 = 128;

/// The one writer of a stream: private cursors over shared lines.
#[derive(Debug)]
pub struct StreamTx<T, R> {
    pub(super) own: T,
    pub(super) peer: R,
    /// The line that was written last; the next one follows it.
    pub(super) number: u32,
    /// What of it is used, in bytes (empty messages: in messages).
    pub(super) used: u32,
    /// Its code; 0 if nothing may be appended. FIRST or MORE: a long message is not finished.
    pub(super) code: u32,
    pub(super) tag: u32,
    /// Lines that may be begun without another look at the reader's position.
    pub(super) room: u32,
    dead: Option<Fault>,
    closed: bool,
    pub(super) bell: Bell,
    sleeper: Sleeper,
}

/// Why [`StreamTx::try_send`] sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrySend {
    /// No room for the whole message at present.
    Full,
    /// The whole ring has no room for the message; [`StreamTx::send`] passes it through in pieces.
    Larger,
    /// One of the two ends was closed.
    Closed,
    /// The reader broke the format; the end is dead.
    Fault(Fault),
}

/// Why [`StreamTx::send`] gave up; the message is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendEnd {
    /// The deadline passed.
    TimedOut,
    /// The cancel word was set.
    Cancelled,
    /// One of the two ends was closed.
    Closed,
    /// The reader's process is gone.
    PeerGone,
    /// The reader broke the format; the end is dead.
    Fault(Fault),
}

impl<T: TxMemory, R: RxMemory> StreamTx<T, R> {
    /// The writing end over `own` room, wherever a former holder of this end left it (all zero: a new stream).
    ///
    /// The cursor is found in the lines themselves: index 0 holds line `a`, and the indices up to the last written
    /// one hold `a + index`, later ones the lap before. Reads about log2(lines) lines.
    pub fn new(own: T, peer: R) -> Self {
        let (number, used, code, tag) = match last_line(&own) {
            Some(number) => {
                let line = own.line(number);
                let found = line.word.load(Ordering::Relaxed);
                (number, word::valid(found), word::code(found), line.tag.load(Ordering::Relaxed))
            }
            None => (NUMBER_MASK, LINE_BYTES as u32, 0, 0),
        };
        let closed = own.header().end.state.load(Ordering::Relaxed) & CLOSED != 0;
        let code = if closed { 0 } else { code };
        Self {
            own,
            peer,
            number,
            used,
            code,
            tag,
            room: 0,
            dead: None,
            closed,
            bell: Bell::default(),
            sleeper: Sleeper::default(),
        }
    }

    /// Sends the whole message or nothing, without waiting.
    ///
    /// Up to 56 bytes: no system call while the reader is awake, one release store, no read-modify-write.
    #[inline]
    pub fn try_send(&mut self, tag: u32, bytes: &[u8]) -> Result<(), TrySend> {
        if bytes.len() <= LINE_BYTES { self.try_short(tag, bytes) } else { self.try_long(tag, bytes) }
    }

    /// Sends, waiting for room as `limits` say. A message over 56 bytes goes out line by line as room appears; if
    /// the call gives up in its middle the reader forgets what it has of it.
    ///
    /// `on_backstop` answers whether the reader's process is gone; it is asked now and then while asleep.
    #[inline]
    pub fn send(
        &mut self,
        tag: u32,
        bytes: &[u8],
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
    ) -> Result<(), SendEnd> {
        if bytes.len() > LINE_BYTES {
            return self.send_long(tag, bytes, limits, spinner, &mut on_backstop);
        }
        loop {
            match self.try_short(tag, bytes) {
                Ok(()) => return Ok(()),
                Err(TrySend::Full | TrySend::Larger) => self.wait_room(limits, spinner, &mut on_backstop)?,
                Err(TrySend::Closed) => return Err(SendEnd::Closed),
                Err(TrySend::Fault(fault)) => return Err(SendEnd::Fault(fault)),
            }
        }
    }

    /// Sends what there is room for of a message, from byte `sent` on, without waiting: how many of its bytes are sent after that. It is
    /// delivered when all are. Sending anything else in between gives it up.
    pub fn send_some(
        &mut self,
        tag: u32,
        bytes: &[u8],
        sent: usize,
        spinner: &Spinner,
    ) -> Result<usize, TrySend> {
        if bytes.len() <= LINE_BYTES {
            return self.try_short(tag, bytes).map(|()| bytes.len());
        }
        if self.closed || self.peer_closed() {
            return Err(TrySend::Closed);
        }
        let goes_on = matches!(self.code, FIRST | MORE);
        if sent == 0 && goes_on {
            self.give_up_message()?;
        }
        // It was given up meanwhile: from the start.
        let mut sent = if goes_on { sent } else { 0 };
        if self.room == 0 {
            self.gather_room(spinner);
        }
        while sent < bytes.len() {
            if self.room == 0 {
                match self.look_for_room() {
                    Err(TrySend::Full) => break,
                    looked => looked?,
                }
            }
            sent += self.put_pieces(tag, bytes, sent);
        }
        Ok(sent)
    }

    /// Announces a sleeper, for who sleeps elsewhere until a line is free. None: one is, or sending would fail. Stays until
    /// [`unwatch`](Self::unwatch).
    #[cfg(not(loom))]
    #[cold]
    pub fn watch(&mut self) -> Option<(Watch, AwaitedRoom<R>)>
    where
        R: Clone + Send + Sync,
    {
        let awaited = AwaitedRoom::new(self.peer.clone(), self.number, self.own.lines());
        let watch = self.sleeper.watch(&self.own.header().end, &self.peer.header().end.event);
        (!awaited.is_over()).then_some((watch, awaited))
    }

    /// Nobody sleeps elsewhere any more.
    #[cfg(not(loom))]
    pub fn unwatch(&mut self) {
        self.sleeper.unwatch(&self.own.header().end);
    }

    /// Whether a message of up to 56 bytes has room, or sending would fail.
    pub fn poll(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
    ) -> Result<(), SendEnd> {
        self.wait_room(limits, spinner, &mut on_backstop)
    }

    /// Ends the stream: the reader gets what was sent, then the end. A long message that was begun and given up is
    /// forgotten. Idempotent.
    pub fn close(&mut self) {
        self.closed = true;
        self.code = 0;
        let end = &self.own.header().end;
        park::close(&end.state);
        self.bell.ring(&self.peer.header().end.state, &end.event);
    }

    /// The reader has closed its end.
    pub fn peer_closed(&self) -> bool {
        park::is_closed(&self.peer.header().end.state)
    }

    #[inline(always)]
    fn try_short(&mut self, tag: u32, bytes: &[u8]) -> Result<(), TrySend> {
        // Relaxed: nothing of the reader's is read on the strength of it.
        if self.peer.header().end.state.load(Ordering::Relaxed) & CLOSED != 0 {
            return Err(TrySend::Closed);
        }
        let code = word::short_code(bytes.len());
        let stride = word::stride(code);
        if code != self.code || tag != self.tag || self.used + stride > LINE_BYTES as u32 {
            self.begin(code, tag)?;
        }
        let line = self.own.line(self.number);
        let valid = self.used + stride;
        let header = pack(self.number, valid, code);
        if mutant::on("stream.header_first") {
            line.word.store(header, Ordering::Release);
        }
        write(line, self.used as usize / 8, bytes);
        self.used = valid;
        self.publish(header);
        Ok(())
    }

    /// The header of the current line, after everything that it announces.
    #[inline(always)]
    fn publish(&mut self, header: u32) {
        self.publish_at(self.number, header);
    }

    /// [`publish`](Self::publish) for a line before the current one.
    #[inline(always)]
    fn publish_at(&mut self, number: u32, header: u32) {
        let order = if mutant::on("stream.header_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        // Release: pairs with the reader's Acquire load of the word.
        self.own.line(number).word.store(header, order);
        self.bell.ring(&self.peer.header().end.state, &self.own.header().end.event);
    }

    /// Makes the next line current and empty.
    #[inline]
    fn begin(&mut self, code: u32, tag: u32) -> Result<(), TrySend> {
        self.make_ready()?;
        self.enter(code, tag);
        Ok(())
    }

    /// At least one line may be begun.
    #[inline]
    pub(super) fn make_ready(&mut self) -> Result<(), TrySend> {
        if self.closed || matches!(self.code, FIRST | MORE) {
            self.give_up_message()?;
        }
        if self.room == 0 {
            self.look_for_room()?;
        }
        Ok(())
    }

    /// The next line is free: takes it.
    #[inline(always)]
    pub(super) fn enter(&mut self, code: u32, tag: u32) {
        self.room -= 1;
        self.number = word::next(self.number);
        (self.used, self.code, self.tag) = (0, code, tag);
        // The reader reads it after the line's first word, so that it is stored once a line.
        self.own.line(self.number).tag.store(tag, Ordering::Relaxed);
    }

    /// A long message was begun and its `send` gave up: tells the reader to forget it.
    #[cold]
    fn give_up_message(&mut self) -> Result<(), TrySend> {
        if self.closed {
            return Err(TrySend::Closed);
        }
        if self.room == 0 {
            self.look_for_room()?;
        }
        self.enter(word::ABORT, 0);
        self.used = LINE_BYTES as u32;
        self.publish(pack(self.number, LINE_BYTES as u32, word::ABORT));
        Ok(())
    }

    #[cold]
    fn look_for_room(&mut self) -> Result<(), TrySend> {
        self.room = self.free_lines().map_err(TrySend::Fault)?;
        if self.room == 0 { Err(TrySend::Full) } else { Ok(()) }
    }

    /// How many lines after the current one are free, by the reader's word.
    fn free_lines(&mut self) -> Result<u32, Fault> {
        if let Some(fault) = self.dead {
            return Err(fault);
        }
        // Acquire: the reader's loads of a line are over before we overwrite it.
        let position = self.peer.header().position.word.load(Ordering::Acquire);
        free_lines(position, self.number, self.own.lines()).inspect_err(|fault| {
            self.dead = Some(*fault);
            self.code = 0;
        })
    }

    #[cold]
    pub(super) fn wait_room(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(), SendEnd> {
        self.gather_room(spinner);
        let (own, peer, number, lines) = (&self.own, &self.peer, self.number, self.own.lines());
        let theirs = peer.header();
        let ready = || {
            // Relaxed: `free_lines` looks again before anything is overwritten.
            let position = theirs.position.word.load(Ordering::Relaxed);
            free_lines(position, number, lines) != Ok(0)
                || theirs.end.state.load(Ordering::Relaxed) & CLOSED != 0
        };
        let end =
            self.sleeper.wait(&own.header().end, &theirs.end.event, limits, spinner, ready, on_backstop);
        match end {
            WaitEnd::Ready if self.closed || self.peer_closed() => Err(SendEnd::Closed),
            WaitEnd::Ready => {
                self.room = self.free_lines().map_err(SendEnd::Fault)?;
                Ok(())
            }
            WaitEnd::TimedOut => Err(SendEnd::TimedOut),
            WaitEnd::Cancelled => Err(SendEnd::Cancelled),
            WaitEnd::PeerGone => Err(SendEnd::PeerGone),
        }
    }

    /// A reader at work frees line after line, and each look at its position costs both sides a cache miss: so a writer
    /// that found the ring full lets it free several, for a fraction of a microsecond.
    fn gather_room(&self, spinner: &Spinner) {
        if cfg!(loom) || spinner.strategy() == WaitStrategy::Block {
            return;
        }
        let lines = self.own.lines();
        let want = (lines / 8).clamp(1, GATHER_LINES);
        let position = &self.peer.header().position.word;
        for _ in 0..GATHER_LOOKS {
            let free = free_lines(position.load(Ordering::Relaxed), self.number, lines);
            if free.map_or(true, |free| free >= want) {
                return;
            }
        }
    }

    #[cold]
    fn try_long(&mut self, tag: u32, bytes: &[u8]) -> Result<(), TrySend> {
        if self.closed || self.peer_closed() {
            return Err(TrySend::Closed);
        }
        let lines = 1 + (bytes.len() - FIRST_BYTES).div_ceil(LINE_BYTES);
        if lines > self.own.lines() as usize {
            return Err(TrySend::Larger);
        }
        if matches!(self.code, FIRST | MORE) {
            self.give_up_message()?;
        }
        if (self.room as usize) < lines {
            self.room = self.free_lines().map_err(TrySend::Fault)?;
        }
        if (self.room as usize) < lines {
            return Err(TrySend::Full);
        }
        let mut sent = 0;
        while sent < bytes.len() {
            sent += self.put_pieces(tag, bytes, sent);
        }
        Ok(())
    }

    #[inline(never)]
    fn send_long(
        &mut self,
        tag: u32,
        bytes: &[u8],
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(), SendEnd> {
        if self.closed || self.peer_closed() {
            return Err(SendEnd::Closed);
        }
        if matches!(self.code, FIRST | MORE) {
            self.need_line(limits, spinner, on_backstop)?;
            // There is a free line: nothing can fail but what `need_line` would have said.
            let _ = self.give_up_message();
        }
        let mut sent = 0;
        while sent < bytes.len() {
            self.need_line(limits, spinner, on_backstop)?;
            sent += self.put_pieces(tag, bytes, sent);
        }
        Ok(())
    }

    /// At least one line may be begun.
    #[inline]
    fn need_line(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(), SendEnd> {
        while self.room == 0 {
            self.wait_room(limits, spinner, on_backstop)?;
        }
        Ok(())
    }

    /// Some lines of a long message, from byte `sent` on; there is room for one at least. Returns the bytes that they
    /// took.
    ///
    /// Their headers are stored from the second to the last, and the first one's after them: the reader, which looks at
    /// one line after the other, finds them all at once. Reading the first while the next are written would
    /// make both sides wait for lines: processors fetch them in pairs.
    #[inline]
    fn put_pieces(&mut self, tag: u32, bytes: &[u8], sent: usize) -> usize {
        let (first, mut taken) = self.write_piece(tag, bytes, sent);
        let number = self.number;
        let mut lines = 1;
        while lines < BATCH && self.room > 0 && sent + taken < bytes.len() {
            let (header, len) = self.write_piece(tag, bytes, sent + taken);
            // Release: the payload; and before the first header, which lets the reader come here.
            self.own.line(self.number).word.store(header, Ordering::Release);
            taken += len;
            lines += 1;
        }
        self.publish_at(number, first);
        taken
    }

    /// One line's payload, from byte `sent` on; there is room. Returns its header and the bytes that it took.
    #[inline]
    fn write_piece(&mut self, tag: u32, bytes: &[u8], sent: usize) -> (u32, usize) {
        let rest = &bytes[sent..];
        let (code, at, len) = if sent == 0 {
            (FIRST, 1, FIRST_BYTES)
        } else if rest.len() > LINE_BYTES {
            (MORE, 0, LINE_BYTES)
        } else {
            (LAST, 0, rest.len())
        };
        self.enter(code, tag);
        let line = self.own.line(self.number);
        if code == FIRST {
            line.payload[0].store(bytes.len() as u64, Ordering::Relaxed);
        }
        match rest.first_chunk() {
            Some(whole) if len == LINE_BYTES => write_line(line, whole),
            _ => write(line, at, &rest[..len]),
        }
        self.used = (at * 8 + len) as u32;
        (pack(self.number, self.used, code), len)
    }
}

/// Most lines of a long message that appear at once.
pub(super) const BATCH: u32 = 16;

/// How many lines after `number`, the writer's current one, are free if the reader's position word is `position`.
pub(super) fn free_lines(position: u32, number: u32, lines: u32) -> Result<u32, Fault> {
    let found = word::number(position);
    let held = word::next(number).wrapping_sub(found) & NUMBER_MASK;
    lines.checked_sub(held).ok_or(Fault::Position { found, line: number })
}

/// The number of the line that was written last; `None` in a new ring.
fn last_line<T: TxMemory>(own: &T) -> Option<u32> {
    // Own memory, and a former holder's stores came with the end itself: Relaxed.
    let word_at = |index: u32| own.line(index).word.load(Ordering::Relaxed);
    let first = word_at(0);
    if first == 0 {
        return None;
    }
    let first = word::number(first);
    let (mut low, mut high) = (0, own.lines());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if word::number(word_at(middle)) == first.wrapping_add(middle) & NUMBER_MASK {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(first.wrapping_add(low) & NUMBER_MASK)
}
