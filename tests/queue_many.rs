//! Batches of `Queue` and `Connection`: prefixes, limits, errors in the middle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use processing::rkyv::rancor::{self, Fallible, Source};
use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{Arena, ErrorKind, GetError, PutError, Queue, WaitStrategy, pipe};

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(what: &str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("{what} did not come to an end"))
}

#[test]
fn a_batch_of_any_size_passes_through_a_small_queue() {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let q = Queue::<u64>::builder().capacity(8).wait(strategy).build().unwrap();
        let all: Vec<u64> = (0..10_000).collect();
        let (putter, batch) = (q.clone(), all.clone());
        let end = thread::spawn(move || putter.put_many(&batch));
        let mut found = Vec::new();
        while found.len() < all.len() {
            let some = q.get_many_timeout(100, Duration::from_secs(30)).unwrap();
            assert!(!some.is_empty() && some.len() <= 100);
            found.extend(some);
        }
        end.join().unwrap().unwrap();
        assert_eq!(found, all);
    }
}

#[test]
fn sizes_around_the_capacity() {
    let q = Queue::<u32>::new(4).unwrap();
    let capacity = q.capacity() as u32;
    assert_eq!(q.try_put_many(&[]).unwrap(), 0);
    q.put_many(&[]).unwrap();
    assert!(q.is_empty());
    for count in [1, capacity - 1, capacity, capacity + 1, 3 * capacity] {
        let batch: Vec<u32> = (0..count).collect();
        let put = count.min(capacity);
        assert_eq!(q.try_put_many(&batch).unwrap() as u32, put);
        assert_eq!(q.try_put_many(&batch).unwrap(), (capacity - put).min(count) as usize);
        let found = q.try_get_many(usize::MAX).unwrap();
        assert_eq!(found[..put as usize], batch[..put as usize]);
        assert!(q.is_empty());
        assert!(matches!(q.try_get_many(1), Err(GetError::Empty)));
    }
    let error = q.put_many_timeout(&[1, 2, 3, 4, 5, 6], Duration::from_millis(5)).unwrap_err();
    assert_eq!((error.put(), error.error().is_full()), (4, true));
    assert_eq!(processing::Error::from(error).kind(), ErrorKind::Full);
    assert_eq!(q.get_many(2).unwrap(), [1, 2]);
    assert_eq!(q.get_many(0).unwrap(), [0; 0]);
    assert_eq!(q.get_many_timeout(9, Duration::ZERO).unwrap(), [3, 4]);
    assert_eq!(q.try_get_many(0).unwrap(), [0; 0]);
    assert!(matches!(q.get_many_timeout(1, Duration::from_millis(2)), Err(GetError::Empty)));
}

#[test]
fn empty_messages_are_counted() {
    let q = Queue::<()>::new(4).unwrap();
    assert_eq!(q.try_put_many(&[(); 9]).unwrap(), 4);
    assert_eq!(q.get_many(3).unwrap(), [(), (), ()]);
    assert_eq!(q.get_many(3).unwrap(), [()]);
    let (a, b) = pipe().unwrap();
    a.send_many(&[(); 1000]).unwrap();
    a.send(&7u8).unwrap();
    for _ in 0..1000 {
        b.try_recv::<()>().unwrap();
    }
    assert_eq!(b.try_recv::<u8>().unwrap(), 7);
}

#[test]
fn closed_in_the_middle() {
    let q = Queue::<u64>::new(4).unwrap();
    let putter = q.clone();
    let end = soon("put_many of a queue that closes", move || {
        let closer = thread::spawn({
            let q = putter.clone();
            move || {
                while !q.is_full() {
                    thread::yield_now();
                }
                q.close().unwrap();
            }
        });
        let end = putter.put_many(&[1, 2, 3, 4, 5, 6]);
        closer.join().unwrap();
        end
    });
    let error = end.unwrap_err();
    assert_eq!((error.put(), error.error().is_closed()), (4, true));
    assert_eq!(q.get_many(3).unwrap(), [1, 2, 3]);
    assert_eq!(q.get_many(3).unwrap(), [4]);
    assert!(matches!(q.get_many(3), Err(GetError::Closed)));
    assert!(matches!(q.try_put_many(&[1]), Err(error) if error.put() == 0 && error.error().is_closed()));
}

#[test]
fn what_can_never_be_put_keeps_its_error_and_the_ones_before_it() {
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let q = Queue::<Vec<u8>>::builder().capacity(8).max_message(1 << 16).arena(&arena).build().unwrap();
    let batch = [vec![1], vec![2; 5000], vec![3; 1 << 17], vec![4]];
    let error = q.put_many(&batch).unwrap_err();
    assert_eq!(error.put(), 2);
    assert!(error.error().is_too_large(), "{error}");
    assert!(error.to_string().starts_with("2 put, then: "), "{error}");
    q.put_many(&batch[error.put() + 1..]).unwrap();
    assert_eq!(q.get_many(9).unwrap(), [vec![1], vec![2; 5000], vec![4]]);
    assert!(q.is_empty());
    drop(q);
    assert!(arena.fsck().unwrap().is_clean());
}

