//! Values to bytes and back: rkyv, through one scratch buffer a thread.
//!
//! Bytes are validated before they are read as a value, also those of honest peers: a wrong build on the
//! other side is an error and never undefined behaviour.

use std::any::{TypeId, type_name};
use std::cell::Cell;
use std::marker::PhantomData;

use rkyv::api::high::to_bytes_in_with_alloc;
use rkyv::rancor;
use rkyv::ser::allocator::Arena;

use super::in_place::InPlace;
use super::message::{Buffer, Message};
use crate::error::{Error, ErrorKind, Result};
use crate::ring::plain::plain_value;

/// What serialising needs. rkyv's own arena of a thread cannot be used in the destructors of thread-local values.
#[derive(Default)]
struct Scratch {
    buffer: Buffer,
    arena: Arena,
}

thread_local! {
    static SCRATCH: Cell<Option<Scratch>> = const { Cell::new(None) };
}

/// Scratch above this size is given back to the allocator after use.
const KEEP: usize = 1 << 20;

/// Refuses, when the program is built, what could not be read where it lies.
pub(crate) struct Alignment<T>(PhantomData<T>);

impl<T: rkyv::Archive> Alignment<T> {
    pub(crate) const FITS: () = assert!(
        align_of::<T::Archived>() <= ALIGN,
        "the archive of this type is aligned to more than 16 bytes, and a message is not: leave out its `align`"
    );
}

/// Serialises `value` and hands the bytes, aligned to 16, to `f`.
pub(crate) fn encode<T: Message, R>(value: &T, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
    const { Alignment::<T>::FITS };
    encode_by(|buffer, arena| to_bytes_in_with_alloc(value, buffer, arena.acquire()), f)
        .map_err(|cause| unserialisable::<T>(&cause))
}

/// Has `serialise` fill a buffer of this thread's, and hands the bytes, aligned to 16, to `f`.
pub(crate) fn encode_by<R>(
    serialise: impl FnOnce(Buffer, &mut Arena) -> Result<Buffer, rancor::Error>,
    f: impl FnOnce(&[u8]) -> R,
) -> Result<R, rancor::Error> {
    // In the destructor of a thread-local value the scratch may be gone: then it works without.
    let Scratch { mut buffer, mut arena } = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
    buffer.clear();
    let buffer = serialise(buffer, &mut arena)?;
    let answer = f(&buffer);
    if buffer.capacity() <= KEEP && arena.shrink() <= KEEP {
        let _ = SCRATCH.try_with(|scratch| scratch.set(Some(Scratch { buffer, arena })));
    }
    Ok(answer)
}

/// Serialises `value` into `room`, which is aligned to 16: the length of its archive, or `None` if there is not so much room. What is in
/// the room otherwise is undefined.
pub(crate) fn encode_into<T: Message>(value: &T, room: &mut [u8]) -> Result<Option<usize>> {
    const { Alignment::<T>::FITS };
    let Scratch { buffer, mut arena } = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let (used, most) = (Cell::new(0), room.len());
    let writer = InPlace::new(room, &used);
    let end = to_bytes_in_with_alloc::<_, _, rancor::Error>(value, writer, arena.acquire()).map(|_| ());
    if arena.shrink() <= KEEP {
        let _ = SCRATCH.try_with(|scratch| scratch.set(Some(Scratch { buffer, arena })));
    }
    match end {
        Ok(()) => Ok(Some(used.get())),
        Err(_) if used.get() > most => Ok(None),
        Err(cause) => Err(unserialisable::<T>(&cause)),
    }
}

#[cold]
pub(crate) fn unserialisable<T>(cause: &rancor::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, type_name::<T>(), format!("cannot be serialised: {cause}"))
}

/// Validates `bytes` and reads them in place.
pub(crate) fn view<T: Message>(bytes: &[u8]) -> Result<&T::Archived> {
    rkyv::access::<T::Archived, rancor::Error>(bytes).map_err(|cause| corrupt::<T>(bytes.len(), &cause))
}

/// Validates `bytes` and makes the value of them.
#[inline]
pub(crate) fn decode<T: Message>(bytes: &[u8]) -> Result<T> {
    own(view::<T>(bytes)?)
}

/// The value of an archive.
#[inline]
pub(crate) fn own<T: Message>(archived: &T::Archived) -> Result<T> {
    rkyv::deserialize::<T, rancor::Error>(archived).map_err(|cause| refused::<T>(&cause))
}

#[cold]
pub(crate) fn refused<T>(cause: &rancor::Error) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        type_name::<T>(),
        format!("its own deserialisation refused a message: {cause}"),
    )
}

