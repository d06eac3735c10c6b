use processing::Process;

fn main() -> processing::Result<()> {
    let numbers = [1u64, 2, 3];
    Process::new(|| println!("{numbers:?}"), ()).start()?.join()?;
    Ok(())
}
