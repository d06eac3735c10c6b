//! `SharedArray<T>` against `Vec<T>`: whatever is called, in whatever order, both have the same elements and refuse the same.

use std::fmt::Debug;
use std::ops::Range;

use processing::{ErrorKind, SharedArray, SharedData};
use proptest::prelude::*;

/// The most elements.
const MOST: usize = 20;

#[derive(Clone, Debug)]
enum Call<T> {
    Fill(T),
    SetSlice(usize, Vec<T>),
    /// Each element of the range gets the next of these; then it is committed, dropped, or dropped unchanged.
    WriteRange(Range<usize>, Vec<T>, u8),
    Edit(usize, Vec<T>),
    EditFill(T),
    Slice(Range<usize>),
    /// By how many guards at once.
    Read(u8),
    Get(usize),
    Set(usize, T),
}

/// Beyond the end now and then.
fn index() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0..MOST + 2, 1 => Just(usize::MAX)]
}

/// Reversed now and then.
fn range() -> impl Strategy<Value = Range<usize>> {
    (index(), 0..MOST, 0..10).prop_map(|(start, len, odd)| match odd {
        0 => start..start / 2,
        _ => start..start.saturating_add(len),
    })
}

fn call<T: Arbitrary + Clone + 'static>(lone: bool) -> impl Strategy<Value = Call<T>> {
    let some = || prop::collection::vec(any::<T>(), 0..8);
    let lone = u32::from(lone);
    prop_oneof![
        1 => any::<T>().prop_map(Call::Fill),
        2 => (index(), some()).prop_map(|(at, values)| Call::SetSlice(at, values)),
        3 => (range(), some(), any::<u8>()).prop_map(|(range, values, how)| Call::WriteRange(range, values, how)),
        2 => (index(), some()).prop_map(|(at, values)| Call::Edit(at, values)),
        1 => any::<T>().prop_map(Call::EditFill),
        2 => range().prop_map(Call::Slice),
        2 => (1..9u8).prop_map(Call::Read),
        4 * lone + 1 => index().prop_map(Call::Get),
        4 * lone + 1 => (index(), any::<T>()).prop_map(|(at, value)| Call::Set(at, value)),
    ]
}

/// Single elements, where the size allows.
trait Lone: SharedData + Copy + Debug + PartialEq + Arbitrary {
    const LONE: bool = true;
    fn get(a: &SharedArray<Self>, index: usize) -> processing::Result<Self>;
    fn set(a: &SharedArray<Self>, index: usize, value: Self) -> processing::Result<()>;
}

macro_rules! lone {
    ($($name:ty)*) => {$(
        impl Lone for $name {
            fn get(a: &SharedArray<Self>, index: usize) -> processing::Result<Self> {
                a.get(index)
            }
            fn set(a: &SharedArray<Self>, index: usize, value: Self) -> processing::Result<()> {
                a.set(index, value)
            }
        }
    )*};
}
lone!(u8 i16 u32 i64 bool);

impl Lone for [u8; 3] {
    const LONE: bool = false;
    fn get(a: &SharedArray<Self>, index: usize) -> processing::Result<Self> {
        Ok(a.slice(index..index.saturating_add(1))?[0])
    }
    fn set(a: &SharedArray<Self>, index: usize, value: Self) -> processing::Result<()> {
        a.set_slice(index, &[value])
    }
}

/// What the array answered, and what the vector does: both refuse, or both do not.
fn same<A, B>(
    ours: processing::Result<A>,
    theirs: Option<B>,
    equal: impl Fn(&A, &B) -> bool,
) -> Result<(), TestCaseError> {
    match (ours, theirs) {
        (Ok(ours), Some(theirs)) => prop_assert!(equal(&ours, &theirs)),
        (Err(error), None) => prop_assert_eq!(error.kind(), ErrorKind::OutOfRange, "{}", error),
        (ours, theirs) => {
            prop_assert!(false, "refused by one: {:?}, {}", ours.err(), theirs.is_some());
        }
    }
    Ok(())
}

fn play<T: Lone>(first: &[T], calls: Vec<Call<T>>) -> Result<(), TestCaseError> {
    let a = SharedArray::from_slice(first).expect("array");
    let mut v = first.to_vec();
    for call in calls {
        match call {
            Call::Fill(value) => {
                a.fill(value).expect("fill");
                v.fill(value);
            }
            Call::SetSlice(at, values) => {
                let into = v.get_mut(at..at.saturating_add(values.len()));
                let done =
                    into.filter(|into| into.len() == values.len()).map(|into| into.copy_from_slice(&values));
                same(a.set_slice(at, &values), done, |(), ()| true)?;
            }
            Call::WriteRange(range, values, how) => {
                let ours = a.write_range(range.clone()).map(|mut guard| {
                    if how % 3 > 0 {
                        guard.iter_mut().zip(&values).for_each(|(slot, value)| *slot = *value);
                    }
                    let is = guard.to_vec();
                    if how % 3 == 1 {
                        guard.commit().expect("commit");
                    }
                    is
                });
                let theirs = v.get_mut(range).map(|slots| {
                    if how % 3 > 0 {
                        slots.iter_mut().zip(&values).for_each(|(slot, value)| *slot = *value);
                    }
                    slots.to_vec()
                });
                same(ours, theirs, |ours, theirs| ours == theirs)?;
            }
            Call::Edit(at, values) => {
                let mut edit = a.edit().expect("edit");
                let into = v.get_mut(at..at.saturating_add(values.len()));
                let done =
                    into.filter(|into| into.len() == values.len()).map(|into| into.copy_from_slice(&values));
                same(edit.write(at, &values), done, |(), ()| true)?;
                prop_assert_eq!(&*edit, v.as_slice());
            }
            Call::EditFill(value) => {
                a.edit().expect("edit").fill(value).expect("fill");
                v.fill(value);
            }
            Call::Slice(range) => {
                same(a.slice(range.clone()), v.get(range), |ours, theirs| ours == theirs)?;
            }
            Call::Read(guards) => {
                let guards: Vec<_> = (0..guards).map(|_| a.read().expect("read")).collect();
                for guard in guards {
                    prop_assert_eq!(&*guard, v.as_slice());
                }
            }
            Call::Get(index) => same(T::get(&a, index), v.get(index), |ours, theirs| ours == *theirs)?,
            Call::Set(index, value) => {
                let done = v.get_mut(index).map(|slot| *slot = value);
                same(T::set(&a, index, value), done, |(), ()| true)?;
            }
        }
    }
    prop_assert_eq!(a.to_vec().expect("read"), v);
    Ok(())
}

macro_rules! against_a_vector {
    ($($name:ident: $element:ty,)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $name(
                    first in prop::collection::vec(any::<$element>(), 0..MOST),
                    calls in prop::collection::vec(call::<$element>(<$element as Lone>::LONE), 0..40),
                ) {
                    play(&first, calls)?;
                }
            )*
        }
    };
}

against_a_vector! {
    bytes: u8,
    halves: i16,
    numbers: u32,
    words: i64,
    truths: bool,
    triples: [u8; 3],
}
