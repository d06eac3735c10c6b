//! Keys and values to words and bytes, and back.

use super::raw::{Copied, Found, Value};
use crate::channel::transfer::{Scope, provide};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::dict::{Lengths, PAIR, Settings};
use crate::ring::plain::{plain_bytes, plain_len};
use crate::shared::data::{self, SharedData};
pub(super) use crate::shared::inline::{is_inline, of_word, word_of};

/// How a dictionary of these keeps them; how many stripes there are is left open.
pub(super) fn settings<K: SharedData, V: SharedData>() -> Settings {
    let key = if is_inline::<K>() { Some(0) } else { plain_len::<K>() };
    let inline_values = is_inline::<K>() && is_inline::<V>();
    let in_front = !inline_values && Lengths::are_in_front(key, plain_len::<V>());
    Settings { inline_keys: is_inline::<K>(), inline_values, in_front, stripes: 0 }
}

/// The words of a plain key that takes two.
#[inline(always)]
pub(super) fn pair_of<T: SharedData>(bytes: &[u8]) -> Option<[u64; 2]> {
    let is_pair = matches!(plain_len::<T>(), Some(len) if len > 8 && len <= PAIR);
    let (first, second) = bytes.split_at_checked(8).filter(|_| is_pair)?;
    Some([word_of(first), word_of(second)])
}

/// Hands a value to `f` as it goes into a dictionary whose values are inline, or not.
#[inline(always)]
pub(super) fn with_value<T: SharedData, R>(
    value: &T,
    inline: bool,
    f: impl FnOnce(Value<'_>) -> Result<R>,
) -> Result<R> {
    match plain_bytes(value) {
        Some(bytes) if inline => f(Value::Word(word_of(bytes))),
        Some(bytes) => f(Value::Archive(bytes, &[])),
        None => {
            let scope = Scope::open();
            data::encode(value, |bytes| f(Value::Archive(bytes, &scope.take())))?
        }
    }
}

/// Hands the archive of a key to `f`.
#[inline(always)]
pub(super) fn with_key<T: SharedData, R>(key: &T, f: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
    match plain_bytes(key) {
        Some(bytes) => f(bytes),
        None => {
            let scope = Scope::open();
            data::encode(key, |bytes| if scope.take().is_empty() { f(bytes) } else { Err(handle_in_key()) })?
        }
    }
}

#[cold]
fn handle_in_key() -> Error {
    Error::new(ErrorKind::InvalidInput, "shared dictionary", "a key cannot contain a handle")
        .hint("put the handle into the value")
}

/// The value that was found; its archive is in `bytes`, if it has one.
#[inline(always)]
pub(super) fn value_of<T: SharedData>(found: Found, bytes: &Copied) -> Result<T> {
    match found {
        Found::Word(word) => of_word(word),
        Found::Archive => data::decode(bytes),
        Found::WithHandles(children) => provide(children, || data::decode(bytes)),
    }
}
