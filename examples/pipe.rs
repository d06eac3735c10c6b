//! A duplex pipe between a parent and its child, with values and raw bytes.

use processing::{Connection, Process, pipe};

fn echo(conn: Connection) -> processing::Result<()> {
    loop {
        match conn.recv::<Vec<i32>>() {
            Ok(numbers) => conn.send(&numbers.iter().sum::<i32>())?,
            Err(error) if error.is_closed() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn main() -> processing::Result<()> {
    let (ours, theirs) = pipe()?;
    let child = Process::new(echo, (theirs,)).name("echo").start()?;
    for n in 1..=3 {
        ours.send(&(0..=n).collect::<Vec<i32>>())?;
        println!("0..={n} adds up to {}", ours.recv::<i32>()?);
    }
    ours.close()?; // the child sees the end of the stream
    child.join()?;
    Ok(())
}
