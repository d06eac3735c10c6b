use processing::Queue;
use processing::rkyv::{Archive, Deserialize, Serialize};

#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = processing::rkyv, attr(repr(C, align(32))))]
struct Wide {
    bytes: [u8; 32],
}

fn main() -> processing::Result<()> {
    Queue::<Wide>::new(4)?;
    Ok(())
}
