//! What the backends of a `Queue` ask of the system: limits, which errors name, mechanisms that may be missing, and the choice of the environment.

use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::{Arc, Mutex};

use processing::rkyv::rancor::{Fallible, Source};
use processing::rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use processing::rkyv::{Archive, Deserialize, Place, Serialize};
use processing::{
    Arena, Backend, BufferedQueue, ErrorKind, GetError, Lease, Message, Process, Producer, Queue,
    QueueBuilder, StartMethod, WhenFull,
};

const ALL: [Backend; 3] = [Backend::Ring, Backend::Pipe, Backend::PosixMq];

#[track_caller]
fn refused<T: Message>(builder: QueueBuilder<T>, kind: ErrorKind, parts: &[&str]) {
    let error = builder.build().expect_err("beyond the limit");
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?}: {error}");
    }
}

#[test]
fn what_the_system_does_not_allow_is_said_with_its_limit() {
    let of = |backend| Queue::<u64>::builder().backend(backend);
    refused(
        of(Backend::Pipe).capacity(1 << 28),
        ErrorKind::Limit,
        &[
            "queue: ",
            "268435456 packets",
            "os error",
            "fs.pipe-max-size in /proc/sys/fs/pipe-max-size",
            "ring",
        ],
    );
    refused(
        Queue::<String>::builder().backend(Backend::Pipe).capacity(1 << 28),
        ErrorKind::Limit,
        &[
            "queue: ",
            "268435456 messages",
            "net.core.wmem_max",
            "/proc/sys/net/core/wmem_max",
            "max_message(4096)",
        ],
    );
    refused(
        of(Backend::PosixMq).capacity(1 << 20),
        ErrorKind::Limit,
        &[
            "queue: ",
            "mq_open of 1048576 messages of 8 bytes",
            "fs.mqueue.msg_max is ",
            "/proc/sys/fs/mqueue/msg_max",
        ],
    );
    refused(
        Queue::<String>::builder().backend(Backend::PosixMq).capacity(1).max_message(1 << 30),
        ErrorKind::Limit,
        &["of 1073741824 bytes", "fs.mqueue.msgsize_max is ", "/proc/sys/fs/mqueue/msgsize_max"],
    );
}

/// The limit is of a user, and looked at with the one of the process.
fn with_little_memory_for_mq() {
    let limit = libc::rlimit { rlim_cur: 1000, rlim_max: 1000 };
    // SAFETY: reads one structure.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MSGQUEUE, &raw const limit) }, 0);
    refused(
        Queue::<[u8; 500]>::builder().backend(Backend::PosixMq).capacity(10),
        ErrorKind::Limit,
        &["mq_open of 10 messages of 500 bytes", "at most 1000 bytes: RLIMIT_MSGQUEUE", "ulimit -q"],
    );
}

#[test]
fn the_limit_of_a_users_message_queues_is_named() {
    processing::spawn(with_little_memory_for_mq, ()).expect("start").join().expect("as said");
}

