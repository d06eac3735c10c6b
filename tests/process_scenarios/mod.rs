//! What every start method must do alike: called by test binaries for the methods that they can test.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use processing::{
    Builder, ErrorKind, Exit, Process, StartMethod, Task, active_children, current_process, rkyv,
};

pub type Scenario = fn(StartMethod);

pub const ALL: &[(&str, Scenario)] = &[
    ("a_value_comes_back", a_value_comes_back),
    ("arguments_arrive_whole", arguments_arrive_whole),
    ("a_task_runs", a_task_runs),
    ("a_panic_reaches_join", a_panic_reaches_join),
    ("a_panic_that_is_caught_is_none", a_panic_that_is_caught_is_none),
    ("a_panic_that_aborts_reaches_join", a_panic_that_aborts_reaches_join),
    ("an_error_reaches_join", an_error_reaches_join),
    ("exit_codes_and_signals", exit_codes_and_signals),
    ("waiting_has_three_forms", waiting_has_three_forms),
    ("many_threads_join_one", many_threads_join_one),
    ("names_count_by_generation", names_count_by_generation),
    ("a_child_is_a_tidy_process", a_child_is_a_tidy_process),
    ("orphans_end", orphans_end),
    ("a_value_of_another_end", a_value_of_another_end),
];

/// Listens for children to say that they run; an end of file says that they are gone.
pub struct Watch(TcpListener);

impl Watch {
    pub fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("bind"))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("address").port()
    }

    /// Waits for a child to call in.
    pub fn accept(&self) -> TcpStream {
        self.0.accept().expect("accept").0
    }
}

/// In a child: calls in.
pub fn call_in(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).expect("connect")
}

/// In a child: calls in, and stays until it is told to go on, or for ever.
pub fn stay(port: u16) {
    let mut line = call_in(port);
    let _ = line.read(&mut [0]);
}

/// Waits for the end of who is on the other side.
pub fn until_gone(mut line: TcpStream) {
    let mut rest = Vec::new();
    let _ = line.read_to_end(&mut rest); // a reset is an end, too
}

fn a_value_comes_back(method: StartMethod) {
    let builder = || Builder::new().start_method(method);
    let sum = builder().spawn(|a: u64, b: u64| a + b, (1, 2)).expect("start");
    assert_eq!(sum.join().expect("join"), 3);
    assert_eq!(sum.join().expect("a second time"), 3);
    let unit = builder().spawn(|| (), ()).expect("start");
    unit.join().expect("join");
    // Far beyond what a socket or a pipe holds: nobody may wait for the other.
    let long = builder().spawn(|n: usize| vec![7u8; n], (3 << 20,)).expect("start");
    assert_eq!(long.join().expect("join").len(), 3 << 20);
    assert_eq!(long.process().exit_code(), Some(0));
}

#[allow(clippy::too_many_arguments, reason = "as many as there may be")]
fn eight(a: u8, b: i16, c: u32, d: i64, e: f64, f: char, g: String, h: Vec<Option<u64>>) -> String {
    format!("{a} {b} {c} {d} {e} {f} {g} {h:?}")
}

