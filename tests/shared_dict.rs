//! `SharedDict` in one process and several: what a `HashMap` would do, also while others write.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use processing::{Arena, ErrorKind, Process, Queue, SharedDict};

fn arena(limit: u64) -> Arena {
    Arena::builder().limit(limit).build().unwrap()
}

fn dict<K: processing::SharedData, V: processing::SharedData>(arena: &Arena) -> SharedDict<K, V> {
    SharedDict::builder().arena(arena).build().unwrap()
}

/// A generator of numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn it_does_what_a_map_does() {
    let arena = arena(256 << 20);
    let d = dict::<u64, u64>(&arena);
    let mut map = HashMap::new();
    let mut numbers = Numbers(7);
    for turn in 0..200_000u64 {
        let (key, kind) = (numbers.next() % 20_000, numbers.next() % 8);
        match kind {
            0..=4 => assert_eq!(d.insert(&key, &turn).unwrap(), map.insert(key, turn).is_none()),
            5 => assert_eq!(d.remove(&key).unwrap(), map.remove(&key).is_some()),
            6 => assert_eq!(d.pop(&key).unwrap(), map.remove(&key)),
            _ => assert_eq!(d.get(&key).unwrap(), map.get(&key).copied()),
        }
    }
    assert_eq!(d.len(), map.len());
    assert_eq!(d.copy().unwrap(), map);
    let keys = d.keys().unwrap();
    assert_eq!(keys.len(), map.len(), "each once");
    d.clear().unwrap();
    assert!(d.is_empty() && d.items().unwrap().is_empty());
    assert!(arena.fsck().unwrap().is_clean(), "{}", arena.fsck().unwrap());
    drop(d);
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.value == 0 && report.objects == 0, "{report}");
}

/// Whatever a value and a key are copied by, and wherever they stand.
fn plain<K, V>(arena: &Arena, key: fn(u8) -> K, value: fn(u8) -> V)
where
    K: processing::SharedData + Eq + std::hash::Hash + Clone + std::fmt::Debug,
    V: processing::SharedData + PartialEq + Clone + std::fmt::Debug,
{
    let d = dict::<K, V>(arena);
    let mut map = HashMap::new();
    for turn in 0..3 {
        for n in (0..=255u8).filter(|n| n % 3 >= turn) {
            let new = value(n.wrapping_add(turn));
            assert_eq!(d.replace(&key(n), &new).unwrap(), map.insert(key(n), new));
        }
        for n in (0..=255u8).filter(|n| n % 5 == turn) {
            assert_eq!(d.pop(&key(n)).unwrap(), map.remove(&key(n)));
        }
        assert!((0..=255).all(|n| d.get(&key(n)).unwrap().as_ref() == map.get(&key(n))));
        assert_eq!((d.len(), d.copy().unwrap()), (map.len(), map.clone()));
    }
    assert!(arena.fsck().unwrap().is_clean(), "{}", arena.fsck().unwrap());
}

fn plain_values<K>(arena: &Arena, key: fn(u8) -> K)
where
    K: processing::SharedData + Eq + std::hash::Hash + Clone + std::fmt::Debug,
{
    plain(arena, key, |n| n);
    plain(arena, key, |n| [n; 16]);
    plain(arena, key, |n| [n; 17]);
    plain(arena, key, |n| [u64::from(n); 8]);
    plain(arena, key, |n| ([n; 32], [n; 32], n));
    plain(arena, key, |n| [[n; 32]; 4]);
    plain(arena, key, |n| [[n; 43]; 3]);
    plain(arena, key, |n| n % 2 == 0);
    plain(arena, key, |n| vec![n; usize::from(n)]);
}

