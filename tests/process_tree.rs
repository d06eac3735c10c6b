//! What is left over: descriptors, processes, and orders of death. A program of its own, so that nobody else
//! opens descriptors in it, and so that it can be started again in roles that are killed.

mod process_scenarios;

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use process_scenarios::{Watch, call_in, stay, until_gone};
use processing::{Builder, ErrorKind, Exit, Process, StartMethod, active_children};

const METHODS: [StartMethod; 3] = [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer];

fn main() {
    process_scenarios::watchdog();
    process_scenarios::quick_panics();
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, port] = arguments.as_slice() {
        return play(role, port.parse().expect("a port"));
    }
    let tests: [(&str, fn()); 10] = [
        ("nothing_is_left_open", nothing_is_left_open),
        ("descriptors_exhausted", descriptors_exhausted),
        ("two_hundred_processes", two_hundred_processes),
        (
            "a_child_that_dies_before_it_attaches_is_heard_of",
            a_child_that_dies_before_it_attaches_is_heard_of,
        ),
        ("the_fork_server_is_replaced", the_fork_server_is_replaced),
        ("exit_ends_daemons_and_waits_for_the_others", exit_ends_daemons_and_waits_for_the_others),
        ("a_killed_program_leaves_nothing", a_killed_program_leaves_nothing),
        ("an_interrupt_ends_the_whole_tree_quietly", an_interrupt_ends_the_whole_tree_quietly),
        (
            "an_interrupt_that_is_survived_costs_no_later_child",
            an_interrupt_that_is_survived_costs_no_later_child,
        ),
        ("a_deleted_executable_still_starts", a_deleted_executable_still_starts),
    ];
    for (name, test) in tests {
        println!("{name}");
        test();
    }
    println!("ok");
}

/// The open descriptors and what they are, without the one that lists them.
fn descriptors() -> Vec<String> {
    let numbers: Vec<_> =
        std::fs::read_dir("/proc/self/fd").expect("fds").filter_map(|e| Some(e.ok()?.path())).collect();
    let mut all: Vec<String> = numbers
        .iter()
        .filter_map(|path| {
            Some(format!("{} {}", path.file_name()?.to_str()?, std::fs::read_link(path).ok()?.display()))
        })
        .collect();
    all.sort();
    all
}

fn run_some(method: StartMethod, count: u64) {
    for n in 0..count {
        let handle = Builder::new().start_method(method).spawn(|a: u64| a + 1, (n,)).expect("start");
        assert_eq!(handle.join().expect("join"), n + 1);
        if n % 10 == 0 {
            let p = Process::new(|| panic!("on purpose"), ()).start_method(method).start().expect("start");
            assert!(p.join().is_err());
            let p = Process::new(std::thread::park, ()).start_method(method).start().expect("start");
            p.kill().expect("kill");
            p.join().expect("join");
        }
    }
}

fn nothing_is_left_open() {
    for method in METHODS {
        run_some(method, 1); // the lifeline, the fork server: once a process
        collect_ahead();
        let before = descriptors();
        run_some(method, 50);
        collect_ahead();
        assert_eq!(descriptors(), before, "{method}");
        // Unjoined ones are reaped, and closed, by the call that lists the others.
        let watch = Watch::new();
        let all: Vec<Process> = (0..5)
            .map(|_| {
                Process::new(call_in_and_go, (watch.port(),)).start_method(method).start().expect("start")
            })
            .collect();
        for _ in 0..5 {
            until_gone(watch.accept());
        }
        while !active_children().is_empty() {}
        drop(watch);
        collect_ahead();
        assert_eq!(descriptors(), before, "{method}");
        assert!(all.iter().all(|p| p.exit_code() == Some(0)));
    }
    no_child_but_the_server();
}

fn call_in_and_go(port: u16) {
    call_in(port);
}

/// Children forked ahead are heard of at later starts: so that their descriptors are counted both times.
fn collect_ahead() {
    let handle = processing::spawn(|| 0u8, ()).expect("start");
    assert_eq!(handle.join().expect("join"), 0);
}

