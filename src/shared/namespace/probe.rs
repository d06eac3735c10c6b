//! The parser of attributes, for the fuzz targets.

use std::fmt::Debug;

use super::SharedData;
use super::attribute::{self, Attribute};
use crate::channel::message::Buffer;
use crate::error::Result;
use crate::shared::data;

/// What a namespace makes of an attribute's bytes, wherever they lie: the name of its type, its text, and its value as a `T`.
pub(crate) fn read<T: SharedData>(bytes: &[u8]) -> Result<(String, String, Result<T>)> {
    let mut aligned = Buffer::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    let attribute = Attribute::parse(&aligned)?;
    let value = attribute.archive_of::<T>("probe").and_then(data::decode);
    Ok((attribute.type_name(), attribute.text(), value))
}

/// The bytes of an attribute with this value.
pub(crate) fn write<T: SharedData + Debug>(value: &T) -> Result<Vec<u8>> {
    attribute::pack(value).map(|bytes| bytes.to_vec())
}
