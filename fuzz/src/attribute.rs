//! Bytes of a namespace's attribute as values of several types.

use std::fmt::Debug;

use processing::SharedData;
use processing::probe::{attribute, attribute_of};

use crate::input::Input;

/// Bytes of the head: fingerprint, length of the archive, lengths of text and name, zero.
const HEAD: usize = 32;

/// As they are, and with the words that no fuzzer guesses put right: the fingerprint of a type, and perhaps the lengths. The type comes first, so that a
/// seed speaks of one.
pub fn attribute_bytes(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 8 {
        0 => judge::<u64>(&0, *kind, bytes),
        1 => judge::<String>(&String::new(), *kind, bytes),
        2 => judge::<Vec<(String, Option<Vec<u8>>)>>(&Vec::new(), *kind, bytes),
        3 => judge::<(u8, Option<u64>, char, bool)>(&(0, None, 'a', false), *kind, bytes),
        4 => judge::<std::collections::BTreeMap<u16, String>>(&Default::default(), *kind, bytes),
        5 => judge::<Option<Box<str>>>(&None, *kind, bytes),
        6 => judge::<[char; 4]>(&['a'; 4], *kind, bytes),
        _ => judge::<()>(&(), *kind, bytes),
    }
}

fn judge<T: SharedData + PartialEq + Debug>(any: &T, kind: u8, bytes: &[u8]) {
    read::<T>(bytes);
    let mut known = bytes.to_vec();
    known.resize(known.len().max(HEAD), 0);
    known[..8].copy_from_slice(&attribute_of(any).expect("a value has bytes")[..8]);
    read::<T>(&known);
    if kind & 8 != 0 {
        // The lengths add up: an archive, a name and a text of what there is.
        let mut input = Input(&bytes[bytes.len().min(8)..]);
        let rest = known.len() - HEAD;
        let archive = rest - usize::from(input.u8()).min(rest);
        let name = usize::from(input.u8()).min(rest - archive);
        let lengths = (rest - archive - name) as u64 | (name as u64) << 32;
        known[8..16].copy_from_slice(&(archive as u64).to_le_bytes());
        known[16..24].copy_from_slice(&lengths.to_le_bytes());
        assert!(read::<T>(&known), "lengths that add up are refused");
    }
}

/// An error, or an attribute that is no longer than its bytes, whose value comes back from its own. True: it is an attribute.
fn read<T: SharedData + PartialEq + Debug>(bytes: &[u8]) -> bool {
    let Ok((name, text, value)) = attribute::<T>(bytes) else { return false };
    // A byte that is no UTF-8 is shown as three.
    assert!(HEAD + name.len() / 3 + text.len() / 3 <= bytes.len());
    if let Ok(value) = value {
        let again = attribute_of(&value).expect("a value has bytes");
        let (_, text, back) = attribute::<T>(&again).expect("an attribute");
        assert_eq!(back.expect("it is of its type"), value);
        assert!(text.len() <= 256 + '…'.len_utf8());
    }
    true
}
