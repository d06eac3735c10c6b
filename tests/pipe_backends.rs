//! What carries the messages of a `Connection`: the choice of the environment, and a mechanism that may be missing.

use std::process::Command;
use std::sync::{Arc, Mutex};

use processing::{Connection, ErrorKind, PipeBackend, Process, pipe};

/// Says what a pipe has that does not choose.
fn say(conn: Connection) -> processing::Result<()> {
    let own = pipe()?.0.backend().to_string();
    conn.send(&(conn.backend().to_string(), own))
}

fn use_it((a, b): (Connection, Connection)) {
    a.send(&(1u64, "one".to_owned())).expect("send");
    assert_eq!(b.recv::<(u64, String)>().expect("recv"), (1, "one".to_owned()));
}

/// Run by the test below, too, each time with another environment.
#[test]
fn pipes_are_as_the_environment_says() {
    let value = std::env::var("PROCESSING_PIPE").unwrap_or_default();
    let expected = match value.parse::<PipeBackend>() {
        Ok(backend) => backend,
        Err(_) if value.is_empty() => PipeBackend::Ring,
        Err(_) => {
            let error = pipe().expect_err("names none");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            for part in ["PROCESSING_PIPE", &value, "ring or socket"] {
                assert!(error.to_string().contains(part), "{part:?}: {error}");
            }
            use_it(
                Connection::builder().backend(PipeBackend::Ring).build().expect("who chooses does not ask"),
            );
            return;
        }
    };
    let made = pipe().expect("pipe");
    assert_eq!(made.0.backend(), expected);
    use_it(made);
    for chosen in [PipeBackend::Ring, PipeBackend::Socket] {
        // The pipe's own choice goes first, and goes with it.
        let (a, b) = Connection::builder().backend(chosen).build().expect("pipe");
        let process = Process::new(say, (b,)).start().expect("start");
        let said = a.recv::<(String, String)>().expect("said");
        assert_eq!(said, (chosen.to_string(), expected.to_string()));
        process.join().expect("join");
    }
}

fn again(test: &str, value: &str) {
    let run = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", test])
        .env("PROCESSING_PIPE", value)
        .output()
        .expect("run");
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("1 passed"), "{value:?}: {text}");
}

#[test]
fn the_environment_chooses() {
    for value in ["", "ring", "socket", "SOCKET", "mq"] {
        again("pipes_are_as_the_environment_says", value);
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
    let by_environment = std::env::var("PROCESSING_PIPE").is_ok_and(|value| value == "socket");
    use_it(Connection::builder().backend(PipeBackend::Ring).build().expect("the arena is there before"));
    forbid(libc::SYS_socketpair, libc::EPERM);
    let error = Connection::builder().backend(PipeBackend::Socket).build().expect_err("chosen");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    for part in ["socketpair", "os error 1", "the backend socket is not to be had here", "use the ring"] {
        assert!(error.to_string().contains(part), "{part:?}: {error}");
    }
    let listener = Listener::default();
    tracing::subscriber::with_default(listener.clone(), || {
        for _ in 0..3 {
            let made = pipe().expect("replaced, or a ring anyhow");
            assert_eq!(made.0.backend(), PipeBackend::Ring);
            use_it(made);
        }
    });
    let said = listener.0.lock().expect("lines").clone();
    assert_eq!(said.len(), usize::from(by_environment), "once: {said:?}");
    for line in said {
        for part in ["wanted=socket", "taken=ring", "os error 1"] {
            assert!(line.contains(part), "{part:?}: {line}");
        }
    }
}

/// Another refusal is no reason to take something else.
#[test]
fn no_descriptors_is_an_error() {
    processing::spawn(without_descriptors, ()).expect("start").join().expect("as said");
}

fn without_descriptors() {
    use_it(Connection::builder().backend(PipeBackend::Ring).build().expect("the arena is there before"));
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads one structure.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let error = Connection::builder().backend(PipeBackend::Socket).build().expect_err("no descriptors");
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.to_string().contains("ulimit -n"), "{error}");
}

#[test]
fn what_the_environment_chose_gives_way() {
    again("what_is_missing_is_replaced_only_for_who_did_not_choose", "socket");
}
