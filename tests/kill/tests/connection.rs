//! Killed in `send`, `recv` and `close` of a connection.

use std::process::ExitCode;

use processing::{Connection, Error, ErrorKind, pipe_in};
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::kinds::{pattern, read_pattern};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for len in [8, 56, 57, 10 << 10, 100 << 10] {
        suite.run(send(len));
        suite.run(recv(len));
    }
    suite.run(values());
    suite.run(close());
    suite.finish()
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
fn send(len: usize) -> Case<Side, (Connection,)> {
    let case = case(
        format!("send.{len}b"),
        |world| {
            let (own, theirs) = pipe_in(&world.arena).map_err(words("pipe"))?;
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
fn recv(len: usize) -> Case<Side, (Connection,)> {
    let count = if len > SHORT { 1 } else { 20 };
    let case = case(
        format!("recv.{len}b"),
        move |world| {
            let (own, theirs) = pipe_in(&world.arena).map_err(words("pipe"))?;
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
fn values() -> Case<Side, (Connection,)> {
    case(
        "exchange.values",
        |world| {
            let (own, theirs) = pipe_in(&world.arena).map_err(words("pipe"))?;
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
fn close() -> Case<Side, (Connection,)> {
    case(
        "close.connection",
        |world| {
            let (own, theirs) = pipe_in(&world.arena).map_err(words("pipe"))?;
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
