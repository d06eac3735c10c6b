//! What a survivor finds in a queue.

use std::time::Duration;

use processing::{BufferedQueue, PutError, Queue};

use crate::carrier::Carrier;
use crate::kinds::Kind;
use crate::seen::Seen;
use crate::{BOUND, Outcome, words};

/// A message that was taken, and whether it was marked as redelivered.
pub type Found = (u64, bool);

/// How long a survivor waits for what the dead had: many times the shortest backstop.
const PATIENCE: Duration = Duration::from_millis(150);

/// Takes everything there is; each by a lease, or by value (then nobody knows the mark).
///
/// Where nobody has looked for the dead and there are fewer than `expected`, the last look is one that waits: that one
/// must find what they had.
pub fn drain<K: Kind>(
    queue: &impl Carrier<K::Message>,
    kind: K,
    seen: &Seen,
    expected: usize,
) -> Outcome<Vec<Found>> {
    let by_lease = seen.k % 4 < 2;
    let mut found = Vec::new();
    while let Some(one) = take(queue, kind, by_lease, Duration::ZERO)? {
        found.push(one);
    }
    if seen.unswept && !seen.completed {
        while found.len() < expected
            && let Some(one) = take(queue, kind, by_lease, PATIENCE)?
        {
            found.push(one);
        }
    }
    Ok(found)
}

/// One message, or none within `timeout`.
pub fn take<K: Kind>(
    queue: &impl Carrier<K::Message>,
    kind: K,
    by_lease: bool,
    timeout: Duration,
) -> Outcome<Option<Found>> {
    let taken = if by_lease {
        queue.by_lease(timeout)
    } else {
        queue.by_value(timeout).map(|message| (message, false))
    };
    match taken {
        Ok((message, marked)) => Ok(Some((kind.read(message)?, marked))),
        Err(error) if error.is_empty() || error.is_closed() => Ok(None),
        Err(error) => Err(format!("{}: {error}", if by_lease { "get_ref" } else { "get" })),
    }
}

/// The numbers alone.
pub fn ids(found: &[Found]) -> Vec<u64> {
    found.iter().map(|(id, _)| *id).collect()
}

/// `found` is `expected` in order, but for `late`, which may be missing, or come at any place if it was taken before.
///
/// True: it is missing.
pub fn all_but(found: &[Found], expected: &[u64], late: u64) -> Outcome<bool> {
    let others: Vec<u64> = ids(found).into_iter().filter(|id| *id != late).collect();
    let wanted: Vec<u64> = expected.iter().copied().filter(|id| *id != late).collect();
    let times = found.iter().filter(|(id, _)| *id == late).count();
    if others != wanted || times > 1 {
        return Err(format!("found {found:?} where {expected:?} was put and {late} may be gone"));
    }
    if let Some((id, _)) = found.iter().find(|(id, marked)| *marked && *id != late) {
        return Err(format!("message {id} is marked as redelivered; nobody had it"));
    }
    Ok(times == 0)
}

/// No slot is stuck: the queue takes as many messages as it says, twice, and gives them back in order.
pub fn still_works<K: Kind>(queue: &Queue<K::Message>, kind: K, arena: &processing::Arena) -> Outcome<()> {
    if !queue.is_empty() {
        return Err(format!("{queue:?} is not empty"));
    }
    for lap in 0..2u64 {
        let mut put = Vec::new();
        for i in 0..queue.capacity() as u64 {
            let id = 1_000 + lap * 100 + i;
            queue.put_timeout(&kind.make(arena, id)?, BOUND).map_err(words("filling"))?;
            put.push(id);
        }
        match queue.try_put(&kind.make(arena, 9)?) {
            Err(PutError::Full) => {}
            other => return Err(format!("{queue:?} is full and answers {other:?}")),
        }
        let mut found = Vec::new();
        while let Some((id, _)) = take(queue, kind, lap == 0, Duration::ZERO)? {
            found.push(id);
        }
        if found != put {
            return Err(format!("{put:?} was put, {found:?} came out"));
        }
    }
    Ok(())
}

/// Nothing is stuck: the queue, which is empty, grows and shrinks, and gives in order what was put. One segment is left.
pub fn still_grows<K: Kind>(
    queue: &BufferedQueue<K::Message>,
    kind: K,
    arena: &processing::Arena,
    segment: usize,
) -> Outcome<()> {
    let len = queue.len().map_err(words("len"))?;
    if len != 0 {
        return Err(format!("{len} messages are left"));
    }
    for lap in 0..2u64 {
        let put: Vec<u64> = (0..3 * segment as u64 + 1).map(|i| 1_000 + lap * 100 + i).collect();
        for id in &put {
            queue.put(&kind.make(arena, *id)?).map_err(words("filling"))?;
        }
        let mut found = Vec::new();
        while let Some((id, _)) = take(queue, kind, lap == 0, Duration::ZERO)? {
            found.push(id);
        }
        if found != put {
            return Err(format!("{put:?} was put, {found:?} came out"));
        }
    }
    let stats = queue.stats().map_err(words("stats"))?;
    if stats.segments != 1 || stats.messages != 0 {
        return Err(format!("empty, and {stats:?}"));
    }
    Ok(())
}
