//! Attributes between processes: of any type, checked, with handles in them, and gone with their last user.

use std::collections::BTreeMap;

use processing::{Arena, ErrorKind, Lock, Namespace, Process, Queue, SharedDict, SharedList, pipe};

fn set_some(ns: Namespace, from: u64) -> processing::Result<()> {
    for i in from..from + 50 {
        ns.set(&format!("attribute {i}"), &(i, "x".repeat(i as usize)))?;
    }
    Ok(())
}

#[test]
fn processes_see_each_others_attributes() {
    let ns = Namespace::new().unwrap();
    let children: Vec<Process> =
        (0..3).map(|i| Process::new(set_some, (ns.clone(), i * 50)).start().unwrap()).collect();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(ns.len(), 150);
    for i in 0..150u64 {
        let (number, text): (u64, String) = ns.get(&format!("attribute {i}")).unwrap();
        assert_eq!((number, text.len() as u64), (i, i));
    }
    let names = ns.names().unwrap();
    assert_eq!(names.len(), 150);
    assert!(names.is_sorted());
}

#[test]
fn types_are_checked_and_may_change() {
    let ns = Namespace::new().unwrap();
    ns.set("x", &10u64).unwrap();
    let error = ns.get::<String>("x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    assert!(error.to_string().contains("attribute x: it is a u64, and not a String"), "{error}");
    assert_eq!(ns.update("x", |_: &mut String| ()).unwrap_err().kind(), ErrorKind::TypeMismatch);
    ns.set("x", &"ten".to_owned()).unwrap();
    assert_eq!(ns.get::<String>("x").unwrap(), "ten");
    assert_eq!(ns.len(), 1);
}

#[test]
fn what_is_missing_is_named() {
    let ns = Namespace::new().unwrap();
    assert!(ns.is_empty() && !ns.contains("x").unwrap());
    for error in [
        ns.get::<u64>("x").unwrap_err(),
        ns.remove("x").unwrap_err(),
        ns.update("x", |_: &mut u64| ()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("there is no attribute \"x\""), "{error}");
    }
    ns.set("", &1u8).unwrap();
    assert_eq!(ns.names().unwrap(), [""]);
    ns.remove("").unwrap();
    assert!(ns.is_empty());
}

#[test]
fn an_update_is_whole_or_not_at_all() {
    let ns = Namespace::new().unwrap();
    ns.set("n", &1u64).unwrap();
    let change = || {
        ns.update("n", |n: &mut u64| {
            *n = 7;
            panic!("on purpose");
        })
    };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change));
    drop(panicked.unwrap_err().downcast::<&str>().unwrap());
    assert_eq!(ns.get::<u64>("n").unwrap(), 1);
    let inside = ns
        .update("n", |n: &mut u64| {
            *n += 1;
            // Reading is fine, changing is not.
            assert_eq!(ns.get::<u64>("n").unwrap(), 1);
            (ns.set("other", &1u8).unwrap_err().kind(), ns.remove("n").unwrap_err().kind())
        })
        .unwrap();
    assert_eq!(inside, (ErrorKind::Deadlock, ErrorKind::Deadlock));
    assert_eq!(ns.get::<u64>("n").unwrap(), 2);
}

fn count_up(ns: Namespace) -> processing::Result<()> {
    for _ in 0..500 {
        ns.update("n", |n: &mut u64| *n += 1)?;
    }
    Ok(())
}

#[test]
fn updates_of_several_processes_all_count() {
    let ns = Namespace::new().unwrap();
    ns.set("n", &0u64).unwrap();
    let children: Vec<Process> =
        (0..3).map(|_| Process::new(count_up, (ns.clone(),)).start().unwrap()).collect();
    count_up(ns.clone()).unwrap();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(ns.get::<u64>("n").unwrap(), 2000);
}

