//! Created, opened, shared, gone.

use processing::{Arena, ErrorKind, Queue, list_named};

use crate::program::{Name, Program};

#[test]
fn programs_that_do_not_know_each_other_share_a_queue() {
    let name = Name::new("shared");
    let (mut a, mut b) = (Program::start(), Program::start());
    a.does(&format!("create {}", &*name));
    b.does(&format!("open {}", &*name));
    let here = Queue::<u64>::builder().open(&name).unwrap();
    assert_eq!(here.capacity(), 16);
    a.does("put 7");
    b.does("put 8");
    assert_eq!(here.get().unwrap(), 7);
    assert_eq!(a.ask("get"), "8");
    here.put(&9).unwrap();
    assert_eq!(b.ask("get"), "9");

    let all = list_named().unwrap();
    let info = all.iter().find(|info| info.name == *name).unwrap();
    let mut pids = info.pids.clone();
    pids.sort_unstable();
    let mut expected = [a.pid(), b.pid(), std::process::id()];
    expected.sort_unstable();
    assert_eq!(pids, expected);
    assert!(info.in_use && info.bytes > 0 && info.problem.is_none(), "{info:?}");
    assert_eq!((info.type_name.as_str(), info.capacity), ("u64", 16));
    // The others see the same.
    let listed = a.ask(&format!("listed {}", &*name));
    assert!(expected.iter().all(|pid| listed.contains(&pid.to_string())), "{listed}");
}

#[test]
fn the_name_goes_with_the_last_handle_and_not_before() {
    let name = Name::new("last");
    let (mut a, mut b) = (Program::start(), Program::start());
    let here = Queue::<u64>::builder().capacity(16).create(&name).unwrap();
    a.does(&format!("open {}", &*name));
    b.does(&format!("open {}", &*name));
    let (clone, again) = (here.clone(), Queue::<u64>::builder().open(&name).unwrap());
    drop((here, clone));
    assert!(name.exists());
    drop(again);
    // The creator has gone: the queue has not.
    assert!(name.exists());
    a.does("put 1");
    assert_eq!(b.ask("get"), "1");
    a.does("drop");
    assert!(name.exists());
    b.end();
    assert!(!name.exists());
    assert_eq!(Queue::<u64>::builder().open(&name).unwrap_err().kind(), ErrorKind::NotFound);
    // And again, from nothing.
    let new = Queue::<u64>::builder().open_or_create(&name).unwrap();
    assert!(new.is_empty());
    // There a capacity of 16 is asked for, and this is the default.
    let answer = a.ask(&format!("either {}", &*name));
    assert!(answer.contains("1024") && answer.contains("16"), "{answer}");
    drop(new);
    assert!(!name.exists());
}

#[test]
fn a_handle_opened_twice_in_a_process_is_one_participant() {
    let name = Name::new("twice");
    let a = Queue::<u64>::builder().capacity(4).create(&name).unwrap();
    let b = Queue::<u64>::builder().open(&name).unwrap();
    let c = Queue::<u64>::builder().open_or_create(&name).unwrap();
    a.put(&1).unwrap();
    assert_eq!((b.len(), c.len()), (1, 1));
    drop(a);
    assert_eq!(c.get().unwrap(), 1);
    drop(c);
    assert!(name.exists());
    drop(b);
    assert!(!name.exists());
}

#[test]
fn a_program_that_comes_and_goes_keeps_no_descriptor() {
    let name = Name::new("descriptors");
    let (mut a, mut b) = (Program::start(), Program::start());
    let before = [a.ask("descriptors"), b.ask("descriptors")];
    a.does(&format!("create {}", &*name));
    for _ in 0..3 {
        for order in ["open", "either"] {
            a.does(&format!("{order} {}", &*name));
            b.does(&format!("{order} {}", &*name));
        }
        b.ask(&format!("strings {}", &*name));
        b.does("gc");
    }
    // One file in who creates it, and twice in who opens it.
    assert_eq!(a.ask("descriptors").parse::<u32>().unwrap(), before[0].parse::<u32>().unwrap() + 1);
    assert_eq!(b.ask("descriptors").parse::<u32>().unwrap(), before[1].parse::<u32>().unwrap() + 2);
    a.does("drop");
    b.does("drop");
    b.ask(&format!("open {}", &*name));
    assert_eq!([a.ask("descriptors"), b.ask("descriptors")], before);
}

