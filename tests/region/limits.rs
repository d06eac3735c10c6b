//! Memory, address space, descriptors.

use processing::ErrorKind;
use processing::region::Region;
use processing::sync::atomic::{AtomicU64, Ordering};
use processing::sys::memfd;

use crate::alone::alone;
use crate::child::Child;

fn set_limit(resource: libc::__rlimit_resource_t, bytes: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills one local structure.
    assert_eq!(unsafe { libc::getrlimit(resource, &raw mut limit) }, 0);
    limit.rlim_cur = bytes;
    // SAFETY: the kernel reads one local structure.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}

/// A line of /proc/self/status, in KiB.
fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("processing-")).count()
}

#[test]
fn a_region_costs_two_pages_until_it_is_used_and_leaves_nothing_behind() {
    alone("limits::a_region_costs_two_pages_until_it_is_used_and_leaves_nothing_behind", || {
        drop(Region::create(0).unwrap()); // first use of everything
        let (before, fds) = (status("RssShmem:"), descriptors());
        let region = Region::create(0).unwrap();
        assert!(region.limit() >= 64 << 20 && region.limit() <= 64 << 30);
        let used = status("RssShmem:") - before;
        assert!(used <= 16, "{used} KiB");
        drop(region);
        assert_eq!((status("RssShmem:"), descriptors(), mappings()), (before, fds, 0));
    });
}

#[test]
fn memory_comes_and_goes() {
    let region = Region::create(1 << 20).unwrap();
    let blocks = || memfd::blocks(region.memfd()).unwrap();
    let (start, len) = (region.geometry().chunk(1), 256 << 10);
    let before = blocks();
    region.commit(start + 5, len - 10).unwrap(); // rounded outwards
    assert_eq!(blocks() - before, len);
    let word = region.at::<AtomicU64>(start + len - 8);
    word.store(7, Ordering::Relaxed);
    region.commit(start, len).unwrap();
    assert_eq!((blocks() - before, word.load(Ordering::Relaxed)), (len, 7));
    region.decommit(start + 5, len - 5).unwrap(); // rounded inwards
    assert_eq!((blocks() - before, word.load(Ordering::Relaxed)), (4096, 0));
    region.decommit(start, 4096).unwrap();
    region.commit(start, 0).unwrap();
}

#[test]
fn commit_stops_at_the_end_of_the_region() {
    let region = Region::create(1 << 16).unwrap();
    let g = *region.geometry();
    region.commit(g.total - 1, 1).unwrap();
    for (offset, len) in [(g.total - 1, 2), (g.total + 1, 0), (u64::MAX, u64::MAX), (8, u64::MAX)] {
        assert_eq!(region.commit(offset, len).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(region.decommit(offset, len).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[test]
#[should_panic(expected = "do not lie in a region")]
fn no_reference_beyond_the_end() {
    let region = Region::create(1 << 16).unwrap();
    region.at::<AtomicU64>(region.geometry().total - 4);
}

#[test]
#[should_panic(expected = "do not lie in a region")]
fn no_pointer_that_wraps() {
    let region = Region::create(1 << 16).unwrap();
    region.ptr(8, u64::MAX);
}

#[test]
#[should_panic(expected = "is not aligned")]
fn no_reference_that_is_not_aligned() {
    let region = Region::create(1 << 16).unwrap();
    region.at::<AtomicU64>(4);
}

#[test]
fn impossible_limits_are_refused() {
    for limit in [u64::MAX, (1 << 46) + 1] {
        let error = Region::create(limit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert_eq!(Region::create(1).unwrap().limit(), 64 << 10);
}

#[test]
fn little_address_space_means_a_smaller_region_or_a_clear_error() {
    alone("limits::little_address_space_means_a_smaller_region_or_a_clear_error", || {
        let smaller = Child::fork(|_| {
            set_limit(libc::RLIMIT_AS, 1500 << 20);
            let limit = Region::create(0).unwrap().limit();
            assert!((64 << 20..512 << 20).contains(&limit), "{limit}");
            // What the caller chose is not changed behind its back.
            assert_eq!(Region::create(4 << 30).unwrap_err().kind(), ErrorKind::OutOfMemory);
        })
        .end();
        assert_eq!(smaller, 0);
        let none = Child::fork(|_| {
            set_limit(libc::RLIMIT_AS, 700 << 20);
            let error = Region::create(0).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfMemory);
            assert_eq!(error.errno(), Some(libc::ENOMEM));
            assert!(error.to_string().contains("ulimit -v"), "{error}");
        })
        .end();
        assert_eq!(none, 0);
        // Not the signal that the kernel would send.
        let files = Child::fork(|_| {
            set_limit(libc::RLIMIT_FSIZE, 1 << 20);
            let error = Region::create(0).unwrap_err();
            assert_eq!(error.errno(), Some(libc::EFBIG), "{error}");
        })
        .end();
        assert_eq!(files, 0);
    });
}

#[test]
fn descriptors_exhausted_is_a_clear_error() {
    alone("limits::descriptors_exhausted_is_a_clear_error", || {
        let answer = Child::fork(|_| {
            set_limit(libc::RLIMIT_NOFILE, 64);
            let mut files = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                files.push(file);
            }
            for room in 0..2 {
                let error = Region::create(1 << 20).unwrap_err();
                assert_eq!(error.errno(), Some(libc::EMFILE), "{error}");
                assert_eq!(open_descriptors(), 64 - room);
                files.pop();
            }
            Region::create(1 << 20).unwrap();
        })
        .end();
        assert_eq!(answer, 0);
    });
}

/// Counts open descriptors when no further one can be had.
fn open_descriptors() -> u64 {
    (0..64)
        // SAFETY: asks for flags; a number that is not open is an answer too.
        .filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0)
        .count() as u64
}
