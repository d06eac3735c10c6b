//! What a program may do with queues, pipes and processes though nobody should: each case once broke a promise.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use processing::rkyv::rancor::{self, Fallible, Source};
use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{Arena, Connection, ErrorKind, Process, Queue, pipe};

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(what: &str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|_| panic!("{what} did not come to an end"))
}

/// A value that no process can make.
#[derive(Archive, Serialize)]
#[rkyv(crate = processing::rkyv)]
struct Unmade(u8);

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Unmade, D> for ArchivedUnmade {
    fn deserialize(&self, _: &mut D) -> Result<Unmade, D::Error> {
        Err(<D::Error as rancor::Source>::new(Refused))
    }
}

#[test]
fn arguments_of_any_alignment_arrive_beside_handles() {
    fn sum(q: Queue<u64>, small: Vec<u64>, wide: Vec<u128>) -> processing::Result<()> {
        q.put(&(small.iter().sum::<u64>() + wide.iter().sum::<u128>() as u64))?;
        Ok(())
    }
    let q = Queue::<u64>::new(4).unwrap();
    let p = Process::new(sum, (q.clone(), vec![1u64; 40], vec![2u128; 10])).start().unwrap();
    assert!(p.join().unwrap().success());
    assert_eq!(q.try_get().unwrap(), 60);
}

#[test]
fn wide_elements_are_read_in_every_slot() {
    for inline in [56, 72, 100, 200] {
        let q = Queue::<Vec<u128>>::builder().capacity(4).inline(inline).build().unwrap();
        for n in 0..8u128 {
            let value = vec![n; 2];
            q.put(&value).unwrap();
            assert_eq!(q.get().unwrap(), value, "{inline}");
        }
    }
}

#[test]
fn a_connection_does_not_travel_in_a_queue() {
    let q = Queue::<(u8, Connection)>::new(1).unwrap();
    let (a, b) = pipe().unwrap();
    let message = (1, a);
    let error = q.try_put(&message).unwrap_err();
    assert_eq!(processing::Error::from(error).kind(), ErrorKind::InvalidInput);
    // The value is the caller's still, and works.
    b.send(&7u8).unwrap();
    assert_eq!(message.1.recv::<u8>().unwrap(), 7);
    assert!(q.is_empty());
}

