//! A program that uses named queues as it is told, line by line.

use std::io::{BufRead, BufReader, Write, stdin};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use processing::{ErrorKind, Queue, gc_named, list_named};

/// Set in the programs that a test starts.
const ROLE: &str = "PROCESSING_TEST_NAMED";
/// Before each line of an answer, which the test harness's own output is not.
const MARK: &str = "= ";
/// How long any one answer may take: far more than any does.
pub const BOUND: Duration = Duration::from_secs(60);

/// A name that no other test or run has. Removed with the value, whatever is behind it.
pub struct Name(String);

impl Name {
    pub fn new(what: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let random =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("test-{what}-{}-{number}-{random:x}", std::process::id()))
    }

    pub fn path(&self) -> String {
        path_of(&self.0)
    }

    pub fn exists(&self) -> bool {
        std::fs::symlink_metadata(self.path()).is_ok()
    }
}

pub fn path_of(name: &str) -> String {
    format!("/dev/shm/processing-{name}")
}

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
        let _ = std::fs::remove_dir(self.path());
    }
}

/// Another program. Killed and waited for with the value.
pub struct Program {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Program {
    pub fn start() -> Self {
        Self::start_as(Command::new(std::env::current_exe().unwrap()))
    }

    /// Started by `command`, to which the arguments are added.
    pub fn start_as(mut command: Command) -> Self {
        command.args(["--exact", "program::role", "--nocapture"]).env(ROLE, "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (tell, answers) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                // The harness writes the test's name without a line's end.
                if let Some((_, answer)) = line.split_once(MARK) {
                    let _ = tell.send(answer.to_owned());
                }
            }
        });
        let orders = child.stdin.take();
        let program = Self { child, orders, answers };
        program.expect("ready");
        program
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order and does not wait.
    pub fn tell(&mut self, order: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
    }

    /// The next answer.
    pub fn hear(&self) -> String {
        self.answers.recv_timeout(BOUND).unwrap_or_else(|end| panic!("no answer of {}: {end}", self.pid()))
    }

    #[track_caller]
    fn expect(&self, answer: &str) {
        assert_eq!(self.hear(), answer);
    }

    pub fn ask(&mut self, order: &str) -> String {
        self.tell(order);
        self.hear()
    }

