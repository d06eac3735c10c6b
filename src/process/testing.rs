//! What the project's own tests need of the inside: handing handles to a process that the test forked itself, and
//! clearing up at a moment of the test's choice.

use std::marker::PhantomData;
use std::sync::Arc;

use super::cargo::{BootPayload, Cargo};
use super::seat::Seat;
use crate::arena::Usage;
use crate::channel::domain::{Arena, Domain};
use crate::region::Region;
use crate::sys::shm::ShmName;
use crate::{Error, ErrorKind, Result};

/// Arguments on their way to a process that the test forks.
#[derive(Debug)]
pub struct Ticket<A> {
    payload: Option<BootPayload>,
    seat: Option<Seat>,
    arguments: PhantomData<fn(A) -> A>,
}

impl<A: Cargo> Ticket<A> {
    /// In the parent, as a start of a process does.
    ///
    /// # Errors
    /// What packing says.
    pub fn issue(arguments: A, name: &str) -> Result<Self> {
        let seat = Seat::new(name);
        let payload = Some(arguments.pack(&seat)?);
        Ok(Self { payload, seat: Some(seat), arguments: PhantomData })
    }

    /// In the child, once: joins the arenas and takes the arguments.
    ///
    /// # Errors
    /// What attaching says.
    pub fn board(&mut self) -> Result<A> {
        let used = || Error::new(ErrorKind::InvalidState, "ticket", "it was used");
        A::unpack(self.payload.take().ok_or_else(used)?)
    }

    /// In the parent: the child has ended; takes back what it did not come to take, and looks for no dead.
    pub fn withdraw(&mut self) {
        self.seat = None;
    }

    /// In the parent: the child has ended, and is repaired now.
    pub fn over(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.over();
        }
    }
}

/// The arena as the calling process sees it: after a fork it is another value than the parent's.
///
/// # Errors
/// `WrongProcess` if the process is not attached.
pub fn arena_here(arena: &Arena) -> Result<Arena> {
    let region = arena.domain()?.region().clone();
    Domain::adopt(region).map(Arena::over)
}

/// Finds the dead and repairs what they left.
///
/// # Errors
/// `WrongProcess`.
pub fn sweep(arena: &Arena) -> Result<()> {
    let domain = arena.domain()?;
    domain.me()?;
    domain.look_for_dead();
    Ok(())
}

/// Records in the arena's depot of descriptors.
///
/// # Errors
/// `Os` if the arena cannot be had.
pub fn depot_len(arena: &Arena) -> Result<usize> {
    Ok(arena.domain()?.region().depot().map_or(0, crate::region::depot::Depot::len))
}

/// The calling process is no participant any more.
///
/// # Errors
/// None after the first use of the arena.
pub fn leave(arena: &Arena) -> Result<()> {
    let domain = arena.domain()?;
    domain.region().leave(&*domain);
    Ok(())
}

/// What is used of the arena.
///
/// # Errors
/// None after the first use of the arena.
pub fn usage(arena: &Arena) -> Result<Usage> {
    Ok(arena.domain()?.store().usage())
}

/// The arena of a name; the calling process joins it.
///
/// # Errors
/// What opening says; `NotFound`.
pub fn named_arena(name: &str) -> Result<Arena> {
    let missing = |why| Error::new(ErrorKind::NotFound, "named queue", why);
    let name = ShmName::new(name).map_err(missing)?;
    let region = Region::open_named(&name, &mut |_| Ok(()))?.ok_or_else(|| missing("there is none"))?;
    Domain::adopt(region).map(Arena::over)
}

/// The arena's region.
///
/// # Errors
/// None after the first use of the arena.
pub fn region(arena: &Arena) -> Result<Arc<Region>> {
    Ok(arena.domain()?.region().clone())
}
