use processing::Process;

fn main() -> processing::Result<()> {
    let name = String::from("Ada");
    Process::new(move || println!("{name}"), ()).start()?.join()?;
    Ok(())
}
