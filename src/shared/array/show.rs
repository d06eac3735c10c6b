//! Arrays as people see them.

use std::fmt;

use super::SharedArray;
use crate::shared::{SharedData, names};

/// So many elements are shown.
const SHOWN: usize = 100;

/// `SharedArray(i32, [0, -1, -2])`; of a long one the first hundred elements and how many there are, `[0, 0, .. of 5000]`. It waits for
/// nobody: while somebody writes, it is `SharedArray(i32, [.. of 3, not to be read now])`.
impl<T: SharedData + Copy + fmt::Debug> fmt::Display for SharedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedArray({}, [", names::short::<T>())?;
        let len = self.len();
        let Ok(elements) = self.try_read() else {
            return write!(f, ".. of {len}, not to be read now])");
        };
        for (index, element) in elements.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{element:?}")?;
        }
        if len > SHOWN {
            write!(f, ", .. of {len}")?;
        }
        f.write_str("])")
    }
}

impl<T: SharedData + Copy + fmt::Debug> fmt::Debug for SharedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