    /// An order that is answered with "ok".
    #[track_caller]
    pub fn does(&mut self, order: &str) {
        assert_eq!(self.ask(order), "ok", "{order}");
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it by the end of its orders: it drops what it has.
    pub fn end(&mut self) {
        self.orders = None;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test, but what the programs do.
#[test]
fn role() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    println!("{MARK}ready");
    let mut queues: Vec<Queue<u64>> = Vec::new();
    for line in stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        println!("{MARK}{}", obey(&words, &mut queues));
    }
}

fn obey(words: &[&str], queues: &mut Vec<Queue<u64>>) -> String {
    let done = |answer: processing::Result<()>| match answer {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{error:?}").replace('\n', " "),
    };
    let builder = || Queue::<u64>::builder().capacity(16);
    match *words {
        ["create", name] => done(builder().create(name).map(|queue| queues.push(queue))),
        ["open", name] => done(builder().open(name).map(|queue| queues.push(queue))),
        ["either", name] => done(builder().open_or_create(name).map(|queue| queues.push(queue))),
        ["strings", name] => done(Queue::<String>::builder().open(name).map(drop)),
        ["large", name] => {
            let queue = Queue::<Vec<u8>>::builder().capacity(64).limit(64 << 20).open_or_create(name);
            done(queue.and_then(|queue| (0..64).try_for_each(|_| Ok(queue.try_put(&vec![1; 100_000])?))))
        }
        ["put", number] => done(queues[0].put(&number.parse().unwrap()).map_err(Into::into)),
        ["get"] => queues[0].get_timeout(BOUND).unwrap().to_string(),
        ["len"] => queues[0].len().to_string(),
        ["drop"] => {
            queues.clear();
            "ok".into()
        }
        // Another creates it, and is killed.
        ["leave", name] => {
            let mut other = Program::start();
            let answer = other.ask(&format!("create {name}"));
            other.kill();
            answer
        }
        ["descriptors"] => std::fs::read_dir("/proc/self/fd").unwrap().count().to_string(),
        ["lock", path, byte] => lock(path, byte.parse().unwrap()),
        ["flicker", path] => flicker(path.to_owned()),
        ["together", name, threads] => done(together(name, threads.parse().unwrap(), queues)),
        ["gc"] => done(gc_named().map(drop)),
        ["listed", name] => {
            let all = list_named().unwrap();
            let found = all.iter().find(|info| info.name == name);
            found.map_or("none".into(), |info| format!("{} {:?}", info.in_use, info.pids))
        }
        ["many", prefix, from, to] => {
            let all = from.parse().unwrap()..to.parse::<u32>().unwrap();
            let made = all.map(|i| builder().capacity(2).create(&format!("{prefix}-{i}")));
            done(made.collect::<Result<Vec<_>, _>>().map(|made| queues.extend(made)))
        }
        ["descriptors", most] => {
            let most = rustix::process::Rlimit { current: most.parse().ok(), maximum: most.parse().ok() };
            rustix::process::setrlimit(rustix::process::Resource::Nofile, most).unwrap();
            "ok".into()
        }
        ["filesize", most] => {
            let most = rustix::process::Rlimit { current: most.parse().ok(), maximum: most.parse().ok() };
            rustix::process::setrlimit(rustix::process::Resource::Fsize, most).unwrap();
            "ok".into()
        }
        ["crowd", name, turns] => crowd(name, turns.parse().unwrap()),
        ref other => format!("what is {other:?}"),
    }
}

/// Takes a record lock on a byte of a file, until this program ends.
fn lock(path: &str, byte: i64) -> String {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let taken = set_lock(&file, byte, libc::F_WRLCK);
    // Closing it would drop the lock.
    std::mem::forget(file);
    if taken { "ok".into() } else { "taken".into() }
}

fn set_lock(file: &std::fs::File, byte: i64, kind: i32) -> bool {
    // SAFETY: a plain structure of integers, which the call reads.
    unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        (lock.l_type, lock.l_whence) = (kind as i16, libc::SEEK_SET as i16);
        (lock.l_start, lock.l_len) = (byte, 1);
        libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) == 0
    }
}

/// Is behind the gate of a file half of the time, until this program ends.
fn flicker(path: String) -> String {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    std::thread::spawn(move || {
        loop {
            for kind in [libc::F_WRLCK, libc::F_UNLCK] {
                set_lock(&file, 0, kind);
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    });
    "ok".into()
}

/// Opens a name on several threads at once.
fn together(name: &str, threads: usize, queues: &mut Vec<Queue<u64>>) -> processing::Result<()> {
    let barrier = std::sync::Barrier::new(threads);
    let open = || {
        barrier.wait();
        Queue::<u64>::builder().open(name)
    };
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    opened.into_iter().try_for_each(|queue| queue.map(|queue| queues.push(queue)))
}

/// Comes and goes, and looks whether the name stays what it is while this process has the queue.
fn crowd(name: &str, turns: u32) -> String {
    use std::os::unix::fs::MetadataExt;
    let builder = || Queue::<u64>::builder().capacity(16);
    for turn in 0..turns {
        let queue = match turn % 3 {
            0 => builder().create(name),
            1 => builder().open(name),
            _ => builder().open_or_create(name),
        };
        let queue = match queue {
            Ok(queue) => queue,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => continue,
            Err(error) => return format!("turn {turn}: {error:?}"),
        };
        let inode = || std::fs::metadata(path_of(name)).map(|file| file.ino());
        let Ok(first) = inode() else { return format!("turn {turn}: the name is gone") };
        for _ in 0..turn % 5 {
            gc_named().unwrap();
            match (queue.try_put(&1), inode()) {
                (Ok(()) | Err(processing::PutError::Full), Ok(now)) if now == first => {}
                other => return format!("turn {turn}: {other:?}, it was {first}"),
            }
            // The same by another handle, which must be of the same queue.
            if builder().open(name).unwrap().is_empty() && !queue.is_empty() {
                return format!("turn {turn}: two queues of one name");
            }
        }
    }
    "ok".into()
}
