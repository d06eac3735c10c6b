//! Objects with a name, for programs that do not know each other: each in a region of its own.
//!
//! What a name is, who may take it away, and why no death gets in between is in `region::named`; here it is filled, compared
//! with what a program expects, and listed.

mod gc;
mod info;
mod wanted;

pub use gc::{NamedGc, gc_named};
pub use info::{NamedInfo, list_named};
pub(crate) use wanted::Wanted;

use std::sync::Arc;

use super::domain::Domain;
use crate::arena::ObjectRef;
use crate::error::{Error, ErrorKind, Result};
use crate::region::Region;
use crate::region::named::{Record, Removal, look, remove_unused};
use crate::sys::shm::{FOLDER, ShmName};

/// How often a name that others create and remove all the time is tried.
const TRIES: u32 = 100;

/// Makes the object of a new name.
type Make<'a> = dyn Fn(&Domain) -> Result<ObjectRef> + 'a;

/// Creates a name, and the object that it stands for.
///
/// # Errors
/// `AlreadyExists` if somebody uses the name; what `make` and the region say.
pub(crate) fn create(name: &str, wanted: &Wanted, make: &Make<'_>) -> Result<ObjectRef> {
    let name = checked(name)?;
    for _ in 0..TRIES {
        if remove_unused(&name)? == Removal::InUse {
            return Err(exists(&name));
        }
        if let Some(object) = create_once(&name, wanted, make)? {
            return Ok(object);
        }
    }
    Err(restless(&name))
}

/// Opens a name.
///
/// # Errors
/// `NotFound`; `TypeMismatch`, `InvalidInput`, with both sides, if it is another object than is wanted; what the region
/// says.
pub(crate) fn open(name: &str, wanted: &Wanted) -> Result<ObjectRef> {
    let name = checked(name)?;
    open_once(&name, wanted)?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, title(&name), "there is no such name")
            .hint("create it first, or use open_or_create; names go with their last user")
    })
}

/// Opens a name, or creates it if there is none.
///
/// # Errors
/// As [`open`], but for `NotFound`, and as [`create`], but for `AlreadyExists`.
pub(crate) fn open_or_create(name: &str, wanted: &Wanted, make: &Make<'_>) -> Result<ObjectRef> {
    let name = checked(name)?;
    for _ in 0..TRIES {
        if let Some(object) = open_once(&name, wanted)? {
            return Ok(object);
        }
        if let Some(object) = create_once(&name, wanted, make)? {
            return Ok(object);
        }
    }
    Err(restless(&name))
}

/// `None`: the name is there already.
fn create_once(name: &ShmName, wanted: &Wanted, make: &Make<'_>) -> Result<Option<ObjectRef>> {
    let region = Region::create_named(wanted.limit).map_err(|error| error.about(title(name)))?;
    let domain = Domain::adopt(region.clone())?;
    let object = make(&domain)?;
    domain.store().keep_for_good(&object)?;
    let record = wanted.record(name.as_str(), object.id().bits());
    Ok(region.publish(name, &record)?.then_some(object))
}

/// `None`: there is no such name.
fn open_once(name: &ShmName, wanted: &Wanted) -> Result<Option<ObjectRef>> {
    let mut root = 0;
    let found = Region::open_named(name, &mut |record: &Record| {
        root = record.root;
        wanted.fits(&title(name), record)
    })?;
    let Some(region) = found else { return Ok(None) };
    let domain: Arc<Domain> = Domain::adopt(region)?;
    // Slots of users that died, or left: nobody else may come by for a long time.
    domain.sweep();
    domain.store().root(root).map(Some).map_err(|error| error.about(title(name)))
}

fn checked(name: &str) -> Result<ShmName> {
    ShmName::new(name).map_err(|why| {
        let shown: String = name.chars().take(60).collect();
        Error::new(ErrorKind::InvalidInput, "named queue", format!("{shown:?} is no name: {why}"))
            .hint("a name has 1 to 200 bytes, none of them '/' or NUL, and is not '.' or '..'")
    })
}

/// How errors call it.
fn title(name: &ShmName) -> String {
    format!("named queue {:?} ({})", name.as_str(), name.path())
}

#[cold]
fn exists(name: &ShmName) -> Error {
    let who = match look(name) {
        Ok(Some(seen)) => {
            let what = seen.record.map_or_else(
                |error| error.to_string(),
                |record| format!("a queue of {} for {} messages", record.type_name, record.capacity),
            );
            format!("the name is in use: {what}, processes {:?}", seen.pids)
        }
        _ => "the name is in use".into(),
    };
    Error::new(ErrorKind::AlreadyExists, title(name), who)
        .hint("open it, use open_or_create, or choose another name")
}

#[cold]
fn restless(name: &ShmName) -> Error {
    let what = format!("others created and removed it each of {TRIES} times");
    Error::new(ErrorKind::InvalidState, title(name), what).hint(format!("see who uses {FOLDER}"))
}