/// Cannot be made of the number 3 while it is refused.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv)]
struct Picky(u8);

static PANICS: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Picky, D> for ArchivedPicky {
    fn deserialize(&self, _: &mut D) -> Result<Picky, D::Error> {
        if self.0 == 3 {
            assert!(!PANICS.load(Ordering::Relaxed), "on purpose");
            return Err(<D::Error as rancor::Source>::new(Refused));
        }
        Ok(Picky(self.0))
    }
}

#[test]
fn what_cannot_be_made_ends_the_batch_before_it_and_is_reported_next() {
    let q = Queue::<Picky>::new(8).unwrap();
    for panics in [false, true] {
        PANICS.store(panics, Ordering::Relaxed);
        q.put_many(&[1, 2, 3, 4].map(Picky)).unwrap();
        assert_eq!(q.get_many(8).unwrap(), [Picky(1), Picky(2)]);
        assert_eq!(q.len(), 2);
        if panics {
            let lease = q.try_get_ref().unwrap();
            assert_eq!((lease.0, lease.redelivered()), (3, true));
        } else {
            // Consumed with its error, as `get` does.
            assert!(matches!(q.get_many(8), Err(GetError::Other(e)) if e.kind() == ErrorKind::Corrupt));
        }
        assert_eq!(q.get_many(8).unwrap(), [Picky(4)]);
        assert!(q.is_empty());
    }
}

#[test]
fn several_threads_put_and_get_batches() {
    let q = Queue::<(u32, u32)>::new(16).unwrap();
    let found = thread::scope(|scope| {
        let putters: Vec<_> = (0..3u32)
            .map(|id| {
                let q = &q;
                scope.spawn(move || {
                    let all: Vec<_> = (0..3_000).map(|n| (id, n)).collect();
                    all.chunks(100).for_each(|batch| q.put_many(batch).unwrap());
                })
            })
            .collect();
        let getters: Vec<_> = (0..3)
            .map(|_| {
                let q = q.clone();
                scope.spawn(move || std::iter::from_fn(|| q.get_many(7).ok()).flatten().collect::<Vec<_>>())
            })
            .collect();
        putters.into_iter().for_each(|putter| putter.join().unwrap());
        q.close().unwrap();
        getters.into_iter().map(|getter| getter.join().unwrap()).collect::<Vec<_>>()
    });
    for one in &found {
        for id in 0..3 {
            assert!(one.iter().filter(|m| m.0 == id).is_sorted(), "a producer's messages out of order");
        }
    }
    let mut all: Vec<_> = found.into_iter().flatten().collect();
    all.sort_unstable();
    let want: Vec<_> = (0..3).flat_map(|id| (0..3_000).map(move |n| (id, n))).collect();
    assert_eq!(all, want);
}

#[test]
fn a_connection_sends_batches_of_every_length() {
    fn each<const N: usize>() {
        let (a, b) = pipe().unwrap();
        let all: Vec<[u8; N]> = (0..500usize).map(|n| [n as u8; N]).collect();
        let (batch, sender) = (all.clone(), a);
        let end = thread::spawn(move || {
            // In pieces, so that lines are begun and gone on with.
            for piece in batch.chunks(13) {
                sender.send_many(piece).unwrap();
            }
        });
        for message in &all {
            assert_eq!(b.recv_timeout::<[u8; N]>(Duration::from_secs(30)).unwrap(), *message);
        }
        end.join().unwrap();
        assert!(b.recv_timeout::<[u8; N]>(Duration::from_secs(30)).is_err_and(|e| e.is_closed()));
    }
    each::<0>();
    each::<1>();
    each::<8>();
    each::<9>();
    each::<24>();
    each::<56>();
    each::<57>();
    each::<1000>();
}

#[test]
fn a_full_pipe_takes_a_first_part_of_the_batch() {
    let (a, b) = pipe().unwrap();
    let all: Vec<u64> = (0..100_000).collect();
    let sent = a.try_send_many(&all).unwrap();
    assert!(sent > 0 && sent < all.len());
    assert_eq!(a.try_send_many(&all[sent..]).unwrap(), 0);
    let error = a.send_many_timeout(&all[sent..], Duration::from_millis(5)).unwrap_err();
    assert_eq!((error.sent(), error.error().kind()), (0, ErrorKind::Timeout));
    for n in &all[..sent] {
        assert_eq!(b.try_recv::<u64>().unwrap(), *n);
    }
    assert!(b.try_recv::<u64>().is_err_and(|e| e.kind() == ErrorKind::Empty));
    let receiver = thread::spawn(move || (0..all.len() as u64).all(|n| b.recv::<u64>().unwrap() == n));
    a.send_many(&(0..100_000).collect::<Vec<u64>>()).unwrap();
    assert!(receiver.join().unwrap());
    let error = a.send_many(&[1u64]).unwrap_err();
    assert_eq!(error.sent(), 0);
    assert!(error.into_error().is_closed());
}

