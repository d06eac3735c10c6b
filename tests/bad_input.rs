//! What goes wrong in programs that are right: wrong types, no room, no descriptors, a child that just leaves. Each time a
//! clear error, nothing lost, and everything works again afterwards.

use std::fs::File;
use std::process::exit;
use std::thread;

use processing::rkyv::rancor::{Fallible, Source};
use processing::rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use processing::rkyv::{Archive, Deserialize, Place, Serialize};
use processing::{
    Arena, Builder, Connection, Error, ErrorKind, Exit, Process, PutError, Queue, StartMethod, pipe, pipe_in,
};

/// The error is of this kind, and names the object, the cause and the way out.
#[track_caller]
fn says(error: &Error, kind: ErrorKind, texts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for text in texts {
        assert!(error.to_string().contains(text), "{text:?} is not in: {error}");
    }
}

/// Sends a queue of one type, and takes it for one of another: two builds of a program that do not agree.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = processing::rkyv)]
struct Confused(#[rkyv(with = Disagree)] Both);

struct Both {
    sent: Queue<u32>,
    taken: Queue<u64>,
}

struct Disagree;

type Wide = Queue<u64>;

impl ArchiveWith<Both> for Disagree {
    type Archived = <Wide as Archive>::Archived;
    type Resolver = <Wide as Archive>::Resolver;

    fn resolve_with(both: &Both, resolver: Self::Resolver, out: Place<Self::Archived>) {
        both.taken.resolve(resolver, out);
    }
}

impl<S: Fallible<Error: Source> + ?Sized> SerializeWith<Both, S> for Disagree {
    fn serialize_with(both: &Both, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        both.sent.serialize(serializer)
    }
}

impl<D: Fallible<Error: Source> + ?Sized> DeserializeWith<<Wide as Archive>::Archived, Both, D> for Disagree {
    fn deserialize_with(field: &<Wide as Archive>::Archived, deserializer: &mut D) -> Result<Both, D::Error> {
        let taken: Wide = field.deserialize(deserializer)?;
        unreachable!("{taken:?} is of another type")
    }
}

const OTHER_TYPE: &[&str] = &["queue ", "it does not carry u64", "open it with the type it was created with"];

#[test]
fn a_queue_of_another_type_is_refused_where_it_arrives() {
    let arena = Arena::builder().limit(16 << 20).build().unwrap();
    let sent = Queue::<u32>::builder().capacity(4).arena(&arena).build().unwrap();
    let taken = Queue::<u64>::builder().capacity(4).arena(&arena).build().unwrap();
    let p = Process::new(|_: Confused| (), (Confused(Both { sent: sent.clone(), taken: taken.clone() }),));
    let p = p.name("other build").start().unwrap();
    let error = p.join().unwrap_err();
    says(&error, ErrorKind::ChildFailed, &["process other build (pid "]);
    says(&error, ErrorKind::ChildFailed, OTHER_TYPE);

    let carrier = Queue::<Confused>::builder().capacity(4).arena(&arena).build().unwrap();
    carrier.put(&Confused(Both { sent: sent.clone(), taken: taken.clone() })).unwrap();
    says(&Error::from(carrier.get().err().unwrap()), ErrorKind::Corrupt, OTHER_TYPE);
    assert!(carrier.is_empty());
    sent.put(&7).unwrap();
    assert_eq!(sent.get().unwrap(), 7);
    drop((sent, taken, carrier));
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.objects == 0, "{report}");
}

