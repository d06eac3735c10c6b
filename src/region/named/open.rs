//! Creating, opening, looking at and removing named regions.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FileType;

use crate::error::{Error, ErrorKind, Result};
use crate::layout::CHUNK;
use crate::layout::header::{FIXED_BYTES, FIXED_WORDS, MAGIC, NAMED, NAMED_AT, NAMED_END};
use crate::region::check::{Checked, check};
use crate::region::files::Files;
use crate::region::named::Record;
use crate::region::named::door::NamedDoor;
use crate::region::named::protocol::{Cleared, Company, Entered, clear, enter, leave};
use crate::region::registry::{self, Known, Registry};
use crate::region::{Geometry, Region, Seat};
use crate::sync::atomic::Ordering;
use crate::sys::beacon::{self, Beacon};
use crate::sys::map::Mapping;
use crate::sys::shm::{self, FileInfo, ShmName};
use crate::sys::{attempts, clock, membarrier, memfd, random};

/// How long others may be behind the gate, which takes them some microseconds: after that somebody is stopped there.
const PATIENCE: u64 = 2_000_000_000;
/// Between two looks at a region that another thread is closing.
const PAUSE: Duration = Duration::from_millis(1);

/// What came of an attempt to remove a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// There is no such name.
    Absent,
    /// Nobody used it; it is gone now.
    Removed,
    /// It is in use, perhaps by this process.
    InUse,
}

/// A name as it was at the moment of the look.
#[derive(Debug)]
pub struct Looked {
    /// The processes that are attached: 0 for one that is in none of this process's pid namespaces.
    pub pids: Vec<u32>,
    /// Bytes of memory.
    pub bytes: u64,
    /// What it says of itself, or why it is not accepted.
    pub record: Result<Record>,
}

/// A file that was opened by its name.
struct Opened {
    file: Beacon,
    info: FileInfo,
}

impl Opened {
    fn door<'a>(&'a self, name: &'a ShmName) -> NamedDoor<'a> {
        NamedDoor { file: &self.file, id: self.info.id, name }
    }
}

/// What a name led to.
enum Found {
    Nothing,
    /// This process is attached to it.
    Ours(Arc<Region>),
    Other(Opened),
    /// It changed meanwhile, or another thread is closing it: again.
    Again,
}

impl Region {
    /// Creates a region of at most `limit` bytes that can be given a name, and joins it. It has none yet: nobody else
    /// can see it, and if it is dropped or its creator dies, nothing is left.
    ///
    /// # Errors
    /// `OutOfMemory` if the address space or the memory cannot be had, `InvalidInput` for an impossible limit,
    /// `Unsupported` if there is no folder of shared memory, `Os`.
    pub fn create_named(limit: u64) -> Result<Arc<Self>> {
        membarrier::register();
        let failed = |call: &'static str| move |cause: io::Error| Error::os("named region", call, cause);
        let id = random::nonzero().map_err(failed("getrandom"))?;
        let file = shm::create().map_err(no_folder)?;
        let limit = limit.max(CHUNK).checked_next_multiple_of(CHUNK);
        let Some(geometry) = limit.and_then(Geometry::named) else {
            let what = format!("a limit of {} bytes is not possible", limit.unwrap_or(u64::MAX));
            return Err(Error::new(ErrorKind::InvalidInput, "named region", what));
        };
        let map = memfd::set_len(file.as_fd(), geometry.total)
            .and_then(|()| Mapping::new(file.as_fd(), geometry.total))
            .map_err(|cause| no_space(&geometry, cause))?;
        let file = Beacon::adopt(file).map_err(failed("fstat"))?;
        Self::found(map, Files::named(file, None)?, geometry, id)
    }

