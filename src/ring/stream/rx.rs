//! The reading end.

#[cfg(not(loom))]
use super::awaited::{Awaited, AwaitedLine};
use super::fault::Fault;
use super::memory::{RxMemory, TxMemory};
use super::payload::read;
use super::received::{Next, RecvEnd};
use super::rx_long::Long;
use super::word::{self, ABORT, FIRST, LAST, MORE, Seen, ZERO, pack, pack_position, parse};
use crate::layout::stream::{LINE_BYTES, LINE_WORDS};
use crate::prim::limits::{Limits, WaitEnd};
use crate::prim::park::{self, Bell, CLOSED, Sleeper};
use crate::prim::spin::Spinner;
#[cfg(not(loom))]
use crate::prim::watch::Watch;
use crate::sync::atomic::Ordering;
use crate::sync::mutant;

/// The one reader of a stream: private cursors over shared lines.
#[derive(Debug)]
pub struct StreamRx<T, R> {
    pub(super) peer: T,
    pub(super) own: R,
    /// Longest message that is taken.
    pub(super) limit: u64,
    /// The current line.
    pub(super) number: u32,
    /// What of it is consumed, and what of it is known to be valid: bytes (empty messages: messages).
    pub(super) taken: u32,
    pub(super) valid: u32,
    /// Its code and tag; they mean something if `valid` is not 0.
    pub(super) code: u32,
    pub(super) tag: u32,
    /// The long message whose lines are being consumed.
    pub(super) long: Option<Long>,
    /// Its bytes so far, unless they went into a caller's buffer.
    pub(super) partial: Vec<u8>,
    dead: Option<Fault>,
    closed: bool,
    bell: Bell,
    sleeper: Sleeper,
    /// The line up to which the writer knows that all are free.
    freed: u32,
}

/// Bytes that lie as a value may have to lie.
#[repr(align(16))]
struct Aligned<const N: usize>([u8; N]);

impl<T: TxMemory, R: RxMemory> StreamRx<T, R> {
    /// The reading end over `own` room, where a former holder settled it (all zero: a new stream). A message longer than
    /// `limit` bytes is a fault.
    pub fn new(peer: T, own: R, limit: u64) -> Self {
        let position = own.header().position.word.load(Ordering::Relaxed);
        Self {
            peer,
            limit,
            number: word::number(position),
            taken: word::taken(position),
            valid: 0,
            code: 0,
            tag: 0,
            long: None,
            partial: Vec::new(),
            dead: None,
            closed: own.header().end.state.load(Ordering::Relaxed) & CLOSED != 0,
            bell: Bell::default(),
            sleeper: Sleeper::default(),
            freed: word::number(position),
            own,
        }
    }

    /// Tag and length of the next message, without waiting and without consuming it.
    ///
    /// Of a long message only the beginning may have arrived; its writer may still withdraw it.
    #[inline]
    pub fn peek(&mut self) -> Result<Next, Fault> {
        if self.short_is_here() {
            return Ok(self.short_message());
        }
        match self.peek_slow() {
            Err(RecvEnd::Fault(fault)) => Err(fault),
            Err(RecvEnd::End) => Ok(Next::End),
            // What was withdrawn is no message.
            Err(_) => Ok(Next::Empty),
            Ok(next) => Ok(next),
        }
    }

    /// Waits for a message as `limits` say; its tag and length. It stays in place.
    ///
    /// `on_backstop` answers whether the writer's process is gone; it is asked now and then while asleep.
    #[inline]
    pub fn wait(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
    ) -> Result<(u32, u64), RecvEnd> {
        self.wait_message(limits, spinner, &mut on_backstop)
    }

    /// Receives a message into `buffer`; its tag and length. One that does not fit stays in place.
    #[inline]
    pub fn recv_into(
        &mut self,
        buffer: &mut [u8],
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
    ) -> Result<(u32, usize), RecvEnd> {
        let (tag, len) = self.wait_message(limits, spinner, &mut on_backstop)?;
        let Some(room) = usize::try_from(len).ok().and_then(|len| buffer.get_mut(..len)) else {
            return Err(RecvEnd::TooShort { tag, len });
        };
        if self.long.is_none() {
            self.copy_short(room);
            self.consume_short();
        } else {
            self.recv_long_into(room, limits, spinner, &mut on_backstop)?;
        }
        Ok((tag, room.len()))
    }

