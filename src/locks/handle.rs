//! Handles as arguments and in messages.

/// `$handle` travels: `$handle::reference(&self) -> &ObjectRef` says what, `$handle::open(ObjectRef)` makes it anew.
macro_rules! travels {
    ($handle:ident) => {
        impl rkyv::Archive for $handle {
            type Archived = crate::ring::handle::ArchivedHandle<$handle>;
            type Resolver = u32;

            fn resolve(&self, index: u32, out: rkyv::Place<Self::Archived>) {
                crate::ring::handle::ArchivedHandle::emplace(index, out);
            }
        }

        impl<S> rkyv::Serialize<S> for $handle
        where
            S: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
        {
            fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
                use crate::channel::transfer::{Child, export};
                let child = Child::whole(self.reference().clone());
                export(child).map_err(<S::Error as rkyv::rancor::Source>::new)
            }
        }

        impl<D> rkyv::Deserialize<$handle, D> for crate::ring::handle::ArchivedHandle<$handle>
        where
            D: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
        {
            fn deserialize(&self, _: &mut D) -> Result<$handle, D::Error> {
                let child = crate::channel::transfer::import(self.index());
                child
                    .and_then(|child| crate::channel::transfer::noted($handle::open(child.object)))
                    .map_err(<D::Error as rkyv::rancor::Source>::new)
            }
        }
    };
}

pub(crate) use travels;

use crate::arena::ObjectRef;
use crate::error::{Error, ErrorKind, Result};

/// That an object is what a handle takes it for.
pub(crate) fn check_kind(object: &ObjectRef, kind: u32, noun: &str) -> Result<()> {
    if object.kind() == kind {
        return Ok(());
    }
    let name = format!("object {}", object.id().index);
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    Err(Error::new(ErrorKind::TypeMismatch, name, format!("it is not {article} {noun}"))
        .hint("open it as what it was created"))
}