#[test]
fn handles_nest_and_go_with_their_attribute() {
    let arena = Arena::builder().limit(64 << 20).build().unwrap();
    let before = arena.fsck().unwrap();
    let ns = Namespace::in_arena(&arena).unwrap();
    let list = SharedList::<u64>::builder().arena(&arena).build().unwrap();
    let dict = SharedDict::<String, SharedList<u64>>::builder().arena(&arena).build().unwrap();
    let queue = Queue::<u64>::builder().capacity(4).arena(&arena).build().unwrap();
    list.push(&1).unwrap();
    dict.insert(&"list".to_owned(), &list).unwrap();
    ns.set("things", &(dict.clone(), vec![queue.clone()])).unwrap();
    // Now only the namespace holds them.
    drop((list, dict, queue));
    let child = Process::new(
        |ns: Namespace| -> processing::Result<()> {
            let (dict, queues): (SharedDict<String, SharedList<u64>>, Vec<Queue<u64>>) = ns.get("things")?;
            let list = dict.get("list")?.expect("it is there");
            list.push(&2)?;
            queues[0].put(&list.len().try_into().expect("few"))?;
            Ok(())
        },
        (ns.clone(),),
    );
    child.start().unwrap().join().unwrap();
    let (dict, queues): (SharedDict<String, SharedList<u64>>, Vec<Queue<u64>>) = ns.get("things").unwrap();
    assert_eq!(queues[0].try_get().unwrap(), 2);
    assert_eq!(dict.get("list").unwrap().unwrap().to_vec().unwrap(), [1, 2]);
    drop((dict, queues));
    // What replaces the attribute, or takes it away, lets go of them.
    let held = arena.fsck().unwrap();
    ns.set("things", &()).unwrap();
    let after = arena.fsck().unwrap();
    assert!(held.is_clean() && after.is_clean(), "{held}{after}");
    assert_eq!(held.objects - after.objects, 3);
    drop(ns);
    let after = arena.fsck().unwrap();
    assert!(after.is_clean(), "{after}");
    assert_eq!((after.objects, after.value, after.references), (before.objects, 0, before.references));
}

#[test]
fn what_cannot_be_an_attribute_is_refused() {
    let ns = Namespace::new().unwrap();
    let elsewhere = Arena::builder().limit(1 << 20).build().unwrap();
    let lock = Lock::builder().arena(&elsewhere).build().unwrap();
    assert_eq!(ns.set("lock", &lock).unwrap_err().kind(), ErrorKind::InvalidInput);
    let (a, _b) = pipe().unwrap();
    assert_eq!(ns.set("end", &a).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(ns.is_empty());
}

#[test]
fn a_full_arena_changes_nothing() {
    let arena = Arena::builder().limit(1 << 20).build().unwrap();
    let ns = Namespace::in_arena(&arena).unwrap();
    ns.set("text", &"kept".to_owned()).unwrap();
    let error = ns.set("text", &"x".repeat(8 << 20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let mut set = 0;
    let error = loop {
        match ns.set(&format!("{set}"), &vec![set; 1000]) {
            Ok(()) => set += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert_eq!(ns.get::<String>("text").unwrap(), "kept");
    assert_eq!(ns.len() as u64, 1 + set);
    assert!(arena.fsck().unwrap().is_clean());
    ns.clear().unwrap();
    assert!(ns.is_empty() && ns.names().unwrap().is_empty());
    ns.set("text", &"again".to_owned()).unwrap();
    assert!(arena.fsck().unwrap().is_clean());
}

#[test]
fn it_shows_what_it_holds() {
    let ns = Namespace::new().unwrap();
    assert_eq!(ns.to_string(), "Namespace()");
    ns.set("y", &"a \"word\"".to_owned()).unwrap();
    ns.set("x", &10u64).unwrap();
    ns.set("long", &"z".repeat(1000)).unwrap();
    let text = ns.to_string();
    assert!(text.starts_with("Namespace(long=\"zzz"), "{text}");
    assert!(text.ends_with("…, x=10, y=\"a \\\"word\\\"\")"), "{text}");
    assert!(text.len() < 400);
    assert_eq!(format!("{ns:?}"), text);
    let described: BTreeMap<String, String> =
        ns.describe().unwrap().into_iter().map(|(name, of, _)| (name, of)).collect();
    assert_eq!((described["x"].as_str(), described["y"].as_str()), ("u64", "String"));
}

#[test]
fn a_killed_setter_leaves_the_old_or_the_new() {
    let ns = Namespace::new().unwrap();
    ns.set("pair", &(0u64, 0u64)).unwrap();
    for _ in 0..20 {
        let (started, ready) = (processing::Event::new().unwrap(), ns.clone());
        let child = Process::new(
            |ns: Namespace, started: processing::Event| -> processing::Result<()> {
                for n in 1u64.. {
                    ns.set("pair", &(n, n))?;
                    started.set()?;
                }
                Ok(())
            },
            (ready, started.clone()),
        )
        .start()
        .unwrap();
        started.wait().unwrap();
        child.kill().unwrap();
        child.join().unwrap();
        let (a, b) = ns.get::<(u64, u64)>("pair").unwrap();
        assert_eq!(a, b);
        ns.set("pair", &(0u64, 0u64)).unwrap();
    }
}
