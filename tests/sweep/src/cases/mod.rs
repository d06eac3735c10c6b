//! The scenarios. A new one is a [`Case`](crate::case::Case) in the list of its file, or a file of its own in [`all`].

mod array;
mod batch;
mod buffered;
mod close;
mod dict;
mod get;
mod lease;
mod list;
mod put;
mod reserve;
mod structure;

use processing::{Arena, Queue};
use processing_kill_tests::kinds::Kind;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

use crate::round::Scenario;

/// All of them, the longest first.
pub fn all() -> Vec<Box<dyn Scenario>> {
    let lists = [
        put::all(),
        buffered::all(),
        structure::all(),
        dict::all(),
        list::all(),
        array::all(),
        lease::all(),
        batch::all(),
        reserve::all(),
        get::all(),
        close::all(),
    ];
    lists.into_iter().flatten().collect()
}

/// The survivor's side of a queue.
struct Side<K: Kind> {
    queue: Queue<K::Message>,
    arena: Arena,
    /// What it put and took while the victim stood still.
    put: Vec<u64>,
    taken: Vec<u64>,
}

/// What the victim gets.
type Victims<K> = (Queue<<K as Kind>::Message>,);

const CAPACITY: usize = 4;

/// A queue that holds these messages.
fn sides<K: Kind>(world: &World, kind: K, messages: &[u64]) -> Outcome<(Side<K>, Victims<K>)> {
    let arena = world.arena.clone();
    let queue = Queue::builder().capacity(CAPACITY).arena(&arena).build().map_err(words("queue"))?;
    for id in messages {
        queue.try_put(&kind.make(&arena, *id)?).map_err(words("setup"))?;
    }
    let theirs = queue.clone();
    Ok((Side { queue, arena, put: Vec::new(), taken: Vec::new() }, (theirs,)))
}

/// The arena as a victim sees it.
fn here(world: &World) -> Arena {
    processing::testing::arena_here(&world.arena).expect("attached")
}

impl<K: Kind> Side<K> {
    /// Takes the next message beside a victim that stands still.
    fn take_beside(&mut self, kind: K) -> Outcome<()> {
        let message = self.queue.try_get().map_err(words("get beside a stopped one"))?;
        self.taken.push(kind.read(message)?);
        Ok(())
    }

    /// Puts another.
    fn put_beside(&mut self, kind: K, id: u64) -> Outcome<()> {
        self.queue.try_put(&kind.make(&self.arena, id)?).map_err(words("put beside a stopped one"))?;
        self.put.push(id);
        Ok(())
    }
}
