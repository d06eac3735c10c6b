//! A handle on what is no such list, and on one whose words were overwritten.

use super::SharedList;
use crate::channel::domain::Arena;
use crate::channel::kind;
use crate::error::ErrorKind;
use crate::layout::block_place::{BlockPlace, Named};
use crate::locks::LockBackend;
use crate::locks::core::Core;
use crate::prim::spin::Spinner;
use crate::sync::atomic::Ordering;

#[test]
fn another_type_is_refused_and_both_are_named() {
    let texts = SharedList::from_slice(&["a".to_owned()]).expect("list");
    let object = texts.inner.body.object().clone();
    let error = SharedList::<u64>::over(object, Spinner::default()).expect_err("another type");
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    let told = error.to_string();
    assert!(told.contains("a list of String, and not a list of u64"), "{told}");
    let lock = Core::create(&Arena::default(), kind::LOCK, "lock", LockBackend::Futex).expect("lock");
    let error = SharedList::<u64>::over(lock.reference().clone(), Spinner::default()).expect_err("a lock");
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
}

#[test]
fn words_that_say_what_cannot_be_are_an_error() {
    let list = SharedList::from_slice(&[1u64, 2]).expect("list");
    let root = &list.inner.body.words.root;
    let good = root.load(Ordering::Relaxed);
    for bad in [u64::MAX, BlockPlace::new(Named::new(1 << 45, 1), false).0, 1] {
        root.store(bad, Ordering::Relaxed);
        assert_eq!(list.get(0).expect_err("get").kind(), ErrorKind::OutOfRange, "{bad:#x}");
        assert_eq!(list.push(&3).expect_err("push").kind(), ErrorKind::InvalidRegion);
        assert_eq!(list.pop().expect("pop"), None);
        assert!(list.to_vec().is_ok_and(|all| all.is_empty()));
    }
    root.store(good, Ordering::Relaxed);
    // A length that no segment reaches.
    let spine = list.inner.region.words(BlockPlace(good).offset(), 1).expect("a spine");
    for bad in [9, 1 << 20, u64::MAX] {
        spine[0].store(bad, Ordering::Relaxed);
        assert_eq!(list.get(8).expect_err("get").kind(), ErrorKind::InvalidRegion, "{bad}");
        assert_eq!(list.to_vec().expect_err("to_vec").kind(), ErrorKind::InvalidRegion);
        assert_eq!(list.pop().expect_err("pop").kind(), ErrorKind::InvalidRegion);
        assert_eq!(list.reverse().expect_err("reverse").kind(), ErrorKind::InvalidRegion);
        assert!(list.iter().next().is_some_and(|item| item.is_err()));
    }
    spine[0].store(2, Ordering::Relaxed);
    assert_eq!(list, [1, 2]);
}