/// Every child was waited for; only the fork server is one.
fn no_child_but_the_server() {
    let mut status = 0;
    // SAFETY: into a local.
    let found = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    assert_eq!(found, 0, "a child that has ended was not waited for");
}

fn limit_files(limit: u64) -> u64 {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: into and from locals.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut old);
        let new = libc::rlimit { rlim_cur: limit, ..old };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const new), 0);
    }
    old.rlim_cur
}

fn descriptors_exhausted() {
    for method in METHODS {
        collect_ahead();
        let before = descriptors();
        let highest =
            before.iter().filter_map(|d| d.split(' ').next()?.parse::<u64>().ok()).max().expect("some");
        // From none to enough: it fails at each step of a start in turn, and in the end succeeds.
        let mut started = false;
        for room in 0..16 {
            let old = limit_files(highest + 1 + room);
            let result = Process::new(|| (), ()).name("one").start_method(method).start();
            let joined = result.as_ref().ok().map(Process::join);
            limit_files(old);
            match result {
                Ok(_) => {
                    assert_eq!(joined.expect("started").expect("join"), Exit::Code(0));
                    started = true;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
                    assert!(error.to_string().contains("ulimit -n"), "{error}");
                }
            }
        }
        assert!(started, "{method}");
        collect_ahead();
        assert_eq!(descriptors(), before, "{method}");
    }
    no_child_but_the_server();
}

fn two_hundred_processes() {
    for method in METHODS {
        let watch = Watch::new();
        let (mut all, mut lines) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let start = |_| Process::new(stay, (watch.port(),)).start_method(method).start().expect("start");
            all.extend((0..50).map(start));
            // No more at a time than may wait to be accepted: the others would try again after a second.
            lines.extend((0..50).map(|_| watch.accept()));
        }
        assert_eq!(active_children().len(), 200);
        for mut line in lines {
            line.write_all(b"!").expect("write");
        }
        assert!(all.iter().all(|p| matches!(p.join(), Ok(Exit::Code(0)))));
        assert!(active_children().is_empty());
    }
}

/// The parent waits for a message, and not for the child: nobody joins.
fn a_child_that_dies_before_it_attaches_is_heard_of() {
    for method in METHODS {
        for round in 0..3 {
            let (ours, childs) = processing::pipe().expect("pipe");
            let hold = |end: processing::Connection| drop(end.recv::<u64>());
            let p = Process::new(hold, (childs,)).start_method(method).start().expect("start");
            p.kill().expect("kill"); // long before it has unpacked its arguments, if it is started by exec
            let since = Instant::now();
            let error = ours.recv_timeout::<u64>(Duration::from_secs(10)).expect_err("nobody is there");
            assert!(matches!(error.kind(), ErrorKind::PeerDied), "{method} {round}: {error:?}");
            assert!(since.elapsed() < Duration::from_secs(5), "{method}: {:?}", since.elapsed());
        }
    }
}

fn parent_pid() -> u32 {
    std::os::unix::process::parent_id()
}

/// `pid` is a child of this process.
fn is_child(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    status.lines().any(|line| line == format!("PPid:\t{}", std::process::id()))
}

fn the_fork_server_is_replaced() {
    let server = || processing::spawn(parent_pid, ()).expect("start").join().expect("join");
    let first = server();
    assert_ne!(first, std::process::id());
    assert_eq!(server(), first, "one server for all");
    let watch = Watch::new();
    let survivor = Process::new(stay, (watch.port(),)).start().expect("start");
    let mut line = watch.accept();
    // SAFETY: a signal to a child.
    unsafe { libc::kill(first as i32, libc::SIGKILL) };
    // The next children may be those that the first server forked ahead, which have another parent by now.
    // (One that saw the first for its parent was started before that one's end.)
    let another = |&parent: &u32| parent != first && is_child(parent);
    let second = (0..10).map(|_| server()).find(another).expect("another server");
    assert_eq!(server(), second);
    // Its children have nothing to do with it, but for their status, which only newer kernels keep.
    line.write_all(b"!").expect("write");
    match survivor.join() {
        Ok(exit) => assert_eq!(exit, Exit::Code(0)),
        Err(error) => assert!(error.to_string().contains("status is lost"), "{error}"),
    }
    // SAFETY: into nothing; the first server, which nobody needs to wait for otherwise.
    unsafe { libc::waitpid(first as i32, std::ptr::null_mut(), 0) };
}

