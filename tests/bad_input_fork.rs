//! Handles in a process that somebody forked by hand, and a start method that nobody knows. From a program with one thread.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use processing::{
    Arena, Connection, Error, ErrorKind, Exit, Lease, Process, Queue, SharedArray, SharedDict, SharedList,
    SharedStruct, SharedValue, StartMethod, pipe_in, spawn,
};

fn main() {
    // SAFETY: no pointers. A test that hangs has failed.
    unsafe { libc::alarm(120) };
    match std::env::var("ROLE").ok().as_deref() {
        None => all(),
        Some("nonsense") => nonsense(),
        Some(other) => panic!("no role {other}"),
    }
}

fn all() {
    println!("a_copy_may_do_nothing_with_its_parents_handles");
    a_copy_may_do_nothing_with_its_parents_handles();
    println!("a_copy_may_do_nothing_with_its_parents_array");
    a_copy_may_do_nothing_with_its_parents_array();
    println!("a_copy_changes_no_shared_data_and_its_guards_are_its_parents");
    a_copy_changes_no_shared_data_and_its_guards_are_its_parents();
    println!("a_copy_that_is_made_in_an_update_changes_nothing_and_gives_nothing_back");
    a_copy_that_is_made_in_an_update_changes_nothing_and_gives_nothing_back();
    println!("a_copy_may_not_wait_for_its_parents_children");
    a_copy_may_not_wait_for_its_parents_children();
    for value in [&b"thread"[..], b" spawn", b"\xff\xfe", b"fork,spawn"] {
        println!("PROCESSING_START={}", value.escape_ascii());
        let status = Command::new(std::env::current_exe().expect("exe"))
            .env("ROLE", "nonsense")
            .env("PROCESSING_START", OsStr::from_bytes(value))
            .status();
        assert!(status.expect("run").success());
    }
    println!("ok");
}

#[track_caller]
fn says(error: &Error, kind: ErrorKind, texts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for text in texts {
        assert!(error.to_string().contains(text), "{text:?} is not in: {error}");
    }
}

/// Runs `f` in a copy of this process that the library knows nothing of; whether it ended well.
fn in_a_copy(f: impl FnOnce()) -> bool {
    // SAFETY: this process has one thread, so the copy may do anything.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        let ended = catch_unwind(AssertUnwindSafe(f));
        // SAFETY: ends the copy without what was registered for its parent's exit.
        unsafe { libc::_exit(i32::from(ended.is_err())) };
    }
    let mut status = 0;
    // SAFETY: the place of the answer is good.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status == 0
}

type Text = (u32, String);

/// What the parent has, and its copy finds.
struct Inherited<'q> {
    q: Queue<Text>,
    plain: Queue<u64>,
    a: Connection,
    b: Connection,
    arena: Arena,
    lease: Option<Lease<'q, Text>>,
}

fn a_copy_may_do_nothing_with_its_parents_handles() {
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    let q = Queue::<Text>::builder().capacity(4).arena(&arena).build().expect("queue");
    let plain = Queue::<u64>::builder().capacity(4).arena(&arena).build().expect("queue");
    let (a, b) = pipe_in(&arena).expect("pipe");
    for n in 0..3 {
        q.put(&(n, "x".repeat(1 + 3000 * n as usize))).expect("put");
    }
    plain.put(&7).expect("put");
    a.send(&1u8).expect("send");
    let lease = Some(q.get_ref().expect("lease"));
    let (queue, number, end) = (q.clone(), plain.clone(), arena.clone());
    let mut inherited = Some(Inherited { q: queue, plain: number, a, b, arena: end, lease });
    assert!(in_a_copy(|| {
        // Taken in the copy; the parent has it still.
        let mine = inherited.take().expect("inherited");
        refused(&mine.q, &mine.plain, &mine.a, &mine.b, &mine.arena);
        // To drop or give back what is the parent's changes nothing of it.
        mine.lease.expect("inherited").put_back();
    }));
    // Nothing was taken, closed or lost.
    let Inherited { a, b, mut lease, .. } = inherited.expect("still here");
    assert_eq!(lease.as_ref().map(|lease| lease.0.to_native()), Some(0));
    assert_eq!((q.len(), plain.len()), (2, 1));
    assert!(in_a_copy(|| drop(lease.take())));
    drop(lease); // the parent's: consumed
    for n in 1..3 {
        assert_eq!(q.get().expect("get"), (n, "x".repeat(1 + 3000 * n as usize)));
    }
    assert_eq!(plain.get().expect("get"), 7);
    assert_eq!(b.recv::<u8>().expect("recv"), 1);
    b.send(&2u8).expect("send");
    assert_eq!(a.recv::<u8>().expect("recv"), 2);
    assert!(!q.is_closed() && q.is_empty() && plain.is_empty());
    drop((q, plain, a, b));
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0, "{report}");
}