    /// Gives the region its name, when everything is in it. False: there is such a name already.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn publish(&self, name: &ShmName, record: &Record) -> Result<bool> {
        let Files::Named { name: own, .. } = self.files() else {
            return Err(Error::new(ErrorKind::InvalidState, object(name), "the region was made without one"));
        };
        self.me()?;
        record.store(&self.header().named);
        // Alone: another thread that looks at the name must not meet a file of which it does not know that it is ours.
        let _alone = registry::lock();
        let linked = shm::link(self.memfd(), name).map_err(|cause| no_entry(name, cause))?;
        if linked {
            // The one caller sets it once.
            let _ = own.set(name.clone());
        }
        Ok(linked)
    }

    /// What a named region says of itself.
    ///
    /// # Errors
    /// `InvalidRegion` if it has no name or says nonsense.
    pub fn record(&self) -> Result<Record> {
        let mut bytes = [0; NAMED_END];
        memfd::read_at(self.memfd(), &mut bytes, 0)
            .map_err(|cause| Error::os("named region", "read", cause))?;
        Record::read(&bytes[NAMED_AT..])
    }

    /// The name, if the region has one.
    pub fn name(&self) -> Option<&str> {
        self.files().name().map(ShmName::as_str)
    }

    /// Attaches to the region of a name, and joins it. `None`: there is no such name, or it was stale and is gone now.
    /// `fits` sees what is there before anything is mapped, and may refuse it.
    ///
    /// # Errors
    /// What `fits` says; `InvalidRegion` if the file is not what it should be, with both sides printed; `InvalidState`
    /// if a process does not go on in the middle of opening or removing it; `Limit`, `OutOfMemory`, `Os`.
    pub fn open_named(
        name: &ShmName,
        fits: &mut dyn FnMut(&Record) -> Result<()>,
    ) -> Result<Option<Arc<Self>>> {
        membarrier::register();
        let until = clock::now().saturating_add(PATIENCE);
        loop {
            let holder = match open_once(name, fits)? {
                Attempt::Open(region) => return Ok(Some(region)),
                Attempt::Absent => return Ok(None),
                Attempt::Again(holder) => holder,
            };
            give_up(name, until, holder)?;
            pause();
        }
    }
}

/// What came of one attempt to open a name.
enum Attempt {
    Open(Arc<Region>),
    Absent,
    /// It changed meanwhile, or somebody (this process, if it can be told) has the gate.
    Again(Option<u32>),
}

fn open_once(name: &ShmName, fits: &mut dyn FnMut(&Record) -> Result<()>) -> Result<Attempt> {
    // Declared before the lock: a region that cannot be kept is dropped after it, for it takes the lock.
    let region;
    let mut registry = registry::lock();
    let (new, same) = match find(&registry, name)? {
        Found::Nothing => return Ok(Attempt::Absent),
        Found::Again => return Ok(Attempt::Again(None)),
        Found::Ours(ours) => {
            region = ours;
            fits(&region.record()?)?;
            (false, true)
        }
        Found::Other(opened) => {
            if let Some(holder) = unless_stale(&opened, name)? {
                return Ok(Attempt::Again(holder));
            }
            let (checked, record) = check_file(opened.file.as_fd(), &opened.info, &object(name))?;
            fits(&record)?;
            let Some(mapped) = map(opened, name, &checked)? else { return Ok(Attempt::Again(None)) };
            region = Arc::new(mapped);
            (true, is_the_same(&region)?)
        }
    };
    let entered = match (same, region.me()) {
        (false, _) => Entered::NotCurrent,
        // Otherwise this is a forked copy, which has the region and is nobody in it, or the region is new.
        (true, Ok(_)) => Entered::In(()),
        (true, Err(_)) => attempt(&region, name, Company::Needed, None)?,
    };
    match entered {
        Entered::In(()) => {
            if new {
                registry.add(region.id(), region.files().id(), Arc::downgrade(&region));
            }
            drop(registry);
            Ok(Attempt::Open(region))
        }
        Entered::Busy => Ok(Attempt::Again(region.files().beacon().gate_holder())),
        Entered::Removed | Entered::NotCurrent => Ok(Attempt::Again(None)),
    }
}

/// Looks at a name; `None`: there is none.
///
/// # Errors
/// `InvalidRegion` for what is not the library's, or not this user's; `Os`.
pub fn look(name: &ShmName) -> Result<Option<Looked>> {
    loop {
        let registry = registry::lock();
        let (pids, info, record) = match find(&registry, name)? {
            Found::Nothing => return Ok(None),
            Found::Ours(region) => {
                let seen = (others(region.memfd()), shm::info_of(region.memfd()), region.record());
                let joined = region.me().is_ok();
                drop(registry);
                drop(region);
                let mut pids = seen.0?;
                pids.extend(joined.then(std::process::id));
                (pids, seen.1.map_err(|cause| Error::os(object(name), "fstat", cause))?, seen.2)
            }
            Found::Other(Opened { file, info }) => {
                let record = check_file(file.as_fd(), &info, &object(name)).map(|(_, record)| record);
                (others(file.as_fd())?, info, record)
            }
            Found::Again => {
                drop(registry);
                pause();
                continue;
            }
        };
        return Ok(Some(Looked { pids, bytes: info.bytes, record }));
    }
}

