//! Killed in making, opening, using, closing and dropping a queue whose messages the kernel carries, of each backend.
//!
//! Beside what each case checks, the depot of the arena is as it was, and no message queue has a name.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use processing::testing::{self, Ticket};
use processing::{Arena, Backend, Queue, QueueBuilder, WaitStrategy};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, Seen, case};
use processing_kill_tests::child::Child;
use processing_kill_tests::kinds::{Bytes, Kind, Word};
use processing_kill_tests::oracle::{ids, still_works, take};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::waiter::{CLOSED, Waiter};
use processing_kill_tests::world::World;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    all(&mut suite, Word, Route { name: "pipe", backend: Backend::Pipe, longest: None });
    all(&mut suite, Bytes(16), Route { name: "pipe", backend: Backend::Pipe, longest: Some(4096) });
    all(&mut suite, Bytes(16), Route { name: "socket", backend: Backend::Pipe, longest: None });
    all(&mut suite, Bytes(300 << 10), Route { name: "socket", backend: Backend::Pipe, longest: None });
    all(&mut suite, Word, Route { name: "mq", backend: Backend::PosixMq, longest: None });
    suite.finish()
}

fn all<K: Kind>(suite: &mut Suite, kind: K, route: Route) {
    suite.run(make(kind, route));
    suite.run(open(kind, route));
    suite.run(let_go(kind, route));
    suite.run(let_go_among_others(kind, route));
    suite.run(put(kind, route));
    suite.run(get(kind, route));
    suite.run(lease(kind, route));
    suite.run(wake(kind, route));
    suite.run(put_into_full(kind, route));
    suite.run(close(kind, route));
}

#[derive(Clone, Copy)]
struct Route {
    name: &'static str,
    backend: Backend,
    longest: Option<u64>,
}

impl Route {
    fn builder<K: Kind>(self, _: K, arena: &Arena) -> QueueBuilder<K::Message> {
        let builder = Queue::builder().capacity(CAPACITY).arena(arena).backend(self.backend);
        match self.longest {
            Some(bytes) => builder.max_message(bytes),
            None => builder,
        }
    }

    fn queue<K: Kind>(self, kind: K, arena: &Arena) -> Outcome<Queue<K::Message>> {
        self.builder(kind, arena).build().map_err(words("queue"))
    }

    fn case<K: Kind>(self, kind: K, call: &str) -> String {
        format!("{}.{call}.{}", self.name, kind.name())
    }
}

const CAPACITY: usize = 4;

/// The survivor's side.
struct Side<K: Kind> {
    queue: Queue<K::Message>,
    arena: Arena,
    /// What it put and took while the victim was stopped.
    put: Vec<u64>,
    taken: Vec<u64>,
}

fn side<K: Kind>(world: &World, kind: K, route: Route, messages: &[u64]) -> Outcome<Side<K>> {
    let arena = world.arena.clone();
    let queue = route.queue(kind, &arena)?;
    for id in messages {
        queue.try_put(&kind.make(&arena, *id)?).map_err(words("setup"))?;
    }
    Ok(Side { queue, arena, put: Vec::new(), taken: Vec::new() })
}

fn here(world: &World) -> Arena {
    testing::arena_here(&world.arena).expect("attached")
}

/// Everything there is.
fn drain<K: Kind>(queue: &Queue<K::Message>, kind: K, seen: &Seen) -> Outcome<Vec<u64>> {
    let mut found = Vec::new();
    while let Some(one) = take(queue, kind, seen.k % 4 < 2, Duration::ZERO)? {
        if one.1 {
            return Err(format!("message {} is marked as redelivered", one.0));
        }
        found.push(one);
    }
    Ok(ids(&found))
}

