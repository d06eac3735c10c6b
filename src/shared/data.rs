//! What may be content of shared data.

use rkyv::api::low::{LowDeserializer, LowSerializer, LowValidator, to_bytes_in_with_alloc};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::{Archive, Deserialize, Serialize};

use crate::channel::codec::{self, corrupt, refused, unserialisable};
use crate::channel::message::Buffer;
use crate::error::Result;

/// A value that can be part of shared data: any type with rkyv's three derives, and the handles of this library where a container says so.
///
/// The trait is implemented for every type that fits; it exists to keep signatures short and compiler messages
/// readable. Types with shared pointers are refused when the program is built: `Rc`, `Arc` and their `Weak`s stand for one value in one process, which a
/// copy in shared memory would not be.
///
/// ```
/// use processing::rkyv::{Archive, Deserialize, Serialize};
///
/// #[derive(Archive, Serialize, Deserialize)]
/// #[rkyv(crate = processing::rkyv)]
/// struct Quote {
///     bid: f64,
///     venue: String,
/// }
///
/// fn can_be_shared<T: processing::SharedData>() {}
/// can_be_shared::<Quote>();
/// can_be_shared::<(u32, Option<u8>, Vec<String>)>();
/// ```
///
/// ```compile_fail
/// fn can_be_shared<T: processing::SharedData>() {}
/// can_be_shared::<std::rc::Rc<u32>>();
/// ```
///
/// ```compile_fail
/// fn can_be_shared<T: processing::SharedData>() {}
/// can_be_shared::<Vec<std::sync::Arc<String>>>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared data",
    label = "not shared data",
    note = "derive `Archive`, `Serialize` and `Deserialize` of `processing::rkyv` for it; `Rc`, `Arc`, `Weak`, references, raw \
            pointers and closures cannot be shared between processes"
)]
pub trait SharedData:
    Archive<
        Archived: for<'a> CheckBytes<LowValidator<'a, rancor::Error>>
                      + Deserialize<Self, LowDeserializer<rancor::Error>>,
    > + for<'a> Serialize<LowSerializer<Buffer, ArenaHandle<'a>, rancor::Error>>
    + Sized
    + 'static
{
}

impl<T> SharedData for T where
    T: Archive<
            Archived: for<'a> CheckBytes<LowValidator<'a, rancor::Error>>
                          + Deserialize<T, LowDeserializer<rancor::Error>>,
        > + for<'a> Serialize<LowSerializer<Buffer, ArenaHandle<'a>, rancor::Error>>
        + Sized
        + 'static
{
}

/// Serialises `value` and hands the bytes, aligned to 16, to `f`.
///
/// # Errors
/// `InvalidInput` if it cannot be serialised.
pub(crate) fn encode<T: SharedData, R>(value: &T, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
    const { codec::Alignment::<T>::FITS };
    codec::encode_by(|buffer, arena| to_bytes_in_with_alloc(value, buffer, arena.acquire()), f)
        .map_err(|cause| unserialisable::<T>(&cause))
}

/// [`encode`] of what archives as a `T` does.
///
/// # Errors
/// `InvalidInput` if it cannot be serialised.
pub(crate) fn encode_archive<T, A, R>(value: &A, f: impl FnOnce(&[u8]) -> R) -> Result<R>
where
    T: SharedData,
    A: Archive<Archived = T::Archived>
        + for<'a> Serialize<LowSerializer<Buffer, ArenaHandle<'a>, rancor::Error>>,
{
    const { codec::Alignment::<T>::FITS };
    codec::encode_by(|buffer, arena| to_bytes_in_with_alloc(value, buffer, arena.acquire()), f)
        .map_err(|cause| unserialisable::<T>(&cause))
}

/// Validates `bytes`, which are aligned to 16, and reads them in place.
///
/// # Errors
/// `Corrupt` if they are not a value.
pub(crate) fn view<T: SharedData>(bytes: &[u8]) -> Result<&T::Archived> {
    rkyv::api::low::access::<T::Archived, rancor::Error>(bytes)
        .map_err(|cause| corrupt::<T>(bytes.len(), &cause))
}

/// The value of an archive.
///
/// # Errors
/// `Corrupt` if its own deserialisation refuses it.
pub(crate) fn own<T: SharedData>(archived: &T::Archived) -> Result<T> {
    rkyv::api::low::deserialize::<T, rancor::Error>(archived).map_err(|cause| refused::<T>(&cause))
}

/// Validates `bytes`, which are aligned to 16, and makes the value of them.
///
/// # Errors
/// `Corrupt`.
pub(crate) fn decode<T: SharedData>(bytes: &[u8]) -> Result<T> {
    own::<T>(view::<T>(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

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
    }
}
