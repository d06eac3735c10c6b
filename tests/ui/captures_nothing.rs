//! Targets that are fine; built, and run, so that code is generated and the checks after type checking happen.
use processing::{Exit, Process, spawn};

fn work(n: u64) -> processing::Result<()> {
    assert_eq!(n, 7);
    Ok(())
}

fn main() -> processing::Result<()> {
    assert_eq!(Process::new(work, (7,)).start()?.join()?, Exit::Code(0));
    assert_eq!(Process::new(|a: u64| assert_eq!(a, 1), (1,)).start()?.join()?, Exit::Code(0));
    assert_eq!(spawn(|a: u64, b: u64| a + b, (1, 2))?.join()?, 3);
    Ok(())
}
