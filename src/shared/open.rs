//! Whether an object is what a handle takes it for.

use super::names::short;
use crate::arena::ObjectRef;
use crate::channel::{codec, kind};
use crate::error::{Error, ErrorKind, Result};

/// That it is of this kind, and holds values of `T`.
///
/// # Errors
/// `TypeMismatch`, which names what it is and what was asked for.
pub(super) fn check<T: rkyv::Archive>(object: &ObjectRef, kind: u32) -> Result<()> {
    if object.kind() == kind && object.type_hash() == codec::fingerprint::<T>() {
        return Ok(());
    }
    Err(mismatch(object, kind, &short::<T>()))
}

#[cold]
fn mismatch(object: &ObjectRef, wanted: u32, of: &str) -> Error {
    let what = format!(
        "it is a {} of `{}`, and was opened as a {} of `{of}`",
        noun(object.kind()),
        object.name(),
        noun(wanted)
    );
    Error::new(ErrorKind::TypeMismatch, format!("object {}", object.id().index), what)
        .hint("open it as what it was created; both programs must be built from the same types")
}

/// As people call it.
fn noun(kind: u32) -> &'static str {
    match kind {
        kind::VALUE => "shared value",
        kind::STRUCT => "shared struct",
        kind::ARRAY => "shared array",
        kind::LIST => "shared list",
        kind::DICT => "shared dictionary",
        kind::NAMESPACE => "namespace",
        _ => "thing that is no shared data",
    }
}
