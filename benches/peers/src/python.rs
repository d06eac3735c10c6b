//! Python's `multiprocessing.Condition`: round trips between two processes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use processing_cli::measure::{Batch, Contender, Cores, Entry};

/// Two processes hand a number to and fro under a condition each way. A line with a count is an order; the answer is
/// a line with nanoseconds.
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
pub fn condition() -> Entry {
    Entry::new("python.condition", Python::start)
}

struct Python {
    child: Child,
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

impl Python {
    fn start(cores: &Cores) -> anyhow::Result<Self> {
        let (first, second) = cores.two()?;
        let mut command = Command::new("python3");
        command.args(["-c", SCRIPT]);
        command.args([&first, &second].map(|place| place.cores()[0].to_string()));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("python3 is not here")?;
        let orders = child.stdin.take();
        let reports = BufReader::new(child.stdout.take().context("python3 has no output")?);
        Ok(Self { child, orders, reports })
    }
}

impl Contender for Python {
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        let orders = self.orders.as_mut().context("python3 has no input")?;
        writeln!(orders, "{operations}")?;
        let mut line = String::new();
        ensure!(self.reports.read_line(&mut line)? > 0, "python3 has ended");
        Ok(Duration::from_nanos(line.trim().parse()?).into())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // At the end of its input it ends by itself, and its other process with it.
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
