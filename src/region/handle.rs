//! The region of this process.
//!
//! # Safety
//!
//! References are formed to structures of atomics only, at offsets that are checked to lie in the mapping
//! and to be aligned; the mapping stays as long as the region, and its file is sealed against shrinking, so
//! that a load can never fault for lack of a file behind it (one with a name cannot be sealed: it belongs to this user
//! alone, and the user's other programs are trusted not to truncate it). Memory that was not committed is a hole that the
//! kernel fills on first touch: callers commit first, because a machine without memory would answer with
//! SIGBUS.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::layout::hash::LAYOUT_HASH;
use crate::layout::header::{COMPATIBLE, Header, MAGIC, NAMED, VERSION};
use crate::layout::participant::{ParticipantSlot, SLOT_SIZE};
use crate::layout::{MAX_PARTICIPANTS, PAGE, ParticipantId};
use crate::region::announce::Lines;
use crate::region::attendance::Attendance;
use crate::region::check::Checked;
use crate::region::dead::{Dead, Recover};
use crate::region::depot::{Depot, OpenDepot};
use crate::region::files::{Files, Received, check_received};
use crate::region::geometry::Geometry;
use crate::region::kernel::{BeaconKernel, Kernel};
use crate::region::participant::{Participant, write_name};
use crate::region::presence::Presence;
use crate::region::registry::{self, Entry, Known, Registry};
use crate::region::seat::{Me, Seat};
use crate::region::shared::Shared;
use crate::region::table::{SeatClaim, Seats, Table};
use crate::region::{limit, named};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sys::{beacon::Beacon, map::Mapping, membarrier, memfd, pidfd, random};

/// One region of shared memory, and this process's place in it.
///
/// Held as `Arc<Region>`. When the last handle of a process is dropped, its memory is unmapped and its beacon
/// closed: to the other participants the process is dead, and they clear up after it. The same happens when
/// it is killed, exits or calls exec, and when it closes all its descriptors (as daemons do at their start):
/// a program that does so must do it before it attaches.
#[derive(Debug)]
pub struct Region {
    map: Mapping,
    files: Files,
    me: Attendance,
    geometry: Geometry,
    id: u64,
    /// Of regions whose users said so.
    depot: OnceLock<Depot>,
    /// Read: a thread of this process that reserves or reaps. Write: the process leaves.
    leaving: RwLock<()>,
    /// Which threads of this process announce where.
    pub(super) lines: Lines,
    /// Last: fields are dropped in this order.
    _entry: Entry,
}

/// How long a child waits for another process that holds the lock of its seat for a moment.
const SEAT_TRIES: u32 = 400;
const SEAT_PAUSE: Duration = Duration::from_millis(5);

impl Region {
    /// Creates a region of at most `limit` bytes of chunks (rounded up to whole chunks) and joins it.
    ///
    /// 0 chooses half of the machine's memory, at least 64 MiB and at most 64 GiB, or less where the process
    /// may not reserve as much address space. The region uses memory only as it is committed.
    ///
    /// # Errors
    /// `OutOfMemory` if the address space or the file cannot be had, `InvalidInput` for an impossible limit.
    pub fn create(limit: u64) -> Result<Arc<Self>> {
        membarrier::register();
        let id = random::nonzero().map_err(|cause| Error::os("region", "getrandom", cause))?;
        let memfd =
            memfd::create("processing-region").map_err(|cause| Error::os("region", "memfd_create", cause))?;
        let (geometry, map) = reserve_space(memfd.as_fd(), limit)?;
        memfd::seal(memfd.as_fd()).map_err(|cause| Error::os("region", "sealing the file", cause))?;
        let beacon = Beacon::create(id).map_err(|cause| Error::os("region", "creating the beacon", cause))?;
        Self::found(map, Files::Anonymous { memfd, beacon }, geometry, id)
    }

