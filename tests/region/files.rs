//! Files that are no regions, and headers that lie.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use processing::layout::hash::LAYOUT_HASH;
use processing::layout::header::{FIXED_BYTES, MAGIC, VERSION};
use processing::region::{Geometry, Region, check::check};
use processing::sys::memfd;
use processing::{Error, ErrorKind};

fn header(limit: u64) -> (Vec<u64>, u64) {
    let g = Geometry::new(limit).unwrap();
    let words = [
        MAGIC,
        VERSION,
        LAYOUT_HASH,
        0,
        0,
        77,
        g.limit,
        g.total,
        g.participants,
        g.objects,
        g.references,
        g.chunk_table,
        g.chunks,
        g.chunk_count,
    ];
    (words.to_vec(), g.total)
}

fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

#[track_caller]
fn assert_invalid(error: &Error, texts: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::InvalidRegion, "{error}");
    for text in texts {
        assert!(error.to_string().contains(text), "{text:?} is not in: {error}");
    }
}

#[test]
fn a_good_header_is_accepted() {
    let (words, len) = header(1 << 20);
    let checked = check(&bytes(&words), len).unwrap();
    assert_eq!(checked.region_id, 77);
    assert_eq!(checked.geometry, Geometry::new(1 << 20).unwrap());
    // Features that may be ignored are.
    let mut words = words;
    words[3] = u64::MAX;
    check(&bytes(&words), len).unwrap();
}

#[test]
fn every_lie_in_a_header_is_an_error_that_names_both_sides() {
    let lies: [(usize, u64, &[&str]); 14] = [
        (0, 0, &["not finished", "create it anew"]),
        (0, 0x1234, &["magic", "0x1234", "expects"]),
        (1, 999, &["version", "(999)", "(1)", "same version"]),
        (2, 5, &["layout hash", "0x5", "same version"]),
        (4, 1 << 40, &["unknown: 0x10000000000", "update"]),
        (5, 0, &["region id"]),
        (6, 0, &["limit of 0"]),
        (6, (1 << 20) + 1, &["limit of 1048577"]),
        (6, u64::MAX, &["limit of"]),
        (6, 2 << 20, &["total size"]),
        (7, u64::MAX, &["total size"]),
        (8, 4097, &["participants", "4097", "4096"]),
        (12, 1 << 60, &["offset of the chunks"]),
        (13, u64::MAX, &["number of chunks"]),
    ];
    for (index, value, texts) in lies {
        let (mut words, len) = header(1 << 20);
        words[index] = value;
        assert_invalid(&check(&bytes(&words), len).unwrap_err(), texts);
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_an_error_and_nothing_worse() {
    let (words, len) = header(1 << 20);
    let good = bytes(&words);
    for cut in 0..FIXED_BYTES {
        assert_invalid(&check(&good[..cut], len).unwrap_err(), &["too few", &format!("{cut} bytes")]);
    }
    for bit in 0..FIXED_BYTES * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        // The compatible features and the id may be anything.
        let free = (3 * 64..4 * 64).contains(&bit) || (5 * 64..6 * 64).contains(&bit);
        assert_eq!(check(&bad, len).is_ok(), free, "bit {bit}");
    }
    assert_invalid(&check(&good, len - 1).unwrap_err(), &["file size"]);
}

fn attach_error(memfd: OwnedFd, beacon: OwnedFd) -> Error {
    Region::attach(memfd, beacon, None).unwrap_err()
}

#[test]
fn foreign_files_are_refused() {
    let region = Region::create(1 << 20).unwrap();
    let other = Region::create(1 << 20).unwrap();
    let file = |region: &Region| region.memfd().try_clone_to_owned().unwrap();
    let beacon = |region: &Region| region.beacon().try_clone_to_owned().unwrap();
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());

    assert_invalid(&attach_error(null(), beacon(&region)), &["seals"]);
    assert_invalid(&attach_error(File::open("/proc/self/exe").unwrap().into(), null()), &["seals"]);
    assert_invalid(&attach_error(file(&region), null()), &["not a beacon"]);
    assert_invalid(&attach_error(file(&region), file(&region)), &["not a beacon"]);
    assert_invalid(
        &attach_error(file(&region), beacon(&other)),
        &[&format!("{:x}", region.id()), &format!("{:x}", other.id())],
    );

    let unsealed = memfd::create("test").unwrap();
    assert_invalid(&attach_error(unsealed, beacon(&region)), &["missing", "SHRINK"]);
    let empty = memfd::create("test").unwrap();
    memfd::seal(empty.as_fd()).unwrap();
    assert_invalid(&attach_error(empty, beacon(&region)), &["0 bytes are too few"]);
    let short = memfd::create("test").unwrap();
    let (words, _) = header(1 << 20);
    memfd::write_at(short.as_fd(), &bytes(&words), 0).unwrap();
    memfd::seal(short.as_fd()).unwrap();
    assert_invalid(&attach_error(short, beacon(&region)), &["file size", "(112)"]);
    let unfinished = memfd::create("test").unwrap();
    memfd::set_len(unfinished.as_fd(), 1 << 20).unwrap();
    memfd::seal(unfinished.as_fd()).unwrap();
    assert_invalid(&attach_error(unfinished, beacon(&region)), &["not finished"]);
}