/// Whether another process could write to it now.
fn is_free(a: &SharedArray<u64>) -> bool {
    let write = |a: SharedArray<u64>| match a.try_write() {
        Ok(_) => true,
        Err(error) if error.is_timeout() => false,
        Err(error) => panic!("{error}"),
    };
    spawn(write, (a.clone(),)).expect("start").join().expect("join")
}

fn a_copy_may_do_nothing_with_its_parents_array() {
    let a = SharedArray::from_slice(&[1u64, 2]).expect("array");
    assert!(is_free(&a));
    assert!(in_a_copy(|| {
        for error in [
            a.get(0).map(drop),
            a.set(0, 9),
            a.iter().map(drop),
            a.read().map(drop),
            a.try_write().map(drop),
            a.edit().map(drop),
            a.recover().map(drop),
            a.fill(9),
            a.set_slice(0, &[9]),
            a.slice(..).map(drop),
        ] {
            says(&error.expect_err("refused"), ErrorKind::WrongProcess, &["region"]);
        }
        assert_eq!(a.to_string(), "SharedArray(u64, [.. of 2, not to be read now])");
    }));
    // What a copy does to guards changes nothing of its parent's.
    let mut read = Some(a.read().expect("read"));
    assert!(in_a_copy(|| drop(read.take())));
    assert!(!is_free(&a));
    drop(read);
    assert!(is_free(&a));
    let mut write = Some(a.write().expect("write"));
    write.as_mut().expect("guard")[0] = 5;
    for commits in [true, false] {
        assert!(in_a_copy(|| match write.take() {
            Some(guard) if commits => {
                says(&guard.commit().expect_err("refused"), ErrorKind::WrongProcess, &["region"]);
            }
            guard => drop(guard),
        }));
        assert!(!is_free(&a));
        assert_eq!(a.get(0).expect("get"), 1);
    }
    drop(write);
    assert_eq!(a.to_vec().expect("read"), [5, 2]);
    let mut edit = Some(a.edit().expect("edit"));
    assert!(in_a_copy(|| {
        let mut edit = edit.take().expect("guard");
        says(&edit.set(0, 9).expect_err("refused"), ErrorKind::WrongProcess, &["region"]);
    }));
    assert!(!is_free(&a));
    drop(edit);
    assert!(is_free(&a) && a.get(0).expect("get") == 5);
}

fn refused(q: &Queue<Text>, plain: &Queue<u64>, a: &Connection, b: &Connection, arena: &Arena) {
    let text = (9, String::new());
    let hint = "use handles in the process that they were made in or passed to";
    for error in [
        q.put(&text).map_err(Error::from),
        q.try_put(&(9, "x".repeat(5000))).map_err(Error::from),
        q.get().map(drop).map_err(Error::from),
        q.try_get().map(drop).map_err(Error::from),
        q.get_ref().map(drop).map_err(Error::from),
        q.close(),
        plain.put(&8).map_err(Error::from),
        plain.get().map(drop).map_err(Error::from),
        a.send(&1u8),
        a.send_bytes(b"x"),
        a.close(),
        b.recv::<u8>().map(drop),
        b.try_recv::<u8>().map(drop),
        b.poll(std::time::Duration::ZERO).map(drop),
        arena.fsck().map(drop),
        Queue::<u8>::builder().arena(arena).build().map(drop),
        pipe_in(arena).map(drop),
        Process::new(|_: Queue<u64>| (), (plain.clone(),)).start().map(drop),
    ] {
        says(&error.expect_err("refused"), ErrorKind::WrongProcess, &["process", hint]);
    }
}

fn a_copy_changes_no_shared_data_and_its_guards_are_its_parents() {
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    let word = SharedValue::builder().arena(&arena).build(7u32).expect("shared value");
    let long = SharedValue::builder().arena(&arena).build([7u64; 8]).expect("shared value");
    let text = SharedStruct::builder().arena(&arena).build(&"old".to_owned()).expect("shared struct");
    let reads = Some(text.read().expect("read"));
    let mut writes = Some(text.write().expect("write"));
    processing::rkyv::string::ArchivedString::as_str_seal(writes.as_mut().expect("guard").seal())
        .unseal()
        .make_ascii_uppercase();
    let (mut copied_reads, mut copied_writes) = (reads, writes);
    assert!(in_a_copy(|| {
        let errors = [
            word.set(8),
            word.update(|n| *n += 1),
            long.set([8; 8]),
            long.update(|n| n[0] += 1),
            text.read().map(drop),
            text.get().map(drop),
            text.set(&"new".to_owned()),
            text.write().map(drop),
            copied_writes.take().expect("inherited").commit(),
        ];
        for error in errors {
            says(&error.expect_err("refused"), ErrorKind::WrongProcess, &["process"]);
        }
        // A look.
        assert_eq!((word.get(), long.get()), (7, [7; 8]));
        let guard = copied_reads.take().expect("inherited");
        assert_eq!(guard.as_str(), "old");
    }));
    assert!(in_a_copy(|| drop((copied_reads.take(), copied_writes.take()))));
    // Nothing was changed, given back, or taken back.
    assert_eq!(text.get().expect("get"), "old");
    assert_eq!(text.set(&String::new()).expect_err("this thread writes").kind(), ErrorKind::Deadlock);
    copied_writes.expect("still here").commit().expect("commit");
    for n in 0..20 {
        text.set(&n.to_string()).expect("set");
    }
    assert_eq!(copied_reads.as_ref().expect("still here").as_str(), "old");
    drop((copied_reads, word, long));
    drop(text);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0, "{report}");
}

