//! Killed in `close`.

use processing_kill_tests::kinds::Word;
use processing_kill_tests::oracle::drain;
use processing_kill_tests::words;

use super::{Side, Victims, sides};
use crate::case::{Case, case};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![Box::new(close())]
}

/// The victim closes a queue that holds messages: they come out, and nothing goes in.
fn close() -> Case<Side<Word>, Victims<Word>> {
    case(
        "close",
        |world| sides(world, Word, &[1, 2, 3]),
        |(queue,), stage, _| {
            stage.begin();
            let answer = queue.close();
            stage.end();
            answer.expect("close");
        },
        |side: Side<Word>, seen| {
            let effect = side.queue.is_closed();
            if seen.completed && !effect {
                return Err("close returned, and the queue is open".into());
            }
            if !effect {
                side.queue.close().map_err(words("close"))?;
            }
            match side.queue.try_put(&1) {
                Err(error) if error.is_closed() => {}
                other => return Err(format!("a put into a closed queue answers {other:?}")),
            }
            let found = drain(&side.queue, Word, &seen, 3)?;
            if found != [1, 2, 3].map(|id| (id, false)) {
                return Err(format!("1 to 3 were put, {found:?} came out"));
            }
            match side.queue.try_get() {
                Err(error) if error.is_closed() => Ok(Some(effect)),
                other => Err(format!("a closed queue that was drained answers {other:?}")),
            }
        },
    )
}