#[test]
fn either_half_closes_the_end_for_the_other() {
    let (a, b) = pipe().unwrap();
    let (sender, receiver) = a.split();
    let closer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        sender.close().unwrap();
        sender
    });
    let error = soon("recv", move || receiver.recv::<u8>().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Closed);
    let sender = closer.join().unwrap();
    assert_eq!(sender.send(&1u8).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(b.recv::<u8>().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(b.send(&1u8).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn nothing_is_sent_after_a_close() {
    let (a, b) = pipe().unwrap();
    a.send(&1u8).unwrap();
    a.close().unwrap();
    assert_eq!(a.send(&2u8).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(a.try_send_bytes(b"x").unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(b.recv::<u8>().unwrap(), 1);
    assert_eq!(b.recv::<u8>().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_message_given_up_by_its_sender_is_no_answer_to_a_blocking_recv() {
    let (a, b) = pipe().unwrap();
    let big = vec![7u8; 1 << 20];
    // More than the pipe holds, and nobody reads: it gives up in the middle.
    let error = a.send_timeout(&big, Duration::from_millis(20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let reader = thread::spawn(move || b.recv::<Vec<u8>>());
    thread::sleep(Duration::from_millis(50));
    a.send(&vec![1u8, 2]).unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), [1, 2]);
}

#[test]
fn a_forgotten_lease_goes_with_its_queue() {
    let arena = Arena::builder().limit(16 << 20).build().unwrap();
    for capacity in [1, 100] {
        let q = Queue::<String>::builder().capacity(capacity).arena(&arena).build().unwrap();
        for _ in 0..2 {
            q.put(&"x".repeat(10_000)).unwrap();
            mem::forget(q.get_ref().unwrap());
            if capacity == 1 {
                break;
            }
        }
        drop(q);
        let report = arena.fsck().unwrap();
        assert!(report.is_clean(), "{capacity}: {report}");
    }
}

#[test]
fn who_never_sleeps_long_gets_the_leases_of_the_dead() {
    fn die_with_it(q: Queue<u64>, taken: Queue<u64>) -> processing::Result<()> {
        let lease = q.get_ref();
        taken.put(&u64::from(lease.is_ok()))?;
        std::process::abort()
    }
    for short in [Duration::ZERO, Duration::from_millis(2)] {
        let (q, taken) = (Queue::<u64>::new(4).unwrap(), Queue::<u64>::new(1).unwrap());
        q.put(&5).unwrap();
        // Nobody joins it, and nobody asks after it.
        let p = Process::new(die_with_it, (q.clone(), taken.clone())).start().unwrap();
        // A get that sleeps here would look after the dead in its sleep.
        let got = soon("get_timeout", move || {
            while taken.try_get().is_err() {
                thread::yield_now();
            }
            loop {
                match q.get_timeout(short) {
                    Ok(value) => break value,
                    Err(error) => assert!(error.is_empty(), "{error}"),
                }
            }
        });
        assert_eq!(got, 5, "{short:?}");
        p.join().unwrap();
    }
}

#[test]
fn both_ends_of_a_pipe_travel_in_any_order() {
    fn talk(b: Connection, a: Connection) -> processing::Result<()> {
        assert_eq!(b.recv::<u8>()?, 1, "sent from a");
        a.send(&2u8)?;
        assert_eq!(b.recv::<u8>()?, 2);
        Ok(())
    }
    let (a, b) = pipe().unwrap();
    a.send(&1u8).unwrap();
    let p = Process::new(talk, (b, a)).start().unwrap();
    assert!(soon("join", move || p.join()).unwrap().success());
}

#[test]
fn an_end_that_was_never_made_into_a_handle_is_closed() {
    fn never(_: Unmade, _: Connection) -> processing::Result<()> {
        Ok(())
    }
    let (a, b) = pipe().unwrap();
    let p = Process::new(never, (Unmade(1), b)).start().unwrap();
    let error = soon("recv", move || a.recv::<u8>().unwrap_err());
    assert!(matches!(error.kind(), ErrorKind::Closed | ErrorKind::PeerDied), "{error}");
    assert!(p.join().is_err());
}

/// A value that some processes cannot make: 0 is refused, 1 panics. The text decides whether it lies in its slot or in a block.
#[derive(Archive, Serialize)]
#[rkyv(crate = processing::rkyv)]
struct Shy(u8, String);

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Shy, D> for ArchivedShy {
    fn deserialize(&self, _: &mut D) -> Result<Shy, D::Error> {
        match self.0 {
            0 => Err(<D::Error as rancor::Source>::new(Refused)),
            1 => panic!("shy"),
            n => Ok(Shy(n, self.1.as_str().to_owned())),
        }
    }
}

#[test]
fn a_message_that_nobody_can_make_is_in_nobodys_way() {
    let arena = Arena::builder().limit(16 << 20).build().unwrap();
    for len in [1, 5000] {
        let q = Queue::<Shy>::builder().capacity(4).arena(&arena).build().unwrap();
        let put = |n| q.put(&Shy(n, "x".repeat(len))).unwrap();
        put(0);
        put(7);
        // An error consumes it, with the text.
        let error = processing::Error::from(q.get().err().unwrap());
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("Shy") && error.to_string().contains("refused"), "{error}");
        assert_eq!(q.get().unwrap().0, 7);
        assert!(q.is_empty());
        // A panic gives it back, and it is counted; a lease passes it.
        put(1);
        for _ in 0..2 {
            mem::forget(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| q.get())).err().unwrap());
        }
        let lease = q.get_ref().unwrap();
        assert_eq!((lease.redeliveries(), lease.0), (2, 1));
        drop(lease);
        assert!(q.is_empty());
        // A lease keeps what its holder cannot make until it is dropped.
        put(0);
        let lease = q.get_ref().unwrap();
        assert_eq!(lease.to_owned().err().unwrap().kind(), ErrorKind::Corrupt);
        drop(lease);
        assert!(q.try_get().is_err_and(|error| error.is_empty()));
        drop(q);
        let report = arena.fsck().unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn what_a_lease_held_comes_back_when_it_was_forgotten() {
    fn forget_it(q: Queue<String>, told: Connection) -> processing::Result<()> {
        mem::forget(q.get_ref()?);
        drop(q);
        // Only now, in a process that has no handle of the queue any more.
        told.send(&())?;
        std::process::abort()
    }
    let arena = Arena::builder().limit(16 << 20).build().unwrap();
    for (capacity, len) in [(1, 1), (1, 5000), (4, 1), (4, 5000)] {
        let q = Queue::<String>::builder().capacity(capacity).arena(&arena).build().unwrap();
        let text = "x".repeat(len);
        q.put(&text).unwrap();
        let (told, tell) = pipe().unwrap();
        let p = Process::new(forget_it, (q.clone(), tell)).start().unwrap();
        told.recv::<()>().unwrap();
        let lease = q.get_ref_timeout(Duration::from_secs(10)).expect("given back with the last handle");
        assert!(lease.redelivered() && lease.as_str() == text);
        drop(lease);
        p.join().unwrap();
        assert!(q.is_empty());
        drop(q);
        let report = arena.fsck().unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

static DROPPED: AtomicU32 = AtomicU32::new(0);

/// Puts and gets as late as a thread can.
struct Late(Queue<(u64, String)>);

impl Drop for Late {
    fn drop(&mut self) {
        for text in ["late".to_owned(), "x".repeat(5000)] {
            self.0.put(&(1, text.clone())).unwrap();
            assert!(self.0.get().unwrap().1 == text);
        }
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local! {
    static FIRST: RefCell<Option<Late>> = const { RefCell::new(None) };
    static LAST: RefCell<Option<Late>> = const { RefCell::new(None) };
    static OWN_END: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
}

#[test]
fn queues_work_in_the_destructors_of_thread_local_values() {
    let q = Queue::new(8).unwrap();
    let used = q.clone();
    thread::spawn(move || {
        // Whichever order they are dropped in: one of them comes after the library's own.
        FIRST.set(Some(Late(used.clone())));
        used.put(&(0, "early".to_owned())).unwrap();
        assert_eq!(used.get().unwrap().1, "early");
        LAST.set(Some(Late(used.clone())));
    })
    .join()
    .unwrap();
    assert_eq!(DROPPED.load(Ordering::Relaxed), 2);
    assert!(q.is_empty());
}

/// A value that is made by asking the connection that brings it.
#[derive(Archive, Serialize)]
#[rkyv(crate = processing::rkyv)]
struct Curious(String);

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Curious, D> for ArchivedCurious {
    fn deserialize(&self, _: &mut D) -> Result<Curious, D::Error> {
        let end = OWN_END.with_borrow(|end| end.clone().unwrap());
        end.send(&7u8).map_err(<D::Error as rancor::Source>::new)?;
        let error = end.try_recv::<u8>().unwrap_err();
        assert_eq!(end.poll(Duration::ZERO).unwrap_err().kind(), error.kind());
        Ok(Curious(format!("{:?}", error.kind())))
    }
}

#[test]
fn a_value_that_uses_its_own_connection_gets_an_error() {
    let (a, b) = pipe().unwrap();
    let b = Rc::new(b);
    OWN_END.set(Some(b.clone()));
    for len in [1, 100, 1000] {
        a.send(&Curious("x".repeat(len))).unwrap();
        assert_eq!(b.recv::<Curious>().unwrap().0, "InvalidState");
        assert_eq!(a.recv::<u8>().unwrap(), 7);
    }
    OWN_END.set(None);
    a.send(&1u8).unwrap();
    assert_eq!(b.recv::<u8>().unwrap(), 1);
}