/// An `update` whose closure, or what it calls, makes a copy of this process with `fork`: the copy may not end the call.
fn in_a_copy_of<R>(update: impl FnOnce(&mut dyn FnMut()) -> processing::Result<R>) {
    let mut is_copy = false;
    let answer = update(&mut || {
        // SAFETY: this process has one thread, so the copy may do anything.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        is_copy = pid == 0;
        if !is_copy {
            let mut status = 0;
            // SAFETY: the place of the answer is good.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0, "the copy ended the call");
        }
    });
    if is_copy {
        let refused = answer.is_err_and(|error| error.kind() == ErrorKind::WrongProcess);
        // SAFETY: ends the copy without what was registered for its parent's exit.
        unsafe { libc::_exit(i32::from(!refused)) };
    }
    answer.expect("the call");
}

fn a_copy_that_is_made_in_an_update_changes_nothing_and_gives_nothing_back() {
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    let word = SharedValue::builder().arena(&arena).build(7u64).expect("shared value");
    let long = SharedValue::builder().arena(&arena).build([7u64; 8]).expect("shared value");
    let list = SharedList::builder().arena(&arena).build_from([7u64]).expect("list");
    let texts = SharedList::builder().arena(&arena).build_from(["seven".to_owned()]).expect("list");
    let dict = SharedDict::<u64, u64>::builder().arena(&arena).build().expect("dictionary");
    dict.insert(&0, &7).expect("insert");
    in_a_copy_of(|copy| {
        word.update(|n| {
            copy();
            assert_eq!(word.get(), 7);
            *n = 8;
        })
    });
    in_a_copy_of(|copy| {
        long.update(|n| {
            copy();
            assert_eq!((long.get(), long.set([9; 8]).is_err()), ([7; 8], true), "it is locked still");
            *n = [8; 8];
        })
    });
    in_a_copy_of(|copy| {
        list.update(0, |n| {
            copy();
            assert!(list.push(&9).is_err(), "it is locked still");
            *n = 8;
        })
    });
    in_a_copy_of(|copy| {
        texts.update(0, |text| {
            copy();
            assert!(texts.push(text).is_err(), "it is locked still");
            text.make_ascii_uppercase();
        })
    });
    in_a_copy_of(|copy| {
        dict.update(&0, |n| {
            copy();
            n + 1
        })
    });
    in_a_copy_of(|copy| {
        dict.update_or_insert(&1, 7, |n| {
            copy();
            n + 1
        })
    });
    in_a_copy_of(|copy| {
        dict.retain(|key, _| {
            if *key == 1 {
                copy();
            }
            *key != 1
        })
    });
    assert_eq!((word.get(), long.get()), (8, [8; 8]));
    assert_eq!(list, [8]);
    assert_eq!(texts, ["SEVEN"]);
    assert_eq!(dict.items().expect("items"), [(0, 8)]);
    drop((word, long, list, texts, dict));
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0, "{report}");
}

fn a_copy_may_not_wait_for_its_parents_children() {
    let p = Process::new(std::thread::park, ()).name("child").start().expect("start");
    assert!(in_a_copy(|| {
        let errors = [p.join().err(), p.try_join().err(), p.terminate().err(), p.kill().err()];
        for error in errors {
            let object = format!("process child (pid {}): ", p.pid());
            let hint = "only the process that started it can wait for it or signal it";
            says(
                &error.expect("refused"),
                ErrorKind::WrongProcess,
                &[&object, "was started by process", hint],
            );
        }
        assert!(!p.is_alive() && p.exit_code().is_none());
    }));
    assert!(p.is_alive(), "no stranger's signal reached it");
    p.kill().expect("kill");
    assert_eq!(p.join().expect("join"), Exit::Signal(libc::SIGKILL));
}

fn nonsense() {
    let error = Process::new(|| (), ()).start().expect_err("no such method");
    says(
        &error,
        ErrorKind::InvalidInput,
        &["PROCESSING_START: there is no start method", "use forkserver, spawn"],
    );
    let Err(error) = spawn(|| 1u8, ()) else { panic!("no such method") };
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // Who says how is not troubled.
    let p = Process::new(|| (), ()).start_method(StartMethod::Spawn).start().expect("start");
    assert!(p.join().expect("join").success());
}
