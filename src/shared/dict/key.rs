//! Looking up a key by what it lends: `"name"` for a `String`.

use rkyv::Archive;
use rkyv::rancor::Fallible;
use rkyv::string::{ArchivedString, StringResolver};
use rkyv::vec::{ArchivedVec, VecResolver};

use super::codec::with_key;
use crate::error::Result;
use crate::ring::plain::plain_bytes;
use crate::shared::data::{SharedData, encode_archive};

/// What an entry of a dictionary with keys `K` can be looked up by: a `K`, or what looks the same: `str` for `String`, `[u8]` for `Vec<u8>`.
///
/// ```
/// use processing::SharedDict;
///
/// let d = SharedDict::<String, u32>::new()?;
/// d.insert(&"one".to_owned(), &1)?;
/// assert_eq!((d.get("one")?, d.get(&"one".to_owned())?), (Some(1), Some(1)));
/// # Ok::<(), processing::Error>(())
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` is no key of a dictionary with keys `{K}`")]
pub trait AsKey<K> {
    /// Hands the key's archive to `f`.
    #[doc(hidden)]
    fn with_archive<R>(&self, f: impl FnOnce(&[u8]) -> Result<R>) -> Result<R>;

    /// The key's archive, if its bytes are that.
    #[doc(hidden)]
    #[inline(always)]
    fn plain(&self) -> Option<&[u8]> {
        None
    }
}

impl<K: SharedData> AsKey<K> for K {
    #[inline(always)]
    fn with_archive<R>(&self, f: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
        with_key(self, f)
    }

    #[inline(always)]
    fn plain(&self) -> Option<&[u8]> {
        plain_bytes(self)
    }
}

impl AsKey<String> for str {
    #[inline]
    fn with_archive<R>(&self, f: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
        encode_archive::<String, _, _>(&AsString(self), f)?
    }
}

impl AsKey<Vec<u8>> for [u8] {
    #[inline]
    fn with_archive<R>(&self, f: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
        encode_archive::<Vec<u8>, _, _>(&AsVec(self), f)?
    }
}

/// Archives as the `String` with this content.
struct AsString<'a>(&'a str);

impl Archive for AsString<'_> {
    type Archived = ArchivedString;
    type Resolver = StringResolver;

    fn resolve(&self, resolver: StringResolver, out: rkyv::Place<ArchivedString>) {
        ArchivedString::resolve_from_str(self.0, resolver, out);
    }
}

impl<S> rkyv::Serialize<S> for AsString<'_>
where
    S: Fallible<Error: rkyv::rancor::Source> + rkyv::ser::Writer + ?Sized,
{
    fn serialize(&self, serializer: &mut S) -> Result<StringResolver, S::Error> {
        ArchivedString::serialize_from_str(self.0, serializer)
    }
}

/// Archives as the `Vec` with this content.
struct AsVec<'a>(&'a [u8]);

impl Archive for AsVec<'_> {
    type Archived = ArchivedVec<u8>;
    type Resolver = VecResolver;

    fn resolve(&self, resolver: VecResolver, out: rkyv::Place<ArchivedVec<u8>>) {
        ArchivedVec::resolve_from_slice(self.0, resolver, out);
    }
}

impl<S> rkyv::Serialize<S> for AsVec<'_>
where
    S: Fallible + rkyv::ser::Allocator + rkyv::ser::Writer + ?Sized,
{
    fn serialize(&self, serializer: &mut S) -> Result<VecResolver, S::Error> {
        ArchivedVec::serialize_from_slice(self.0, serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive<K, Q: AsKey<K> + ?Sized>(key: &Q) -> Vec<u8> {
        key.with_archive(|bytes| Ok(bytes.to_vec())).unwrap()
    }

    #[test]
    fn what_a_key_lends_has_its_archive() {
        for text in ["", "a", "12345678", "a string that does not fit its own root", "ä€𝄞"] {
            assert_eq!(archive::<String, _>(text), archive::<String, _>(&text.to_owned()));
            let bytes = text.as_bytes();
            assert_eq!(archive::<Vec<u8>, _>(bytes), archive::<Vec<u8>, _>(&bytes.to_vec()));
        }
    }
}
