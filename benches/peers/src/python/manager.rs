//! `multiprocessing.Manager`: a dictionary and a list in a process that serves them; each operation is a round trip to it.
//!
//! One process asks, and nobody writes beside it: with a writer that waits for the same server it would only be slower.

use super::Python;
use processing_cli::measure::Entry;
use processing_cli::measure::elements::ELEMENTS;

/// What both do: the server sits on one core, who asks on the other. `prepare(manager)` makes what is shared; `operate(shared, number)`
/// is one operation, on an index that is drawn before the watch starts.
const FRAME: &str = r#"
import multiprocessing as mp, os, random, sys, time
def main():
    first, second = int(sys.argv[1]), int(sys.argv[2])
    mp.set_start_method('fork')
    os.sched_setaffinity(0, {second})
    manager = mp.Manager()
    os.sched_setaffinity(0, {first})
    shared = prepare(manager)
    draw = random.Random(1)
    for line in sys.stdin:
        numbers = [draw.randrange(LIMIT) for _ in range(int(line))]
        start = time.monotonic_ns()
        for number in numbers:
            operate(shared, number)
        print(time.monotonic_ns() - start, flush=True)
    manager.shutdown()
main()
"#;

/// u64 -> u64.
pub const SMALL: &str = "
def key(number):
    return (number + 1) * 0x9e3779b97f4a7c15 % (1 << 64)
def value(number):
    return number
";

/// 16 bytes -> 64 bytes.
pub const LARGE: &str = "
def key(number):
    scattered = (number + 1) * 0x9e3779b97f4a7c15 % (1 << 64)
    return scattered.to_bytes(8, 'big') + (scattered ^ (1 << 64) - 1).to_bytes(8, 'big')
def value(number):
    return number.to_bytes(8, 'little') * 8
";

const DICT: &str = "
def prepare(manager):
    return manager.dict({key(number): value(number) for number in range(LIMIT)})
";

const LIST: &str = "
def prepare(manager):
    return manager.list(range(LIMIT))
";

/// A random entry of so many, of [`SMALL`] or [`LARGE`].
pub fn dict_get(name: &str, kind: &str, limit: u64) -> Entry {
    let operate = "
def operate(shared, number):
    assert shared[key(number)] == value(number)
";
    entry(name, limit, &[kind, DICT, operate])
}

/// Replaces a random entry of so many.
pub fn dict_set(name: &str, kind: &str, limit: u64) -> Entry {
    let operate = "
def operate(shared, number):
    shared[key(number)] = value(number)
";
    entry(name, limit, &[kind, DICT, operate])
}

/// At its end.
pub fn list_push(name: &str) -> Entry {
    let operate = "
def operate(shared, number):
    shared.append(number)
";
    entry(name, ELEMENTS, &[LIST, operate])
}

/// A random element.
pub fn list_get(name: &str) -> Entry {
    let operate = "
def operate(shared, number):
    assert shared[number] == number
";
    entry(name, ELEMENTS, &[LIST, operate])
}

fn entry(name: &str, limit: u64, parts: &[&str]) -> Entry {
    let script = format!("LIMIT = {limit}\n{}{FRAME}", parts.concat());
    Entry::new(name, move |cores| Python::start(&script, cores))
}
