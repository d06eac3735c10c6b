//! Messages written in place: what is put, what is refused, and that nothing stays behind.

use std::io::Write;
use std::thread;
use std::time::Duration;

use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{Arena, ErrorKind, PutError, Queue};

fn arena() -> Arena {
    Arena::builder().limit(64 << 20).build().unwrap()
}

fn clean(arena: &Arena) {
    let report = arena.fsck().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.private, report.sent, report.objects), (0, 0, 0), "{report}");
}

#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv)]
struct Record {
    name: String,
    values: Vec<u64>,
}

fn record(len: usize) -> Record {
    Record { name: "r".repeat(len % 100), values: (0..len as u64).collect() }
}

#[test]
fn values_are_serialised_where_they_are_read() {
    let arena = arena();
    let q = Queue::<Record>::builder().capacity(4).arena(&arena).build().unwrap();
    for len in [0, 1, 2, 10, 1000, 100_000] {
        let value = record(len);
        let mut room = q.reserve(len * 8 + 200).unwrap();
        room.serialize(&value).unwrap();
        assert!(room.written() > 0 && room.written() <= room.len());
        assert!(q.is_empty(), "nothing is put before the commit");
        room.commit().unwrap();
        let lease = q.try_get_ref().unwrap();
        assert_eq!(lease.to_owned().unwrap(), value);
        assert_eq!(lease.values.len(), len);
    }
    drop(q);
    clean(&arena);
}

#[test]
fn bytes_of_every_length_arrive_as_they_were_written() {
    let arena = arena();
    let q = Queue::<Vec<u8>>::builder().capacity(4).arena(&arena).build().unwrap();
    for len in [0usize, 1, 3, 39, 40, 41, 48, 49, 1000, 65_535, 65_536, 1 << 20] {
        let mut room = q.reserve_bytes(len).unwrap();
        assert_eq!(room.len(), len);
        room.iter_mut().enumerate().for_each(|(n, byte)| *byte = n as u8);
        room.commit().unwrap();
        let lease = q.try_get_ref().unwrap();
        assert_eq!(lease.len(), len);
        assert!(lease.iter().enumerate().all(|(n, byte)| *byte == n as u8));
        drop(lease);
        // The same from `put`, which must not tell them apart.
        let mut room = q.reserve_bytes(len + 9).unwrap();
        room.truncate(len);
        room.fill(9);
        room.commit().unwrap();
        q.put(&vec![9; len]).unwrap();
        assert_eq!(q.get().unwrap(), q.get().unwrap());
    }
    drop(q);
    clean(&arena);
}

#[test]
fn a_writer_fills_from_the_start_and_stops_at_the_end() {
    let q = Queue::<Vec<u8>>::new(4).unwrap();
    for room in [10, 10_000] {
        let mut r = q.reserve_bytes(room).unwrap();
        write!(r, "{}-ab", 12).unwrap();
        assert_eq!((r.written(), &r[..5]), (5, &b"12-ab"[..]));
        r.flush().unwrap();
        r.commit().unwrap();
        assert_eq!(q.get().unwrap(), b"12-ab");
    }
    let mut r = q.reserve_bytes(3).unwrap();
    assert!(r.write_all(b"1234").is_err());
    r.commit().unwrap();
    assert_eq!(q.get().unwrap(), b"123");
    let mut r = q.reserve_bytes(0).unwrap();
    assert_eq!(r.write(b"x").unwrap(), 0);
    r.commit().unwrap();
    assert_eq!(q.get().unwrap(), b"");
}

#[test]
fn what_is_no_archive_is_refused_and_given_back() {
    let arena = arena();
    let q = Queue::<Record>::builder().capacity(4).arena(&arena).build().unwrap();
    for len in [0, 1, 30, 10_000] {
        let mut room = q.reserve(len).unwrap();
        room.fill(0xff);
        let error = room.commit().unwrap_err();
        assert!(matches!(error.error(), PutError::Other(e) if e.kind() == ErrorKind::Corrupt), "{error}");
        assert!(q.is_empty());
        let mut room = error.into_reservation();
        assert!(room.iter().all(|byte| *byte == 0xff), "the content is kept");
        if len >= 10_000 {
            room.serialize(&record(7)).unwrap();
            room.commit().unwrap();
            assert_eq!(q.get().unwrap(), record(7));
        } else {
            assert_eq!(room.serialize(&record(100)).unwrap_err().kind(), ErrorKind::TooLarge);
        }
    }
    let mut room = q.reserve(5000).unwrap();
    room.write_all(b"something").unwrap();
    assert_eq!(room.serialize(&record(1)).unwrap_err().kind(), ErrorKind::InvalidInput);
    drop(room);
    drop(q);
    clean(&arena);
}