fn arguments_arrive_whole(method: StartMethod) {
    let arguments = (1u8, -2i16, 3u32, -4i64, 5.5f64, 'ß', "seven".to_string(), vec![None, Some(8)]);
    let text = Builder::new().start_method(method).spawn(eight, arguments).expect("start");
    assert_eq!(text.join().expect("join"), "1 -2 3 -4 5.5 ß seven [None, Some(8)]");
    let long: Vec<u64> = (0..400_000).collect();
    let sum = Builder::new().start_method(method).spawn(|v: Vec<u64>| v.iter().sum::<u64>(), (long.clone(),));
    assert_eq!(sum.expect("start").join().expect("join"), long.iter().sum::<u64>());
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Divide {
    what: u32,
    by: u32,
}

impl Task for Divide {
    fn run(self) -> processing::Result<()> {
        quick_panics();
        assert_eq!(self.what / self.by, 4);
        Ok(())
    }
}

fn a_task_runs(method: StartMethod) {
    let p = Process::task(Divide { what: 12, by: 3 }).start_method(method).start().expect("start");
    assert_eq!(p.join().expect("join"), Exit::Code(0));
    let p = Process::task(Divide { what: 12, by: 0 }).start_method(method).start().expect("start");
    let error = p.join().expect_err("division by zero");
    assert!(error.to_string().contains("divide by zero"), "{error}");
}

fn a_panic_reaches_join(method: StartMethod) {
    let p = Process::new(
        |what: String| {
            quick_panics();
            panic!("no {what}")
        },
        ("luck".to_string(),),
    )
    .name("gambler")
    .start_method(method)
    .start()
    .expect("start");
    for _ in 0..2 {
        let error = p.join().expect_err("a panic");
        assert_eq!(error.kind(), ErrorKind::ChildFailed);
        let failed = error.child_failed().expect("what failed");
        assert_eq!((failed.name.as_str(), failed.pid, failed.exit), ("gambler", p.pid(), Exit::Code(1)));
        assert!(
            failed.message.contains("no luck") && failed.message.contains("process_scenarios"),
            "{error}"
        );
        assert!(error.to_string().starts_with(&format!("process gambler (pid {}): ", p.pid())), "{error}");
    }
    assert_eq!(p.to_string(), "<Process(gambler, stopped[1])>");
    assert_eq!(p.exit_code(), Some(1));
    // Longer than any socket takes at once.
    let p = Process::new(
        |n: usize| {
            quick_panics();
            panic!("{}", "x".repeat(n))
        },
        (40_000,),
    )
    .start_method(method)
    .start();
    let error = p.expect("start").join().expect_err("a panic");
    assert!(error.child_failed().expect("what failed").message.contains("xxx"));
}

fn a_panic_that_is_caught_is_none(method: StartMethod) {
    let p = Process::new(
        || {
            std::panic::set_hook(Box::new(|_| ())); // quiet; and the library does without its own
            let caught = std::panic::catch_unwind(|| panic!("not so bad"));
            assert!(caught.is_err());
            let thread = std::thread::spawn(|| panic!("not the target")).join();
            assert!(thread.is_err());
        },
        (),
    );
    assert_eq!(p.start_method(method).start().expect("start").join().expect("join"), Exit::Code(0));
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("second");
    }
}

fn a_panic_that_aborts_reaches_join(method: StartMethod) {
    let p = Process::new(
        || {
            quick_panics();
            let _bomb = PanicsWhenDropped;
            panic!("first");
        },
        (),
    );
    let p = p.start_method(method).start().expect("start");
    let error = p.join().expect_err("an abort");
    let failed = error.child_failed().expect("what failed");
    assert_eq!(failed.exit, Exit::Signal(libc::SIGABRT));
    assert!(failed.message.contains("second"), "{error}");
    assert_eq!(p.exit_code(), Some(-libc::SIGABRT));
}

fn fails(text: String) -> Result<(), String> {
    Err(text)
}

fn an_error_reaches_join(method: StartMethod) {
    let p = Process::new(fails, ("disk full".to_string(),)).start_method(method).start().expect("start");
    let error = p.join().expect_err("an error");
    let failed = error.child_failed().expect("what failed");
    assert_eq!((failed.exit, failed.message.as_str()), (Exit::Code(1), "disk full"));
}

