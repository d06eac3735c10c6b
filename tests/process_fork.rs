//! Start method `Fork`, from a program with one thread; the other methods once more from such a program.

mod process_scenarios;

use std::sync::Mutex;

use process_scenarios::{Watch, stay, until_gone};
use processing::{Builder, ErrorKind, Exit, Lease, Process, Queue, StartMethod};

/// A handle that a forked copy inherits: for a target, which captures nothing.
static HANDLE: Mutex<Option<Process>> = Mutex::new(None);

fn main() {
    process_scenarios::watchdog();
    process_scenarios::quick_panics();
    for (name, scenario) in process_scenarios::ALL {
        if *name == "many_threads_join_one" {
            continue; // afterwards there would be threads, if only for a moment
        }
        for method in [StartMethod::Fork, StartMethod::ForkServer, StartMethod::Spawn] {
            println!("{method} {name}");
            scenario(method);
        }
    }
    println!("only_the_creator_joins");
    only_the_creator_joins();
    println!("a_copy_of_a_child_is_tied_to_that_child");
    a_copy_of_a_child_is_tied_to_that_child();
    println!("a_lease_in_a_copy_stays_its_parents");
    a_lease_in_a_copy_stays_its_parents();
    println!("ok");
}

fn only_the_creator_joins() {
    let watch = Watch::new();
    let p = Process::new(stay, (watch.port(),)).start_method(StartMethod::Fork).start().expect("start");
    let line = watch.accept();
    *HANDLE.lock().expect("lock") = Some(p.clone());
    let stranger = Builder::new().start_method(StartMethod::Fork).spawn(
        || {
            let p = HANDLE.lock().expect("lock").clone().expect("inherited");
            let errors = [p.join().err(), p.try_join().err(), p.kill().err(), p.terminate().err()];
            let kinds = errors.iter().all(|e| e.as_ref().map(|e| e.kind()) == Some(ErrorKind::WrongProcess));
            (kinds, p.is_alive(), errors[0].as_ref().map(ToString::to_string).unwrap_or_default())
        },
        (),
    );
    let (refused, alive, text) = stranger.expect("start").join().expect("join");
    assert!(refused && !alive, "{text}");
    assert!(text.contains("only the process that started it"), "{text}");
    assert!(p.is_alive(), "the stranger's kill must not have reached it");
    p.kill().expect("kill");
    assert_eq!(p.join().expect("join"), Exit::Signal(libc::SIGKILL));
    until_gone(line);
}

/// Main -> Spawn -> Fork: the copy must not hold the lifeline that its parent holds, and must hold its
/// parent's.
fn a_copy_of_a_child_is_tied_to_that_child() {
    fn parent(port: u16) {
        Process::new(stay, (port,)).start_method(StartMethod::Fork).start().expect("start");
        stay(port);
    }
    let watch = Watch::new();
    let p = Process::new(parent, (watch.port(),)).start_method(StartMethod::Spawn).start().expect("start");
    let lines = [watch.accept(), watch.accept()];
    p.kill().expect("kill");
    p.join().expect("join");
    lines.into_iter().for_each(until_gone);
}

/// A lease that a forked copy finds: for a target, which captures nothing.
static LEASE: Mutex<Option<Lease<'static, String>>> = Mutex::new(None);

/// Whatever a copy does to a lease, the message stays its parent's: memory that the parent reads must not be given to
/// somebody else.
fn a_lease_in_a_copy_stays_its_parents() {
    let q: &Queue<String> = Box::leak(Box::new(Queue::new(4).expect("queue")));
    for put_back in [false, true] {
        q.put(&"mine".to_owned()).expect("put");
        *LEASE.lock().expect("lock") = Some(q.get_ref().expect("lease"));
        let copy = Builder::new().start_method(StartMethod::Fork).spawn(
            |put_back: bool| {
                let lease = LEASE.lock().expect("lock").take().expect("inherited");
                if put_back { lease.put_back() } else { drop(lease) }
            },
            (put_back,),
        );
        copy.expect("start").join().expect("join");
        assert!(q.try_get().is_err_and(|error| error.is_empty()), "given away, put_back: {put_back}");
        let lease = LEASE.lock().expect("lock").take().expect("still here");
        assert_eq!(lease.as_str(), "mine");
        lease.put_back();
        assert_eq!(q.try_get().expect("get"), "mine");
    }
}