#[test]
fn the_depot_is_bounded_and_comes_back() {
    let arena = Arena::builder().limit(64 << 20).build().expect("arena");
    let make = || Queue::<u8>::builder().arena(&arena).capacity(1).backend(Backend::Pipe).build();
    let mut queues = Vec::new();
    let error = loop {
        match make() {
            Ok(q) => queues.push(q),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(queues.len() > 100, "{error}");
    queues.truncate(queues.len() / 2);
    let q = make().expect("there is room again");
    q.put(&1).expect("put");
    assert_eq!(q.get().expect("get"), 1);
    drop((queues, q));
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0, "{report}");
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

#[test]
fn another_type_is_refused() {
    for backend in ALL {
        let sent = Queue::<u32>::builder().capacity(2).backend(backend).build().expect("queue");
        let taken = Queue::<u64>::builder().capacity(2).backend(backend).build().expect("queue");
        let carrier = Queue::<Confused>::builder().capacity(4).backend(Backend::Ring).build().expect("queue");
        carrier.put(&Confused(Both { sent: sent.clone(), taken: taken.clone() })).expect("put");
        let error = carrier.get().err().expect("of another type").to_string();
        for part in ["queue ", "it does not carry u64", "open it with the type it was created with"] {
            assert!(error.contains(part), "{part:?}: {error}");
        }
        sent.put(&7).expect("it works as before");
        assert_eq!(sent.get().expect("get"), 7);
    }
}

// ---- what else a queue can do ----

fn each(f: impl Fn(QueueBuilder<Vec<u8>>)) {
    for (backend, longest) in
        [(Backend::Ring, 4096), (Backend::Pipe, 4096), (Backend::Pipe, 8192), (Backend::PosixMq, 256)]
    {
        f(Queue::builder().capacity(4).max_message(longest).backend(backend));
    }
}

#[test]
fn batches_and_reservations_and_numbers() {
    each(|builder| {
        let q = builder.build().expect("queue");
        let messages: Vec<Vec<u8>> = (0..4).map(|n| vec![n; usize::from(n) * 50]).collect();
        q.put_many(&messages).expect("room");
        assert_eq!((q.stats().capacity, q.stats().depth), (q.capacity(), q.len()), "{q:?}");
        assert_eq!(q.get_many(9).expect("there"), messages);
        assert!(q.try_get_many(9).is_err_and(|e| e.is_empty()));
        let put = q.try_put_many(&vec![vec![7]; 2000]).expect("some");
        assert!(put >= q.capacity() && put < 2000, "{put} in {q:?}");
        assert_eq!(q.get_many(5000).expect("there").len(), put);
        let mut room = q.reserve(200).expect("room");
        room.serialize(&vec![9; 100]).expect("fits");
        room.commit().expect("put");
        let mut room = q.reserve_bytes(60).expect("room");
        room.fill(8);
        room.commit().expect("put");
        assert_eq!(q.get_many(9).expect("there"), [vec![9; 100], vec![8; 60]]);
        assert!(q.dead_letters().expect("none").is_empty());
        assert!(q.take_dead_letter().expect("none").is_none());
    });
    for backend in ALL {
        let q = Queue::<u64>::builder().capacity(4).backend(backend).build().expect("queue");
        q.put_many(&[1, 2, 3]).expect("room");
        let mut room = q.reserve(8).expect("room");
        room.serialize(&4).expect("fits");
        room.commit().expect("put");
        assert_eq!(q.get_many(9).expect("there"), [1, 2, 3, 4]);
        assert!(q.reserve(8 << 20).is_err_and(|e| e.is_too_large()));
    }
}

/// Not 13.
#[derive(Archive, Serialize, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv)]
struct Picky(u32);

impl<D: Fallible<Error: Source> + ?Sized> Deserialize<Picky, D> for ArchivedPicky {
    fn deserialize(&self, _: &mut D) -> Result<Picky, D::Error> {
        match self.0.to_native() {
            13 => Err(D::Error::new(std::fmt::Error)),
            14 => panic!("on purpose"),
            n => Ok(Picky(n)),
        }
    }
}

#[test]
fn a_batch_hides_no_message_that_it_could_not_make() {
    for bad in [13, 14] {
        for backend in [Backend::Pipe, Backend::PosixMq] {
            let q = Queue::<Picky>::builder().capacity(4).backend(backend).build().expect("queue");
            q.put_many(&[1, bad, 2].map(Picky)).expect("put");
            assert_eq!(q.get_many(9).expect("the first"), [Picky(1)]);
            let error = q.try_get().expect_err("it was taken out, and somebody must hear of it");
            assert!(matches!(&error, GetError::Other(e) if e.kind() == ErrorKind::Corrupt), "{error}");
            assert_eq!(q.try_get().expect("the next one"), Picky(2));
            assert!(q.try_get().is_err_and(|error| error.is_empty()));
        }
    }
}

#[test]
fn what_happens_when_full_is_the_same() {
    for backend in ALL {
        let of = |when| {
            Queue::<u64>::builder().capacity(2).backend(backend).when_full(when).build().expect("queue")
        };
        let q = of(WhenFull::Fail);
        q.put_many(&[1, 2]).expect("room");
        assert!(q.put(&3).is_err_and(|e| e.is_full()));
        let q = of(WhenFull::DropOldest);
        q.put_many(&[1, 2, 3]).expect("put");
        q.put(&4).expect("put");
        assert_eq!(q.stats().dropped, 2);
        assert_eq!(q.get_many(9).expect("there"), [3, 4]);
    }
    each(|builder| {
        let q = builder.when_full(WhenFull::DropOldest).build().expect("queue");
        for n in 0..250 {
            q.put(&vec![n; 100]).expect("put");
        }
        let left = q.get_many(500).expect("there");
        assert!(left.len() >= 4 && left.len() < 250 && left.last() == Some(&vec![249; 100]));
        assert_eq!(q.stats().dropped as usize, 250 - left.len());
    });
}

#[test]
fn dead_letters_are_the_rings() {
    Queue::<u64>::builder().backend(Backend::Ring).dead_letters_after(2).build().expect("queue");
    for backend in [Backend::Pipe, Backend::PosixMq] {
        let builder = Queue::<u64>::builder().capacity(2).backend(backend).dead_letters_after(2);
        refused(
            builder,
            ErrorKind::Unsupported,
            &["dead letters", &format!("backend {backend}"), "use the ring"],
        );
    }
}

fn put_some(producer: Producer<u64>) {
    producer.put_many(&[1, 2, 3]).expect("room");
}

#[test]
fn halves_close_what_the_kernel_carries() {
    for backend in ALL {
        let builder = || Queue::<u64>::builder().capacity(4).backend(backend);
        let (producer, consumer) = builder().build_halves().expect("halves");
        let process = Process::new(put_some, (producer,)).start().expect("start");
        let mut all = Vec::new();
        while let Ok(message) = consumer.get() {
            all.push(message);
        }
        assert_eq!(all, [1, 2, 3]);
        process.join().expect("join");
        let (producer, consumer) = builder().build_halves().expect("halves");
        drop(consumer);
        assert!(producer.put(&1).is_err_and(|e| e.is_closed()));
    }
}

// ---- what is left ----

fn fds() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("fds").count()
}

/// In a process of its own, where nobody else opens any: so many for each queue, and none afterwards.
fn count_descriptors(backend: String, longest: u64, each: usize) {
    let backend: Backend = backend.parse().expect("a backend");
    let make = || Queue::<Vec<u8>>::builder().capacity(2).max_message(longest).backend(backend).build();
    let carrier = Queue::<Queue<Vec<u8>>>::builder().backend(Backend::Ring).build().expect("queue");
    let before = fds();
    for lap in 0..20 {
        let queues: Vec<_> = (0..3).map(|_| make().expect("queue")).collect();
        assert_eq!(fds(), before + 3 * each, "lap {lap}");
        let clones = queues.clone();
        for q in &queues {
            carrier.put(q).expect("put");
        }
        for q in &queues {
            let came = carrier.get().expect("get");
            came.put(&vec![lap; 60]).expect("put");
            // A long one has a descriptor on its way, and goes with its queue.
            let long = vec![lap; 300_000];
            assert_eq!(came.put(&long).is_ok(), longest > 300_000);
            assert_eq!(q.get().expect("get"), [lap; 60]);
        }
        assert_eq!(fds(), before + 3 * each, "handles of one queue share them");
        drop((queues, clones));
        assert_eq!(fds(), before, "lap {lap}");
    }
}

#[test]
fn descriptors_come_back() {
    let sorts = [
        (Backend::Ring, 4096, 0),
        (Backend::Pipe, 4096, 2),
        (Backend::Pipe, u64::MAX, 2),
        (Backend::PosixMq, 256, 1),
    ];
    for (backend, longest, each) in sorts {
        let process = Process::new(count_descriptors, (backend.to_string(), longest, each));
        process.start_method(StartMethod::Spawn).start().expect("start").join().expect("all came back");
    }
}

/// Runs `f` while this process can open no further file.
fn without_descriptors<R>(f: impl FnOnce() -> R) -> R {
    let next = std::fs::File::open("/dev/null").expect("one more").as_raw_fd();
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes one structure.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    let less = libc::rlimit { rlim_cur: next as libc::rlim_t, ..limit };
    // SAFETY: reads one structure.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const less) }, 0);
    let answer = f();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    answer
}

/// A process that has no number for the descriptors of a queue that comes in a message.
fn short_of_descriptors(q: Queue<Queue<u64>>, buffered: BufferedQueue<Queue<u64>>) {
    let error = without_descriptors(|| q.try_get().expect_err("no number for it"));
    assert!(matches!(&error, GetError::Other(error) if error.kind() == ErrorKind::Limit), "{error}");
    assert!(without_descriptors(|| q.try_get_many(3)).is_err());
    let error = without_descriptors(|| buffered.try_get().expect_err("no number for it"));
    assert!(matches!(&error, GetError::Other(error) if error.kind() == ErrorKind::Limit), "{error}");
    let error = without_descriptors(|| q.try_get_ref().expect("in place").put_back_unless_owned());
    assert_eq!(error, ErrorKind::Limit);
    // It is nobody's fault but this process's: the messages wait for who can take them.
    let came = q.try_get().expect("it is there");
    assert_eq!(came.try_get().expect("and whole"), 7);
    assert_eq!(buffered.try_get().expect("it is there").try_get().expect("and whole"), 8);
}

trait PutBackUnlessOwned {
    fn put_back_unless_owned(self) -> ErrorKind;
}

impl PutBackUnlessOwned for Lease<'_, Queue<u64>> {
    fn put_back_unless_owned(self) -> ErrorKind {
        let kind = self.to_owned().expect_err("no number for it").kind();
        self.put_back();
        kind
    }
}