#[test]
fn what_is_larger_than_the_arena_never_fits() {
    const LIMIT: u64 = 16 << 20;
    let arena = Arena::builder().limit(LIMIT).build().unwrap();
    let q = Queue::<Vec<u8>>::builder().capacity(4).arena(&arena).build().unwrap();
    let value = vec![7u8; 17 << 20];
    let error = q.put(&value).unwrap_err();
    assert!(matches!(error, PutError::TooLarge { len, max } if len > 17 << 20 && max <= LIMIT), "{error:?}");
    says(
        &error.into(),
        ErrorKind::TooLarge,
        &["put: ", "bytes is larger than", "raise", "the arena's limit"],
    );
    assert!(q.is_empty());
    q.put(&value[..1000].to_vec()).unwrap();
    assert_eq!(q.get().unwrap().len(), 1000);

    let error = Queue::<[u64; 8]>::builder().capacity(1 << 20).arena(&arena).build().unwrap_err();
    says(&error, ErrorKind::TooLarge, &[&LIMIT.to_string(), "limit"]);
    let error = Queue::<u8>::builder().capacity(usize::MAX).arena(&arena).build().unwrap_err();
    says(&error, ErrorKind::InvalidInput, &["queue: ", &usize::MAX.to_string()]);
}

#[test]
fn a_full_arena_is_usable_again_when_something_goes() {
    let arena = Arena::builder().limit(8 << 20).build().unwrap();
    let mut queues = Vec::new();
    let error = loop {
        match Queue::<[u64; 8]>::builder().capacity(1 << 10).arena(&arena).build() {
            Ok(q) => queues.push(q),
            Err(error) => break error,
        }
    };
    says(&error, ErrorKind::OutOfMemory, &["arena", "bytes", "limit"]);
    says(&pipe_in(&arena).map_or_else(|e| e, |_| error), ErrorKind::OutOfMemory, &["arena"]);
    for (n, q) in (0..).zip(&queues) {
        q.put(&[n; 8]).unwrap();
        assert_eq!(q.get().unwrap(), [n; 8]);
    }
    queues.truncate(queues.len() / 2);
    let (a, b) = pipe_in(&arena).unwrap();
    a.send(&1u8).unwrap();
    assert_eq!(b.recv::<u8>().unwrap(), 1);
    drop((a, b, queues));
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.objects == 0, "{report}");
}

#[test]
fn two_hundred_processes_at_once() {
    fn answer(asked: Queue<u32>, answers: Queue<(u32, u32)>, n: u32) -> processing::Result<()> {
        answers.put(&(n, std::process::id()))?;
        // All are there before the first may go.
        asked.get()?;
        Ok(())
    }
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let asked = Queue::<u32>::builder().capacity(200).arena(&arena).build().unwrap();
    let answers = Queue::builder().capacity(8).arena(&arena).build().unwrap();
    let all: Vec<_> = (0..200)
        .map(|n| Process::new(answer, (asked.clone(), answers.clone(), n)).start().unwrap())
        .collect();
    for _ in &all {
        let (n, pid) = answers.get().unwrap();
        assert_eq!(all[n as usize].pid(), pid);
    }
    assert!(all.iter().all(Process::is_alive));
    (0..200).for_each(|n| asked.put(&n).unwrap());
    for p in &all {
        assert_eq!(p.join().unwrap(), Exit::Code(0));
    }
    assert!(asked.is_empty() && answers.is_empty());
    drop((asked, answers));
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.objects == 0, "{report}");
}

/// Opens files until there is no descriptor left.
fn use_up(files: &mut Vec<File>) {
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
}

/// With no descriptor free, with one, with two, and so on until `make` succeeds: each failure is a clear error that costs no
/// descriptor, but for `kept` ones that the next attempt will find.
fn make_with_few<T>(files: &mut Vec<File>, kept: usize, make: impl Fn() -> processing::Result<T>) -> T {
    use_up(files);
    let all = files.len();
    for free in 0.. {
        files.truncate(all - free);
        match make() {
            Ok(made) => {
                assert!(free > 0, "it needs some");
                return made;
            }
            Err(error) => {
                says(&error, ErrorKind::Limit, &["Too many open files", "(os error 24)", "ulimit -n"]);
                assert_eq!(error.errno(), Some(libc::EMFILE));
                let object = error.to_string();
                let named = ["region: ", "process: ", "lifeline: ", "fork server: "];
                assert!(named.iter().any(|name| object.starts_with(name)), "{error}");
            }
        }
        use_up(files);
        assert!(files.len() + kept >= all, "{} of {all} after the failure with {free}", files.len());
    }
    unreachable!("endless")
}

