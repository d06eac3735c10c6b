//! Lists as arguments, in messages, and as elements of each other.

use rkyv::rancor::{Fallible, Source};

use super::SharedList;
use crate::channel::transfer::{self, Child};
use crate::error::Result;
use crate::prim::spin::Spinner;
use crate::ring::handle::ArchivedHandle;
use crate::shared::SharedData;

impl<T> rkyv::Archive for SharedList<T> {
    type Archived = ArchivedHandle<SharedList<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: rkyv::Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S> rkyv::Serialize<S> for SharedList<T>
where
    S: Fallible<Error: Source> + ?Sized,
{
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        let child = Child::whole(self.inner.body.object().clone());
        transfer::export(child).map_err(<S::Error as Source>::new)
    }
}

impl<T, D> rkyv::Deserialize<SharedList<T>, D> for ArchivedHandle<SharedList<T>>
where
    T: SharedData,
    D: Fallible<Error: Source> + ?Sized,
{
    fn deserialize(&self, _: &mut D) -> Result<SharedList<T>, D::Error> {
        transfer::import(self.index())
            .and_then(|child| transfer::noted(SharedList::over(child.object, Spinner::default())))
            .map_err(<D::Error as Source>::new)
    }
}