#[test]
fn a_handle_waits_for_who_has_descriptors_for_it() {
    for backend in [Backend::Pipe, Backend::PosixMq] {
        let q = Queue::builder().capacity(2).backend(Backend::Ring).build().expect("queue");
        let buffered = BufferedQueue::new().expect("queue");
        let inner = Queue::builder().capacity(2).backend(backend).build().expect("queue");
        q.put(&inner).expect("put");
        buffered.put(&inner).expect("put");
        for n in [7, 8] {
            inner.put(&n).expect("put");
        }
        let process = Process::new(short_of_descriptors, (q, buffered));
        process.start_method(StartMethod::Spawn).start().expect("start").join().expect("as said");
    }
}

// ---- the environment ----

/// Says what a queue that came along has, and what one has that does not choose.
fn say(q: Queue<u64>, said: Queue<(String, String)>) {
    let own = Queue::<u64>::new(4).expect("queue").backend().to_string();
    said.put(&(q.backend().to_string(), own)).expect("put");
}

/// Run by the tests below, too, each time with another environment.
#[test]
fn queues_are_as_the_environment_says() {
    let value = std::env::var("PROCESSING_QUEUE").unwrap_or_default();
    let expected = match value.to_lowercase().parse::<Backend>() {
        Ok(backend) => backend,
        Err(_) if value.is_empty() => Backend::Ring,
        Err(_) => {
            let parts = ["PROCESSING_QUEUE", &value, "ring, pipe or mq"];
            refused(Queue::<u64>::builder(), ErrorKind::InvalidInput, &parts);
            Queue::<u64>::builder().backend(Backend::Ring).build().expect("who chooses does not ask");
            return;
        }
    };
    let q = Queue::<u64>::new(4).expect("queue");
    assert_eq!(q.backend(), expected);
    q.put(&1).expect("put");
    assert_eq!(q.get().expect("get"), 1);
    for chosen in ALL {
        // The queue's own choice goes first, and goes with it.
        let q = Queue::<u64>::builder().capacity(2).backend(chosen).build().expect("queue");
        let said = Queue::builder().capacity(1).max_message(200).build().expect("queue");
        let process = Process::new(say, (q.clone(), said.clone())).start().expect("start");
        process.join().expect("join");
        assert_eq!(said.try_get().expect("said"), (chosen.to_string(), expected.to_string()));
    }
}

