//! Killed in `send`, `recv` and `close` of a connection, while one is made, and while an end is given away; over rings and over sockets.

use std::process::ExitCode;

use processing::testing::{self, Ticket};
use processing::{Arena, Connection, Error, ErrorKind, PipeBackend, Queue};
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::kinds::{pattern, read_pattern};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for over in [PipeBackend::Ring, PipeBackend::Socket] {
        for len in [8, 56, 57, 10 << 10, 100 << 10] {
            suite.run(send(over, len));
            suite.run(recv(over, len));
        }
        suite.run(values(over));
        suite.run(wake(over));
        suite.run(close(over));
        suite.run(close_on_a_sleeper(over));
        suite.run(make(over));
        suite.run(give_away(over));
    }
    suite.finish()
}

fn pipe_in(arena: &Arena, over: PipeBackend) -> Outcome<(Connection, Connection)> {
    Connection::builder().arena(arena).backend(over).build().map_err(words("pipe"))
}

/// The name of a case: rings go without saying.
fn named(over: PipeBackend, name: &str) -> String {
    if over == PipeBackend::Ring { name.to_owned() } else { format!("{over}.{name}") }
}

/// The stream ended because its other side died, which was noticed in time.
fn died(error: Error) -> Outcome<()> {
    if error.kind() == ErrorKind::PeerDied { Ok(()) } else { Err(format!("not PeerDied: {error}")) }
}

struct Side {
    own: Connection,
    found: Vec<u64>,
}

fn receive_all(side: &mut Side) -> Outcome<()> {
    loop {
        match side.own.poll(BOUND) {
            Ok(true) => {}
            Ok(false) => return Err("neither a message nor the end of the stream".into()),
            Err(error) => return Err(format!("poll: {error}")),
        }
        match side.own.recv_bytes() {
            Ok(bytes) => side.found.push(read_pattern(&bytes, 1..=2)?),
            Err(error) => return died(error),
        }
    }
}

/// The victim sends two messages; the survivor receives as many as were sent whole, then learns of the death.
fn send(over: PipeBackend, len: usize) -> Case<Side, (Connection,)> {
    let case = case(
        named(over, &format!("send.{len}b")),
        move |world| {
            let (own, theirs) = pipe_in(&world.arena, over)?;
            Ok((Side { own, found: Vec::new() }, (theirs,)))
        },
        move |(conn,), trigger, _| {
            let (first, second) = (pattern(1, len), pattern(2, len));
            conn.send_bytes(&first).expect("send");
            trigger.pull();
            conn.send_bytes(&second).expect("send");
            trigger.release();
            // Ends without closing.
            std::mem::forget(conn);
        },
        |mut side: Side, _| {
            receive_all(&mut side)?;
            match *side.found {
                [1] => Ok(Some(false)),
                [1, 2] => Ok(Some(true)),
                _ => Err(format!("1 and perhaps 2 were sent, {:?} arrived", side.found)),
            }
        },
    );
    // Of long messages the survivor must make room while the victim sends.
    if len > SHORT { case.during(|side, _| receive_all(side)).wavers() } else { case }
}

/// Two messages of this length fit into a pipe.
const SHORT: usize = 1 << 10;

/// The victim receives; the survivor sends until it learns of the death. Several messages if they are short: the reader says
/// where it is once a line.
fn recv(over: PipeBackend, len: usize) -> Case<Side, (Connection,)> {
    let count = if len > SHORT { 1 } else { 20 };
    let case = case(
        named(over, &format!("recv.{len}b")),
        move |world| {
            let (own, theirs) = pipe_in(&world.arena, over)?;
            for _ in 0..if len > SHORT { 0 } else { count } {
                own.send_bytes_timeout(&pattern(1, len), BOUND).map_err(words("send"))?;
            }
            Ok((Side { own, found: Vec::new() }, (theirs,)))
        },
        move |(conn,), trigger, _| {
            trigger.pull();
            for _ in 0..count {
                let bytes = conn.recv_bytes().expect("recv");
                read_pattern(&bytes, [1]).expect("whole");
            }
            trigger.release();
            std::mem::forget(conn);
        },
        move |mut side: Side, _| {
            send_until_it_is_dead(&mut side, len)?;
            // Nothing was sent the other way.
            match side.own.recv_timeout::<u64>(BOUND) {
                Ok(_) => Err("a message came from nowhere".into()),
                Err(error) => died(error).map(|()| None),
            }
        },
    );
    if len > SHORT { case.during(move |side, _| send_until_it_is_dead(side, len)) } else { case }
}

fn send_until_it_is_dead(side: &mut Side, len: usize) -> Outcome<()> {
    loop {
        if let Err(error) = side.own.send_bytes_timeout(&pattern(1, len), BOUND) {
            return died(error);
        }
    }
}

/// Values of a type, there and back.
fn values(over: PipeBackend) -> Case<Side, (Connection,)> {
    case(
        named(over, "exchange.values"),
        move |world| {
            let (own, theirs) = pipe_in(&world.arena, over)?;
            own.send(&(1u64, "one".to_owned())).map_err(words("send"))?;
            Ok((Side { own, found: Vec::new() }, (theirs,)))
        },
        |(conn,), trigger, _| {
            trigger.pull();
            let (id, text): (u64, String) = conn.recv().expect("recv");
            conn.send(&(id + 1, format!("{text} and one"))).expect("send");
            trigger.release();
            std::mem::forget(conn);
        },
        |side: Side, _| {
            let first = match side.own.recv_timeout::<(u64, String)>(BOUND) {
                Ok(value) => value,
                Err(error) => return died(error).map(|()| Some(false)),
            };
            if first != (2, "one and one".to_owned()) {
                return Err(format!("{first:?} arrived"));
            }
            match side.own.recv_timeout::<(u64, String)>(BOUND) {
                Ok(more) => Err(format!("then {more:?}")),
                Err(error) => died(error).map(|()| Some(true)),
            }
        },
    )
}