/// Removes a name that nobody uses.
///
/// # Errors
/// As [`look`], and `InvalidState` if a process does not go on in the middle of opening or removing it.
pub fn remove_unused(name: &ShmName) -> Result<Removal> {
    let until = clock::now().saturating_add(PATIENCE);
    loop {
        // As in `open_once`: a region goes after the lock.
        let ours;
        let registry = registry::lock();
        let cleared = match find(&registry, name)? {
            Found::Nothing => return Ok(Removal::Absent),
            Found::Ours(region) => {
                ours = region;
                let Files::Named { file, id, .. } = ours.files() else { return Ok(Removal::InUse) };
                if ours.me().is_ok() {
                    return Ok(Removal::InUse);
                }
                // A forked copy: it has the file open, and is nobody.
                let door = NamedDoor { file, id: *id, name };
                busy_until(clear(&door).map_err(unlink_failed(name))?, name, until, file)?
            }
            Found::Other(opened) => {
                let cleared = clear(&opened.door(name)).map_err(unlink_failed(name))?;
                busy_until(cleared, name, until, &opened.file)?
            }
            Found::Again => {
                give_up(name, until, None)?;
                Cleared::Busy
            }
        };
        drop(registry);
        match cleared {
            Cleared::Removed => return Ok(Removal::Removed),
            Cleared::Used => return Ok(Removal::InUse),
            Cleared::NotCurrent | Cleared::Busy => pause(),
        }
    }
}

/// Joins a named region of which this process was given the descriptors. Only under the registry's lock.
pub fn come_in(region: &Region, name: &ShmName, seat: Option<Seat>) -> Result<()> {
    let until = clock::now().saturating_add(PATIENCE);
    let mut gone = false;
    let entered = attempts::repeat(until, || {
        Ok::<_, Error>(match attempt(region, name, Company::NotNeeded, seat)? {
            Entered::In(()) => true,
            Entered::Busy => false,
            Entered::Removed | Entered::NotCurrent => {
                gone = true;
                true
            }
        })
    })?;
    if gone {
        return Err(Error::new(
            ErrorKind::InvalidState,
            object(name),
            "its last user has gone, and the name with it",
        )
        .hint("the process that passed it on died; this process should exit"));
    }
    if entered { Ok(()) } else { Err(stopped(name, region.files().beacon().gate_holder())) }
}

/// The last handle of this process goes: with the last of all, so does the name.
pub fn go(region: &Region) {
    let Files::Named { file, id, name } = region.files() else { return };
    // A forked copy, or one that left: not its to remove. Without a name there is nothing.
    let (Some(name), Ok(_)) = (name.get(), region.me()) else { return };
    let _alone = registry::lock();
    let door = NamedDoor { file, id: *id, name };
    let until = clock::now().saturating_add(PATIENCE);
    // What fails, or takes too long because somebody is stopped behind the gate, is done at the next look.
    let _ = attempts::repeat(until, || leave(&door).map(|cleared| cleared != Cleared::Busy));
}

/// Checks a file that is said to be a named region's; `object` is what the error is about.
pub fn check_file(file: BorrowedFd<'_>, info: &FileInfo, object: &str) -> Result<(Checked, Record)> {
    trusted(info, object)?;
    let mut bytes = [0; NAMED_END];
    let read = memfd::read_at(file, &mut bytes, 0)
        .map_err(|cause| Error::os(object.to_owned(), "reading the header", cause))?;
    let bytes = bytes.get(..read).unwrap_or_default();
    let checked =
        check(bytes.get(..FIXED_BYTES).unwrap_or(bytes), info.len).map_err(|e| e.about(object.to_owned()))?;
    if !checked.named {
        let what = "the file is a region that was made without a name";
        return Err(Error::new(ErrorKind::InvalidRegion, object.to_owned(), what));
    }
    let record =
        Record::read(bytes.get(NAMED_AT..).unwrap_or_default()).map_err(|e| e.about(object.to_owned()))?;
    Ok((checked, record))
}

