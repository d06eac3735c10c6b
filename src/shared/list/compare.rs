//! Comparison with other sequences, element by element. A list that cannot be read equals nothing.

use std::cmp::Ordering;

use super::SharedList;
use crate::shared::SharedData;

impl<T: SharedData + PartialEq<U>, U> PartialEq<[U]> for SharedList<T> {
    fn eq(&self, other: &[U]) -> bool {
        self.to_vec().is_ok_and(|all| all.as_slice() == other)
    }
}

impl<T: SharedData + PartialEq<U>, U> PartialEq<&[U]> for SharedList<T> {
    fn eq(&self, other: &&[U]) -> bool {
        *self == **other
    }
}

impl<T: SharedData + PartialEq<U>, U, const N: usize> PartialEq<[U; N]> for SharedList<T> {
    fn eq(&self, other: &[U; N]) -> bool {
        *self == *other.as_slice()
    }
}

impl<T: SharedData + PartialEq<U>, U> PartialEq<Vec<U>> for SharedList<T> {
    fn eq(&self, other: &Vec<U>) -> bool {
        *self == *other.as_slice()
    }
}

/// Each as it is at some moment during the call.
impl<T: SharedData + PartialEq<U>, U: SharedData> PartialEq<SharedList<U>> for SharedList<T> {
    fn eq(&self, other: &SharedList<U>) -> bool {
        other.to_vec().is_ok_and(|other| *self == other)
    }
}

impl<T: SharedData + PartialOrd> PartialOrd<[T]> for SharedList<T> {
    fn partial_cmp(&self, other: &[T]) -> Option<Ordering> {
        self.to_vec().ok()?.as_slice().partial_cmp(other)
    }
}

impl<T: SharedData + PartialOrd, const N: usize> PartialOrd<[T; N]> for SharedList<T> {
    fn partial_cmp(&self, other: &[T; N]) -> Option<Ordering> {
        self.partial_cmp(other.as_slice())
    }
}

impl<T: SharedData + PartialOrd> PartialOrd<Vec<T>> for SharedList<T> {
    fn partial_cmp(&self, other: &Vec<T>) -> Option<Ordering> {
        self.partial_cmp(other.as_slice())
    }
}

/// Each as it is at some moment during the call.
impl<T: SharedData + PartialOrd> PartialOrd for SharedList<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.partial_cmp(&other.to_vec().ok()?)
    }
}