    /// The first participant of a new region.
    pub(super) fn found(map: Mapping, files: Files, geometry: Geometry, id: u64) -> Result<Arc<Self>> {
        let region = Self::assemble(map, files, geometry, id)?;
        region.commit(0, PAGE)?;
        region.write_header();
        let region = Arc::new(region);
        let mut registry = registry::lock();
        region.join(None)?;
        registry.add(id, region.files.id(), Arc::downgrade(&region));
        Ok(region)
    }

    /// Attaches to the region of another process, and joins it: on the seat that a parent reserved, if one
    /// is given, else on any free slot.
    ///
    /// In a process that is attached already it returns the same region, and keeps `beacon` open until that is
    /// dropped (closing it would declare this process dead): do not pass a region to who has it.
    /// In a forked child, and after [`leave`](Self::leave), it joins anew.
    ///
    /// # Errors
    /// `InvalidRegion` if the files are not what they should be, with both sides printed; `Limit` if all slots
    /// are in use; `InvalidState` if the seat was taken back because the parent died.
    pub fn attach(memfd: OwnedFd, beacon: OwnedFd, seat: Option<Seat>) -> Result<Arc<Self>> {
        membarrier::register();
        let received = match check_received(memfd.as_fd(), beacon.as_fd()) {
            Ok(received) => received,
            Err(error) => {
                // It may be the beacon of a region that this process is attached to.
                registry::lock().keep([memfd, beacon]);
                return Err(error);
            }
        };
        loop {
            let registry = registry::lock();
            match registry.find(received.checked().region_id) {
                Known::No => return Self::attach_first(registry, memfd, beacon, received, seat),
                Known::Attached(region) => {
                    // Of a region with a name, they are the same file.
                    for fd in [memfd, beacon] {
                        if region.is_beacon(&fd) {
                            region.keep_beacon(fd);
                        }
                    }
                    let answer = region.rejoin(seat);
                    // Before the region may be dropped, which takes the lock.
                    drop(registry);
                    return answer.map(|()| region);
                }
                Known::Closing => {}
            }
            drop(registry);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn attach_first(
        registry: Registry,
        memfd: OwnedFd,
        beacon: OwnedFd,
        received: Received,
        seat: Option<Seat>,
    ) -> Result<Arc<Self>> {
        // Should the join fail, the region is dropped after the lock is: dropping it takes the lock.
        let region;
        {
            let mut registry = registry;
            region = Arc::new(Self::map_received(memfd, beacon, received)?);
            registry.announce(region.id, region.files.id());
            region.come_in(seat)?;
            registry.add(region.id, region.files.id(), Arc::downgrade(&region));
        }
        Ok(region)
    }

    fn map_received(memfd: OwnedFd, beacon: OwnedFd, received: Received) -> Result<Self> {
        let Checked { region_id, geometry, .. } = *received.checked();
        let map = Mapping::new(memfd.as_fd(), geometry.total).map_err(|cause| {
            Error::os("region", "mmap", cause)
                .of_kind(ErrorKind::OutOfMemory)
                .hint(space_hint(geometry.total))
        })?;
        let beacon = Beacon::adopt(beacon).map_err(|cause| Error::os("region", "fstat", cause))?;
        let files = match received {
            Received::Anonymous(_) => Files::Anonymous { memfd, beacon },
            // The second descriptor of the file is closed here, before there is a lock on it.
            Received::Named(_, name) => Files::named(beacon, Some(name))?,
        };
        Self::assemble(map, files, geometry, region_id)
    }

    pub(super) fn assemble(map: Mapping, files: Files, geometry: Geometry, id: u64) -> Result<Self> {
        let me = Attendance::new().map_err(|cause| Error::os("region", "madvise(MADV_WIPEONFORK)", cause))?;
        let leaving = RwLock::new(());
        let depot = OnceLock::new();
        let lines = Lines::default();
        Ok(Self { map, files, me, geometry, id, depot, leaving, lines, _entry: Entry(id) })
    }

    fn write_header(&self) {
        let header = self.header();
        let g = &self.geometry;
        for (word, value) in [
            (&header.version, VERSION),
            (&header.layout_hash, LAYOUT_HASH),
            (&header.compatible, COMPATIBLE),
            (&header.incompatible, if self.files.id().is_some() { NAMED } else { 0 }),
            (&header.region_id, self.id),
            (&header.limit, g.limit),
            (&header.total, g.total),
            (&header.participants, g.participants),
            (&header.objects, g.objects),
            (&header.references, g.references),
            (&header.chunk_table, g.chunk_table),
            (&header.chunks, g.chunks),
            (&header.chunk_count, g.chunk_count),
        ] {
            word.store(value, Ordering::Relaxed);
        }
        // Release: who sees the magic sees the rest.
        header.magic.store(MAGIC, Ordering::Release);
    }

    // ---- what the layers above use ----

    /// The region's random id; never zero.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The file, to be passed to another process.
    pub fn memfd(&self) -> BorrowedFd<'_> {
        self.files.memory()
    }

    /// The beacon, to be passed to another process. **Never duplicate and close it in this process.** It is the file
    /// itself if the region has a name.
    pub fn beacon(&self) -> BorrowedFd<'_> {
        self.files.beacon().as_fd()
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// Makes a depot, for a region that nobody else has yet. Where that fails there is none.
    pub fn make_depot(&self) {
        if let Ok(depot) = Depot::create() {
            let _ = self.depot.set(depot); // there is one
        }
    }

    /// The depot that the region was passed with, by its ends.
    pub fn take_depot(&self, ends: [OwnedFd; 2]) {
        let _ = self.depot.set(Depot::of(ends)); // this process has it
    }

    /// The depot, to be passed to another process, and to be counted.
    pub fn depot(&self) -> Option<&Depot> {
        self.depot.get()
    }

    /// The depot, for this thread alone; `None` if the region has none. Waits for others.
    ///
    /// # Errors
    /// `Timeout` if another user is stopped. `Os`.
    pub fn open_depot(&self) -> Result<Option<OpenDepot<'_>>> {
        self.depot.get().map(|depot| depot.open(self.files.beacon())).transpose()
    }

