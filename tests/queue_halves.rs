//! `Producer` and `Consumer`: who sees that the other side is gone, and when.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use processing::{Arena, Consumer, ErrorKind, GetError, Process, Producer, PutError, Queue};

const LONG: Duration = Duration::from_secs(30);

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(what: &str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what} did not come to an end"))
}

fn arena() -> Arena {
    Arena::builder().limit(64 << 20).build().unwrap()
}

fn halves(arena: &Arena, capacity: usize) -> (Producer<u64>, Consumer<u64>) {
    Queue::builder().capacity(capacity).arena(arena).build_halves().unwrap()
}

fn clean(arena: &Arena) {
    let report = arena.fsck().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.objects, report.references, report.body, report.private), (0, 0, 0, 0), "{report}");
}

#[test]
fn the_end_comes_after_the_last_message_of_the_last_producer() {
    let arena = arena();
    let (producer, consumer) = halves(&arena, 4);
    let others = [producer.clone(), producer.clone()];
    producer.put(&1).unwrap();
    drop(producer);
    for (n, other) in others.into_iter().enumerate() {
        assert!(matches!(consumer.get(), Ok(got) if got == n as u64 + 1));
        assert!(matches!(consumer.try_get(), Err(GetError::Empty)), "a producer is left");
        other.put(&(n as u64 + 2)).unwrap();
        assert!(!consumer.is_closed());
    }
    assert!(consumer.is_closed());
    assert_eq!((consumer.len(), consumer.get().unwrap()), (1, 3));
    assert!(matches!(consumer.get_timeout(LONG), Err(GetError::Closed)));
    assert!(matches!(consumer.get_many_timeout(3, LONG), Err(GetError::Closed)));
    drop(consumer);
    clean(&arena);
}

#[test]
fn a_put_fails_when_the_last_consumer_is_gone() {
    let arena = arena();
    let (producer, consumer) = halves(&arena, 4);
    let other = consumer.clone();
    drop(consumer);
    producer.put(&1).unwrap();
    drop(other);
    // At once, though there is room.
    assert!(matches!(producer.put(&2), Err(PutError::Closed)));
    assert!(producer.put_many(&[3]).unwrap_err().into_error().is_closed());
    assert!(producer.reserve(8).unwrap().commit().unwrap_err().into_error().is_closed());
    drop(producer);
    clean(&arena);
}

#[test]
fn a_lease_is_waited_for_at_the_end() {
    let (producer, consumer) = halves(&Arena::default(), 4);
    producer.put(&1).unwrap();
    let lease = consumer.get_ref().unwrap();
    drop(producer);
    assert!(matches!(consumer.try_get(), Err(GetError::Empty)), "it may come back");
    lease.put_back();
    assert_eq!(consumer.get().unwrap(), 1);
    assert!(matches!(consumer.try_get(), Err(GetError::Closed)));
}

#[test]
fn sleepers_are_woken_by_the_end() {
    let (producer, consumer) = halves(&Arena::default(), 1);
    let getters = [consumer.clone(), consumer.clone()].map(|c| thread::spawn(move || c.get()));
    thread::yield_now();
    drop(producer);
    for getter in getters {
        let end = soon("a get without producers", || getter.join().unwrap());
        assert!(matches!(end, Err(GetError::Closed)));
    }
    let (producer, consumer) = halves(&Arena::default(), 1);
    producer.put(&1).unwrap();
    let putters = [producer.clone(), producer.clone()].map(|p| thread::spawn(move || p.put(&2)));
    thread::yield_now();
    drop(consumer);
    for putter in putters {
        let end = soon("a put without consumers", || putter.join().unwrap());
        assert!(matches!(end, Err(PutError::Closed)));
    }
}

#[test]
fn a_closed_half_is_closed_for_both() {
    let (producer, consumer) = halves(&Arena::default(), 2);
    producer.put(&1).unwrap();
    consumer.close().unwrap();
    assert!(producer.is_closed() && producer.put(&2).is_err());
    assert_eq!(consumer.get().unwrap(), 1);
    assert!(matches!(consumer.get_timeout(LONG), Err(GetError::Closed)));
    assert_eq!((producer.capacity(), producer.is_empty(), producer.is_full()), (2, true, false));
    assert!(format!("{producer:?} {consumer:?}").starts_with("<Producer of <Queue("));
}

fn produces(producer: Producer<u64>, count: u64) -> processing::Result<()> {
    for n in 0..count {
        producer.put(&n)?;
    }
    Ok(())
}

