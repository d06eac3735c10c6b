use processing::Process;

fn main() -> processing::Result<()> {
    let p = Process::new(|| (), ());
    p.start()?.join()?;
    p.start()?.join()?;
    Ok(())
}