/// Becomes the parent of all orphans below, so that it can wait for the last of them.
fn adopt_orphans() {
    // SAFETY: a flag of this process.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

/// Waits until there is no process left below this one. (Its own fork server would be one, so none runs.)
fn until_childless() {
    // SAFETY: no pointers.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
}

/// Runs `f` in a process that has no children of its own yet, and none after it.
fn in_clean_process(f: fn()) {
    let exe = std::env::current_exe().expect("exe");
    let f = CLEAN.iter().position(|&(_, g)| std::ptr::fn_addr_eq(g, f)).expect("listed");
    let status = Command::new(exe).args([CLEAN[f].0, "0"]).status().expect("run");
    assert!(status.success(), "{status}");
}

const CLEAN: &[(&str, fn())] =
    &[("clean-exit", exit_clean), ("clean-kill", kill_clean), ("clean-interrupt", interrupt_clean)];

fn play(role: &str, port: u16) {
    if let Some((_, f)) = CLEAN.iter().find(|(name, _)| *name == role) {
        return f();
    }
    match role {
        "exit" => {
            for method in METHODS {
                Process::new(serve, (port,)).daemon(true).start_method(method).start().expect("start");
                Process::new(work_on, (port,)).start_method(method).start().expect("start");
            }
            let mut line = call_in(port);
            line.write_all(b"p").expect("write");
            line.read_exact(&mut [0]).expect("read");
        }
        "stay" => {
            for (n, method) in METHODS.into_iter().enumerate() {
                Process::new(branch, (n as u8, port)).start_method(method).start().expect("start");
            }
            stay(port);
        }
        "survive" => survive(port),
        "deleted" => {
            std::fs::remove_file(std::env::current_exe().expect("exe")).expect("remove");
            for method in METHODS {
                let handle = Builder::new().start_method(method).spawn(|a: u64| a + 1, (1,)).expect("start");
                assert_eq!(handle.join().expect("join"), 2);
            }
        }
        other => panic!("no role {other}"),
    }
}

fn start_role(role: &str, port: u16) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("exe"));
    command.args([role, &port.to_string()]).process_group(0).stderr(Stdio::piped());
    command
}

/// Not a daemon: says so, waits to be told, and says that it has finished.
fn work_on(port: u16) {
    let mut line = call_in(port);
    line.write_all(b"w").expect("write");
    line.read_exact(&mut [0]).expect("read");
    line.write_all(b"finished").expect("write");
}

/// A daemon: says so, and serves until it is ended.
fn serve(port: u16) {
    let mut line = call_in(port);
    line.write_all(b"d").expect("write");
    let _ = line.read(&mut [0]);
}

fn exit_ends_daemons_and_waits_for_the_others() {
    in_clean_process(exit_clean);
}

fn exit_clean() {
    adopt_orphans();
    let watch = Watch::new();
    let mut program = start_role("exit", watch.port()).spawn().expect("start");
    let (mut daemons, mut workers, mut main) = (Vec::new(), Vec::new(), None);
    for _ in 0..7 {
        let mut line = watch.accept();
        let mut who = [0];
        line.read_exact(&mut who).expect("everyone says what it is");
        match &who {
            b"d" => daemons.push(line),
            b"w" => workers.push(line),
            _ => main = Some(line),
        }
    }
    assert_eq!(daemons.len(), 3);
    // Only now, when all have called in: a daemon that is ended before it could would be waited for in vain.
    main.expect("the program").write_all(b"!").expect("write");
    daemons.into_iter().for_each(until_gone);
    assert_eq!(workers.len(), 3);
    assert!(program.try_wait().expect("wait").is_none(), "the program waits for its workers");
    for mut line in workers {
        line.write_all(b"!").expect("write");
        let mut text = String::new();
        line.read_to_string(&mut text).expect("read");
        assert_eq!(text, "finished");
    }
    let output = program.wait_with_output().expect("wait");
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    until_childless();
}

