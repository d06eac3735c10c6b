//! What a named region says of itself, as a value.

use crate::error::{Error, ErrorKind, Result};
use crate::layout::named::{
    NAME, NAME_LEN, NAME_ROOM, NamedRecord, RECORD_WORDS, TYPE_LEN, TYPE_NAME, TYPE_ROOM,
};
use crate::sync::atomic::{AtomicU64, Ordering};

/// See [`NamedRecord`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub root: u64,
    pub fingerprint: u64,
    pub size: u64,
    pub align: u64,
    pub capacity: u64,
    pub max_message: u64,
    /// At most [`NAME_ROOM`] bytes.
    pub name: String,
    /// Cut to [`TYPE_ROOM`] bytes where it was stored.
    pub type_name: String,
}

impl Record {
    /// Stores it, for the one who makes the region.
    pub fn store(&self, to: &NamedRecord) {
        for (word, value) in [
            (&to.root, self.root),
            (&to.fingerprint, self.fingerprint),
            (&to.size, self.size),
            (&to.align, self.align),
            (&to.capacity, self.capacity),
            (&to.max_message, self.max_message),
            (&to.name_len, self.name.len() as u64),
            (&to.type_len, self.type_name.len() as u64),
        ] {
            // Relaxed: nobody else sees the region before its file is linked.
            word.store(value, Ordering::Relaxed);
        }
        store_text(&to.name, &self.name);
        store_text(&to.type_name, &self.type_name);
    }

    /// Reads the bytes of a [`NamedRecord`] that were fetched once. Any bytes give a record or an error.
    ///
    /// # Errors
    /// `InvalidRegion`.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let Some(words) = words.first_chunk::<RECORD_WORDS>() else {
            return Err(invalid(format!("{} bytes are too few for its record", bytes.len())));
        };
        let [root, fingerprint, size, align, capacity, max_message, ..] = *words;
        let name = text(words, NAME, NAME_ROOM, words[NAME_LEN])?;
        let type_name = text(words, TYPE_NAME, TYPE_ROOM, words[TYPE_LEN].min(TYPE_ROOM as u64))?;
        if root == 0 {
            return Err(invalid("it names no object".into()));
        }
        Ok(Self { root, fingerprint, size, align, capacity, max_message, name, type_name })
    }
}

fn store_text<const N: usize>(words: &[AtomicU64; N], text: &str) {
    let bytes = text.as_bytes();
    for (i, word) in words.iter().enumerate() {
        let mut chunk = [0u8; 8];
        let rest = bytes.get(i * 8..).unwrap_or_default();
        let len = rest.len().min(8);
        chunk[..len].copy_from_slice(&rest[..len]);
        word.store(u64::from_ne_bytes(chunk), Ordering::Relaxed);
    }
}

/// `len` bytes of text from word `at` on; what a cut left of a character at the end is replaced.
fn text(words: &[u64; RECORD_WORDS], at: usize, room: usize, len: u64) -> Result<String> {
    if len > room as u64 {
        return Err(invalid(format!("a text of {len} bytes does not fit its room of {room}")));
    }
    let bytes: Vec<u8> = words[at..at + room / 8].iter().flat_map(|word| word.to_ne_bytes()).collect();
    Ok(String::from_utf8_lossy(&bytes[..len as usize]).into_owned())
}

#[cold]
fn invalid(what: String) -> Error {
    Error::new(ErrorKind::InvalidRegion, "named region", what)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn stored(record: &Record) -> Vec<u8> {
        let zero = || AtomicU64::new(0);
        let to = NamedRecord {
            root: zero(),
            fingerprint: zero(),
            size: zero(),
            align: zero(),
            capacity: zero(),
            max_message: zero(),
            name_len: zero(),
            name: [const { AtomicU64::new(0) }; NAME_ROOM / 8],
            type_len: zero(),
            type_name: [const { AtomicU64::new(0) }; TYPE_ROOM / 8],
        };
        record.store(&to);
        let first = [&to.root, &to.fingerprint, &to.size, &to.align, &to.capacity, &to.max_message];
        let words = first.into_iter().chain([&to.name_len]).chain(&to.name).chain([&to.type_len]);
        let words = words.chain(&to.type_name);
        words.flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect()
    }

    fn record() -> Record {
        Record {
            root: 7,
            fingerprint: 1,
            size: 2,
            align: 3,
            capacity: 4,
            max_message: 5,
            name: "orders".into(),
            type_name: "alloc::string::String".into(),
        }
    }

    #[test]
    fn what_is_stored_is_read() {
        assert_eq!(Record::read(&stored(&record())).unwrap(), record());
        let long = Record { name: "n".repeat(200), type_name: "t".repeat(5000), ..record() };
        let read = Record::read(&stored(&long)).unwrap();
        assert_eq!((read.name, read.type_name.len()), (long.name, TYPE_ROOM));
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error() {
        let good = stored(&record());
        for cut in 0..good.len() {
            assert_eq!(Record::read(&good[..cut]).unwrap_err().kind(), ErrorKind::InvalidRegion);
        }
        for at in 0..good.len() {
            for value in [0, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = Record::read(&bad);
            }
        }
        assert!(Record::read(&vec![0; good.len()]).is_err());
        assert!(Record::read(&vec![0xff; good.len()]).is_err());
    }
}