fn exit_codes_and_signals(method: StartMethod) {
    let start = |p: processing::ProcessBuilder| p.name("p").start_method(method).start().expect("start");
    let p = start(Process::new(|code: i32| std::process::exit(code), (7,)));
    assert_eq!(p.join().expect("join"), Exit::Code(7));
    assert_eq!((p.exit_code(), p.to_string()), (Some(7), "<Process(p, stopped[7])>".to_string()));

    type End = fn(&Process) -> processing::Result<()>;
    let ends: [(End, i32, &str); 2] =
        [(Process::terminate, libc::SIGTERM, "SIGTERM"), (Process::kill, libc::SIGKILL, "SIGKILL")];
    for (end, signal, name) in ends {
        let watch = Watch::new();
        let p = start(Process::new(stay, (watch.port(),)));
        let line = watch.accept();
        assert!(p.is_alive());
        assert_eq!((p.exit_code(), p.to_string()), (None, "<Process(p, started)>".to_string()));
        end(&p).expect("signal");
        assert_eq!(p.join().expect("join"), Exit::Signal(signal));
        assert!(!p.is_alive());
        assert_eq!((p.exit_code(), p.to_string()), (Some(-signal), format!("<Process(p, stopped[{name}])>")));
        end(&p).expect("nothing happens to what has ended");
        until_gone(line);
    }

    // At once: before it may have reached its target, or even its first instruction.
    for _ in 0..20 {
        let p = start(Process::new(std::thread::park, ()));
        p.terminate().expect("terminate");
        assert_eq!(p.join().expect("join"), Exit::Signal(libc::SIGTERM));
    }
}

fn waiting_has_three_forms(method: StartMethod) {
    let watch = Watch::new();
    let p = Process::new(stay, (watch.port(),)).start_method(method).start().expect("start");
    let mut line = watch.accept();
    assert_eq!(p.try_join().expect("try"), None);
    assert!(p.join_timeout(Duration::from_millis(1)).expect_err("timeout").is_timeout());
    assert!(p.join_timeout(Duration::ZERO).expect_err("timeout").is_timeout());
    line.write_all(b"!").expect("write");
    assert_eq!(p.join_timeout(Duration::MAX).expect("join"), Exit::Code(0));
    assert_eq!(p.try_join().expect("try"), Some(Exit::Code(0)));
}

fn many_threads_join_one(method: StartMethod) {
    let watch = Watch::new();
    let p = Process::new(stay, (watch.port(),)).start_method(method).start().expect("start");
    let mut line = watch.accept();
    std::thread::scope(|scope| {
        let joins: Vec<_> = (0..4).map(|_| scope.spawn(|| p.join())).collect();
        line.write_all(b"!").expect("write");
        for join in joins {
            assert_eq!(join.join().expect("no panic").expect("join"), Exit::Code(0));
        }
    });
}

fn names(method: u8) -> Vec<String> {
    let method = [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer][usize::from(method)];
    let me = current_process().name();
    let below = || Builder::new().start_method(method).spawn(|| current_process().name(), ()).expect("start");
    let (first, second) = (below(), below());
    let named = Builder::new().name("Ada").start_method(method).spawn(|| current_process().name(), ());
    vec![
        me,
        first.join().expect("join"),
        second.join().expect("join"),
        named.expect("start").join().expect("join"),
    ]
}

fn names_count_by_generation(method: StartMethod) {
    let number = match method {
        StartMethod::Spawn => 0u8,
        StartMethod::Fork => 1,
        StartMethod::ForkServer => 2,
    };
    let child = Builder::new().start_method(method).spawn(names, (number,)).expect("start");
    let name = child.process().name();
    assert!(name.starts_with("Process-") && !name.contains(':'), "{name}");
    let names = child.join().expect("join");
    assert_eq!(names, [name.clone(), format!("{name}:1"), format!("{name}:2"), "Ada".to_string()]);
    assert_eq!(current_process().to_string(), "<Process(MainProcess, started)>");
    assert_eq!(Process::new(|| (), ()).name("x").to_string(), "<Process(x, initial)>");
    assert_eq!(Process::new(|| (), ()).name("x").daemon(true).to_string(), "<Process(x, initial daemon)>");
}

/// What a child finds: descriptors beyond the standard ones, the error of a broken pipe, dispositions.
fn look_around() -> (usize, String, String, bool) {
    let fds = std::fs::read_dir("/proc/self/fd").expect("fds").count() - 1; // less the one that reads
    let (mut a, b) = std::os::unix::net::UnixStream::pair().expect("pair");
    drop(b);
    let broken = a.write_all(b"x").expect_err("broken").kind().to_string();
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let lines = status.lines().filter(|l| ["SigBlk", "SigIgn"].contains(&l.split(':').next().unwrap_or("")));
    let alone = active_children().is_empty() && current_process().is_daemon();
    (fds, broken, lines.collect::<Vec<_>>().join(" "), alone)
}