    /// Receives a message into memory of its own.
    pub fn recv_vec(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
    ) -> Result<(u32, Vec<u8>), RecvEnd> {
        let (tag, len) = self.wait_message(limits, spinner, &mut on_backstop)?;
        if self.long.is_none() {
            let mut bytes = vec![0; len as usize];
            self.copy_short(&mut bytes);
            self.consume_short();
            return Ok((tag, bytes));
        }
        self.assemble(limits, spinner, &mut on_backstop)?;
        Ok((tag, core::mem::take(&mut self.partial)))
    }

    /// Receives a message and hands it to `f`: one of up to 56 bytes from the stack, aligned to 16, a longer one from memory that
    /// this end keeps. It is consumed before `f` runs.
    #[inline]
    pub fn recv_with<V>(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
        f: impl FnOnce(u32, &[u8]) -> V,
    ) -> Result<V, RecvEnd> {
        let (tag, len) = self.wait_message(limits, spinner, &mut on_backstop)?;
        self.take_with(tag, len, limits, spinner, &mut on_backstop, f)
    }

    /// [`recv_with`](Self::recv_with) of a message with this tag; one with another stays in place.
    #[inline(always)]
    pub fn recv_tagged<V>(
        &mut self,
        wanted: u32,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
        f: impl FnOnce(&[u8]) -> V,
    ) -> Result<V, RecvEnd> {
        let (tag, len) = self.wait_message(limits, spinner, &mut on_backstop)?;
        if tag != wanted {
            return Err(RecvEnd::OtherTag { tag, len });
        }
        self.take_with(tag, len, limits, spinner, &mut on_backstop, |_, bytes| f(bytes))
    }

    /// [`recv_tagged`](Self::recv_tagged) of a message of exactly `wanted_len` bytes, at most 56, as words: they stay in
    /// registers if the caller lets them. `Ok(None)`: the message has another length, and stays in place.
    #[inline(always)]
    pub fn recv_words(
        &mut self,
        wanted: u32,
        wanted_len: usize,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: impl FnMut() -> bool,
    ) -> Result<Option<[u64; LINE_WORDS]>, RecvEnd> {
        let (tag, len) = self.wait_message(limits, spinner, &mut on_backstop)?;
        if tag != wanted {
            return Err(RecvEnd::OtherTag { tag, len });
        }
        if len != wanted_len as u64 || self.long.is_some() || wanted_len > LINE_BYTES {
            return Ok(None);
        }
        let words = self.words(wanted_len);
        self.consume_short();
        Ok(Some(words))
    }

    /// Takes the message that `wait_message` has found.
    #[inline(always)]
    fn take_with<V>(
        &mut self,
        tag: u32,
        len: u64,
        limits: &Limits<'_>,
        spinner: &Spinner,
        mut on_backstop: &mut dyn FnMut() -> bool,
        f: impl FnOnce(u32, &[u8]) -> V,
    ) -> Result<V, RecvEnd> {
        if self.long.is_some() {
            self.assemble(limits, spinner, &mut on_backstop)?;
            let bytes = core::mem::take(&mut self.partial);
            let value = f(tag, &bytes);
            self.reuse(bytes);
            return Ok(value);
        }
        // One word is worth a case of its own: it stays in a register.
        if len <= 8 {
            let line = self.peer.line(self.number);
            let at = self.taken as usize / 8;
            // Relaxed: ordered by the Acquire load of the header.
            let word = line.payload.get(at).map_or(0, |word| word.load(Ordering::Relaxed)).to_ne_bytes();
            self.consume_short();
            return Ok(f(tag, Aligned(word).0.get(..len as usize).unwrap_or(&[])));
        }
        let mut bytes = Aligned([0; LINE_BYTES]);
        let bytes = bytes.0.get_mut(..len as usize).unwrap_or_default();
        self.copy_short(bytes);
        self.consume_short();
        Ok(f(tag, bytes))
    }

