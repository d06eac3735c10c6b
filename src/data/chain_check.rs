//! Whether what a [swap's](super::swap) words lead to is there: for the check at rest.

use super::swap::{Blocks, Word};

/// More than any chain has.
const MOST: usize = 1 << 24;

/// Every block that readers, or the next owner of the lock, are led to and that is no content of the object. Also when the last owner died in a call: the root is
/// VALUE before it is one, and what it has replaced until it is taken out of the retired. `next` is not looked at: it names what may be nobody's by now.
pub fn astray<B: Blocks>(blocks: &B, each: &mut dyn FnMut(u64)) {
    let (root, retired) = (blocks.get(Word::Root), blocks.get(Word::Retired));
    let mut check = |block: u64| {
        let there = blocks.is_value(block);
        if !there {
            each(block);
        }
        there
    };
    if root != 0 && check(root) && blocks.get(Word::Next) == root {
        // What it has replaced is still to be retired, or was just.
        let old = blocks.link(root);
        if old != 0 && old != retired {
            check(old);
        }
    }
    let freeing = blocks.get(Word::Freeing);
    let mut at = retired;
    for _ in 0..MOST {
        at = match at {
            0 => break,
            // It may be gone.
            _ if at == freeing => blocks.get(Word::After),
            _ if check(at) => blocks.link(at),
            _ => break,
        };
    }
}