#[test]
fn plain_values_of_any_size_under_keys_of_any_kind() {
    let all = || {
        let arena = arena(256 << 20);
        plain_values(&arena, |n| n);
        plain_values(&arena, |n| [n; 8]);
        plain_values(&arena, |n| [n; 9]);
        plain_values(&arena, |n| [n; 16]);
        plain_values(&arena, |n| [n; 17]);
        plain_values(&arena, |n| [[n; 40]; 50]);
        plain_values(&arena, |n| format!("{n}").repeat(usize::from(n % 4)) + "/" + &n.to_string());
        // As long as the largest small block, and a little longer: only a small one's header has room for a key.
        plain(&arena, |n| [n; 16], |n| [[u64::from(n); 1022]; 4]);
        plain(&arena, |n| [n; 16], |n| [[u64::from(n); 1023]; 4]);
    };
    // Values of 32 KiB are moved about, unoptimised.
    std::thread::Builder::new().stack_size(64 << 20).spawn(all).unwrap().join().unwrap();
}

#[test]
fn values_and_keys_of_any_size() {
    let arena = arena(256 << 20);
    let d = dict::<String, Vec<u8>>(&arena);
    let mut map: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut numbers = Numbers(11);
    for _ in 0..4000 {
        let key = "k".repeat((numbers.next() % 40) as usize) + &(numbers.next() % 300).to_string();
        let len = [0, 1, 7, 8, 100, 5000, 100_000][(numbers.next() % 7) as usize];
        let value = vec![numbers.next() as u8; len];
        match numbers.next() % 4 {
            0 => assert_eq!(d.remove(key.as_str()).unwrap(), map.remove(&key).is_some()),
            1 => assert_eq!(d.get(key.as_str()).unwrap().as_ref(), map.get(&key)),
            2 => assert_eq!(d.replace(&key, &value).unwrap(), map.insert(key, value)),
            _ => assert_eq!(d.insert(&key, &value).unwrap(), map.insert(key, value).is_none()),
        }
    }
    assert_eq!(d.items().unwrap().into_iter().collect::<BTreeMap<_, _>>(), map);
    assert!(arena.fsck().unwrap().is_clean(), "{}", arena.fsck().unwrap());
    d.clear().unwrap();
    assert!(arena.fsck().unwrap().is_clean(), "{}", arena.fsck().unwrap());
    drop(d);
    assert_eq!(arena.fsck().unwrap().value, 0);
}

#[test]
fn a_million_entries_cost_at_most_forty_bytes_each() {
    let arena = arena(512 << 20);
    let d = dict::<u64, u64>(&arena);
    let mut most = (0.0, 0);
    for n in 0..1_000_000u64 {
        d.insert(&n, &(n * 3)).unwrap();
        if n > 250_000 && n % 10_000 == 0 {
            let stats = d.stats().unwrap();
            assert_eq!(stats.entries, n + 1);
            let each = stats.bytes as f64 / stats.entries as f64;
            if each > most.0 {
                most = (each, n);
            }
        }
    }
    println!("at most {:.1} bytes an entry, at {} entries", most.0, most.1);
    assert!(most.0 <= 40.0, "{most:?}");
    for n in (0..1_000_000).step_by(997) {
        assert_eq!(d.get(&n).unwrap(), Some(n * 3));
    }
    assert_eq!(d.get(&1_000_000).unwrap(), None);
    assert_eq!(d.iter().count(), 1_000_000);
}

#[test]
#[ignore = "half a gigabyte: `cargo xtask stress --large` runs it"]
fn ten_million_entries_come_and_go() {
    const COUNT: u64 = 10_000_000;
    let arena = arena(1 << 30);
    let d = dict::<u64, u64>(&arena);
    d.extend((0..COUNT).map(|n| (n, n * 3))).unwrap();
    let stats = d.stats().unwrap();
    let each = stats.bytes as f64 / stats.entries as f64;
    println!("{each:.1} bytes an entry, in {} segments", stats.segments);
    assert_eq!((stats.entries, d.len() as u64), (COUNT, COUNT));
    assert!(each <= 40.0, "{stats:?}");
    for n in (0..COUNT).step_by(997) {
        assert_eq!(d.get(&n).unwrap(), Some(n * 3));
    }
    assert_eq!(d.get(&COUNT).unwrap(), None);
    assert_eq!(d.iter().map(|entry| entry.unwrap().0).sum::<u64>(), COUNT * (COUNT - 1) / 2);
    let report = arena.fsck().unwrap();
    assert!(report.is_clean(), "{report}");
    drop(d);
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.value == 0 && report.objects == 0, "{report}");
    // All memory serves again: as much once more has room.
    let again = dict::<u64, u64>(&arena);
    again.extend((0..COUNT).map(|n| (!n, n))).unwrap();
    assert_eq!(again.stats().unwrap().entries, COUNT);
}