/// The victim closes its end: the survivor sees the end of the stream, as a close or as a death.
fn close(over: PipeBackend) -> Case<Side, (Connection,)> {
    case(
        named(over, "close.connection"),
        move |world| {
            let (own, theirs) = pipe_in(&world.arena, over)?;
            Ok((Side { own, found: Vec::new() }, (theirs,)))
        },
        |(conn,), trigger, _| {
            conn.send_bytes(&pattern(1, 8)).expect("send");
            trigger.pull();
            conn.close().expect("close");
            trigger.release();
            std::mem::forget(conn);
        },
        |mut side: Side, seen| {
            let bytes = side.own.recv_bytes().map_err(words("what was sent before"))?;
            side.found.push(read_pattern(&bytes, 1..=2)?);
            match side.own.recv_timeout::<u64>(BOUND) {
                Err(error) if error.kind() == ErrorKind::Closed => Ok(Some(true)),
                Err(error) if !seen.completed => died(error).map(|()| Some(false)),
                other => Err(format!("the other end was closed, and this one says {other:?}")),
            }
        },
    )
}

/// The survivor sleeps for each message of the victim.
fn wake(over: PipeBackend) -> Case<Side, (Connection,)> {
    case(
        named(over, "wake.connection"),
        move |world| {
            let (own, theirs) = pipe_in(&world.arena, over)?;
            Ok((Side { own, found: Vec::new() }, (theirs,)))
        },
        |(conn,), trigger, _| {
            let (first, second) = (pattern(1, 8), pattern(2, 8));
            conn.send_bytes(&first).expect("send");
            // Until it has said so it was awake.
            conn.recv::<u8>().expect("it is about to sleep");
            trigger.pull();
            conn.send_bytes(&second).expect("send");
            trigger.release();
            std::mem::forget(conn);
        },
        |side: Side, _| match *side.found {
            [1] => Ok(Some(false)),
            [1, 2] => Ok(Some(true)),
            _ => Err(format!("1 and perhaps 2 were sent, {:?} arrived", side.found)),
        },
    )
    .during(|side, _| {
        let bytes = side.own.recv_bytes().map_err(words("the first"))?;
        side.found.push(read_pattern(&bytes, [1])?);
        side.own.send(&0u8).map_err(words("go on"))?;
        receive_all(side)
    })
    .wavers()
}

/// The same as [`close`], and the survivor sleeps.
fn close_on_a_sleeper(over: PipeBackend) -> Case<Side, (Connection,)> {
    case(
        named(over, "close.on-a-sleeper"),
        move |world| {
            let (own, theirs) = pipe_in(&world.arena, over)?;
            Ok((Side { own, found: Vec::new() }, (theirs,)))
        },
        |(conn,), trigger, _| {
            conn.recv::<u8>().expect("it is about to sleep");
            trigger.pull();
            conn.close().expect("close");
            trigger.release();
            std::mem::forget(conn);
        },
        |_, _| Ok(None),
    )
    .during(|side, _| {
        side.own.send(&0u8).map_err(words("go on"))?;
        match side.own.recv_timeout::<u64>(BOUND) {
            Err(error) if matches!(error.kind(), ErrorKind::Closed | ErrorKind::PeerDied) => Ok(()),
            other => Err(format!("the other end was closed, and this one says {other:?}")),
        }
    })
    .wavers()
}

/// The victim makes a pipe, uses it and lets go of it: nothing is left.
fn make(over: PipeBackend) -> Case<(), (Queue<u64>,)> {
    case(
        named(over, "make.connection"),
        // So that it takes part.
        |world| Ok(((), (world.anchor.clone(),))),
        move |(_anchor,), trigger, world| {
            let arena = testing::arena_here(&world.arena).expect("attached");
            trigger.pull();
            let (a, b) = pipe_in(&arena, over).expect("made");
            a.send_bytes(&pattern(1, 8)).expect("send");
            drop(a);
            drop(b);
            trigger.release();
        },
        |(), _| Ok(None),
    )
    .least(10)
}

/// The victim has sent something, and gives its end to a process that never comes.
fn give_away(over: PipeBackend) -> Case<Side, (Connection,)> {
    case(
        named(over, "give.connection"),
        move |world| {
            let (own, theirs) = pipe_in(&world.arena, over)?;
            Ok((Side { own, found: Vec::new() }, (theirs,)))
        },
        |(conn,), trigger, _| {
            conn.send_bytes(&pattern(1, 8)).expect("send");
            trigger.pull();
            let ticket = Ticket::issue((conn,), "heir").expect("packing");
            trigger.release();
            std::mem::forget(ticket);
        },
        |mut side: Side, _| {
            receive_all(&mut side)?;
            match side.own.send_bytes(&pattern(1, 8)) {
                Err(error) => died(error)?,
                Ok(()) => return Err("nobody has the other end, and it could be sent to".into()),
            }
            if *side.found == [1] { Ok(None) } else { Err(format!("1 was sent, {:?} arrived", side.found)) }
        },
    )
    .least(10)
}