/// Whether a file begins as a named region of any version does.
pub fn says_named(file: BorrowedFd<'_>) -> bool {
    let mut bytes = [0; FIXED_BYTES];
    let whole = memfd::read_at(file, &mut bytes, 0).is_ok_and(|read| read == FIXED_BYTES);
    let words = bytes.as_chunks::<8>().0.first_chunk::<FIXED_WORDS>();
    let word = |at: usize| words.map_or(0, |words| u64::from_ne_bytes(words[at]));
    whole && word(0) == MAGIC && word(4) & NAMED != 0
}

/// Follows a name. The file is opened only if it is not one of this process's: closing it would drop their locks.
fn find(registry: &Registry, name: &ShmName) -> Result<Found> {
    let failed = |call| move |cause| Error::os(object(name), call, cause);
    let Some(seen) = shm::info(name).map_err(failed("stat"))? else { return Ok(Found::Nothing) };
    trusted(&seen, &object(name))?;
    match registry.find_file(seen.id) {
        Known::Attached(region) => return Ok(Found::Ours(region)),
        Known::Closing => return Ok(Found::Again),
        Known::No => {}
    }
    let Some(file) = shm::open(name).map_err(failed("open"))? else { return Ok(Found::Nothing) };
    let info = shm::info_of(file.as_fd()).map_err(failed("fstat"))?;
    if info.id != seen.id {
        // It became another one between the two looks; should that be ours, it stays open.
        if let Known::Attached(region) = registry.find_file(info.id) {
            region.keep_beacon(file);
            return Ok(Found::Ours(region));
        }
        return Ok(Found::Again);
    }
    if !says_named(file.as_fd()) {
        let hint = format!("nothing was changed; if it is of no use, remove {} by hand", name.path());
        let what = "the file is not a named region, or it was damaged";
        return Err(Error::new(ErrorKind::InvalidRegion, object(name), what).hint(hint));
    }
    let file = Beacon::adopt(file).map_err(failed("fstat"))?;
    Ok(Found::Other(Opened { file, info }))
}

/// Takes a stale name away. `Some`: again; it was stale, or a process (which, if it can be told) has the gate.
fn unless_stale(opened: &Opened, name: &ShmName) -> Result<Option<Option<u32>>> {
    if opened.file.is_used().map_err(unlink_failed(name))? {
        return Ok(None);
    }
    Ok(match clear(&opened.door(name)).map_err(unlink_failed(name))? {
        Cleared::Used => None,
        Cleared::Busy => Some(opened.file.gate_holder()),
        Cleared::Removed | Cleared::NotCurrent => Some(None),
    })
}

fn unlink_failed(name: &ShmName) -> impl FnOnce(io::Error) -> Error + '_ {
    move |cause| Error::os(object(name), "removing a name that nobody uses", cause)
}

/// Maps it by its name. `None`: the name is another file's, or nobody's, since a moment ago.
fn map(opened: Opened, name: &ShmName, checked: &Checked) -> Result<Option<Region>> {
    let Checked { region_id, geometry, .. } = *checked;
    let map = match Mapping::segment(name) {
        Ok(map) if map.size() == geometry.total => map,
        Ok(_) => return Ok(None),
        Err(cause) if cause.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        Err(cause) => return Err(no_space(&geometry, cause).about(object(name))),
    };
    Region::assemble(map, Files::named(opened.file, Some(name.clone()))?, geometry, region_id).map(Some)
}

/// Whether what is mapped is what was checked. It gets its pages first, also where the file has holes: touching them must
/// not fail.
fn is_the_same(region: &Region) -> Result<bool> {
    region.commit_tables()?;
    Ok(region.header().region_id.load(Ordering::Relaxed) == region.id())
}

fn attempt(region: &Region, name: &ShmName, company: Company, seat: Option<Seat>) -> Result<Entered<()>> {
    let Files::Named { file, id, .. } = region.files() else {
        return region.join(seat).map(Entered::In);
    };
    let door = NamedDoor { file, id: *id, name };
    let entered = enter(&door, company, || region.join(seat));
    Ok(match entered.map_err(|cause| Error::os(object(name), "locking the file", cause))? {
        Entered::In(joined) => Entered::In(joined?),
        Entered::Removed => Entered::Removed,
        Entered::NotCurrent => Entered::NotCurrent,
        Entered::Busy => Entered::Busy,
    })
}

