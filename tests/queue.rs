//! `Queue` between threads of one process: order, bounds, forms, errors, leases, handles in messages.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{Arena, ErrorKind, GetError, PutError, Queue, WaitStrategy};

#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv)]
enum Event {
    Nothing,
    Text(String),
    Tree { left: Vec<u64>, right: BTreeMap<String, Option<i32>> },
}

#[test]
fn values_of_any_type_come_back_in_order() {
    let q = Queue::<Event>::new(8).unwrap();
    let events = [
        Event::Nothing,
        Event::Text("x".repeat(10_000)),
        Event::Tree {
            left: vec![1, 2, 3],
            right: [("a".to_owned(), Some(-1)), ("b".to_owned(), None)].into(),
        },
        Event::Text(String::new()),
    ];
    for event in &events {
        q.put(event).unwrap();
    }
    assert_eq!(q.len(), 4);
    for event in &events {
        assert_eq!(&q.get().unwrap(), event);
    }
    assert!(q.is_empty());
}

#[test]
fn the_three_forms_agree_on_full_and_empty() {
    let q = Queue::<u32>::new(4).unwrap();
    assert!(matches!(q.try_get(), Err(GetError::Empty)));
    assert!(matches!(q.get_timeout(Duration::from_millis(3)), Err(GetError::Empty)));
    for n in 0..q.capacity() as u32 {
        q.try_put(&n).unwrap();
    }
    assert!(q.is_full());
    assert!(matches!(q.try_put(&9), Err(PutError::Full)));
    assert!(matches!(q.put_timeout(&9, Duration::from_millis(3)), Err(PutError::Full)));
    assert_eq!(q.get().unwrap(), 0);
    q.try_put(&9).unwrap();
}

#[test]
fn a_blocked_put_and_a_blocked_get_are_woken() {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let q = Queue::<u64>::builder().capacity(2).wait(strategy).build().unwrap();
        let sum = thread::scope(|scope| {
            let getter = q.clone();
            let getter = scope.spawn(move || (0..10_000).map(|_| getter.get().unwrap()).sum::<u64>());
            for n in 0..10_000u64 {
                q.put(&n).unwrap();
            }
            getter.join().unwrap()
        });
        assert_eq!(sum, (0..10_000).sum::<u64>());
    }
}

#[test]
fn many_to_many_loses_and_repeats_nothing() {
    let q = Queue::<(u32, u32)>::new(16).unwrap();
    let taken = thread::scope(|scope| {
        let putters: Vec<_> = (0..3u32)
            .map(|id| {
                let q = q.clone();
                scope.spawn(move || (0..5_000).for_each(|n| q.put(&(id, n)).unwrap()))
            })
            .collect();
        let getters: Vec<_> = (0..3)
            .map(|_| {
                let q = q.clone();
                scope.spawn(move || {
                    let mut taken = Vec::new();
                    while let Ok(message) = q.get() {
                        taken.push(message);
                    }
                    taken
                })
            })
            .collect();
        putters.into_iter().for_each(|t| t.join().unwrap());
        q.close().unwrap();
        getters.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>()
    });
    for one in &taken {
        for id in 0..3 {
            let order: Vec<u32> = one.iter().filter(|m| m.0 == id).map(|m| m.1).collect();
            assert!(order.is_sorted(), "a getter saw a producer's messages out of order");
        }
    }
    let mut all: Vec<_> = taken.into_iter().flatten().collect();
    all.sort_unstable();
    let want: Vec<_> = (0..3).flat_map(|id| (0..5_000).map(move |n| (id, n))).collect();
    assert_eq!(all, want);
}

