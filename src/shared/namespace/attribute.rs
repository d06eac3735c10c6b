//! One attribute as bytes: of which type it is, its archive, and how people see it.
//!
//! ```text
//!  0  fingerprint of the type      8  bytes of the archive
//! 16  | length of the text:32 | length of the type's name:32 |   24  zero
//! 32  the archive, then the type's name, then the text
//! ```
//! The text is what `Debug` says of the value, so that a process that does not know the type can show it.

use std::fmt::Debug;

use crate::channel::codec::fingerprint;
use crate::channel::message::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::data::{self, SharedData};
use crate::shared::names;

const HEAD: usize = 32;
/// Longer texts are cut.
const TEXT: usize = 256;

/// The bytes of an attribute, which are aligned to 16.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    bytes: &'a [u8],
    print: u64,
    archive: usize,
    name: usize,
    text: usize,
}

impl<'a> Attribute<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let number = |at: usize| {
            let word = bytes.get(at..)?.first_chunk::<8>()?;
            Some(u64::from_le_bytes(*word))
        };
        let parsed = || {
            let (print, archive, lengths) = (number(0)?, number(8)?, number(16)?);
            let (text, name) = (lengths as u32 as usize, (lengths >> 32) as usize);
            let archive = usize::try_from(archive).ok()?;
            let end = HEAD.checked_add(archive)?.checked_add(name)?.checked_add(text)?;
            (end <= bytes.len()).then_some(Self { bytes, print, archive, name, text })
        };
        parsed().ok_or_else(|| Error::new(ErrorKind::Corrupt, "namespace", "an attribute is cut short"))
    }

    fn part(&self, from: usize, len: usize) -> &'a [u8] {
        self.bytes.get(from..from + len).unwrap_or_default()
    }

    /// The name of its type.
    pub(super) fn type_name(&self) -> String {
        String::from_utf8_lossy(self.part(HEAD + self.archive, self.name)).into_owned()
    }

    /// What people see.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.part(HEAD + self.archive + self.name, self.text)).into_owned()
    }

    /// The value's archive, if it is a `T`.
    pub(super) fn archive_of<T: SharedData>(&self, attribute: &str) -> Result<&'a [u8]> {
        if self.print != fingerprint::<T>() {
            return Err(Error::new(
                ErrorKind::TypeMismatch,
                format!("attribute {attribute}"),
                format!("it is a {}, and not a {}", self.type_name(), names::short::<T>()),
            )
            .hint("get it as the type that it was set with"));
        }
        Ok(self.part(HEAD, self.archive))
    }
}

/// The bytes of an attribute with this value. Handles in it report themselves to the caller's scope.
pub(super) fn pack<T: SharedData + Debug>(value: &T) -> Result<Buffer> {
    let text = cut(format!("{value:?}"));
    let name = names::short::<T>();
    data::encode(value, |archive| {
        let mut bytes = Buffer::with_capacity(HEAD + archive.len() + name.len() + text.len());
        bytes.extend_from_slice(&fingerprint::<T>().to_le_bytes());
        bytes.extend_from_slice(&(archive.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(archive);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes
    })
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT {
        let end = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_comes_back() {
        let bytes = pack(&(7u64, "x".to_owned())).unwrap();
        let attribute = Attribute::parse(&bytes).unwrap();
        let archive = attribute.archive_of::<(u64, String)>("pair").unwrap();
        assert_eq!(data::decode::<(u64, String)>(archive).unwrap(), (7, "x".to_owned()));
        assert_eq!(
            (attribute.type_name().as_str(), attribute.text().as_str()),
            ("(u64, String)", "(7, \"x\")")
        );
    }

    #[test]
    fn another_type_is_named() {
        let bytes = pack(&7u64).unwrap();
        let error = Attribute::parse(&bytes).unwrap().archive_of::<String>("x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        assert!(error.to_string().contains("it is a u64, and not a String"), "{error}");
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let bytes = pack(&"a long text".repeat(50)).unwrap();
        assert_eq!(Attribute::parse(&bytes).unwrap().text().chars().last(), Some('…'));
        for len in 0..bytes.len() {
            assert_eq!(Attribute::parse(&bytes[..len]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        let mut wrong = bytes.to_vec();
        wrong[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(Attribute::parse(&wrong).is_err());
    }
}
