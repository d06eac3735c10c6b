use processing::pipe;
use processing::rkyv::{Archive, Deserialize, Serialize};

#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = processing::rkyv, attr(repr(C, align(32))))]
struct Wide {
    bytes: [u8; 32],
}

fn main() -> processing::Result<()> {
    let (a, _b) = pipe()?;
    a.send(&Wide { bytes: [0; 32] })?;
    Ok(())
}