#[test]
fn handles_are_values() {
    let arena = arena(64 << 20);
    let d = dict::<String, Queue<u64>>(&arena);
    let q = Queue::<u64>::builder().arena(&arena).build().unwrap();
    assert!(d.insert(&"a".to_owned(), &q).unwrap());
    drop(q);
    d.get("a").unwrap().unwrap().put(&5).unwrap();
    let (_, q) = d.items().unwrap().remove(0);
    assert_eq!(q.get().unwrap(), 5);
    let nested = dict::<u64, SharedDict<String, Queue<u64>>>(&arena);
    nested.insert(&1, &d).unwrap();
    drop(d);
    nested.get(&1).unwrap().unwrap().get("a").unwrap().unwrap().put(&6).unwrap();
    assert_eq!(q.get().unwrap(), 6);
    drop(q);
    assert!(arena.fsck().unwrap().is_clean(), "{}", arena.fsck().unwrap());
    assert!(nested.remove(&1).unwrap());
    let report = arena.fsck().unwrap();
    assert!(report.is_clean() && report.objects == 1, "{report}");
}

#[test]
fn a_closure_under_the_lock() {
    let arena = arena(64 << 20);
    let d = dict::<String, String>(&arena);
    assert_eq!(d.update("k", |v| v + "x").unwrap(), None);
    assert_eq!(d.update_or_insert("k", "a".into(), |v| v + "x").unwrap(), "ax");
    assert_eq!(d.update("k", |v| v + "y").unwrap().as_deref(), Some("axy"));
    assert_eq!(d.set_default("k", "z".into()).unwrap(), "axy");
    assert_eq!(d.set_default("l", "z".into()).unwrap(), "z");
    // Reading is allowed, changing is not, and a panic changes nothing.
    d.update("k", |v| {
        assert_eq!(d.get("k").unwrap().as_deref(), Some("axy"));
        assert_eq!(d.get("l").unwrap().as_deref(), Some("z"));
        for key in ["k", "l", "m"] {
            assert_eq!(d.insert(&key.to_owned(), &v).unwrap_err().kind(), ErrorKind::Deadlock);
            assert_eq!(d.remove(key).unwrap_err().kind(), ErrorKind::Deadlock);
        }
        assert_eq!(d.clear().unwrap_err().kind(), ErrorKind::Deadlock);
        v
    })
    .unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        d.update("k", |_| std::panic::resume_unwind(Box::new(())))
    }));
    drop(panicked.unwrap_err());
    assert_eq!(d.get("k").unwrap().as_deref(), Some("axy"));
    assert!(d.insert(&"m".to_owned(), &"n".to_owned()).unwrap());
    assert_eq!(d.to_string().matches("\"k\": \"axy\"").count(), 1);
}