#[test]
fn values_that_are_serialised_are_sent_one_by_one() {
    let (a, b) = pipe().unwrap();
    let all = ["".to_owned(), "short".to_owned(), "x".repeat(10_000)];
    let receiver = thread::spawn(move || [(); 3].map(|()| b.recv::<String>().unwrap()));
    a.send_many(&all).unwrap();
    assert_eq!(receiver.join().unwrap(), all);
    assert!(matches!(
        Queue::<u64>::new(1).unwrap().try_put_many(&[1, 2]).map_err(|e| e.into_error()),
        Ok(1) | Err(PutError::Full)
    ));
}

#[test]
fn what_is_there_is_received_at_once_and_in_order() {
    let (a, b) = pipe().unwrap();
    let all: Vec<u32> = (0..5000).collect();
    soon("a stream of batches", move || {
        let end = thread::spawn({
            let all = all.clone();
            move || all.chunks(77).for_each(|piece| a.send_many(piece).unwrap())
        });
        let mut got: Vec<u32> = Vec::new();
        while got.len() < all.len() {
            let some = b.recv_many::<u32>(100).unwrap();
            assert!(!some.is_empty() && some.len() <= 100);
            got.extend(some);
        }
        assert!(got == all);
        end.join().unwrap();
        assert_eq!(b.recv_many::<u32>(1).unwrap_err().kind(), ErrorKind::Closed);
    });
}

#[test]
fn a_batch_that_is_received_ends_before_another_type() {
    let (a, b) = pipe().unwrap();
    assert_eq!(b.try_recv_many::<u64>(3).unwrap_err().kind(), ErrorKind::Empty);
    assert_eq!(
        b.recv_many_timeout::<u64>(3, Duration::from_millis(1)).unwrap_err().kind(),
        ErrorKind::Timeout
    );
    a.send_many(&[1u64, 2, 3, 4]).unwrap();
    a.send(&[5u8; 3]).unwrap();
    a.send_many(&["six".to_owned(), "seven".to_owned(), "a long one ".repeat(20)]).unwrap();
    a.send_bytes(b"raw").unwrap();
    assert!(b.recv_many::<u64>(0).unwrap().is_empty());
    assert_eq!(b.recv_many::<u64>(3).unwrap(), [1, 2, 3]);
    assert_eq!(b.recv_many::<[u8; 3]>(1).unwrap_err().kind(), ErrorKind::TypeMismatch);
    assert_eq!(b.recv_many::<u64>(3).unwrap(), [4]);
    assert_eq!(b.recv_many::<u64>(3).unwrap_err().kind(), ErrorKind::TypeMismatch);
    assert_eq!(b.recv_many::<[u8; 3]>(9).unwrap(), [[5; 3]]);
    assert_eq!(b.recv_many::<String>(9).unwrap(), ["six", "seven", &"a long one ".repeat(20)]);
    assert_eq!(b.recv_bytes().unwrap(), b"raw");
    a.send_many(&[(); 70]).unwrap();
    assert_eq!(b.recv_many::<()>(60).unwrap().len(), 60);
    assert_eq!(b.recv_many::<()>(60).unwrap().len(), 10);
}

/// A pipe that is full has room for all that a batch took out of it.
#[test]
fn a_batch_that_is_received_makes_room() {
    let (a, b) = pipe().unwrap();
    let all: Vec<u64> = (0..100_000).collect();
    let sent = a.try_send_many(&all).unwrap();
    assert!(sent < all.len() && a.try_send(&0u64).is_err());
    assert_eq!(b.recv_many::<u64>(sent / 2).unwrap(), all[..sent / 2]);
    let more = a.try_send_many(&all[sent..]).unwrap();
    assert!(more + 14 >= sent / 2, "{more} of {}", sent / 2);
    assert_eq!(b.recv_many::<u64>(usize::MAX).unwrap(), all[sent / 2..sent + more]);
}

/// What a long message took is free as soon as it is received, whatever its length.
#[test]
fn a_long_message_leaves_all_its_room() {
    let (a, b) = pipe().unwrap();
    for len in (57..7000).step_by(13) {
        a.try_send_bytes(&vec![len as u8; len]).unwrap();
        assert_eq!(b.recv_bytes().unwrap(), vec![len as u8; len]);
        let sent = a.try_send_many(&[7u64; 2000]).unwrap();
        assert!(sent >= 7 * 127, "{sent} after {len} bytes");
        assert_eq!(b.recv_many::<u64>(2000).unwrap().len(), sent);
    }
}