    /// Announces a sleeper, for who sleeps elsewhere until there is more than the last look has seen. None: there is. Stays until
    /// [`unwatch`](Self::unwatch).
    #[cfg(not(loom))]
    #[cold]
    pub fn watch(&mut self) -> Option<(Watch, AwaitedLine<T>)>
    where
        T: Clone + Send + Sync,
    {
        let awaited = AwaitedLine::new(self.peer.clone(), self.number, self.valid, self.code);
        let watch = self.sleeper.watch(&self.own.header().end, &self.peer.header().end.event);
        (!awaited.is_over()).then_some((watch, awaited))
    }

    /// Nobody sleeps elsewhere any more.
    #[cfg(not(loom))]
    pub fn unwatch(&mut self) {
        self.sleeper.unwatch(&self.own.header().end);
    }

    /// Makes the position in the own room exact, so that a new [`StreamRx`] over it goes on here. False: a long message
    /// has been consumed in part, and the end must not move now.
    pub fn settle(&mut self) -> bool {
        let taken = match self.long {
            None => self.taken,
            Some(long) if long.got == 0 => 0, // looked at only
            Some(_) => return false,
        };
        if self.closed || self.dead.is_some() {
            return true; // nothing is left to go on with
        }
        let position = pack_position(self.number, taken);
        self.own.header().position.word.store(position, Ordering::Release);
        self.freed = self.number;
        true
    }

    /// Closes the reading end: the writer's next send says so. Idempotent.
    pub fn close(&mut self) {
        self.closed = true;
        self.see_nothing();
        let end = &self.own.header().end;
        park::close(&end.state);
        self.bell.ring(&self.peer.header().end.state, &end.event);
    }

    /// The fault that ended this end, if one did.
    pub fn fault(&self) -> Option<Fault> {
        self.dead
    }

    #[inline(always)]
    fn short_message(&self) -> Next {
        let (tag, len) = self.short_head();
        Next::Message { tag, len }
    }

    #[inline(always)]
    fn short_head(&self) -> (u32, u64) {
        (self.tag, if self.code == ZERO { 0 } else { u64::from(self.code) })
    }

