use processing::Process;

fn main() -> processing::Result<()> {
    let k = 7u64;
    Process::new(move |n: u64| assert_eq!(n, k), (7u64,)).start()?.join()?;
    Ok(())
}
