//! Handles as arguments and in messages.

use rkyv::rancor::{Fallible, Source};

use super::SharedArray;
use crate::channel::transfer::{Child, export, import, noted};
use crate::prim::spin::WaitStrategy;
use crate::ring::handle::ArchivedHandle;
use crate::shared::SharedData;

impl<T> rkyv::Archive for SharedArray<T> {
    type Archived = ArchivedHandle<SharedArray<T>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: rkyv::Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<T, S: Fallible<Error: Source> + ?Sized> rkyv::Serialize<S> for SharedArray<T> {
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        export(Child::whole(self.inner.array.object().clone())).map_err(<S::Error as Source>::new)
    }
}

impl<T, D> rkyv::Deserialize<SharedArray<T>, D> for ArchivedHandle<SharedArray<T>>
where
    T: SharedData + Copy,
    D: Fallible<Error: Source> + ?Sized,
{
    fn deserialize(&self, _: &mut D) -> Result<SharedArray<T>, D::Error> {
        import(self.index())
            .and_then(|child| noted(SharedArray::over(child.object, WaitStrategy::default())))
            .map_err(<D::Error as Source>::new)
    }
}