    #[inline(always)]
    fn wait_message(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(u32, u64), RecvEnd> {
        if self.short_is_here() {
            return Ok(self.short_head());
        }
        self.wait_message_slow(limits, spinner, on_backstop)
    }

    #[inline(never)]
    fn wait_message_slow(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(u32, u64), RecvEnd> {
        loop {
            match self.peek_slow()? {
                Next::Message { tag, len } => return Ok((tag, len)),
                Next::End => return Err(RecvEnd::End),
                Next::Empty => self.wait_line(limits, spinner, on_backstop)?,
            }
            if self.short_is_here() {
                return Ok(self.short_head());
            }
        }
    }

    /// The fast path: the next message is a short one, in the current line. False says nothing.
    #[inline(always)]
    pub(super) fn short_is_here(&mut self) -> bool {
        if self.long.is_some() {
            return false;
        }
        if self.taken < self.valid {
            return self.code <= ZERO;
        }
        let line = self.peer.line(self.number);
        // Acquire: as in `look_at_line`, which judges all that is unusual.
        let found = line.word.load(Ordering::Acquire);
        let Ok(Some(Seen { valid, code })) = parse(found, self.number, self.peer.lines()) else {
            return false;
        };
        // All that was known is taken, and this is more.
        if code > ZERO || valid <= self.valid || self.taken != self.valid {
            return false;
        }
        if self.valid == 0 {
            self.adopt(code);
        } else if code != self.code {
            return false;
        }
        self.valid = valid;
        true
    }

    /// `peek` from the shared words.
    fn peek_slow(&mut self) -> Result<Next, RecvEnd> {
        if !self.look_or_end()? {
            // Closed is read before the last look: nothing can come after both.
            if self.ended() {
                if !self.look_again()? {
                    self.forget_long(); // never to be finished
                    return Ok(Next::End);
                }
            } else {
                return Ok(match self.long {
                    // A long message in progress is a message, whether or not more of it is here.
                    Some(long) => Next::Message { tag: long.tag, len: long.total },
                    None => Next::Empty,
                });
            }
        }
        self.enter_message()?;
        Ok(match self.long {
            Some(long) => Next::Message { tag: long.tag, len: long.total },
            None => self.short_message(),
        })
    }

    /// Something of the current line is unread. A reader that closed its own end sees nothing more.
    #[inline]
    pub(super) fn look_or_end(&mut self) -> Result<bool, RecvEnd> {
        if self.closed {
            return Err(RecvEnd::End);
        }
        self.look().map_err(RecvEnd::Fault)
    }

    /// Nothing will be read any more.
    #[inline(always)]
    pub(super) fn is_over(&self) -> bool {
        self.closed || self.dead.is_some()
    }

    /// The writer has closed its end.
    pub(super) fn ended(&self) -> bool {
        park::is_closed(&self.peer.header().end.state)
    }

    /// The writer has closed: what it sent before is visible now, so one more look decides.
    #[cold]
    pub(super) fn look_again(&mut self) -> Result<bool, RecvEnd> {
        if mutant::on("stream.end_without_look") {
            return Ok(false);
        }
        self.look().map_err(RecvEnd::Fault)
    }

    /// Some of the current line is unread; goes on to the next line if the current one is used up.
    #[inline]
    fn look(&mut self) -> Result<bool, Fault> {
        if self.taken < self.valid {
            return Ok(true);
        }
        if let Some(fault) = self.dead {
            return Err(fault);
        }
        self.look_at_lines().inspect_err(|fault| self.die(*fault))
    }

    /// No line has this number: the fast path finds nothing from now on.
    #[cold]
    fn see_nothing(&mut self) {
        (self.number, self.taken, self.valid) = (u32::MAX, 0, 0);
    }

    #[cold]
    pub(super) fn die(&mut self, fault: Fault) {
        self.dead = Some(fault);
        self.see_nothing();
        self.long = None;
        self.partial = Vec::new();
    }

    #[inline]
    fn look_at_lines(&mut self) -> Result<bool, Fault> {
        if self.look_at_line()? {
            return Ok(true);
        }
        // Nothing of this line was there at all, so no later one is.
        if self.taken == 0 {
            return Ok(false);
        }
        let next = word::next(self.number);
        // Acquire: who sees the next line sees all that was appended to this one.
        let found = self.peer.line(next).word.load(Ordering::Acquire);
        if parse(found, next, self.peer.lines())?.is_none() {
            return Ok(false);
        }
        if !mutant::on("stream.no_look_back") && self.look_at_line()? {
            return Ok(true);
        }
        self.advance();
        self.look_at_line()
    }

    /// Reads the header of the current line.
    #[inline]
    fn look_at_line(&mut self) -> Result<bool, Fault> {
        let line = self.peer.line(self.number);
        // Acquire: pairs with the writer's Release store; tag and payload are read after it.
        let found = line.word.load(Ordering::Acquire);
        let Some(seen) = parse(found, self.number, self.peer.lines())? else {
            // It was there before, and now it is not.
            return if self.taken == 0 { Ok(false) } else { Err(Fault::Valid(0)) };
        };
        if self.valid == 0 {
            self.adopt(seen.code);
        }
        if seen.code != self.code {
            return Err(Fault::Code(seen.code));
        }
        // `taken` counts whole messages; a new end's, which came with the position, may belong to another code.
        let whole = self.taken == 0 || self.valid != 0 || word::whole(self.taken, seen.code);
        if seen.valid < self.valid.max(self.taken) || !whole {
            return Err(Fault::Valid(seen.valid));
        }
        self.valid = seen.valid;
        Ok(self.taken < self.valid)
    }

    /// The current line has bytes, and they are the first we see of it.
    #[inline(always)]
    fn adopt(&mut self, code: u32) {
        self.code = code;
        self.tag = self.peer.line(self.number).tag.load(Ordering::Relaxed);
        if mutant::on("stream.early_position") {
            let early = pack_position(word::next(self.number), 0);
            self.own.header().position.word.store(early, Ordering::Release);
        }
    }

    /// Judges the code of a line with unread bytes against what went before; begins a long message.
    pub(super) fn enter_message(&mut self) -> Result<(), RecvEnd> {
        match (self.code, self.long) {
            (FIRST, None) => self.begin_long().map_err(|fault| {
                self.die(fault);
                RecvEnd::Fault(fault)
            }),
            (FIRST, Some(long)) if long.got == 0 && self.taken == 8 => Ok(()),
            (MORE | LAST, Some(_)) | (1..=ZERO, None) => Ok(()),
            (ABORT, Some(_)) => {
                self.forget_long();
                self.advance();
                Err(RecvEnd::Withdrawn)
            }
            (code, _) => {
                let fault = Fault::Code(code);
                self.die(fault);
                Err(RecvEnd::Fault(fault))
            }
        }
    }

    /// Copies the next short message, whose length `into` has.
    #[inline(always)]
    fn copy_short(&self, into: &mut [u8]) {
        read(self.peer.line(self.number), self.taken as usize / 8, into);
    }

    /// The next short message is consumed.
    #[inline(always)]
    fn consume_short(&mut self) {
        let stride = word::stride(self.code);
        self.taken += stride;
        if self.taken + stride > LINE_BYTES as u32 {
            self.advance();
        }
    }

    /// The current line is used up: the writer may have it.
    #[inline(always)]
    fn advance(&mut self) {
        self.step();
        self.free();
    }

    /// The current line is used up.
    #[inline(always)]
    pub(super) fn step(&mut self) {
        self.number = word::next(self.number);
        (self.taken, self.valid) = (0, 0);
    }

    /// The writer may have all lines before the current one, and is told if it did not know.
    #[inline(always)]
    pub(super) fn free(&mut self) {
        if self.freed == self.number {
            return;
        }
        self.freed = self.number;
        let ours = self.own.header();
        // Release: our loads of the line are over; pairs with the writer's Acquire before it overwrites.
        ours.position.word.store(pack_position(self.number, 0), Ordering::Release);
        self.bell.ring(&self.peer.header().end.state, &ours.end.event);
    }

    /// Waits until there is something new to look at.
    #[inline]
    pub(super) fn wait_line(
        &mut self,
        limits: &Limits<'_>,
        spinner: &Spinner,
        on_backstop: &mut dyn FnMut() -> bool,
    ) -> Result<(), RecvEnd> {
        let (own, theirs, lines) = (&self.own.header().end, self.peer.header(), self.peer.lines());
        let (number, next) = (self.number, word::next(self.number));
        let (line, following) = (self.peer.line(number), self.peer.line(next));
        let known = pack(number, self.valid, self.code);
        let untouched = self.valid == 0;
        // Relaxed: `look` loads again before anything is read on the strength of these.
        let ready = || {
            let word = line.word.load(Ordering::Relaxed);
            if untouched {
                if parse(word, number, lines) != Ok(None) {
                    return true;
                }
            } else if word != known || parse(following.word.load(Ordering::Relaxed), next, lines) != Ok(None)
            {
                return true;
            }
            theirs.end.state.load(Ordering::Relaxed) & CLOSED != 0
        };
        match self.sleeper.wait(own, &theirs.end.event, limits, spinner, ready, on_backstop) {
            WaitEnd::Ready => Ok(()),
            WaitEnd::TimedOut => Err(RecvEnd::TimedOut),
            WaitEnd::Cancelled => Err(RecvEnd::Cancelled),
            WaitEnd::PeerGone => {
                self.forget_long(); // never to be finished
                Err(RecvEnd::PeerGone)
            }
        }
    }
}
