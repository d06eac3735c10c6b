//! The first line of a ring, as everybody who opens a queue reads it.

use processing::layout::ring::{CELLS, Geometry, MAGIC};

use crate::input::Input;

/// What is accepted lies in the body.
pub fn ring_geometry(bytes: &[u8]) {
    let mut input = Input(bytes);
    let len = input.u64();
    let words = [input.u64(), input.u64(), input.u64(), input.u64()];
    for magic in [words[0], MAGIC] {
        judge([magic, words[1], words[2], words[3]], len);
        // Small fields, which are the interesting ones.
        let small = |word: u64| word & 0x0000_3fff_0000_3fff;
        judge([magic, small(words[1]), small(words[2]), words[3] & 3], len);
    }
}

fn judge(words: [u64; 4], len: u64) {
    let Ok(geometry) = Geometry::decode(words, len) else { return };
    let (capacity, cells) = (u128::from(geometry.capacity), u128::from(geometry.cells));
    let slots = CELLS as u128 + cells * u128::from(geometry.cell_stride());
    assert_eq!(slots, u128::from(geometry.slots_offset()));
    assert!(slots + capacity * u128::from(geometry.stride) <= u128::from(len));
    assert!(u64::from(geometry.payload_offset()) + u64::from(geometry.room) <= u64::from(geometry.stride));
    assert!(geometry.stride % 8 == 0 && capacity > 0);
    assert!(geometry.fixed || (geometry.room >= 8 && geometry.payload_offset() >= 16));
    if geometry.wide {
        assert!((geometry.slots_offset() + u64::from(geometry.payload_offset())) % 16 == 0);
        assert!(geometry.stride % 16 == 0);
    }
    assert_eq!(Geometry::decode(geometry.encode(), len).unwrap(), geometry);
}
