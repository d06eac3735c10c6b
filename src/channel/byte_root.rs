//! The end of the archive of a list of bytes that lie before it.

use std::cell::Cell;

use rkyv::rancor::{self, Fallible};
use rkyv::ser::{Serializer, Writer};
use rkyv::vec::{ArchivedVec, VecResolver};
use rkyv::{Archive, Place, Serialize};

use super::in_place::InPlace;
use crate::error::{Error, ErrorKind, Result};

/// So many bytes at most: what an archive refers to lies within 2 GiB.
pub(crate) const MOST: usize = i32::MAX as usize - 64;

/// What the archive of so many bytes takes.
pub(crate) const fn archive_len(bytes: usize) -> usize {
    bytes.next_multiple_of(align_of::<ArchivedVec<u8>>()) + size_of::<ArchivedVec<u8>>()
}

/// A list of so many bytes, which are the first ones of the archive already.
struct Root(usize);

impl Archive for Root {
    type Archived = ArchivedVec<u8>;
    type Resolver = VecResolver;

    fn resolve(&self, resolver: VecResolver, out: Place<Self::Archived>) {
        ArchivedVec::resolve_from_len(self.0, resolver, out);
    }
}

impl<S: Fallible + Writer + ?Sized> Serialize<S> for Root {
    fn serialize(&self, _: &mut S) -> Result<VecResolver, S::Error> {
        Ok(VecResolver::from_pos(0))
    }
}

/// Makes the first `len` bytes of `room` a list: the length of the whole archive.
///
/// # Errors
///
/// `TooLarge` if `room` is shorter than [`archive_len`].
pub(crate) fn append(room: &mut [u8], len: usize) -> Result<usize> {
    let used = Cell::new(len);
    let mut serializer = Serializer::new(InPlace::new(room, &used), (), ());
    rkyv::api::serialize_using::<_, rancor::Error>(&Root(len), &mut serializer).map_err(|cause| {
        Error::new(ErrorKind::TooLarge, "message", format!("no room behind {len} bytes: {cause}"))
    })?;
    Ok(used.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::codec;
    use crate::channel::message::Buffer;

    #[test]
    fn the_archive_is_the_one_that_a_list_has() {
        for len in [0usize, 1, 3, 4, 5, 63, 64, 1000] {
            let value: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let mut room = Buffer::new();
            room.extend_from_slice(&value);
            room.resize(archive_len(len), 0xee);
            assert_eq!(append(&mut room, len).unwrap(), archive_len(len));
            assert_eq!(codec::decode::<Vec<u8>>(&room).unwrap(), value);
            let whole = room.len();
            assert_eq!(append(&mut room[..whole - 1], len).unwrap_err().kind(), ErrorKind::TooLarge);
        }
    }
}