/// So many records are in the depot, at the latest when somebody has looked for the dead, and no message queue has a name.
fn depot_has(arena: &Arena, records: usize) -> Outcome<()> {
    testing::sweep(arena).map_err(words("sweep"))?;
    let found = testing::depot_len(arena).map_err(words("depot"))?;
    if found != records {
        return Err(format!("{found} records are in the depot, not {records}"));
    }
    // SAFETY: a system call without arguments, and one with a name.
    let name = std::ffi::CString::new(format!("/processing-ipc-{}", unsafe { libc::geteuid() }));
    let name = name.map_err(words("name"))?;
    let start = Instant::now();
    // Another program on this machine may be making one just now.
    while start.elapsed() < BOUND {
        // SAFETY: looks for a name.
        let fd = unsafe { libc::mq_open(name.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        if fd < 0 {
            return Ok(());
        }
        // SAFETY: just opened.
        unsafe { libc::close(fd) };
        std::thread::yield_now();
    }
    Err("a message queue keeps its name".into())
}

/// The victim makes a queue.
fn make<K: Kind>(kind: K, route: Route) -> Case<Arena, (Queue<u64>,)> {
    case(
        route.case(kind, "make"),
        |world| Ok((world.arena.clone(), (world.anchor.clone(),))),
        move |(_anchor,), trigger, world| {
            let arena = here(world);
            trigger.pull();
            let queue = route.builder(kind, &arena).build().expect("queue");
            trigger.release();
            std::mem::forget(queue);
        },
        |arena, seen| {
            if seen.stopped && seen.completed {
                return Ok(None);
            }
            depot_has(&arena, 0).map(|()| None)
        },
    )
    .wavers()
    .least(8)
}

/// Carries a queue.
type Carrier<K> = Queue<Queue<<K as Kind>::Message>>;

type Opening<K> = Case<(Side<K>, Carrier<K>), (Carrier<K>,)>;

/// The victim finds a queue in a message.
fn open<K: Kind>(kind: K, route: Route) -> Opening<K> {
    case(
        route.case(kind, "open"),
        move |world| {
            let side = side(world, kind, route, &[1])?;
            let carrier = Queue::builder().capacity(2).arena(&side.arena).backend(Backend::Ring);
            let carrier: Carrier<K> = carrier.build().map_err(words("carrier"))?;
            carrier.try_put(&side.queue).map_err(words("setup"))?;
            Ok(((side, carrier.clone()), (carrier,)))
        },
        |(carrier,), trigger, _| {
            trigger.pull();
            let queue = carrier.get().expect("a queue");
            trigger.release();
            std::mem::forget(queue);
        },
        move |(side, carrier), seen| {
            // Nobody has the survivor's clone in a message any more, or it is still there.
            let taken = match carrier.try_get() {
                Ok(queue) => queue.len() != 1,
                Err(error) if error.is_empty() => true,
                Err(error) => return Err(error.to_string()),
            };
            if drain(&side.queue, kind, &seen)? != [1] {
                return Err("the message is gone".into());
            }
            still_works(&side.queue, kind, &side.arena).or_else(|e| loosely(&side.queue, e))?;
            depot_has(&side.arena, 1)?;
            Ok(Some(taken))
        },
    )
    .wavers()
}

/// `still_works` asks for an exact capacity, which a queue over sockets has not.
fn loosely<T>(queue: &Queue<T>, error: String) -> Outcome<()>
where
    T: processing::Message,
{
    if queue.capabilities().exact_capacity {
        return Err(error);
    }
    let mut count = 0;
    while queue.try_get().is_ok() {
        count += 1;
    }
    if count > queue.capacity() { Ok(()) } else { Err(error) }
}

/// The victim has the last handle, and drops it. Messages go with it.
fn let_go<K: Kind>(kind: K, route: Route) -> Case<Arena, (Queue<K::Message>,)> {
    case(
        route.case(kind, "drop"),
        move |world| {
            let side = side(world, kind, route, &[1, 2])?;
            Ok((side.arena, (side.queue,)))
        },
        |(queue,), trigger, _| {
            trigger.pull();
            drop(queue);
            trigger.release();
        },
        |arena, _| depot_has(&arena, 0).map(|()| None),
    )
    .wavers()
    .least(4)
}

/// The same, with records of others before and behind it.
fn let_go_among_others<K: Kind>(kind: K, route: Route) -> Case<Vec<Side<K>>, (Queue<K::Message>,)> {
    case(
        route.case(kind, "drop-among-others"),
        move |world| {
            let first = side(world, kind, route, &[1])?;
            let victims = side(world, kind, route, &[2])?.queue;
            let last = side(world, kind, route, &[3])?;
            Ok((vec![first, last], (victims,)))
        },
        |(queue,), trigger, _| {
            trigger.pull();
            drop(queue);
            trigger.release();
        },
        move |others, seen| {
            let arena = others[0].arena.clone();
            depot_has(&arena, 2)?;
            // Their records are whole: a process that knows neither finds both.
            let queues = (others[0].queue.clone(), others[1].queue.clone());
            let board = Board::new();
            let mut ticket = Ticket::issue(queues, "finder").map_err(words("packing"))?;
            let mut finder = Child::fork(|| {
                let (first, last): (Queue<K::Message>, Queue<K::Message>) =
                    ticket.board().expect("arguments");
                let mut found = 0;
                for queue in [first, last] {
                    let message = queue.try_get().expect("its message");
                    found = found * 10 + kind.read(message).expect("whole");
                }
                board.set(FREE, found);
            });
            let end = finder.wait()?;
            ticket.over();
            match board.get(FREE) {
                13 => {}
                other => return Err(format!("the finder found {other}, and ended with {end:?}")),
            }
            for side in &others {
                if !drain(&side.queue, kind, &seen)?.is_empty() {
                    return Err("a message is there twice".into());
                }
            }
            drop(others);
            depot_has(&arena, 0).map(|()| None)
        },
    )
    .wavers()
}

/// Two messages there; the victim puts a third.
fn put<K: Kind>(kind: K, route: Route) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        route.case(kind, "put"),
        move |world| {
            let side = side(world, kind, route, &[1, 2])?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            let message = kind.make(&here(world), 7).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |side: Side<K>, seen| {
            let mut all = side.taken.clone();
            all.extend(drain(&side.queue, kind, &seen)?);
            let effect = all.contains(&7);
            let others: Vec<u64> = all.iter().copied().filter(|id| *id != 7).collect();
            let mut expected = vec![1, 2];
            expected.extend(&side.put);
            if others != expected || all.len() > expected.len() + 1 {
                return Err(format!("{expected:?} and perhaps 7 were put, {all:?} came out"));
            }
            still_works(&side.queue, kind, &side.arena).or_else(|e| loosely(&side.queue, e))?;
            Ok(Some(effect))
        },
    )
    .meanwhile(move |side| {
        side.queue.try_put(&kind.make(&side.arena, 3)?).map_err(words("put beside a stopped put"))?;
        side.put.push(3);
        for _ in 0..2 {
            let message = side.queue.try_get().map_err(words("get beside a stopped put"))?;
            side.taken.push(kind.read(message)?);
        }
        Ok(())
    })
}

/// Three messages there; the victim takes the first.
fn get<K: Kind>(kind: K, route: Route) -> Case<Side<K>, (Queue<K::Message>,)> {
    taking(kind, route, "get", |queue| kind_of(queue.get()))
}

/// The same with a lease, which is over a copy.
fn lease<K: Kind>(kind: K, route: Route) -> Case<Side<K>, (Queue<K::Message>,)> {
    taking(kind, route, "get_ref", |queue| {
        let lease = queue.get_ref().expect("lease");
        lease.to_owned().expect("value")
    })
}

fn kind_of<M>(message: Result<M, processing::GetError>) -> M {
    message.expect("get")
}

fn taking<K: Kind>(
    kind: K,
    route: Route,
    name: &str,
    take: impl Fn(&Queue<K::Message>) -> K::Message + 'static,
) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        route.case(kind, name),
        move |world| {
            let side = side(world, kind, route, &[1, 2, 3])?;
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, _| {
            trigger.pull();
            let message = take(&queue);
            trigger.release();
            trigger.board.set(FREE, kind.read(message).expect("whole"));
        },
        move |side: Side<K>, seen| {
            let victims = seen.board.get(FREE);
            let mut all = side.taken.clone();
            all.extend(drain(&side.queue, kind, &seen)?);
            // Nothing comes back: it is there, or the victim's.
            let all_but_one: &[u64] = if seen.stopped && all.first() == Some(&1) { &[1, 3] } else { &[2, 3] };
            let gone = match &all[..] {
                [1, 2, 3] => false,
                others if others == all_but_one => true,
                others => return Err(format!("1, 2 and 3 were put, {others:?} came out")),
            };
            if seen.completed && (!gone || all.contains(&victims)) {
                return Err(format!("the victim got {victims}, and {all:?} came out"));
            }
            still_works(&side.queue, kind, &side.arena).or_else(|e| loosely(&side.queue, e))?;
            Ok(Some(gone))
        },
    )
    .meanwhile(move |side| {
        let message = side.queue.try_get().map_err(words("get beside a stopped get"))?;
        side.taken.push(kind.read(message)?);
        Ok(())
    })
}

