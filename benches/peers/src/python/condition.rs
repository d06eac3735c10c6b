//! `multiprocessing.Condition`: round trips between two processes.

use super::Python;
use processing_cli::measure::Entry;

/// Two processes hand a number to and fro under a condition each way.
const SCRIPT: &str = r#"
import multiprocessing as mp, os, sys, time
def put(box, condition, value):
    with condition:
        box.value = value
        condition.notify()
def take(box, condition):
    with condition:
        while box.value == 0:
            condition.wait()
        value = box.value
        box.value = 0
        return value
def answer(core, questions, asked, answers, answered):
    os.sched_setaffinity(0, {core})
    while True:
        number = take(questions, asked)
        if number < 0:
            return
        put(answers, answered, number + 1)
def main():
    first, second = int(sys.argv[1]), int(sys.argv[2])
    mp.set_start_method('fork')
    questions, answers = mp.Value('q', 0, lock=False), mp.Value('q', 0, lock=False)
    asked, answered = mp.Condition(), mp.Condition()
    other = mp.Process(target=answer, args=(second, questions, asked, answers, answered), daemon=True)
    other.start()
    os.sched_setaffinity(0, {first})
    number = 1
    for line in sys.stdin:
        start = time.monotonic_ns()
        for _ in range(int(line)):
            put(questions, asked, number)
            assert take(answers, answered) == number + 1
            number += 2
        print(time.monotonic_ns() - start, flush=True)
    put(questions, asked, -1)
    other.join()
main()
"#;

/// Round trips.
pub fn entry() -> Entry {
    Entry::new("python.condition", |cores| Python::start(SCRIPT, cores))
}
