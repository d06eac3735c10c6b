//! The header of a region, as it is checked before anything of it is used.

use processing::layout::hash::LAYOUT_HASH;
use processing::layout::header::{FIXED_BYTES, MAGIC, NAMED, VERSION};
use processing::region::Geometry;
use processing::region::check::check;
use processing::region::named::Record;

use crate::input::Input;

/// The bytes as they are, then with the words that no fuzzer guesses put right.
pub fn region_header(bytes: &[u8]) {
    let _ = check(bytes, bytes.len() as u64);
    // What a region with a name says of itself is read by the same rule.
    if let Ok(record) = Record::read(bytes) {
        assert!(record.root != 0 && record.name.len() <= 3 * 200 && record.type_name.len() <= 3 * 1024);
    }
    let mut input = Input(bytes);
    let (file_len, wrong) = (input.u64(), input.u8());
    let named = wrong & 0x80 != 0;
    let mut header = input.0.to_vec();
    header.resize(header.len().max(FIXED_BYTES), 0);
    for (at, word) in [(0, MAGIC), (8, VERSION), (16, LAYOUT_HASH), (32, if named { NAMED } else { 0 })] {
        put(&mut header, at, word);
    }
    judge(&header, file_len);
    // With a limit that is possible and all that follows from it, but for at most one word.
    let limit = (get(&header, 48) % (1 << 31)).next_multiple_of(1 << 16).max(1 << 16);
    let Some(geometry) = (if named { Geometry::named(limit) } else { Geometry::new(limit) }) else { return };
    let follows = [
        limit,
        geometry.total,
        geometry.participants,
        geometry.objects,
        geometry.references,
        geometry.chunk_table,
        geometry.chunks,
        geometry.chunk_count,
    ];
    for (i, word) in follows.into_iter().enumerate().filter(|(i, _)| *i != usize::from(wrong % 9)) {
        put(&mut header, 48 + i * 8, word);
    }
    judge(&header, geometry.total);
}

/// What is accepted fits the file.
fn judge(header: &[u8], file_len: u64) {
    if let Ok(checked) = check(header, file_len) {
        let geometry = checked.geometry;
        assert!(checked.region_id != 0 && geometry.total == file_len);
        assert!(geometry.chunk(geometry.chunk_count) <= file_len);
        assert!(geometry.chunk_entry(geometry.chunk_count) <= geometry.chunks);
    }
}

fn get(header: &[u8], at: usize) -> u64 {
    Input(&header[at..]).u64()
}

fn put(header: &mut [u8], at: usize, word: u64) {
    header[at..at + 8].copy_from_slice(&word.to_le_bytes());
}