type Waiting<K> = (Side<K>, Waiter<Queue<<K as Kind>::Message>>);
/// With what the victim gets.
type WaitingAnd<K> = (Waiting<K>, (Queue<<K as Kind>::Message>,));

fn with_waiter<K: Kind>(world: &World, kind: K, route: Route, board: Board) -> Outcome<WaitingAnd<K>> {
    let arena = world.arena.clone();
    let queue = route.builder(kind, &arena).wait(WaitStrategy::Block).build().map_err(words("queue"))?;
    let waiter = Waiter::start(&queue, kind, board)?;
    let theirs = queue.clone();
    Ok(((Side { queue, arena, put: Vec::new(), taken: Vec::new() }, waiter), (theirs,)))
}

/// The victim puts a message for which another sleeps: it gets it, though the victim may not have woken it.
fn wake<K: Kind>(kind: K, route: Route) -> Case<Waiting<K>, (Queue<K::Message>,)> {
    let board = Board::new();
    case(
        route.case(kind, "put.wakes"),
        move |world| with_waiter(world, kind, route, board),
        move |(queue,), trigger, world| {
            let message = kind.make(&here(world), 7).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |(side, waiter), seen| {
            let Side { queue, arena, .. } = side;
            let published = seen.completed || !queue.is_empty() || waiter.has_answered();
            if !published {
                queue.put_timeout(&kind.make(&arena, 8)?, BOUND).map_err(words("put"))?;
            }
            let mut all = vec![waiter.end()?];
            all.extend(drain(&queue, kind, &seen)?);
            let effect = all.contains(&7);
            // It may have been taken between the two looks.
            let expected: &[u64] = match (effect, published) {
                (true, true) => &[7],
                (true, false) => &[7, 8],
                (false, false) => &[8],
                (false, true) => return Err("a message that was sent is gone".into()),
            };
            if all != expected {
                return Err(format!("{expected:?} was put, {all:?} came out"));
            }
            Ok(Some(effect))
        },
    )
}

/// The victim closes a queue at which another sleeps.
fn close<K: Kind>(kind: K, route: Route) -> Case<Waiting<K>, (Queue<K::Message>,)> {
    let board = Board::new();
    case(
        route.case(kind, "close"),
        move |world| with_waiter(world, kind, route, board),
        |(queue,), trigger, _| {
            trigger.pull();
            queue.close().expect("close");
            trigger.release();
        },
        move |(side, waiter), _| {
            let effect = side.queue.is_closed();
            if !effect {
                side.queue.close().map_err(words("close"))?;
            }
            match waiter.end()? {
                CLOSED => {}
                other => return Err(format!("the waiter got {other}")),
            }
            match side.queue.try_put(&kind.make(&side.arena, 1)?) {
                Err(error) if error.is_closed() => Ok(Some(effect)),
                other => Err(format!("a closed queue answers {other:?}")),
            }
        },
    )
}

/// The victim waits in `put`; when it sleeps, the survivor makes room, and closes the queue afterwards: nobody waits for a put of the dead.
fn put_into_full<K: Kind>(kind: K, route: Route) -> Case<Side<K>, (Queue<K::Message>,)> {
    case(
        route.case(kind, "put.full"),
        move |world| {
            let mut side = side(world, kind, route, &[])?;
            let mut id = 100;
            while side.queue.try_put(&kind.make(&side.arena, id)?).is_ok() {
                side.put.push(id);
                id += 1;
            }
            let queue = side.queue.clone();
            Ok((side, (queue,)))
        },
        move |(queue,), trigger, world| {
            let message = kind.make(&here(world), 7).expect("message");
            trigger.pull();
            queue.put(&message).expect("put");
            trigger.release();
        },
        move |side: Side<K>, seen| {
            side.queue.close().map_err(words("close"))?;
            let mut all = side.taken.clone();
            all.extend(drain(&side.queue, kind, &seen)?);
            let effect = all.last() == Some(&7);
            if effect {
                all.pop();
            }
            if all != side.put {
                return Err(format!("{:?} and perhaps 7 were put, {all:?} came out", side.put));
            }
            match side.queue.get_timeout(BOUND) {
                Err(error) if error.is_closed() => Ok(Some(effect)),
                other => Err(format!("closed and drained, it answers {:?}", other.map(|m| kind.read(m)))),
            }
        },
    )
    .during(move |side, victim| {
        victim.settle()?;
        let message = side.queue.try_get().map_err(words("making room"))?;
        side.taken.push(kind.read(message)?);
        Ok(())
    })
    .wavers()
}