#[test]
fn handles_travel() {
    let arena = arena(64 << 20);
    let queue = Queue::<SharedDict<u64, u64>>::builder().arena(&arena).build().unwrap();
    let d = dict::<u64, u64>(&arena);
    queue.put(&d).unwrap();
    let other = queue.get().unwrap();
    d.insert(&1, &2).unwrap();
    assert_eq!(other.get(&1).unwrap(), Some(2));
    fn doubles(d: SharedDict<u64, u64>) -> processing::Result<()> {
        d.update(&1, |v| v * 2).map(drop)
    }
    let process = Process::new(doubles, (other,)).start().unwrap();
    assert!(process.join().unwrap().success());
    assert_eq!(d.get(&1).unwrap(), Some(4));
    for stripes in [0, 3, 512] {
        let error = SharedDict::<u64, u64>::builder().arena(&arena).stripes(stripes).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn keys_that_look_alike_spread() {
    let arena = arena(64 << 20);
    for make in [|n: u64| n << 49, |n: u64| n << 32, |n: u64| n * 4096, |n: u64| !n] {
        let d = dict::<u64, u64>(&arena);
        d.extend((0..20_000).map(|n| (make(n), n))).unwrap();
        let stats = d.stats().unwrap();
        assert!(stats.entries == 20_000 && stats.bytes < 45 * 20_000, "{stats:?}");
        assert!((0..20_000).all(|n| d.get(&make(n)).unwrap() == Some(n)));
    }
}

fn write_all(d: SharedDict<u64, u64>, texts: SharedDict<u64, String>, which: u64) -> processing::Result<()> {
    for n in 0..20_000u64 {
        let key = n * 4 + which;
        d.insert(&key, &(key * 7))?;
        d.update_or_insert(&u64::MAX, 0, |count| count + 1)?;
        if n.is_multiple_of(16) {
            texts.insert(&(n % 64), &format!("{which}").repeat((n % 500) as usize))?;
        }
    }
    Ok(())
}

#[test]
fn processes_write_at_once_and_readers_see_whole_values() {
    let arena = arena(256 << 20);
    let (d, texts) = (dict::<u64, u64>(&arena), dict::<u64, String>(&arena));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut numbers = Numbers(3);
            while !done.load(Ordering::Relaxed) {
                let key = numbers.next() % 80_000;
                if let Some(value) = d.get(&key).unwrap() {
                    assert_eq!(value, key * 7);
                }
                if let Some(text) = texts.get(&(numbers.next() % 64)).unwrap() {
                    assert!(text.bytes().all(|byte| byte == text.as_bytes()[0]), "{text}");
                }
            }
        });
        let writers: Vec<Process> = (0..4)
            .map(|which| Process::new(write_all, (d.clone(), texts.clone(), which)).start().unwrap())
            .collect();
        for writer in writers {
            assert!(writer.join().unwrap().success());
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(d.len(), 80_001);
    assert_eq!(d.get(&u64::MAX).unwrap(), Some(80_000));
    for key in 0..80_000 {
        assert_eq!(d.get(&key).unwrap(), Some(key * 7));
    }
    assert!(arena.fsck().unwrap().is_clean(), "{}", arena.fsck().unwrap());
}

#[test]
fn what_is_there_all_the_time_is_found_once() {
    let arena = arena(256 << 20);
    let d = dict::<u64, u64>(&arena);
    d.extend((0..5000).map(|n| (n, n))).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut numbers = Numbers(5);
            for n in 5000..150_000 {
                d.insert(&n, &n).unwrap();
                d.remove(&(5000 + numbers.next() % (n - 4999))).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        loop {
            let last = done.load(Ordering::Relaxed);
            let mut seen = HashMap::new();
            for entry in &d {
                let (key, value) = entry.unwrap();
                assert_eq!(key, value);
                *seen.entry(key).or_insert(0) += 1;
            }
            assert!((0..5000).all(|n| seen.get(&n) == Some(&1)));
            assert!(seen.values().all(|count| *count == 1));
            if last {
                break;
            }
        }
    });
}

#[test]
fn an_arena_that_is_full_leaves_it_as_it_was() {
    let arena = arena(1 << 20);
    let d = dict::<u64, Vec<u8>>(&arena);
    let mut count = 0u64;
    let error = loop {
        match d.insert(&count, &vec![1; (count % 600) as usize]) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::TooLarge), "{error}");
    assert_eq!(d.len() as u64, count);
    assert!(d.get(&count).unwrap().is_none());
    assert!(arena.fsck().unwrap().is_clean(), "{}", arena.fsck().unwrap());
    for n in 0..count {
        assert_eq!(d.get(&n).unwrap().unwrap().len() as u64, n % 600);
        assert!(d.remove(&n).unwrap());
    }
    assert!(d.is_empty());
    assert!(d.insert(&1, &vec![2; 500]).unwrap());
    assert_eq!(d.insert(&2, &vec![2; 4 << 20]).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(arena.fsck().unwrap().is_clean(), "{}", arena.fsck().unwrap());
}
