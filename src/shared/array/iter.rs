//! Elements one after the other.

use std::fmt;
use std::iter::FusedIterator;

use crate::data::array::Array;

/// The elements of a [`SharedArray`](super::SharedArray), each as it is when its turn comes; see
/// [`iter`](super::SharedArray::iter).
pub struct ArrayIter<'a, T> {
    array: &'a Array<T>,
    next: usize,
    end: usize,
}

impl<'a, T: Copy> ArrayIter<'a, T> {
    pub(super) fn new(array: &'a Array<T>) -> Self {
        Self { array, next: 0, end: array.len() }
    }
}

impl<T: Copy> Iterator for ArrayIter<'_, T> {
    type Item = T;

    /// In a forked copy of the process it ends.
    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.next == self.end || !self.array.is_present() {
            return None;
        }
        self.next += 1;
        self.array.load(self.next - 1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl<T: Copy> DoubleEndedIterator for ArrayIter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        if self.next == self.end || !self.array.is_present() {
            return None;
        }
        self.end -= 1;
        self.array.load(self.end)
    }
}

impl<T: Copy> ExactSizeIterator for ArrayIter<'_, T> {}
impl<T: Copy> FusedIterator for ArrayIter<'_, T> {}

impl<T> fmt::Debug for ArrayIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArrayIter({}..{})", self.next, self.end)
    }
}