fn others(file: BorrowedFd<'_>) -> Result<Vec<u32>> {
    beacon::holders(file).map_err(|cause| Error::os("named region", "fcntl(F_GETLK)", cause))
}

/// Whose file it is, before anything in it is looked at.
fn trusted(info: &FileInfo, object: &str) -> Result<()> {
    let refuse = |what: String, hint: String| {
        Err(Error::new(ErrorKind::InvalidRegion, object.to_owned(), what).hint(hint))
    };
    if info.kind != FileType::RegularFile {
        return refuse(format!("it is {}, and not a file", kind_of(info.kind)), "choose another name".into());
    }
    let user = shm::user();
    if info.uid != user {
        let what = format!("it belongs to user {}, and this process acts for user {user}", info.uid);
        return refuse(what, "names are shared by all users of the machine: choose another".into());
    }
    if info.mode != 0o600 {
        let what = format!("its mode is {:03o}, and not 600: others could write to it", info.mode);
        return refuse(what, "somebody changed it by hand; change it back, or remove the file".into());
    }
    Ok(())
}

fn kind_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Symlink => "a symbolic link",
        FileType::Directory => "a folder",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "something special",
    }
}

fn pause() {
    std::thread::sleep(PAUSE);
}

/// The same, or the error if it is busy and the time is up.
fn busy_until(cleared: Cleared, name: &ShmName, until: u64, file: &Beacon) -> Result<Cleared> {
    if cleared == Cleared::Busy {
        give_up(name, until, file.gate_holder())?;
    }
    Ok(cleared)
}

/// The error, if the time is up.
fn give_up(name: &ShmName, until: u64, holder: Option<u32>) -> Result<()> {
    if clock::now() < until { Ok(()) } else { Err(stopped(name, holder)) }
}

#[cold]
fn stopped(name: &ShmName, holder: Option<u32>) -> Error {
    let who = match holder {
        None | Some(0) => "another process".to_owned(),
        Some(pid) => format!("process {pid}"),
    };
    let what =
        format!("{who} has been opening or removing it for seconds: it is stopped, or names come and go");
    Error::new(ErrorKind::InvalidState, object(name), what).hint("let it go on (SIGCONT), or end it")
}

/// How errors call a name.
fn object(name: &ShmName) -> String {
    format!("named queue {:?} ({})", name.as_str(), name.path())
}

#[cold]
fn no_folder(cause: io::Error) -> Error {
    let kind = match cause.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::EOPNOTSUPP | libc::EISDIR | libc::EROFS | libc::EACCES) => {
            Some((ErrorKind::Unsupported, "named queues need a writable tmpfs at /dev/shm"))
        }
        Some(libc::ENOSPC | libc::ENOMEM) => Some((ErrorKind::OutOfMemory, FULL)),
        _ => None,
    };
    let error = Error::os(shm::FOLDER, "creating a file", cause);
    match kind {
        Some((kind, hint)) => error.of_kind(kind).hint(hint),
        None => error,
    }
}

/// The way out of a folder that is full.
pub const FULL: &str = "make the file system at /dev/shm larger (mount -o remount,size=..; docker run --shm-size), \
                        remove what lies there, or call gc_named()";

#[cold]
fn no_entry(name: &ShmName, cause: io::Error) -> Error {
    let full = matches!(cause.raw_os_error(), Some(libc::ENOSPC));
    let error = Error::os(object(name), "linkat", cause);
    if full { error.of_kind(ErrorKind::OutOfMemory).hint(FULL) } else { error }
}

#[cold]
fn no_space(geometry: &Geometry, cause: io::Error) -> Error {
    let hint = format!(
        "it reserves {} MiB of address space (it uses memory only as it grows): give it a smaller limit, or raise \
         `ulimit -v`, `ulimit -f` or vm.max_map_count",
        geometry.total >> 20
    );
    let error = Error::os("named region", "reserving address space", cause);
    // Of descriptors the error itself says the way out.
    if error.kind() == ErrorKind::Limit { error } else { error.of_kind(ErrorKind::OutOfMemory).hint(hint) }
}
