//! Ways into the private parsers, for the fuzz targets.

use std::os::fd::OwnedFd;

use super::{boot, cargo};
use crate::Result;
use crate::channel::codec;
use crate::channel::message::Message;
use crate::shared::SharedData;
use crate::shared::namespace::probe;
use crate::sys::boot_payload::Descriptor;

/// What a queue or a connection makes of a message's bytes.
///
/// # Errors
///
/// `Corrupt` if they are not a `T`.
pub fn decode<T: Message>(bytes: &[u8]) -> Result<T> {
    codec::decode_anywhere(bytes)
}

/// The bytes that [`decode`] reads.
///
/// # Errors
///
/// `InvalidInput` if the value cannot be serialised.
pub fn encode<T: Message>(value: &T) -> Result<Vec<u8>> {
    codec::encode(value, <[u8]>::to_vec)
}

/// What a process that starts makes of a boot record and its descriptors: the name and the arguments' bytes.
pub fn boot(record: &[u8], fds: Vec<OwnedFd>) -> Option<(String, Vec<u8>)> {
    match boot::read(record, fds) {
        Ok(Some(boot::Order::Child { boot, .. })) => Some((boot.name, boot.payload.bytes)),
        _ => None,
    }
}

/// What a process that starts makes of its arguments' bytes: how many handles, and how many bytes are left.
///
/// # Errors
///
/// `Corrupt`, and those of attaching to an arena.
pub fn cargo(bytes: &[u8], fds: Vec<OwnedFd>) -> Result<(usize, usize)> {
    let (rest, children) = cargo::read(bytes, fds.into_iter().map(Descriptor::Own).collect())?;
    Ok((children.len(), rest.len()))
}

/// What a namespace makes of an attribute's bytes: the name of its type, its text, and its value.
///
/// # Errors
///
/// `Corrupt` if they are cut short. Of the value: `TypeMismatch`; `Corrupt` if they are not a `T`.
pub fn attribute<T: SharedData>(bytes: &[u8]) -> Result<(String, String, Result<T>)> {
    probe::read(bytes)
}

/// The bytes that [`attribute`] reads.
///
/// # Errors
///
/// `InvalidInput` if the value cannot be serialised.
pub fn attribute_of<T: SharedData + std::fmt::Debug>(value: &T) -> Result<Vec<u8>> {
    probe::write(value)
}