fn dies_with(producer: Producer<u64>, count: u64) {
    for n in 0..count {
        producer.put(&n).unwrap();
    }
    std::process::abort();
}

fn hangs_with(_consumer: Consumer<u64>, ready: Queue<()>) -> processing::Result<()> {
    ready.put(&())?;
    loop {
        thread::park();
    }
}

#[test]
fn producers_in_processes_end_or_die() {
    let (producer, consumer) = halves(&Arena::default(), 8);
    let ends = Process::new(produces, (producer.clone(), 100)).start().unwrap();
    let dies = Process::new(dies_with, (producer.clone(), 100)).start().unwrap();
    // On its way to a process counts: the last one here goes before they have begun.
    drop(producer);
    let found = soon("draining what two processes put", move || {
        let mut found = Vec::new();
        loop {
            match consumer.get() {
                Ok(n) => found.push(n),
                Err(GetError::Closed) => return found,
                Err(other) => panic!("{other}"),
            }
        }
    });
    assert!(ends.join().unwrap().success());
    assert!(!dies.join().unwrap().success());
    let mut sorted = found;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).flat_map(|n| [n, n]).collect::<Vec<_>>());
}

#[test]
fn a_killed_consumer_fails_the_puts_that_wait() {
    let (producer, consumer) = halves(&Arena::default(), 2);
    let ready = Queue::new(1).unwrap();
    let child = Process::new(hangs_with, (consumer.clone(), ready.clone())).start().unwrap();
    ready.get_timeout(LONG).unwrap();
    drop(consumer);
    producer.put_many(&[1, 2]).unwrap();
    let waiting = thread::spawn(move || producer.put(&3));
    child.kill().unwrap();
    let end = soon("a put whose consumer was killed", || waiting.join().unwrap());
    assert!(matches!(end, Err(PutError::Closed)), "{end:?}");
    let _ = child.join();
}

#[test]
fn halves_travel_in_messages() {
    let arena = arena();
    let (producer, consumer) = halves(&arena, 4);
    let post = Queue::<Option<Producer<u64>>>::builder().capacity(2).arena(&arena).build().unwrap();
    post.put(&Some(producer)).unwrap();
    // In the message only: it is somebody's.
    assert!(matches!(consumer.try_get(), Err(GetError::Empty)));
    let producer = post.get().unwrap().unwrap();
    producer.put(&7).unwrap();
    post.put(&Some(producer)).unwrap();
    assert_eq!(consumer.get().unwrap(), 7);
    assert!(!consumer.is_closed());
    drop(post); // and the message with it
    assert!(matches!(consumer.get_timeout(LONG), Err(GetError::Closed)));
    drop(consumer);
    clean(&arena);
}

#[test]
fn halves_of_both_sorts_travel_in_one_type() {
    use processing::rkyv::{Archive, Deserialize, Serialize};
    #[derive(Archive, Serialize, Deserialize)]
    #[rkyv(crate = processing::rkyv)]
    enum Either {
        Puts(Producer<u64>),
        Gets(Consumer<u64>),
    }
    let post = Queue::<Either>::new(4).unwrap();
    let (producer, consumer) = halves(&Arena::default(), 1);
    post.put_many(&[Either::Puts(producer), Either::Gets(consumer)]).unwrap();
    let [Either::Puts(producer), Either::Gets(consumer)] = &post.get_many(2).unwrap()[..] else {
        panic!("another order")
    };
    producer.put(&1).unwrap();
    assert_eq!(consumer.get().unwrap(), 1);
    let foreign = Queue::<Producer<u64>>::builder().capacity(1).arena(&arena()).build().unwrap();
    let error = processing::Error::from(foreign.put(producer).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[test]
fn statistics_and_dead_letters_of_halves() {
    let builder = Queue::<u64>::builder().capacity(4).dead_letters_after(1);
    let (producer, consumer) = builder.build_halves().unwrap();
    producer.put_many(&[1, 2]).unwrap();
    consumer.get_ref().unwrap().put_back();
    drop(producer);
    assert_eq!(consumer.get_many(9).unwrap(), [2]);
    assert!(matches!(consumer.get_timeout(LONG), Err(GetError::Closed)));
    assert_eq!(consumer.dead_letters().unwrap().len(), 1);
    let stats = consumer.stats();
    assert_eq!((stats.dead_letters, stats.closed, stats.holders.len()), (1, true, 1), "{stats}");
    assert_eq!(consumer.take_dead_letter().unwrap().unwrap().to_native(), 1);
}
