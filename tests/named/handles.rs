//! A named queue as an argument, and in a message of its own.

use processing::{Process, Queue, StartMethod};

use crate::program::{Name, Program};

fn echo(queue: Queue<u64>, back: Queue<u64>) -> processing::Result<()> {
    while let Ok(number) = queue.get() {
        back.put(&(number + 1))?;
    }
    Ok(())
}

fn keep(queue: Queue<u64>, go: processing::Event) -> processing::Result<()> {
    queue.put(&5)?;
    go.wait()?;
    assert_eq!(queue.get()?, 5);
    Ok(())
}

#[test]
fn a_named_queue_is_an_argument_like_any_other() {
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let (name, back) = (Name::new("argument"), Queue::<u64>::new(4).unwrap());
        let queue = Queue::<u64>::builder().capacity(4).create(&name).unwrap();
        let child = Process::new(echo, (queue.clone(), back.clone())).start_method(method).start().unwrap();
        queue.put(&1).unwrap();
        assert_eq!(back.get().unwrap(), 2);
        queue.put(&7).unwrap();
        assert_eq!(back.get().unwrap(), 8);
        queue.close().unwrap();
        assert!(child.join().unwrap().success());
        drop(queue);
        assert!(!name.exists(), "{method}");
    }
}

#[test]
fn a_child_keeps_the_name() {
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let (name, go) = (Name::new("child"), processing::Event::new().unwrap());
        let queue = Queue::<u64>::builder().capacity(4).create(&name).unwrap();
        let child = Process::new(keep, (queue, go.clone())).start_method(method).start().unwrap();
        // Only the child has it, or is about to: whoever comes finds it.
        let mut other = Program::start();
        other.does("gc");
        assert!(name.exists());
        let here = Queue::<u64>::builder().open(&name).unwrap();
        while here.is_empty() {
            std::thread::yield_now();
        }
        drop(here);
        other.does("gc");
        assert!(name.exists());
        go.set().unwrap();
        assert!(child.join().unwrap().success());
        assert!(!name.exists(), "{method}");
    }
}

#[test]
fn a_named_queue_travels_in_a_message_of_its_own_region_alone() {
    let name = Name::new("message");
    let queue = Queue::<u64>::builder().capacity(4).create(&name).unwrap();
    let carrier = Queue::<(u8, Queue<u64>)>::new(4).unwrap();
    let error = carrier.try_put(&(1, queue.clone())).unwrap_err();
    assert_eq!(processing::Error::from(error).kind(), processing::ErrorKind::InvalidInput);
    queue.put(&1).unwrap();
    drop(queue);
    assert!(!name.exists());
}

/// One of them may find somebody behind the gate, and begin again: what it has closes then must not take along the lock that another one
/// got meanwhile, by which all others know that this process lives.
#[test]
fn threads_that_open_a_name_at_once_stay_its_users() {
    let name = Name::new("at-once");
    let queue = Queue::<u64>::builder().capacity(4).create(&name).unwrap();
    let (mut gate, mut program) = (Program::start(), Program::start());
    gate.does(&format!("flicker {}", name.path()));
    for round in 0..200 {
        program.does(&format!("together {} 8", &*name));
        let info = processing::list_named().unwrap().into_iter().find(|info| info.name == *name).unwrap();
        assert!(info.pids.contains(&program.pid()), "round {round}: it has the queue, and counts as dead");
        program.does("drop");
    }
    drop(queue);
}
