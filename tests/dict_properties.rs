//! `SharedDict<K, V>` does what a `HashMap<K, V>` does, whatever the calls: property tests.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use processing::{Arena, SharedData, SharedDict};
use proptest::collection::vec;
use proptest::prelude::*;

/// One call. Keys are few, so that most are there.
#[derive(Clone, Debug)]
enum Call {
    Insert(u8, u16),
    Extend(Vec<(u8, u16)>),
    Replace(u8, u16),
    Remove(u8),
    Pop(u8),
    Update(u8, u16),
    UpdateOrInsert(u8, u16, u16),
    SetDefault(u8, u16),
    Retain(u16),
    Clear,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let key = || 0..120u8;
    let some = vec((any::<u8>(), any::<u16>()), 0..100);
    let call = prop_oneof![
        6 => (key(), any::<u16>()).prop_map(|(k, v)| Call::Insert(k, v)),
        3 => some.prop_map(Call::Extend),
        3 => (key(), any::<u16>()).prop_map(|(k, v)| Call::Replace(k, v)),
        4 => key().prop_map(Call::Remove),
        3 => key().prop_map(Call::Pop),
        3 => (key(), any::<u16>()).prop_map(|(k, v)| Call::Update(k, v)),
        3 => (key(), any::<u16>(), any::<u16>()).prop_map(|(k, v, w)| Call::UpdateOrInsert(k, v, w)),
        3 => (key(), any::<u16>()).prop_map(|(k, v)| Call::SetDefault(k, v)),
        2 => (1..6u16).prop_map(Call::Retain),
        1 => Just(Call::Clear),
    ];
    vec(call, 1..50)
}

/// How keys and values are made of numbers, and how a value is changed by one.
struct Types<K, V> {
    key: fn(u8) -> K,
    value: fn(u16) -> V,
    change: fn(V, u16) -> V,
    /// Whether a value stays when only one of so many does.
    keep: fn(&V, u16) -> bool,
}

/// Makes the call on both, and compares what came of it.
fn make<K, V>(
    dict: &SharedDict<K, V>,
    same: &mut HashMap<K, V>,
    call: Call,
    types: &Types<K, V>,
) -> processing::Result<()>
where
    K: SharedData + Hash + Eq + Clone,
    V: SharedData + PartialEq + Clone + Debug,
{
    let Types { key, value, change, keep } = types;
    match call {
        Call::Insert(k, v) => {
            assert_eq!(dict.insert(&key(k), &value(v))?, same.insert(key(k), value(v)).is_none());
        }
        Call::Extend(all) => {
            let entries = || all.iter().map(|(k, v)| (key(*k), value(*v)));
            dict.extend(entries())?;
            same.extend(entries());
        }
        Call::Replace(k, v) => {
            assert_eq!(dict.replace(&key(k), &value(v))?, same.insert(key(k), value(v)));
        }
        Call::Remove(k) => assert_eq!(dict.remove(&key(k))?, same.remove(&key(k)).is_some()),
        Call::Pop(k) => assert_eq!(dict.pop(&key(k))?, same.remove(&key(k))),
        Call::Update(k, v) => {
            let now = same.get_mut(&key(k)).map(|there| {
                *there = change(there.clone(), v);
                there.clone()
            });
            assert_eq!(dict.update(&key(k), |before| change(before, v))?, now);
        }
        Call::UpdateOrInsert(k, default, v) => {
            let now = change(same.get(&key(k)).cloned().unwrap_or_else(|| value(default)), v);
            same.insert(key(k), now.clone());
            assert_eq!(dict.update_or_insert(&key(k), value(default), |before| change(before, v))?, now);
        }
        Call::SetDefault(k, default) => {
            let now = same.entry(key(k)).or_insert_with(|| value(default)).clone();
            assert_eq!(dict.set_default(&key(k), value(default))?, now);
        }
        Call::Retain(of) => {
            dict.retain(|_, v| keep(v, of))?;
            same.retain(|_, v| keep(v, of));
        }
        Call::Clear => {
            dict.clear()?;
            same.clear();
        }
    }
    Ok(())
}

/// By every way of looking.
fn compare<K, V>(dict: &SharedDict<K, V>, same: &HashMap<K, V>, key: fn(u8) -> K) -> processing::Result<()>
where
    K: SharedData + Hash + Eq + Debug,
    V: SharedData + PartialEq + Debug,
{
    assert_eq!((dict.len(), dict.is_empty()), (same.len(), same.is_empty()));
    for k in (0..=u8::MAX).step_by(5) {
        assert_eq!(dict.get(&key(k))?.as_ref(), same.get(&key(k)));
        assert_eq!(dict.contains(&key(k))?, same.contains_key(&key(k)));
    }
    let items = dict.items()?;
    assert_eq!(items.len(), same.len(), "each once");
    assert!(items.iter().all(|(k, v)| same.get(k) == Some(v)), "{items:?}, and not {same:?}");
    let entries: HashMap<K, V> = dict.iter().collect::<processing::Result<_>>()?;
    assert_eq!(entries, *same);
    assert_eq!((dict.keys()?.len(), dict.values()?.len()), (same.len(), same.len()));
    Ok(())
}

fn run<K, V>(calls: Vec<Call>, types: &Types<K, V>)
where
    K: SharedData + Hash + Eq + Clone + Debug,
    V: SharedData + PartialEq + Clone + Debug,
{
    let arena = Arena::builder().limit(16 << 20).build().expect("arena");
    let dict = SharedDict::builder().arena(&arena).stripes(4).build().expect("dict");
    let mut same = HashMap::new();
    for call in calls {
        make(&dict, &mut same, call.clone(), types).unwrap_or_else(|error| panic!("{call:?}: {error}"));
        compare(&dict, &same, types.key).unwrap_or_else(|error| panic!("after {call:?}: {error}"));
    }
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean(), "{report}");
    drop(dict);
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.value == 0 && report.objects == 0, "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_dictionary_of_numbers_is_a_map(calls in calls()) {
        run(calls, &Types {
            key: |k| u64::from(k) << 40,
            value: u64::from,
            change: |v, by| v.wrapping_mul(3).wrapping_add(u64::from(by)),
            keep: |v, of| v % u64::from(of) == 0,
        });
    }

    /// Lengths and keys stand in front of the blocks.
    #[test]
    fn a_dictionary_of_words_under_pairs_is_a_map(calls in calls()) {
        run(calls, &Types {
            key: |k| [u64::from(k % 3), u64::from(k) << 40],
            value: |v| [u64::from(v); 8],
            change: |v, by| v.map(|word| word.wrapping_mul(3).wrapping_add(u64::from(by))),
            keep: |v, of| v[7] % u64::from(of) == 0,
        });
    }

    #[test]
    fn a_dictionary_of_bytes_under_texts_is_a_map(calls in calls()) {
        run(calls, &Types {
            key: |k| format!("{k}").repeat(usize::from(k % 7)) + "/" + &k.to_string(),
            value: |v| vec![v as u8; usize::from(v % 700)],
            change: |mut v, by| {
                v.truncate(400);
                v.extend(by.to_le_bytes());
                v
            },
            keep: |v, of| v.len() % usize::from(of) == 0,
        });
    }
}