fn without_descriptors() -> processing::Result<()> {
    let limit = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("setrlimit");
    let mut files = Vec::new();
    let own = make_with_few(&mut files, 0, || Arena::builder().limit(1 << 20).build());
    let q = make_with_few(&mut files, 0, || Queue::<u8>::new(4));
    use_up(&mut files);
    // Objects in an arena that is there need none, and so do messages.
    let (a, b) = pipe()?;
    a.send(&1u8)?;
    assert_eq!(b.recv::<u8>()?, 1);
    drop(Queue::<u8>::builder().capacity(4).arena(&own).build()?);
    q.put(&7)?;
    assert_eq!(q.get()?, 7);
    // The lifeline; the fork server and a child forked ahead.
    for (method, kept) in [(StartMethod::Spawn, 2), (StartMethod::ForkServer, 4)] {
        let start = || {
            Builder::new().start_method(method).spawn(|q: Queue<u8>, n: u8| q.put(&n).is_ok(), (q.clone(), 9))
        };
        let handle = make_with_few(&mut files, kept, start);
        assert!(handle.join()?);
        assert_eq!(q.get()?, 9);
    }
    Ok(())
}

#[test]
fn no_descriptors_left() {
    let p = Process::new(without_descriptors, ()).start_method(StartMethod::Spawn).start().unwrap();
    assert_eq!(p.join().unwrap(), Exit::Code(0));
}

#[test]
fn a_child_that_exits_with_everything_in_its_hands() {
    type Task = (u32, String);
    fn leave(tasks: Queue<Task>, never: Queue<u8>, end: Connection) -> processing::Result<()> {
        let short = tasks.get_ref()?;
        let long = tasks.get_ref()?;
        assert_eq!((short.0.to_native(), long.0.to_native()), (1, 2));
        thread::spawn(move || never.get().is_ok());
        end.send(&"parting".to_owned())?;
        exit(3)
    }
    let arena = Arena::builder().limit(16 << 20).build().unwrap();
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let tasks = Queue::<Task>::builder().capacity(4).arena(&arena).build().unwrap();
        let never = Queue::<u8>::builder().capacity(4).arena(&arena).build().unwrap();
        let (ours, theirs) = pipe_in(&arena).unwrap();
        tasks.put(&(1, "short".to_owned())).unwrap();
        tasks.put(&(2, "long".repeat(2000))).unwrap();
        let arguments = (tasks.clone(), never.clone(), theirs);
        let p = Process::new(leave, arguments).start_method(method).start().unwrap();
        assert_eq!(p.join().unwrap(), Exit::Code(3));
        let mut back: Vec<u32> = (0..2)
            .map(|_| {
                let lease = tasks.try_get_ref().expect("given back by now");
                assert!(lease.redelivered());
                lease.0.to_native()
            })
            .collect();
        back.sort_unstable();
        assert_eq!(back, [1, 2]);
        assert!(tasks.is_empty());
        assert_eq!(ours.recv::<String>().unwrap(), "parting");
        says(&ours.recv::<String>().unwrap_err(), ErrorKind::PeerDied, &["pipe ", "end 0", "died"]);
        says(&ours.send(&1u8).unwrap_err(), ErrorKind::PeerDied, &["pipe ", "end 0", "died"]);
        never.put(&1).unwrap();
        assert_eq!(never.try_get().unwrap(), 1);
        drop((tasks, never, ours));
        let report = arena.fsck().unwrap();
        assert!(report.is_clean() && report.objects == 0, "{report}");
    }
}
