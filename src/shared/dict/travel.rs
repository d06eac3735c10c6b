//! Dictionaries as arguments, in messages, and as values of others.

use super::SharedDict;
use crate::channel::transfer::{Child, export, import, noted};
use crate::error::Result;
use crate::ring::handle::ArchivedHandle;
use crate::shared::data::SharedData;

impl<K, V> rkyv::Archive for SharedDict<K, V> {
    type Archived = ArchivedHandle<SharedDict<K, V>>;
    type Resolver = u32;

    fn resolve(&self, index: u32, out: rkyv::Place<Self::Archived>) {
        ArchivedHandle::emplace(index, out);
    }
}

impl<K, V, S> rkyv::Serialize<S> for SharedDict<K, V>
where
    S: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
{
    fn serialize(&self, _: &mut S) -> Result<u32, S::Error> {
        export(Child::whole(self.reference().clone())).map_err(<S::Error as rkyv::rancor::Source>::new)
    }
}

impl<K, V, D> rkyv::Deserialize<SharedDict<K, V>, D> for ArchivedHandle<SharedDict<K, V>>
where
    K: SharedData,
    V: SharedData,
    D: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized,
{
    fn deserialize(&self, _: &mut D) -> Result<SharedDict<K, V>, D::Error> {
        let child = import(self.index());
        child
            .and_then(|child| noted(SharedDict::open(child.object)))
            .map_err(<D::Error as rkyv::rancor::Source>::new)
    }
}