fn a_child_is_a_tidy_process(method: StartMethod) {
    let look = Builder::new().daemon(true).start_method(method).spawn(look_around, ()).expect("start");
    let (fds, broken, signals, alone) = look.join().expect("join");
    // stdin, stdout, stderr, the socket and the lifeline; and what the program that runs the tests left open.
    let inherited = std::fs::read_dir("/proc/self/fd")
        .expect("fds")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        // SAFETY: asks for the flags of a number, open or not.
        .filter(|&fd| fd > 2 && unsafe { libc::fcntl(fd, libc::F_GETFD) } & libc::FD_CLOEXEC == 0)
        .count();
    if method != StartMethod::Fork {
        assert!(fds <= 5 + inherited, "{fds} descriptors, {inherited} inherited");
    }
    assert_eq!(broken, "broken pipe");
    let blocked = signals.split_whitespace().nth(1).expect("a mask").to_owned();
    assert_eq!(u64::from_str_radix(&blocked, 16), Ok(0), "{signals}");
    let ignored = u64::from_str_radix(signals.split_whitespace().nth(3).expect("a mask"), 16).expect("hex");
    assert_eq!(ignored & (1 << (libc::SIGPIPE - 1)), 1 << (libc::SIGPIPE - 1), "{signals}");
    assert_eq!(ignored & (1 << (libc::SIGCHLD - 1)), 0, "{signals}");
    assert_eq!(ignored & (1 << (libc::SIGTERM - 1)), 0, "{signals}");
    assert!(alone);
}

/// Starts two children, and stays.
fn middle(method: u8, port: u16) {
    let method = [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer][usize::from(method)];
    for _ in 0..2 {
        Process::new(stay, (port,)).start_method(method).start().expect("start");
    }
    stay(port);
}

fn orphans_end(method: StartMethod) {
    let number = match method {
        StartMethod::Spawn => 0u8,
        StartMethod::Fork => 1,
        StartMethod::ForkServer => 2,
    };
    let watch = Watch::new();
    let p = Process::new(middle, (number, watch.port())).start_method(method).start().expect("start");
    let lines: Vec<TcpStream> = (0..3).map(|_| watch.accept()).collect();
    p.kill().expect("kill");
    assert_eq!(p.join().expect("join"), Exit::Signal(libc::SIGKILL));
    // Those who called in can only be heard to leave because they have ended.
    lines.into_iter().for_each(until_gone);
}

fn a_value_of_another_end(method: StartMethod) {
    let exits =
        Builder::new().start_method(method).spawn(|| -> u32 { std::process::exit(0) }, ()).expect("start");
    let error = exits.join().expect_err("no value");
    assert_eq!(error.kind(), ErrorKind::ChildFailed);
    assert!(error.to_string().contains("without returning a value (exit code 0)"), "{error}");
    let killed = Builder::new().start_method(method).spawn(
        || -> u32 {
            // SAFETY: a signal to oneself.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            0
        },
        (),
    );
    let error = killed.expect("start").join().expect_err("no value");
    assert_eq!(error.child_failed().expect("what failed").exit, Exit::Signal(libc::SIGKILL));
    assert!(error.to_string().contains("SIGKILL"), "{error}");
}

/// Panics on purpose come without a backtrace, here and in all children: to read the symbols of a test program takes
/// longer than everything else that it does. Called while there is one thread.
pub fn quick_panics() {
    // SAFETY: see above.
    unsafe { std::env::set_var("RUST_BACKTRACE", "0") };
}

/// A test that hangs has failed: this process is ended, and with it all that it has started.
pub fn watchdog() {
    // A seeded fault is looked for with less patience.
    let seconds = if std::env::var_os("PROCESSING_MUTANT").is_some() { 30 } else { 300 };
    // SAFETY: no pointers. What a shell starts in the background ignores the interrupt, and so would all children.
    unsafe {
        libc::alarm(seconds);
        libc::signal(libc::SIGINT, libc::SIG_DFL);
    }
}