#[test]
fn one_handle_used_by_several_threads() {
    let q = Queue::<u64>::new(8).unwrap();
    let total: u64 = thread::scope(|scope| {
        let q = &q;
        let getters: Vec<_> =
            (0..2).map(|_| scope.spawn(move || std::iter::from_fn(|| q.get().ok()).sum::<u64>())).collect();
        let putters: Vec<_> =
            (0..2).map(|_| scope.spawn(move || (1..=2_000).for_each(|n| q.put(&n).unwrap()))).collect();
        putters.into_iter().for_each(|t| t.join().unwrap());
        q.close().unwrap();
        getters.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(total, 2 * 2_000 * 2_001 / 2);
}

#[test]
fn closing_drains_and_then_says_closed() {
    let q = Queue::<String>::new(4).unwrap();
    q.put(&"last".to_owned()).unwrap();
    q.close().unwrap();
    assert!(matches!(q.put(&"late".to_owned()), Err(PutError::Closed)));
    assert_eq!(q.get().unwrap(), "last");
    assert!(matches!(q.get(), Err(GetError::Closed)));
    assert!(processing::Error::from(q.get().unwrap_err()).is_closed());
}

#[test]
fn a_lease_reads_in_place_and_does_not_pin_its_slot() {
    let q = Queue::<(u64, String)>::new(2).unwrap();
    q.put(&(1, "one".into())).unwrap();
    let small = q.get_ref().unwrap();
    q.put(&(2, "two".repeat(1000))).unwrap();
    let large = q.get_ref().unwrap();
    for n in 0..100 {
        q.put(&(n, "more".into())).unwrap(); // many laps around both leases
        assert_eq!(q.get().unwrap().0, n);
    }
    assert_eq!((small.0.to_native(), small.1.as_str()), (1, "one"));
    assert_eq!(large.1.len(), 3000);
    assert!(!small.redelivered());
    assert_eq!(small.to_owned().unwrap(), (1, "one".to_owned()));
    drop((small, large));
    assert!(q.is_empty());
}

#[test]
fn a_panic_gives_the_lease_back() {
    let q = Queue::<u64>::new(2).unwrap();
    q.put(&7).unwrap();
    let worker = q.clone();
    let end = thread::spawn(move || {
        let lease = worker.get_ref().unwrap();
        assert_eq!(lease.to_native(), 8, "on purpose");
    })
    .join();
    assert!(end.is_err());
    let lease = q.try_get_ref().unwrap();
    assert!(lease.redelivered());
    assert_eq!(lease.to_native(), 7);
}

#[test]
fn closed_waits_for_leases() {
    let q = Queue::<u64>::new(2).unwrap();
    q.put(&1).unwrap();
    let lease = q.get_ref().unwrap();
    q.close().unwrap();
    assert!(matches!(q.try_get(), Err(GetError::Empty)), "the lease may come back");
    drop(lease);
    assert!(matches!(q.try_get(), Err(GetError::Closed)));
}

#[test]
fn queues_travel_in_messages() {
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let outer = Queue::<(u32, Queue<String>)>::builder().capacity(4).arena(&arena).build().unwrap();
    let inner = Queue::<String>::builder().capacity(4).arena(&arena).build().unwrap();
    inner.put(&"from inside".to_owned()).unwrap();
    outer.put(&(7, inner.clone())).unwrap();
    drop(inner); // the message keeps it alive
    let (n, inner) = outer.get().unwrap();
    assert_eq!(n, 7);
    assert_eq!(inner.get().unwrap(), "from inside");
    drop(inner);
    outer.put(&(8, Queue::builder().capacity(1).arena(&arena).build().unwrap())).unwrap();
    drop(outer); // takes the message and its queue with it
    let report = arena.fsck().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.objects, 0);
}

#[test]
fn a_handle_outside_a_message_cannot_be_serialised() {
    let q = Queue::<u8>::new(1).unwrap();
    let error = processing::rkyv::to_bytes::<processing::rkyv::rancor::Error>(&q).unwrap_err();
    assert!(error.to_string().contains("handles travel only"), "{error}");
}

#[test]
fn too_large_and_full_arenas_are_errors_and_lose_nothing() {
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let q = Queue::<Vec<u8>>::builder().capacity(64).arena(&arena).max_message(1 << 20).build().unwrap();
    assert!(matches!(q.put(&vec![0; 2 << 20]), Err(PutError::TooLarge { .. })));
    let q = Queue::<Vec<u8>>::builder().capacity(64).arena(&arena).build().unwrap();
    assert!(matches!(q.put(&vec![0; 256 << 20]), Err(PutError::TooLarge { .. })));
    let mut held = 0;
    let error = loop {
        match q.try_put(&vec![held as u8; 4 << 20]) {
            Ok(()) => held += 1,
            Err(error) => break processing::Error::from(error),
        }
    };
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    for n in 0..held {
        assert_eq!(q.get().unwrap(), vec![n as u8; 4 << 20]);
    }
    q.put(&vec![1; 4 << 20]).unwrap();
    drop(q);
    let report = arena.fsck().unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn ten_thousand_queues() {
    let arena = Arena::builder().limit(1 << 30).build().unwrap();
    let queues: Vec<_> =
        (0..10_000).map(|_| Queue::<u64>::builder().capacity(16).arena(&arena).build().unwrap()).collect();
    for (n, q) in queues.iter().enumerate() {
        q.put(&(n as u64)).unwrap();
    }
    for (n, q) in queues.iter().enumerate() {
        assert_eq!(q.get().unwrap(), n as u64);
    }
    drop(queues);
    assert_eq!(arena.fsck().unwrap().objects, 0);
}

#[test]
fn the_longest_message_is_the_same_for_types_of_fixed_length() {
    let refused = Queue::<[u64; 4]>::builder().capacity(4).max_message(31).build().unwrap();
    assert!(matches!(refused.put(&[7; 4]), Err(PutError::TooLarge { len: 32, max: 31 })));
    assert!(refused.is_empty());
    let taken = Queue::<[u64; 4]>::builder().capacity(4).max_message(32).build().unwrap();
    taken.put(&[7; 4]).unwrap();
    assert_eq!(taken.get().unwrap(), [7; 4]);
}