fn again(test: &str, value: &str) {
    let run = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", test])
        .env("PROCESSING_QUEUE", value)
        .output()
        .expect("run");
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("1 passed"), "{value:?}: {text}");
}

#[test]
fn the_environment_chooses() {
    for value in ["", "ring", "pipe", "mq", "MQ", "socket"] {
        again("queues_are_as_the_environment_says", value);
    }
}

/// From here on the kernel answers this call of the calling thread with this error, as in a sandbox.
fn forbid(call: libc::c_long, errno: i32) {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program is read by the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
    }
}

/// Keeps what is said, as one line each.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Listener {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            line.push_str(&format!("{field}={value:?} "));
        });
        self.0.lock().expect("lines").push(line);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Run by the test below with an environment; without, it sees that what is chosen here is not replaced.
#[test]
fn what_is_missing_is_replaced_only_for_who_did_not_choose() {
    let value = std::env::var("PROCESSING_QUEUE").unwrap_or_default();
    drop(Queue::<u64>::builder().backend(Backend::Ring).build().expect("the arena is there before"));
    let calls = [("pipe", libc::SYS_pipe2, libc::EPERM), ("mq", libc::SYS_mq_open, libc::ENOSYS)];
    for (name, call, errno) in calls {
        let backend: Backend = name.parse().expect("a backend");
        forbid(call, errno);
        refused(
            Queue::<u64>::builder().capacity(2).backend(backend),
            ErrorKind::Unsupported,
            &[
                &format!("os error {errno}"),
                &format!("the backend {name} is not to be had here"),
                "use the ring",
            ],
        );
        if value != name {
            continue;
        }
        let listener = Listener::default();
        tracing::subscriber::with_default(listener.clone(), || {
            for _ in 0..3 {
                let q = Queue::<u64>::new(2).expect("replaced");
                assert_eq!(q.backend(), Backend::Ring);
                q.put(&1).expect("put");
                assert_eq!(q.get().expect("get"), 1);
            }
        });
        let said = listener.0.lock().expect("lines").clone();
        assert_eq!(said.len(), 1, "once: {said:?}");
        for part in [&format!("wanted={name}"), "taken=ring", &format!("os error {errno}")] {
            assert!(said[0].contains(part), "{part:?}: {said:?}");
        }
        return;
    }
    assert!(value.is_empty() || value == "ring");
}

#[test]
fn what_the_environment_chose_gives_way() {
    for value in ["pipe", "mq"] {
        again("what_is_missing_is_replaced_only_for_who_did_not_choose", value);
    }
}
