//! `multiprocessing.Queue`: one producer, one consumer, as many places as all rings here.

use super::Python;
use processing_cli::measure::Entry;

/// Message `k` is its number in 8 bytes, 32 times over: a comparison looks at each byte of it. As everywhere, the consumer holds the
/// watch, which starts when the first message has arrived.
const SCRIPT: &str = r#"
import multiprocessing as mp, os, sys, time
def message(number):
    return number.to_bytes(8, 'little') * 32
def produce(core, orders, queue):
    os.sched_setaffinity(0, {core})
    number = 1
    while True:
        count = orders.recv()
        if count < 0:
            queue.cancel_join_thread()
            return
        for _ in range(count + 1):
            queue.put(message(number))
            number += 1
def main():
    first, second = int(sys.argv[1]), int(sys.argv[2])
    mp.set_start_method('fork')
    queue = mp.Queue(1024)
    taken, orders = mp.Pipe(duplex=False)
    other = mp.Process(target=produce, args=(second, taken, queue), daemon=True)
    other.start()
    os.sched_setaffinity(0, {first})
    number = 1
    for line in sys.stdin:
        count = int(line)
        orders.send(count)
        assert queue.get() == message(number)
        number += 1
        start = time.monotonic_ns()
        for _ in range(count):
            assert queue.get() == message(number)
            number += 1
        print(time.monotonic_ns() - start, flush=True)
    orders.send(-1)
    other.join()
main()
"#;

/// A stream of 256-byte messages.
pub fn entry() -> Entry {
    Entry::new("python.queue", |cores| Python::start(SCRIPT, cores))
}
