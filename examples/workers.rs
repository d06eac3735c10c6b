//! Workers fed by a task queue, results on another; one worker is killed while it holds a task, and its
//! task is done by another.

use std::collections::BTreeMap;

use processing::{Process, Queue};

fn work(tasks: Queue<u64>, results: Queue<(u64, u64)>) -> processing::Result<()> {
    loop {
        // The task stays ours until the lease is dropped: if we are killed, somebody else gets it.
        let task = match tasks.get_ref() {
            Ok(task) => task,
            Err(error) if error.is_closed() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let n = task.to_native();
        results.put(&(n, (1..=n).sum()))?;
    }
}

fn main() -> processing::Result<()> {
    let tasks = Queue::<u64>::new(64)?;
    let results = Queue::<(u64, u64)>::new(64)?;
    let mut workers = Vec::new();
    for i in 0..3 {
        workers
            .push(Process::new(work, (tasks.clone(), results.clone())).name(format!("worker-{i}")).start()?);
    }

    let mut sums = BTreeMap::new();
    for n in 0..1000u64 {
        tasks.put(&n)?;
        if n == 500 {
            workers[0].kill()?; // SIGKILL, wherever it is just now
        }
        while let Ok((n, sum)) = results.try_get() {
            sums.insert(n, sum); // by id: a worker may die between its answer and the end of its lease
        }
    }
    tasks.close()?;
    while sums.len() < 1000 {
        let (n, sum) = results.get()?;
        sums.insert(n, sum);
    }
    assert!(sums.iter().all(|(n, sum)| *sum == n * (n + 1) / 2));
    for worker in &mut workers {
        println!("{worker}");
        worker.join()?;
        println!("{worker}");
    }
    println!("{} sums, none lost", sums.len());
    Ok(())
}
