//! Bytes of a message as values of several types.

use processing::probe::{decode, encode};
use processing::rkyv::{self, Archive, Deserialize, Serialize};

#[derive(Archive, Serialize, Deserialize, Debug, PartialEq, Clone)]
#[rkyv(crate = processing::rkyv)]
#[rkyv(serialize_bounds(__S: rkyv::ser::Writer + rkyv::ser::Allocator, __S::Error: rkyv::rancor::Source))]
#[rkyv(deserialize_bounds(__D::Error: rkyv::rancor::Source))]
#[rkyv(bytecheck(bounds(__C: rkyv::validation::ArchiveContext, <__C as rkyv::rancor::Fallible>::Error: rkyv::rancor::Source)))]
enum Tree {
    Leaf,
    Name(String),
    Flag { on: bool, sign: char },
    Branch(#[rkyv(omit_bounds)] Vec<Tree>),
    Boxed(#[rkyv(omit_bounds)] Option<Box<Tree>>),
}

/// Each type: an error or a value, and a value comes back from its own bytes. A value's type comes first, so that
/// a seed speaks of one type, and shifted bytes are read as well.
pub fn codec(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let shifted = bytes.get(usize::from(kind >> 4)..).unwrap_or(&[]);
    match kind % 16 {
        0 => judge::<String>(shifted),
        1 => judge::<Vec<Vec<u64>>>(shifted),
        2 => judge::<Tree>(shifted),
        3 => judge::<(u8, Option<u64>, char, bool)>(shifted),
        4 => judge::<char>(shifted),
        5 => judge::<bool>(shifted),
        6 => judge::<Vec<(String, Option<Vec<u8>>)>>(shifted),
        7 => judge::<std::collections::HashMap<String, u32>>(shifted),
        8 => judge::<std::collections::BTreeMap<u16, String>>(shifted),
        9 => judge::<Option<Box<str>>>(shifted),
        10 => judge::<[char; 4]>(shifted),
        11 => judge::<Result<u128, String>>(shifted),
        12 => judge::<std::num::NonZeroU32>(shifted),
        13 => judge::<()>(shifted),
        // Handles: there are none, so that any index is wrong.
        14 => assert!(decode::<processing::Queue<u64>>(shifted).is_err()),
        _ => assert!(decode::<(processing::Connection, bool)>(shifted).is_err()),
    }
}

fn judge<T: processing::Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(value) = decode::<T>(bytes) else { return };
    let again = encode(&value).unwrap();
    assert_eq!(decode::<T>(&again).unwrap(), value);
}