#[test]
fn many_threads_of_a_process_come_and_go() {
    let name = Name::new("threads");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let queue = Queue::<u64>::builder().capacity(4).open_or_create(&name).unwrap();
                    assert!(name.exists());
                    let _ = queue.try_put(&1);
                }
            });
        }
    });
    assert!(!name.exists());
}

#[test]
fn errors_print_both_sides() {
    let name = Name::new("sides");
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    let open = |error: processing::Error, kind, texts: &[&str]| {
        assert_eq!(error.kind(), kind, "{error}");
        for text in texts.iter().chain(&[&*name, &name.path()]) {
            assert!(error.to_string().contains(text), "{text} is not in: {error}");
        }
    };
    let builder = Queue::<String>::builder;
    let types =
        ["u64", "alloc::string::String", "8 bytes aligned to 8", "8 bytes aligned to 4", "fingerprint 0x"];
    open(builder().open(&name).unwrap_err(), ErrorKind::TypeMismatch, &types);
    open(builder().open_or_create(&name).unwrap_err(), ErrorKind::TypeMismatch, &types);
    let builder = || Queue::<u64>::builder();
    open(builder().capacity(17).open(&name).unwrap_err(), ErrorKind::InvalidInput, &["16", "17", "capacity"]);
    let error = builder().max_message(17).open(&name).unwrap_err();
    open(error, ErrorKind::InvalidInput, &["17", "longest message"]);
    let pid = other.pid().to_string();
    open(builder().create(&name).unwrap_err(), ErrorKind::AlreadyExists, &[&pid, "u64", "16"]);
    let missing = Name::new("missing");
    let error = builder().open(&missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.is_not_found() && error.to_string().contains(&*missing), "{error}");
    // Refused, and nothing happened to it.
    other.does("put 1");
    assert_eq!(builder().capacity(16).open(&name).unwrap().get().unwrap(), 1);
}

#[test]
fn what_is_no_name_is_refused() {
    let long = "n".repeat(201);
    for (bad, why) in [
        ("", "empty"),
        ("a/b", "'/'"),
        ("/a", "'/'"),
        ("a\0b", "NUL"),
        (".", "folders"),
        ("..", "folders"),
        (&long, "longer than 200"),
    ] {
        for error in [
            Queue::<u64>::builder().create(bad).unwrap_err(),
            Queue::<u64>::builder().open(bad).unwrap_err(),
            Queue::<u64>::builder().open_or_create(bad).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
    // The longest, and odd ones.
    for odd in [format!("{:-<200}", &*Name::new("long")), format!("{} \n\u{e4}..", &*Name::new("odd"))] {
        let queue = Queue::<u64>::builder().capacity(1).create(&odd).unwrap();
        queue.put(&1).unwrap();
        assert_eq!(Queue::<u64>::builder().open(&odd).unwrap().get().unwrap(), 1);
        assert!(list_named().unwrap().iter().any(|info| info.name == odd));
    }
}

#[test]
fn impossible_settings_are_refused() {
    let name = Name::new("settings");
    let arena = Arena::builder().limit(1 << 20).build().unwrap();
    let error = Queue::<u64>::builder().arena(&arena).create(&name).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let error = Queue::<u64>::builder().capacity(usize::MAX).create(&name).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    for limit in [u64::MAX, 1 << 62] {
        let error = Queue::<u64>::builder().limit(limit).create(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    // Too little for the slots.
    for limit in [0, 1, 64 << 10] {
        let error = Queue::<u64>::builder().capacity(100_000).limit(limit).create(&name).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::TooLarge), "{error:?}");
    }
    assert!(!name.exists());
    // A capacity of one, messages of no bytes, long ones up to the limit.
    let queue = Queue::<()>::builder().capacity(1).create(&name).unwrap();
    queue.put(&()).unwrap();
    queue.get().unwrap();
    drop(queue);
    let queue = Queue::<Vec<u8>>::builder().capacity(4).limit(1 << 20).create(&name).unwrap();
    let mut put = 0;
    while queue.try_put(&vec![1; 200_000]).is_ok() {
        put += 1;
    }
    assert!((1..=4).contains(&put));
    assert_eq!(queue.get().unwrap().len(), 200_000);
    queue.try_put(&vec![2; 200_000]).unwrap();
}