    /// The depot, if there is anything in it and nobody else is there right now.
    pub fn try_open_depot(&self) -> Option<OpenDepot<'_>> {
        self.depot.get().filter(|depot| !depot.is_empty())?.try_open(self.files.beacon())
    }

    /// Bytes of chunks that the region may grow to.
    pub fn limit(&self) -> u64 {
        self.geometry.limit
    }

    /// Where everything lies.
    #[inline]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The first page.
    #[inline]
    pub fn header(&self) -> &Header {
        self.at(0)
    }

    /// The calling process as a participant. One load.
    ///
    /// # Errors
    /// `WrongProcess` in a forked child that did not attach, and after [`leave`](Self::leave).
    #[inline]
    pub fn me(&self) -> Result<Me> {
        match self.me.me() {
            Some(me) => Ok(me),
            None => Err(self.stranger()),
        }
    }

    /// The calling process as a participant, for handles that ask at each call.
    ///
    /// # Errors
    /// As [`me`](Self::me).
    pub fn presence(self: &Arc<Self>) -> Result<Presence> {
        Presence::new(self.clone()).ok_or_else(|| self.stranger())
    }

    #[inline(always)]
    pub(super) fn attendance(&self) -> &Attendance {
        &self.me
    }

    #[cold]
    pub(super) fn stranger(&self) -> Error {
        let pid = std::process::id();
        Error::new(
            ErrorKind::WrongProcess,
            format!("region {:x}", self.id),
            format!("process {pid} is no participant: it was forked, it left, or the beacon was closed"),
        )
        .hint("use handles in the process that they were made in or passed to")
    }

    /// A structure of atomics at `offset`.
    ///
    /// # Panics
    /// If it does not lie in the region or is not aligned: the offset is a fault of the program.
    #[inline]
    pub fn at<T: Shared>(&self, offset: u64) -> &T {
        let at = self.ptr(offset, size_of::<T>() as u64);
        if !at.addr().is_multiple_of(align_of::<T>()) {
            misaligned(offset, align_of::<T>());
        }
        // SAFETY: in bounds by `ptr`, aligned by the check above, atomics only by `Shared`; see the module.
        unsafe { &*at.cast::<T>() }
    }

    /// `count` words at `offset` in the region's chunks; `None` if they do not lie there or are not aligned. For offsets that were read
    /// from memory that others may have reused meanwhile: the words may be anybody's, and looking at them does no harm.
    #[inline]
    pub fn words(&self, offset: u64, count: u64) -> Option<&[AtomicU64]> {
        let len = count.checked_mul(8)?;
        let end = offset.checked_add(len)?;
        if offset < self.geometry.chunks || end > self.geometry.total || !offset.is_multiple_of(8) {
            return None;
        }
        let start = self.ptr(offset, len).cast::<AtomicU64>();
        // SAFETY: in bounds by `ptr` and by the check above, aligned (the mapping is, to a page), atomics only.
        Some(unsafe { core::slice::from_raw_parts(start, count as usize) })
    }

    /// A pointer to `len` bytes at `offset`, which lie in the region.
    ///
    /// # Panics
    /// If they do not: the offset is a fault of the program.
    #[inline]
    pub fn ptr(&self, offset: u64, len: u64) -> *mut u8 {
        let total = self.map.size();
        if offset > total || len > total - offset {
            outside(offset, len, total);
        }
        // SAFETY: `offset` is at most the mapping's length.
        unsafe { self.map.base().add(offset as usize) }
    }

    /// Gives memory to all pages that overlap the range, so that touching them cannot fail. Pages that have
    /// memory keep it and their content. A system call; takes about 0.1 us a page.
    ///
    /// # Errors
    /// `OutOfMemory`; then the range may be committed in part. `InvalidInput` if the range does not lie in the
    /// region.
    pub fn commit(&self, offset: u64, len: u64) -> Result<()> {
        let end = self.end_of(offset, len)?;
        let page = page_size();
        let start = offset - offset % page;
        // The file's length is a multiple of any page size.
        let end = end.next_multiple_of(page).min(self.geometry.total);
        if len == 0 {
            return Ok(());
        }
        memfd::commit(self.files.memory(), start, end - start).map_err(|cause| self.no_memory(len, cause))
    }

    /// Gives the memory of all pages that lie wholly in the range back to the system. They read as zeros
    /// then, and must be committed again before the next touch.
    ///
    /// # Errors
    /// `Os`, or `InvalidInput` if the range does not lie in the region; the content is unchanged then.
    pub fn decommit(&self, offset: u64, len: u64) -> Result<()> {
        let end = self.end_of(offset, len)?;
        let page = page_size();
        let start = offset.next_multiple_of(page);
        let end = end - end % page;
        if start >= end {
            return Ok(());
        }
        memfd::decommit(self.files.memory(), start, end - start)
            .map_err(|cause| Error::os(format!("region {:x}", self.id), "punching a hole", cause))
    }

    fn end_of(&self, offset: u64, len: u64) -> Result<u64> {
        let total = self.geometry.total;
        offset.checked_add(len).filter(|end| *end <= total).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("region {:x}", self.id),
                format!("{len} bytes at offset {offset} do not lie in its {total} bytes"),
            )
        })
    }

    #[cold]
    fn no_memory(&self, len: u64, cause: io::Error) -> Error {
        let object = match self.name() {
            Some(name) => format!("named queue {name:?}"),
            None => format!("region {:x}", self.id),
        };
        let kind = match cause.raw_os_error() {
            Some(libc::ENOMEM | libc::ENOSPC) => ErrorKind::OutOfMemory,
            _ => ErrorKind::Os,
        };
        // The folder of named regions has a size of its own.
        let full = cause.raw_os_error() == Some(libc::ENOSPC) && self.files.id().is_some();
        let hint = match full {
            true => Cow::Owned(named::full(self.files.memory())),
            false => "free memory, or raise the memory limit of the machine or the cgroup".into(),
        };
        Error::os(object, &format!("fallocate of {len} bytes"), cause).of_kind(kind).hint(hint)
    }

    // ---- participants ----

    /// The slot of a participant. Its page must have been committed: every id that was met in a word has one.
    #[inline]
    pub fn slot(&self, id: ParticipantId) -> &ParticipantSlot {
        self.at(self.geometry.participant(id))
    }

    fn kernel(&self) -> BeaconKernel<'_> {
        BeaconKernel { beacon: self.files.beacon(), me: &self.me }
    }

    /// The participant table of this process.
    pub(crate) fn table(&self) -> TableOf<'_> {
        TableOf { region: self, kernel: self.kernel() }
    }

    pub(super) fn is_beacon(&self, fd: &OwnedFd) -> bool {
        self.files.beacon().is(fd.as_fd())
    }

    pub(super) fn keep_beacon(&self, fd: OwnedFd) {
        self.files.beacon().keep(fd);
    }

    fn rejoin(&self, seat: Option<Seat>) -> Result<()> {
        if self.me.token_and_me().is_some() { Ok(()) } else { self.come_in(seat) }
    }

    /// [`join`](Self::join), so that a name which stands for this region does not go meanwhile.
    fn come_in(&self, seat: Option<Seat>) -> Result<()> {
        match self.files.name() {
            Some(name) => named::come_in(self, name, seat),
            None => self.join(seat),
        }
    }

    /// Only under the registry's lock.
    pub(super) fn join(&self, seat: Option<Seat>) -> Result<()> {
        let me = match seat {
            Some(seat) => self.take_seat(seat)?,
            None => self.with_room(|| self.table().get().claim())?,
        };
        let slot = self.slot(me.id);
        let (identity, source) = pidfd::own_identity();
        slot.pid.store(u64::from(std::process::id()), Ordering::Relaxed);
        slot.identity.store(identity, Ordering::Relaxed);
        slot.source.store(source, Ordering::Relaxed);
        if !self.table().get().publish(me) {
            return Err(self.stranger());
        }
        self.me.enter(me);
        Ok(())
    }

    fn take_seat(&self, seat: Seat) -> Result<Me> {
        let in_table = (1..=self.high()).contains(&seat.id);
        for _ in 0..if in_table { SEAT_TRIES } else { 0 } {
            match self.table().get().claim_seat(seat) {
                SeatClaim::Taken(me) => return Ok(me),
                SeatClaim::Gone => break,
                SeatClaim::Busy => std::thread::sleep(SEAT_PAUSE),
            }
        }
        let now = if in_table { format!("{:?}", self.table().get().load(seat.id)) } else { "no slot".into() };
        Err(Error::new(
            ErrorKind::InvalidState,
            format!("region {:x}", self.id),
            format!("seat {} of incarnation {} is not reserved any more: {now}", seat.id, seat.incarnation),
        )
        .hint("the process that reserved it died or took it back; this process should exit"))
    }

    /// Runs `find` on the slots in use so far, and on further ones until it succeeds or there are none.
    fn with_room<T>(&self, find: impl Fn() -> Option<T>) -> Result<T> {
        loop {
            let high = self.high();
            if let Some(found) = find() {
                return Ok(found);
            }
            if usize::from(high) == MAX_PARTICIPANTS {
                return Err(self.full());
            }
            self.grow(high)?;
        }
    }

    pub(super) fn high(&self) -> ParticipantId {
        // Acquire: pairs with `grow`, whose page is committed by then.
        let high = self.header().participants_high.load(Ordering::Acquire);
        high.min(MAX_PARTICIPANTS as u64) as ParticipantId
    }

    /// Gives the pages memory that every participant touches, in a file of which somebody else may have taken some.
    pub(super) fn commit_tables(&self) -> Result<()> {
        self.commit(0, PAGE)?;
        let high = self.high();
        self.commit(self.geometry.participants, u64::from(high + 1) * SLOT_SIZE)
    }

    /// Commits the next page of slots.
    fn grow(&self, high: ParticipantId) -> Result<()> {
        let page = page_size();
        let next = self.geometry.participant(high + 1);
        let end = (next + 1).next_multiple_of(page);
        self.commit(next, end - next)?;
        let last = (end - self.geometry.participants) / SLOT_SIZE - 1;
        let last = last.min(MAX_PARTICIPANTS as u64);
        self.header().participants_high.fetch_max(last, Ordering::AcqRel);
        Ok(())
    }

    #[cold]
    fn full(&self) -> Error {
        let dead = (1..=self.high()).filter(|id| self.is_dead(*id, None)).count();
        Error::new(
            ErrorKind::Limit,
            format!("region {:x}", self.id),
            format!("all {MAX_PARTICIPANTS} participant slots are in use, {dead} of them by dead processes"),
        )
        .hint("end some processes, or use a second arena; slots of the dead come back when a participant notices")
    }

    /// Names this participant, for people.
    ///
    /// # Errors
    /// `WrongProcess`.
    pub fn set_name(&self, name: &str) -> Result<()> {
        write_name(&self.slot(self.me()?.id).name, name);
        Ok(())
    }

    /// Keeps a slot for a child to come, which attaches with the seat. If this process dies first, the seat is
    /// taken back and the child's attach fails.
    ///
    /// # Errors
    /// `Limit` if all slots are in use, `WrongProcess`, `OutOfMemory`.
    pub fn reserve(&self, name: &str) -> Result<Seat> {
        let _here = self.leaving.read().unwrap_or_else(PoisonError::into_inner);
        let me = self.me()?;
        let seat = self.with_room(|| self.table().get().reserve(me))?;
        write_name(&self.slot(seat.id).name, name);
        Ok(seat)
    }

    /// Takes back a seat to which nothing was given. False: the child has it, or it is gone.
    pub fn unreserve(&self, seat: Seat) -> bool {
        self.vacate(seat, &())
    }

    /// Takes back a seat and undoes what was given to it: for a child that could not be started, or that ended
    /// before it attached. False: the child has it (then its death is like any other), or it is gone.
    pub fn vacate(&self, seat: Seat, recover: &dyn Recover) -> bool {
        let _here = self.leaving.read().unwrap_or_else(PoisonError::into_inner);
        let Ok(me) = self.me() else {
            return false;
        };
        if !(1..=self.high()).contains(&seat.id) {
            return false;
        }
        self.table().get().unreserve(me, seat, &mut |dead, exclusive| recover.repair(self, dead, exclusive))
    }

    /// One participant as it is at this moment.
    pub fn participant(&self, id: ParticipantId) -> Participant {
        if (1..=self.high()).contains(&id) {
            return Participant::read(id, self.slot(id));
        }
        Participant::absent(id)
    }

    /// All slots that are not free.
    pub fn participants(&self) -> impl Iterator<Item = Participant> + '_ {
        (1..=self.high()).map(|id| self.participant(id)).filter(Participant::is_present)
    }

    /// Whether the participant is dead or gone; with an incarnation, that tenant of the slot. Asks the kernel:
    /// a system call, some 0.2 us. "Dead" is final for an incarnation; "alive" may be stale at once.
    pub fn is_dead(&self, id: ParticipantId, incarnation: Option<u32>) -> bool {
        !(1..=self.high()).contains(&id) || self.table().get().is_dead(id, incarnation)
    }

    /// Finds and repairs all dead participants, adopts what dead reapers left, and helps slow ones. Returns
    /// how many this process repaired as their reaper. One system call per participant.
    ///
    /// A process that is killed in it is found by the next sweep of anybody, which goes on in its place.
    pub fn sweep(&self, recover: &dyn Recover) -> usize {
        let _here = self.leaving.read().unwrap_or_else(PoisonError::into_inner);
        let Ok(me) = self.me() else {
            return 0;
        };
        self.table().get().sweep(me, &mut |dead, exclusive| recover.repair(self, dead, exclusive))
    }

    /// "A word that blocks me names this owner": repairs it or helps, if it is dead. True: it is dead or gone,
    /// look at the word again. False: it lives.
    pub fn meet_dead(&self, id: ParticipantId, recover: &dyn Recover) -> bool {
        let _here = self.leaving.read().unwrap_or_else(PoisonError::into_inner);
        let Ok(me) = self.me() else {
            return false;
        };
        if id == me.id || !(1..=self.high()).contains(&id) {
            return false;
        }
        self.table()
            .get()
            .visit(me, id, &mut |dead, exclusive| recover.repair(self, dead, exclusive))
            .is_some()
    }

    /// The tidy end of this participant: it repairs after itself, as others would after its death, and gives
    /// its slot back. Waits for other threads of this process that repair. Everything made with this region in
    /// this process is void afterwards. Killed in it, the others finish.
    pub fn leave(&self, recover: &dyn Recover) {
        let _alone = self.leaving.write().unwrap_or_else(PoisonError::into_inner);
        let Ok(me) = self.me() else {
            return;
        };
        let forget = || self.me.leave();
        self.table().get().leave(me, &mut |dead, exclusive| recover.repair(self, dead, exclusive), forget);
        // After the slot is free: before, the others would adopt it.
        self.kernel().unlock(me.id);
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Only a region with a name has anything to do that its fields do not do.
        named::go(self);
    }
}

