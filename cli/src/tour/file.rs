//! Counting one file.

use super::words::Words;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What came of a file.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    processing::rkyv::Archive,
    processing::rkyv::Serialize,
    processing::rkyv::Deserialize,
)]
#[rkyv(crate = processing::rkyv)]
pub enum Verdict {
    Text {
        words: u64,
        bytes: u64,
    },
    /// There is a zero byte near its beginning.
    Binary,
    /// It vanished, is not ours to read, or the disk failed; in the system's words.
    Unreadable(String),
}

impl Verdict {
    /// Whether two looks at one file agree. The reason why it cannot be read may change.
    pub fn agrees(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Unreadable(_), Self::Unreadable(_))) || self == other
    }
}

/// A file with a zero byte in so many first bytes is no text.
pub const TEXT_PROBE: usize = 8 << 10;

/// Files are read in pieces of this size, however long they are.
const PIECE: usize = 64 << 10;

/// Counts the words of a file in constant memory.
pub fn count(path: &Path) -> Verdict {
    let counted = open(path).and_then(|mut file| count_reader(&mut file));
    counted.unwrap_or_else(|error| Verdict::Unreadable(error.to_string()))
}

/// Opens a regular file, without waiting for the other end if it is something else by now.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file"))
}

fn count_reader(reader: &mut impl Read) -> io::Result<Verdict> {
    let mut buffer = [0; PIECE];
    let beginning = fill(reader, &mut buffer[..TEXT_PROBE])?;
    if buffer[..beginning].contains(&0) {
        return Ok(Verdict::Binary);
    }
    let mut words = Words::default();
    let mut bytes = 0;
    let mut length = beginning;
    while length > 0 {
        words.add(&buffer[..length]);
        bytes += length as u64;
        length = fill(reader, &mut buffer)?;
    }
    Ok(Verdict::Text { words: words.count(), bytes })
}

/// Reads until the buffer is full or the file ends.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: &[u8]) -> Verdict {
        count_reader(&mut io::Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn long_texts_are_counted_across_pieces() {
        let text = b"word ".repeat(100_000);
        assert_eq!(verdict(&text), Verdict::Text { words: 100_000, bytes: 500_000 });
        assert_eq!(verdict(b""), Verdict::Text { words: 0, bytes: 0 });
    }

    #[test]
    fn a_zero_near_the_beginning_makes_it_binary_a_later_one_does_not() {
        let mut bytes = vec![b'a'; 3 * PIECE];
        bytes[TEXT_PROBE] = 0;
        assert_eq!(verdict(&bytes), Verdict::Text { words: 1, bytes: bytes.len() as u64 });
        bytes[TEXT_PROBE - 1] = 0;
        assert_eq!(verdict(&bytes), Verdict::Binary);
    }

    #[test]
    fn what_is_no_file_is_unreadable_and_is_not_waited_for() {
        assert!(matches!(count(Path::new("/no/such/file")), Verdict::Unreadable(_)));
        assert!(matches!(count(Path::new("/")), Verdict::Unreadable(_)));
        assert!(matches!(count(Path::new("/dev/zero")), Verdict::Unreadable(_)));
    }

    #[test]
    fn reasons_may_differ_between_two_looks() {
        let (a, b) = (Verdict::Unreadable("a".into()), Verdict::Unreadable("b".into()));
        assert!(a.agrees(&b));
        assert!(!a.agrees(&Verdict::Binary));
        assert!(!Verdict::Text { words: 1, bytes: 2 }.agrees(&Verdict::Text { words: 1, bytes: 3 }));
    }
}
