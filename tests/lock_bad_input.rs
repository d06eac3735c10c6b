//! Handles of locks that arrive as handles of something else: two builds of a program that do not agree.

use processing::rkyv::rancor::{Fallible, Source};
use processing::rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use processing::rkyv::{self, Archive, Deserialize, Place, Serialize};
use processing::{
    BoundedSemaphore, Condition, Error, ErrorKind, Event, Lock, Locked, Queue, RLock, Semaphore,
};

/// `$name` is sent as one and taken for the other, and each is an error that says so.
macro_rules! confused {
    ($name:ident, $sent:ty => $taken:ty, $make_sent:expr, $make_taken:expr, $says:expr) => {
        #[test]
        fn $name() {
            struct Both {
                sent: Option<$sent>,
                taken: $taken,
            }
            struct Disagree;
            type Taken = $taken;

            impl ArchiveWith<Both> for Disagree {
                type Archived = <Taken as Archive>::Archived;
                type Resolver = <Taken as Archive>::Resolver;

                fn resolve_with(both: &Both, resolver: Self::Resolver, out: Place<Self::Archived>) {
                    both.taken.resolve(resolver, out);
                }
            }
            impl<S: Fallible<Error: Source> + ?Sized> SerializeWith<Both, S> for Disagree {
                fn serialize_with(both: &Both, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
                    both.sent.as_ref().expect("made to be sent").serialize(serializer)
                }
            }
            impl<D: Fallible<Error: Source> + ?Sized> DeserializeWith<<Taken as Archive>::Archived, Both, D>
                for Disagree
            {
                fn deserialize_with(
                    archived: &<Taken as Archive>::Archived,
                    deserializer: &mut D,
                ) -> Result<Both, D::Error> {
                    Ok(Both { sent: None, taken: archived.deserialize(deserializer)? })
                }
            }
            #[derive(Archive, Serialize, Deserialize)]
            #[rkyv(crate = rkyv)]
            struct Confused(#[rkyv(with = Disagree)] Both);

            let carrier = Queue::<Confused>::new(2).expect("queue");
            let both = Both { sent: Some($make_sent.expect("made")), taken: $make_taken.expect("made") };
            carrier.put(&Confused(both)).expect("put");
            let error = Error::from(carrier.get().err().expect("it is something else"));
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains($says), "{error}");
            assert!(carrier.is_empty(), "nobody could make more of it");
        }
    };
}

confused!(a_lock_for_a_recursive_one, Lock => RLock, Lock::new(), RLock::new(), "it is not a recursive lock");
confused!(a_recursive_lock_for_a_plain_one, RLock => Lock, RLock::new(), Lock::new(), "it is not a lock");
confused!(an_event_for_a_lock, Event => Lock, Event::new(), Lock::new(), "it is not a lock");
confused!(a_lock_for_an_event, Lock => Event, Lock::new(), Event::new(), "it is not an event");
confused!(a_lock_for_a_semaphore, Lock => Semaphore, Lock::new(), Semaphore::new(1), "it is not a semaphore");
confused!(
    a_semaphore_for_a_bounded_one,
    Semaphore => BoundedSemaphore,
    Semaphore::new(1),
    BoundedSemaphore::new(1),
    "it is not a bounded semaphore"
);
confused!(
    a_locked_value_for_one_of_another_type,
    Locked<u32> => Locked<u64>,
    Locked::new(1u32),
    Locked::new(1u64),
    "it is not a u64"
);
confused!(a_queue_for_a_lock, Queue<u8> => Lock, Queue::<u8>::new(1), Lock::new(), "it is not a lock");

#[test]
fn what_is_not_had_is_not_given_back() {
    let (lock, rlock, condition) =
        (Lock::new().expect("lock"), RLock::new().expect("lock"), Condition::new().expect("condition"));
    for error in [lock.release(), rlock.release(), condition.notify(1).map(drop), condition.wait()] {
        let error = error.expect_err("nobody has it");
        assert_eq!(error.kind(), ErrorKind::NotOwner, "{error}");
        assert!(error.to_string().contains("lock "), "names it: {error}");
    }
    let _guard = lock.acquire().expect("free");
    std::thread::scope(|scope| {
        let error = scope.spawn(|| lock.release()).join().expect("the thread").expect_err("another's");
        assert_eq!(error.kind(), ErrorKind::NotOwner);
        assert!(error.to_string().contains("MainProcess"), "says who has it: {error}");
    });
}

#[test]
fn values_that_cannot_be() {
    let error = BoundedSemaphore::new(2).expect("bounded").release().expect_err("at its bound");
    assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
    let error = Semaphore::new(u32::MAX).expect_err("more than fit");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let full = Semaphore::new((1 << 31) - 1).expect("the most");
    let error = full.release().expect_err("overflow");
    assert!(error.to_string().contains("semaphore "), "{error}");
    for waiters in [0, u32::MAX] {
        let error = Condition::builder().waiters(waiters).build().expect_err("impossible");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    for threads in [0, u32::MAX] {
        let error = Semaphore::builder(1).threads(threads).build().expect_err("impossible");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}