impl Seats for Region {
    fn word(&self, id: ParticipantId) -> &AtomicU64 {
        &self.slot(id).word
    }

    fn high(&self) -> ParticipantId {
        Region::high(self)
    }

    fn clear(&self, id: ParticipantId) {
        let slot = self.slot(id);
        for word in [&slot.pid, &slot.identity, &slot.source] {
            word.store(0, Ordering::Relaxed);
        }
        write_name(&slot.name, "");
    }
}

/// A region together with its kernel, which a [`Table`] borrows.
pub(crate) struct TableOf<'a> {
    region: &'a Region,
    kernel: BeaconKernel<'a>,
}

impl<'a> TableOf<'a> {
    pub(crate) fn get(&self) -> Table<'_, Region, BeaconKernel<'a>> {
        Table { seats: self.region, kernel: &self.kernel }
    }

    pub(crate) fn still_reaping(&self, dead: Dead) -> bool {
        self.get().still_reaping(dead)
    }
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cold]
fn misaligned(offset: u64, align: usize) -> ! {
    panic!("offset {offset} of a region is not aligned to {align}")
}

#[cold]
fn outside(offset: u64, len: u64, total: u64) -> ! {
    panic!("{len} bytes at offset {offset} do not lie in a region of {total}")
}

fn space_hint(total: u64) -> String {
    format!(
        "the region reserves {} MiB of address space (it uses memory only as it grows): \
         raise `ulimit -v`, or create it with a smaller limit",
        total >> 20
    )
}

/// Finds a limit for which both the file and the address space can be had.
fn reserve_space(memfd: BorrowedFd<'_>, wanted: u64) -> Result<(Geometry, Mapping)> {
    let mut bytes = if wanted == 0 { limit::default() } else { limit::chosen(wanted)? };
    loop {
        let Some(geometry) = Geometry::new(bytes) else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "region",
                format!("a limit of {bytes} bytes is not possible"),
            ));
        };
        let answer = memfd::set_len(memfd, geometry.total).and_then(|()| Mapping::new(memfd, geometry.total));
        match answer {
            Ok(map) => return Ok((geometry, map)),
            // Only a limit that the library chose may be lowered by it.
            Err(_) if wanted == 0 && bytes / 2 >= limit::LEAST => {
                bytes = (bytes / 2).next_multiple_of(crate::layout::CHUNK);
            }
            Err(cause) => {
                return Err(Error::os("region", "reserving address space", cause)
                    .of_kind(ErrorKind::OutOfMemory)
                    .hint(space_hint(geometry.total)));
            }
        }
    }
}