/// Starts one process more by each method, and stays.
fn branch(method: u8, port: u16) {
    for other in METHODS {
        // A forked copy in a process with threads is refused; here there are none.
        Process::new(stay, (port,)).start_method(other).start().expect("start");
    }
    let _ = method;
    stay(port);
}

/// The program, three branches, three leaves each.
const TREE: usize = 1 + 3 + 9;

fn a_killed_program_leaves_nothing() {
    in_clean_process(kill_clean);
}

fn kill_clean() {
    adopt_orphans();
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGABRT] {
        let watch = Watch::new();
        #[allow(clippy::zombie_processes, reason = "until_childless waits for it")]
        let program = start_role("stay", watch.port()).spawn().expect("start");
        let lines: Vec<_> = (0..TREE).map(|_| watch.accept()).collect();
        // SAFETY: a signal to a child.
        unsafe { libc::kill(program.id() as i32, signal) };
        lines.into_iter().for_each(until_gone);
        until_childless(); // fork servers and children forked ahead included; the program itself too
        drop(program);
    }
}

fn an_interrupt_ends_the_whole_tree_quietly() {
    in_clean_process(interrupt_clean);
}

fn interrupt_clean() {
    adopt_orphans();
    let watch = Watch::new();
    let program = start_role("stay", watch.port()).spawn().expect("start");
    let lines: Vec<_> = (0..TREE).map(|_| watch.accept()).collect();
    // What the terminal does for Ctrl-C. SAFETY: a signal to a group of children.
    unsafe { libc::kill(-(program.id() as i32), libc::SIGINT) };
    lines.into_iter().for_each(until_gone);
    let output = program.wait_with_output().expect("wait");
    assert_eq!(output.status.signal(), Some(libc::SIGINT));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    until_childless();
}

/// A program that does not end by Ctrl-C: its running children do, and later ones are as good as ever.
fn survive(port: u16) {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: a handler that does nothing.
    unsafe { libc::signal(libc::SIGINT, nothing as extern "C" fn(i32) as libc::sighandler_t) };
    for method in METHODS {
        let p = Process::new(stay, (port,)).start_method(method).start().expect("start");
        let _ = call_in(port).read(&mut [0]); // until the other side has sent the signal
        assert_eq!(p.join().expect("join"), Exit::Signal(libc::SIGINT), "{method}");
    }
    assert_eq!(processing::spawn(|| 1u8, ()).expect("start").join().expect("join"), 1);
}

fn an_interrupt_that_is_survived_costs_no_later_child() {
    let watch = Watch::new();
    let program = start_role("survive", watch.port()).spawn().expect("start");
    for _ in METHODS {
        // The child and its creator, in either order; both are there before the signal.
        let mut lines = [watch.accept(), watch.accept()];
        // SAFETY: a signal to a group of children.
        unsafe { libc::kill(-(program.id() as i32), libc::SIGINT) };
        for line in &mut lines {
            let _ = line.write_all(b"!");
        }
        lines.into_iter().for_each(until_gone);
    }
    let output = program.wait_with_output().expect("wait");
    assert!(output.status.success(), "{} {}", output.status, String::from_utf8_lossy(&output.stderr));
}

fn a_deleted_executable_still_starts() {
    let copy = std::env::temp_dir().join(format!("processing-deleted-{}", std::process::id()));
    std::fs::copy(std::env::current_exe().expect("exe"), &copy).expect("copy");
    let output = Command::new(&copy).args(["deleted", "0"]).output().expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!copy.exists());
}
