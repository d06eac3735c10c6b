//! Opening by a name, joining with the descriptors, and leaving.

use std::os::fd::AsFd;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::region::check::Checked;
use crate::region::files::Files;
use crate::region::named::Record;
use crate::region::named::door::NamedDoor;
use crate::region::named::errors::{give_up, no_space, object, stopped};
use crate::region::named::find::{Found, Opened, check_file, find, unless_stale};
use crate::region::named::patience::{pause, until};
use crate::region::named::protocol::{Cleared, Company, Entered, enter, leave};
use crate::region::{Region, Seat, registry};
use crate::sync::atomic::Ordering;
use crate::sys::map::Mapping;
use crate::sys::shm::ShmName;
use crate::sys::{attempts, membarrier};

impl Region {
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
        let until = until();
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
            registry.announce(region.id(), region.files().id());
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

/// Joins a named region of which this process was given the descriptors. Only under the registry's lock.
pub fn come_in(region: &Region, name: &ShmName, seat: Option<Seat>) -> Result<()> {
    let until = until();
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
    let until = until();
    // What fails, or takes too long because somebody is stopped behind the gate, is done at the next look.
    let _ = attempts::repeat(until, || leave(&door).map(|cleared| cleared != Cleared::Busy));
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