#[test]
fn values_that_are_their_own_archive_are_exact() {
    let q = Queue::<[u32; 3]>::new(2).unwrap();
    let mut room = q.reserve(12).unwrap();
    for (bytes, n) in room.chunks_mut(4).zip([1u32, 2, 3]) {
        bytes.copy_from_slice(&n.to_ne_bytes());
    }
    room.commit().unwrap();
    let mut room = q.reserve(12).unwrap();
    room.serialize(&[4, 5, 6]).unwrap();
    room.commit().unwrap();
    assert_eq!(q.get_many(9).unwrap(), [[1, 2, 3], [4, 5, 6]]);
    assert!(matches!(q.reserve(13), Err(PutError::TooLarge { len: 13, max: 12 })));
    for len in [0, 4, 8] {
        let error = q.reserve(len).unwrap().commit().unwrap_err();
        assert_eq!(processing::Error::from(error).kind(), ErrorKind::Corrupt);
    }
    let nothing = Queue::<()>::new(2).unwrap();
    nothing.reserve(0).unwrap().commit().unwrap();
    nothing.try_get().unwrap();
    assert!(matches!(nothing.reserve(1), Err(PutError::TooLarge { .. })));
}

#[test]
fn a_full_or_closed_queue_gives_the_reservation_back() {
    let arena = arena();
    let q = Queue::<Vec<u8>>::builder().capacity(1).arena(&arena).build().unwrap();
    q.put(&vec![1]).unwrap();
    for len in [4, 40_000] {
        let mut room = q.reserve_bytes(len).unwrap();
        room.fill(5);
        let error = room.try_commit().unwrap_err();
        assert!(error.error().is_full());
        let error = error.into_reservation().commit_timeout(Duration::from_millis(3)).unwrap_err();
        assert!(error.error().is_full());
        let room = error.into_reservation();
        q.get().unwrap();
        room.try_commit().unwrap();
        assert_eq!(q.get_ref().unwrap().as_slice(), vec![5; len]);
        q.put(&vec![1]).unwrap();
    }
    let room = q.reserve_bytes(70_000).unwrap();
    let waiter = thread::scope(|scope| {
        let waiter = scope.spawn(|| room.commit());
        q.get().unwrap();
        waiter.join().unwrap().map_err(|e| e.into_error())
    });
    waiter.unwrap();
    let room = q.reserve_bytes(70_000).unwrap();
    q.close().unwrap();
    assert!(room.commit().unwrap_err().into_error().is_closed());
    drop(q);
    clean(&arena);
}

#[test]
fn sizes_that_cannot_be() {
    let arena = arena();
    let q = Queue::<Vec<u8>>::builder().capacity(4).arena(&arena).max_message(1 << 20).build().unwrap();
    assert!(matches!(q.reserve_bytes((1 << 20) - 7), Err(PutError::TooLarge { max: 0x10_0000, .. })));
    drop(q.reserve_bytes((1 << 20) - 8).unwrap());
    drop(q);
    let q = Queue::<Vec<u8>>::builder().capacity(4).arena(&arena).build().unwrap();
    for len in [256 << 20, 4 << 30, usize::MAX - 100, usize::MAX] {
        assert!(matches!(q.reserve(len), Err(PutError::TooLarge { .. })), "{len}");
        assert!(matches!(q.reserve_bytes(len), Err(PutError::TooLarge { .. })), "{len}");
    }
    let mut held = Vec::new();
    let error = loop {
        match q.reserve_bytes(8 << 20) {
            Ok(room) => held.push(room),
            Err(error) => break processing::Error::from(error),
        }
    };
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    assert!(held.len() >= 7);
    drop(held);
    q.reserve_bytes(32 << 20).unwrap().commit().unwrap();
    drop(q);
    clean(&arena);
}

#[test]
fn handles_are_refused() {
    let q = Queue::<(u8, Queue<u8>)>::new(2).unwrap();
    let mut room = q.reserve(10_000).unwrap();
    let error = room.serialize(&(1, Queue::new(1).unwrap())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[test]
fn long_values_of_changing_length_are_whole() {
    let arena = arena();
    let q = Queue::<Record>::builder().capacity(8).arena(&arena).build().unwrap();
    // Longer and shorter than the one before, in and out of blocks.
    for len in [0, 3000, 3000, 3001, 20_000, 100, 9000, 8000, 100_000, 100_001, 2, 50_000, 0] {
        q.put(&record(len)).unwrap();
        assert_eq!(q.get().unwrap(), record(len), "{len}");
    }
    let plain = Queue::<[u64; 4000]>::builder().capacity(2).arena(&arena).build().unwrap();
    for n in 0..3 {
        plain.put(&[n; 4000]).unwrap();
        assert_eq!(plain.get().unwrap(), [n; 4000]);
    }
    let mut room = plain.reserve(32_000).unwrap();
    room.serialize(&[7; 4000]).unwrap();
    room.commit().unwrap();
    assert_eq!(plain.get_ref().unwrap()[3999], 7);
    drop((q, plain));
    clean(&arena);
}

#[test]
fn handles_in_long_messages_travel_whatever_the_length_before() {
    let arena = arena();
    let q = Queue::<(Vec<u8>, Option<Queue<u64>>)>::builder().capacity(4).arena(&arena).build().unwrap();
    for n in 0..4u64 {
        let inner = Queue::builder().capacity(1).arena(&arena).build().unwrap();
        inner.put(&n).unwrap();
        q.put(&(vec![n as u8; 100_000], Some(inner))).unwrap();
        let (bytes, inner) = q.get().unwrap();
        assert_eq!((bytes.len(), inner.unwrap().get().unwrap()), (100_000, n));
        q.put(&(vec![1; 100_000], None)).unwrap();
        q.get().unwrap();
    }
    drop(q);
    clean(&arena);
}
