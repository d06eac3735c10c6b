//! The messages.

use processing::rkyv::{self, Archive, Deserialize, Serialize};
use processing_stress::random::Random;

/// A message: whose it is, the how many of that life, and bytes that follow from both.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(crate = rkyv)]
pub struct Item {
    pub life: u64,
    pub number: u64,
    pub body: Vec<u8>,
}

impl Item {
    pub fn new(life: u64, number: u64) -> Self {
        let mut random = Random::new(life << 40 ^ number);
        let len = length(&mut random);
        let mut body = Vec::with_capacity(len + 8);
        while body.len() < len {
            body.extend_from_slice(&random.next().to_le_bytes());
        }
        body.truncate(len);
        Self { life, number, body }
    }
}

/// Whether these are the bytes of that message.
pub fn is_whole(life: u64, number: u64, body: &[u8]) -> bool {
    Item::new(life, number).body == body
}

/// Most lie in their slots, some in small blocks, some in runs of chunks.
fn length(random: &mut Random) -> usize {
    let most = match random.below(100) {
        0..50 => 40,
        50..80 => 4 << 10,
        80..97 => 64 << 10,
        _ => 1 << 20,
    };
    random.below(most + 1) as usize
}
