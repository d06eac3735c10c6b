//! One process, one queue: the child says hello.

use processing::{Process, Queue};

fn greet(q: Queue<(u32, Option<u8>, String)>) -> processing::Result<()> {
    q.put(&(42, None, "hello".into()))?;
    Ok(())
}

fn main() -> processing::Result<()> {
    let q = Queue::new(16)?;
    let p = Process::new(greet, (q.clone(),)).name("greeter").start()?;
    println!("{p}");
    println!("{:?}", q.get()?);
    p.join()?;
    println!("{p}");
    assert_eq!(processing::spawn(|a: u64, b: u64| a + b, (1, 2))?.join()?, 3);
    Ok(())
}
