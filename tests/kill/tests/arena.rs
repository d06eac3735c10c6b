//! Killed while objects are made and dropped, handles arrive and go, and an arena is joined and left.

use std::process::ExitCode;

use processing::testing::{self, arena_here};
use processing::{Arena, Connection, Queue, pipe_in};
use processing_kill_tests::case::{Case, Trigger, case};
use processing_kill_tests::kinds::Word;
use processing_kill_tests::oracle::still_works;
use processing_kill_tests::suite::Suite;
use processing_kill_tests::words;
use processing_kill_tests::world::World;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.run(make("alloc.queue", |arena| {
        std::mem::forget(Queue::<u64>::builder().capacity(4).arena(arena).build().expect("queue"));
    }));
    suite.run(make("alloc.big-queue", |arena| {
        std::mem::forget(Queue::<u64>::builder().capacity(20_000).arena(arena).build().expect("queue"));
    }));
    suite.run(make("alloc.pipe", |arena| std::mem::forget(pipe_in(arena).expect("pipe"))));
    suite.run(drop_of("free.queue", |arena| {
        Queue::<u64>::builder().capacity(4).arena(arena).build().expect("queue")
    }));
    suite.run(drop_of("free.big-queue", |arena| {
        Queue::<u64>::builder().capacity(20_000).arena(arena).build().expect("queue")
    }));
    suite.run(drop_of("free.pipe", |arena| pipe_in(arena).expect("pipe")));
    suite.run(drop_of("free.full-queue", full_queue));
    suite.run(drop_of("free.nested-queue", nested_queue));
    suite.run(attach());
    suite.run(detach());
    suite.run(leave());
    suite.finish()
}

/// With messages in blocks and in runs.
fn full_queue(arena: &Arena) -> Queue<Vec<u8>> {
    let queue = Queue::builder().capacity(4).arena(arena).build().expect("queue");
    for len in [8usize, 5_000, 100_000] {
        queue.put(&vec![7; len]).expect("put");
    }
    queue
}

/// With queues in its messages, which have such messages, too.
fn nested_queue(arena: &Arena) -> Queue<(u64, Queue<Vec<u8>>)> {
    let queue = Queue::builder().capacity(4).arena(arena).build().expect("queue");
    for id in 0..2 {
        queue.put(&(id, full_queue(arena))).expect("put");
    }
    queue
}

/// Makes an object, armed.
fn make(name: &'static str, f: fn(&Arena)) -> Case<(), (Queue<u64>,)> {
    case(
        name,
        |world| Ok(((), (world.anchor.clone(),))),
        move |_anchor, trigger, world| {
            let here = arena_here(&world.arena).expect("attached");
            trigger.pull();
            f(&here);
            trigger.release();
        },
        // What is there afterwards is compared for every case.
        |(), _| Ok(None),
    )
    .least(5)
}

/// Drops the last handle to an object, armed.
fn drop_of<T: 'static>(name: &'static str, f: fn(&Arena) -> T) -> Case<(), (Queue<u64>,)> {
    case(
        name,
        |world| Ok(((), (world.anchor.clone(),))),
        move |_anchor, trigger, world| {
            let here = arena_here(&world.arena).expect("attached");
            let object = f(&here);
            trigger.pull();
            drop(object);
            trigger.release();
        },
        |(), _| Ok(None),
    )
    .least(5)
}

type Handles = (Queue<u64>, Queue<(u64, Vec<u8>)>, Connection, Vec<Queue<u64>>);
type Side = (Queue<u64>, Queue<(u64, Vec<u8>)>, Connection, Arena);

fn handles(world: &World) -> processing_kill_tests::Outcome<(Side, Handles)> {
    let arena = &world.arena;
    let small = Queue::builder().capacity(3).arena(arena).build().map_err(words("queue"))?;
    let any = Queue::builder().capacity(3).arena(arena).build().map_err(words("queue"))?;
    let (own, theirs) = pipe_in(arena).map_err(words("pipe"))?;
    // Some that the survivor drops, so that the victim has the last handle.
    let more: Vec<Queue<u64>> = (0..2)
        .map(|_| Queue::builder().capacity(2).arena(arena).build().map_err(words("queue")))
        .collect::<Result<_, _>>()?;
    Ok(((small.clone(), any.clone(), own, arena.clone()), (small, any, theirs, more)))
}

fn all_is_well(side: &Side) -> processing_kill_tests::Outcome<Option<bool>> {
    let (small, any, own, arena) = side;
    still_works(small, Word, arena)?;
    still_works(any, processing_kill_tests::kinds::Bytes(16), arena)?;
    testing::sweep(arena).map_err(words("sweep"))?;
    match own.recv_timeout::<u64>(processing_kill_tests::BOUND) {
        Err(error)
            if matches!(error.kind(), processing::ErrorKind::PeerDied | processing::ErrorKind::Closed) =>
        {
            Ok(None)
        }
        other => Err(format!("the other end of the pipe is gone, and this one says {other:?}")),
    }
}

/// Joins and takes its arguments, armed.
fn attach() -> Case<Side, Handles> {
    let mut case = case("attach", handles, |_, _, _| {}, |side: Side, _| all_is_well(&side)).least(10);
    case.act = Box::new(|ticket, trigger: &Trigger, _| {
        trigger.pull();
        let handles = ticket.board().expect("arguments");
        trigger.release();
        std::mem::forget(handles);
    });
    case
}

/// Drops its handles, armed.
fn detach() -> Case<Side, Handles> {
    case(
        "detach",
        handles,
        |handles, trigger, _| {
            trigger.pull();
            drop(handles);
            trigger.release();
        },
        |side: Side, _| all_is_well(&side),
    )
    .least(10)
}

/// Leaves the arena with all it has, armed.
fn leave() -> Case<Side, Handles> {
    case(
        "leave",
        handles,
        |handles, trigger, world| {
            let here = arena_here(&world.arena).expect("attached");
            trigger.pull();
            testing::leave(&here).expect("leave");
            trigger.release();
            std::mem::forget(handles);
        },
        |side: Side, _| all_is_well(&side),
    )
    .least(10)
}