#[cold]
pub(crate) fn corrupt<T>(len: usize, cause: &rancor::Error) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        type_name::<T>(),
        format!("a message of {len} bytes is not a value: {cause}"),
    )
    .hint("check that both programs are built from the same types")
}

/// [`decode`] of bytes that lie anywhere: they are copied first if they are not aligned.
#[inline]
pub(crate) fn decode_anywhere<T: Message>(bytes: &[u8]) -> Result<T> {
    // The root's alignment is not enough: what it points to (the elements of a list) may need more.
    if bytes.as_ptr().addr().is_multiple_of(ALIGN) {
        return decode(bytes);
    }
    if bytes.len() <= SHORT {
        let mut aligned = Aligned([0; SHORT]);
        if let Some(room) = aligned.0.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            return decode(room);
        }
    }
    decode_long(bytes)
}

fn decode_long<T: Message>(bytes: &[u8]) -> Result<T> {
    let mut aligned = Buffer::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    decode(&aligned)
}

/// The value of a plain type whose archive `words` begin with.
#[inline(always)]
pub(crate) fn decode_words<T: Message, const N: usize>(words: [u64; N]) -> Result<T> {
    let mut copy = Aligned([0; SHORT]);
    for (bytes, word) in copy.0.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_ne_bytes();
    }
    let bytes = copy.0.get(..size_of::<T::Archived>()).unwrap_or_default();
    let archived = view::<T>(bytes)?;
    match plain_value(words) {
        Some(value) => Ok(value),
        None => own(archived),
    }
}

/// Messages up to this length are aligned on the stack.
const SHORT: usize = 64;
/// What [`Buffer`] is aligned to, and so the most that an archive may need anywhere.
const ALIGN: usize = 16;

#[repr(align(16))]
struct Aligned([u8; SHORT]);

/// A fingerprint of a type that two builds agree on when name, size and alignment of its archive do.
pub(crate) fn fingerprint<T: rkyv::Archive>() -> u64 {
    const { Alignment::<T>::FITS };
    fingerprint_of_any::<T>()
}

/// The same of a type that need not fit a message.
pub(crate) fn fingerprint_of_any<T: rkyv::Archive>() -> u64 {
    let mut hash = Fnv::default();
    hash.write(type_name::<T>().as_bytes());
    hash.write(&(size_of::<T::Archived>() as u64).to_le_bytes());
    hash.write(&(align_of::<T::Archived>() as u64).to_le_bytes());
    hash.0
}

/// The same of keys and values: of each by itself, since the archive of a pair may have one size for several sizes of theirs.
pub(crate) fn fingerprint_of_pair<K: rkyv::Archive, V: rkyv::Archive>() -> u64 {
    let mut hash = Fnv::default();
    hash.write(&fingerprint::<K>().to_le_bytes());
    hash.write(&fingerprint::<V>().to_le_bytes());
    hash.0
}

/// FNV-1a, 64 bits: part of the format, so it stands here and not in a crate that may change it.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The 32-bit tags of the types last sent and received, so that a tag is computed once a type and not once
/// a message. Never 0, which means raw bytes.
#[derive(Debug, Default)]
pub(crate) struct TagCache(Cell<Option<(TypeId, u32)>>);

impl TagCache {
    #[inline]
    pub(crate) fn tag<T: Message>(&self) -> u32 {
        match self.0.get() {
            Some((id, tag)) if id == TypeId::of::<T>() => tag,
            _ => self.compute::<T>(),
        }
    }

    #[cold]
    fn compute<T: Message>(&self) -> u32 {
        let print = fingerprint::<T>();
        let tag = ((print ^ (print >> 32)) as u32).max(1);
        self.0.set(Some((TypeId::of::<T>(), tag)));
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let value = (42u32, Some(7u8), "hello".to_owned(), vec![vec![1u64, 2], vec![]]);
        let back = encode(&value, decode::<(u32, Option<u8>, String, Vec<Vec<u64>>)>).unwrap().unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn garbage_is_an_error() {
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(&[0xff; 64]);
        assert_eq!(decode::<Vec<u64>>(&buffer).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(decode::<u64>(&buffer[..4]).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn fingerprints_differ() {
        assert_ne!(fingerprint::<u32>(), fingerprint::<u64>());
        assert_ne!(fingerprint::<Vec<u8>>(), fingerprint::<String>());
        let cache = TagCache::default();
        assert_eq!(cache.tag::<u8>(), cache.tag::<u8>());
        assert_ne!(cache.tag::<u8>(), cache.tag::<i8>());
    }
}
