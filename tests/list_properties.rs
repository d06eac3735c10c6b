//! `SharedList<T>` does what a `Vec<T>` does, whatever the calls: property tests, and what an iterator sees while others write.

use processing::{Arena, Process, Queue, SharedData, SharedList};
use proptest::collection::vec;
use proptest::prelude::*;

/// One call. Places are taken modulo what there is.
#[derive(Clone, Debug)]
enum Call {
    Push(u16),
    Extend(Vec<u16>),
    Pop,
    Set(usize, u16),
    Update(usize, u16),
    Insert(usize, u16),
    Remove(usize),
    SetSlice(usize, usize, Vec<u16>),
    Truncate(usize),
    Reverse,
    Sort,
    Clear,
    Slice(usize, usize),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let some = || vec(any::<u16>(), 0..20);
    let call = prop_oneof![
        6 => any::<u16>().prop_map(Call::Push),
        3 => some().prop_map(Call::Extend),
        4 => Just(Call::Pop),
        3 => (any::<usize>(), any::<u16>()).prop_map(|(i, v)| Call::Set(i, v)),
        2 => (any::<usize>(), any::<u16>()).prop_map(|(i, v)| Call::Update(i, v)),
        3 => (any::<usize>(), any::<u16>()).prop_map(|(i, v)| Call::Insert(i, v)),
        3 => any::<usize>().prop_map(Call::Remove),
        3 => (any::<usize>(), any::<usize>(), some()).prop_map(|(a, b, v)| Call::SetSlice(a, b, v)),
        1 => any::<usize>().prop_map(Call::Truncate),
        1 => Just(Call::Reverse),
        1 => Just(Call::Sort),
        1 => Just(Call::Clear),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Call::Slice(a, b)),
    ];
    vec(call, 1..60)
}

/// Makes the call on both, and compares what came of it.
fn make<T>(list: &SharedList<T>, same: &mut Vec<T>, call: Call, value: fn(u16) -> T) -> processing::Result<()>
where
    T: SharedData + Clone + Ord + std::fmt::Debug,
{
    let len = same.len();
    let within = |i: usize| i % (len + 1);
    let range = |a: usize, b: usize| within(a).min(within(b))..within(a).max(within(b));
    let values = |all: Vec<u16>| all.into_iter().map(value).collect::<Vec<T>>();
    match call {
        Call::Push(v) => {
            list.push(&value(v))?;
            same.push(value(v));
        }
        Call::Extend(all) => {
            list.extend(values(all.clone()))?;
            same.extend(values(all));
        }
        Call::Pop => assert_eq!(list.pop()?, same.pop()),
        Call::Set(i, v) => match same.get_mut(within(i)) {
            Some(element) => {
                list.set(within(i), &value(v))?;
                *element = value(v);
            }
            None => assert!(list.set(within(i), &value(v)).is_err()),
        },
        Call::Update(i, v) => match same.get_mut(within(i)) {
            Some(element) => {
                let before = list.update(within(i), |now| std::mem::replace(now, value(v)))?;
                assert_eq!(before, std::mem::replace(element, value(v)));
            }
            None => assert!(list.update(within(i), |_| ()).is_err()),
        },
        Call::Insert(i, v) => {
            list.insert(within(i), &value(v))?;
            same.insert(within(i), value(v));
        }
        Call::Remove(i) if within(i) < len => assert_eq!(list.remove(within(i))?, same.remove(within(i))),
        Call::Remove(i) => assert!(list.remove(within(i)).is_err()),
        Call::SetSlice(a, b, all) => {
            list.set_slice(range(a, b), &values(all.clone()))?;
            same.splice(range(a, b), values(all));
        }
        Call::Truncate(to) => {
            list.truncate(within(to))?;
            same.truncate(within(to));
        }
        Call::Reverse => {
            list.reverse()?;
            same.reverse();
        }
        Call::Sort => {
            list.sort()?;
            same.sort();
        }
        Call::Clear => {
            list.clear()?;
            same.clear();
        }
        Call::Slice(a, b) => assert_eq!(list.slice(range(a, b))?, same[range(a, b)]),
    }
    assert_eq!(list.len(), same.len());
    for i in [0, same.len() / 2, same.len()] {
        assert_eq!(list.get(i).ok().as_ref(), same.get(i));
    }
    Ok(())
}

fn run<T>(calls: Vec<Call>, value: fn(u16) -> T)
where
    T: SharedData + Clone + Ord + std::fmt::Debug,
{
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    let list = SharedList::builder().arena(&arena).build().expect("list");
    let mut same = Vec::new();
    for call in calls {
        make(&list, &mut same, call.clone(), value).unwrap_or_else(|error| panic!("{call:?}: {error}"));
    }
    assert_eq!(list, same);
    let all: Vec<T> = list.iter().collect::<Result<_, _>>().expect("iter");
    assert_eq!(all, same);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean(), "{report}");
    drop(list);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.value == 0, "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_list_of_numbers_is_a_vector(calls in calls()) {
        run(calls, u64::from);
    }

    #[test]
    fn a_list_of_texts_is_a_vector(calls in calls()) {
        run(calls, |v| v.to_string().repeat(usize::from(v % 9)));
    }
}

/// Adds and takes at both ends of what stays in the middle.
fn stir(list: SharedList<(bool, u64)>, ready: Queue<u8>) {
    ready.put(&1).expect("put");
    for n in 0.. {
        list.insert(0, &(false, n)).expect("insert");
        list.extend((0..(n % 9)).map(|i| (false, i))).expect("extend");
        list.remove(0).expect("remove");
        let len = list.len();
        if len > 40 {
            list.truncate(30).expect("truncate");
        }
    }
}

#[test]
fn an_iterator_yields_what_is_there_throughout_once() {
    let stays: Vec<(bool, u64)> = (0..30).map(|n| (true, n)).collect();
    let list = SharedList::from_slice(&stays).expect("list");
    let ready = Queue::new(1).expect("queue");
    let process = Process::new(stir, (list.clone(), ready.clone())).start().expect("start");
    ready.get().expect("it is at work");
    for _ in 0..300 {
        let seen: Vec<(bool, u64)> = list.iter().collect::<Result<_, _>>().expect("iter");
        let kept: Vec<_> = seen.iter().copied().filter(|(stays, _)| *stays).collect();
        assert_eq!(kept, stays);
        // At one moment: they lie next to each other.
        let all = list.to_vec().expect("to_vec");
        let first = all.iter().position(|(stays, _)| *stays).expect("some stay");
        assert_eq!(all[first..first + 30], stays);
    }
    process.kill().expect("kill");
    process.join().expect("join");
    list.push(&(false, 0)).expect("nobody waits for the dead");
}
