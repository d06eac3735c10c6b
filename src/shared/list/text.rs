//! A list as text.

use std::fmt;

use super::SharedList;
use crate::shared::SharedData;

/// `SharedList([1, 2])`: the elements as they were at one moment, or why they cannot be read.
impl<T: SharedData + fmt::Debug> fmt::Display for SharedList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_vec() {
            Ok(all) => write!(f, "SharedList({all:?})"),
            Err(error) => write!(f, "SharedList(<{error}>)"),
        }
    }
}

impl<T: SharedData + fmt::Debug> fmt::Debug for SharedList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
