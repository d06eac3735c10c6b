//! `SharedList<T>`: the operations, between processes, and bad input.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{Arena, ErrorKind, Process, Queue, SharedList};

const LONG: Duration = Duration::from_secs(60);

#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, PartialOrd)]
#[rkyv(crate = processing::rkyv)]
struct Trade {
    id: u64,
    venue: String,
    prices: Vec<f64>,
}

fn trade(id: u64) -> Trade {
    Trade { id, venue: format!("venue {id}"), prices: vec![id as f64; (id % 40) as usize] }
}

fn arena(limit: u64) -> Arena {
    Arena::builder().limit(limit).build().expect("arena")
}

fn clean(arena: &Arena) {
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean(), "{report}");
}

fn list<T: processing::SharedData>(arena: &Arena, values: impl IntoIterator<Item = T>) -> SharedList<T> {
    SharedList::builder().arena(arena).build_from(values).expect("list")
}

#[test]
fn elements_come_and_go_at_the_end() {
    let arena = arena(16 << 20);
    let numbers = list(&arena, []);
    let texts = list(&arena, []);
    for i in 0..1000u64 {
        numbers.push(&i).expect("push");
        texts.push(&i.to_string()).expect("push");
        assert_eq!(numbers.get(i as usize).expect("get"), i);
        assert_eq!(texts.last().expect("last"), Some(i.to_string()));
    }
    clean(&arena);
    for i in (0..1000u64).rev() {
        assert_eq!(numbers.pop().expect("pop"), Some(i));
        assert_eq!(texts.pop().expect("pop"), Some(i.to_string()));
        assert_eq!((numbers.len(), texts.len()), (i as usize, i as usize));
    }
    clean(&arena);
    assert_eq!((numbers.pop().expect("pop"), texts.pop().expect("pop")), (None, None));
    assert!(numbers.is_empty() && texts.first().expect("first").is_none());
}

#[test]
fn memory_comes_back_when_a_list_gets_shorter() {
    let arena = arena(64 << 20);
    let empty = arena.fsck().expect("fsck").value;
    let texts = list(&arena, (0..5000).map(|i| i.to_string()));
    assert_eq!(arena.fsck().expect("fsck").value, empty + 5000 + 10 + 1, "elements, segments, spine");
    texts.truncate(8).expect("truncate");
    assert_eq!(arena.fsck().expect("fsck").value, empty + 8 + 2 + 1);
    texts.clear().expect("clear");
    assert_eq!(arena.fsck().expect("fsck").value, empty + 2);
    drop(texts);
    assert_eq!(arena.fsck().expect("fsck").value, empty);
    clean(&arena);
}

#[test]
fn the_middle_changes_in_one_step() {
    let arena = arena(16 << 20);
    let trades = list(&arena, (0..30).map(trade));
    let mut same: Vec<Trade> = (0..30).map(trade).collect();
    trades.insert(3, &trade(77)).expect("insert");
    same.insert(3, trade(77));
    trades.insert(0, &trade(78)).expect("insert");
    same.insert(0, trade(78));
    trades.insert(32, &trade(79)).expect("insert");
    same.insert(32, trade(79));
    assert_eq!(trades, same);
    for at in [5, 0, 30] {
        assert_eq!(trades.remove(at).expect("remove"), same.remove(at));
    }
    assert_eq!(trades, same);
    clean(&arena);
    trades.set_slice(4..20, &[trade(1), trade(2)]).expect("set_slice");
    same.splice(4..20, [trade(1), trade(2)]);
    trades.set_slice(..=1, &[]).expect("set_slice");
    same.drain(..=1);
    trades.set_slice(2..2, &[trade(5)]).expect("set_slice");
    same.splice(2..2, [trade(5)]);
    let end = same.len();
    trades.set_slice(end.., &[trade(6)]).expect("set_slice");
    same.push(trade(6));
    trades.set(2, &trade(9)).expect("set");
    same[2] = trade(9);
    trades.update(0, |trade| trade.prices.push(0.5)).expect("update");
    same[0].prices.push(0.5);
    assert_eq!(trades, same);
    trades.reverse().expect("reverse");
    same.reverse();
    assert_eq!(trades, same);
    trades.sort_by(|a, b| a.venue.cmp(&b.venue)).expect("sort");
    same.sort_by(|a, b| a.venue.cmp(&b.venue));
    assert_eq!(trades, same);
    trades.set_slice(3.., &[]).expect("set_slice");
    same.truncate(3);
    assert_eq!(trades.slice(..).expect("slice"), same);
    clean(&arena);
    drop(trades);
    clean(&arena);
    assert_eq!(arena.fsck().expect("fsck").value, 0);
}

#[test]
fn it_is_compared_searched_and_shown_as_a_sequence() {
    let numbers = SharedList::from_slice(&[3i32, 1, 3, -2]).expect("list");
    assert_eq!(numbers, [3, 1, 3, -2]);
    assert_eq!(numbers, vec![3, 1, 3, -2]);
    assert_eq!(numbers, &[3, 1, 3, -2][..]);
    assert_ne!(numbers, [3, 1, 3]);
    assert!(numbers > [3, 1, 2] && numbers < vec![3, 2]);
    assert_eq!(numbers, numbers.clone());
    assert_eq!(numbers, SharedList::from_values([3, 1, 3, -2]).expect("another"));
    assert_eq!((numbers.index(&3).expect("index"), numbers.index(&9).expect("index")), (Some(0), None));
    assert_eq!((numbers.count(&3).expect("count"), numbers.contains(&-2).expect("contains")), (2, true));
    assert_eq!(numbers.repeat(2).expect("repeat"), [3, 1, 3, -2, 3, 1, 3, -2]);
    assert_eq!(numbers.repeat(0).expect("repeat"), Vec::<i32>::new());
    assert_eq!(numbers.concat(vec![8]).expect("concat"), [3, 1, 3, -2, 8]);
    assert_eq!(format!("{numbers} {numbers:?}"), "SharedList([3, 1, 3, -2]) SharedList([3, 1, 3, -2])");
    numbers.sort().expect("sort");
    assert_eq!(numbers, [-2, 1, 3, 3]);
    numbers.sort().expect("sort of what is sorted");
    let all: Vec<i32> = numbers.iter().collect::<Result<_, _>>().expect("iter");
    assert_eq!(all, [-2, 1, 3, 3]);
    assert_eq!((&numbers).into_iter().size_hint(), (0, Some(4)));
}

#[test]
fn elements_of_every_sort() {
    let units = SharedList::from_slice(&[(), ()]).expect("units");
    assert_eq!(units.get(1).expect("get"), ());
    let letters = SharedList::from_values("añ🦀".chars()).expect("chars");
    assert_eq!(letters.get(2).expect("get"), '🦀');
    let flags = SharedList::from_slice(&[true, false]).expect("bools");
    assert_eq!(flags, [true, false]);
    let pairs = SharedList::from_slice(&[(1u64, 2u64), (3, 4)]).expect("16 bytes");
    assert_eq!(pairs.get(1).expect("get"), (3, 4));
    let small = SharedList::from_slice(&[Some(1u8), None]).expect("options");
    assert_eq!(small, [Some(1u8), None]);
    let floats = SharedList::from_slice(&[f32::MIN, 0.5]).expect("floats");
    assert_eq!(floats.pop().expect("pop"), Some(0.5));
    let empty = SharedList::from_slice(&[String::new(), "x".repeat(300_000)]).expect("large");
    assert_eq!(empty.get(0).expect("get"), "");
    assert_eq!(empty.remove(1).expect("remove").len(), 300_000);
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let numbers = SharedList::from_slice(&[1u8, 2]).expect("list");
    let error = numbers.get(2).expect_err("beyond the end");
    assert_eq!(error.kind(), ErrorKind::OutOfRange);
    assert!(error.to_string().contains("no element 2, the length is 2"), "{error}");
    assert_eq!(numbers.get(usize::MAX).expect_err("far").kind(), ErrorKind::OutOfRange);
    assert_eq!(numbers.set(2, &0).expect_err("set").kind(), ErrorKind::OutOfRange);
    assert_eq!(numbers.insert(3, &0).expect_err("insert").kind(), ErrorKind::OutOfRange);
    assert_eq!(numbers.remove(2).expect_err("remove").kind(), ErrorKind::OutOfRange);
    assert_eq!(numbers.update(7, |_| ()).expect_err("update").kind(), ErrorKind::OutOfRange);
    let error = numbers.slice(1..4).expect_err("slice");
    assert_eq!(error.kind(), ErrorKind::OutOfRange);
    assert!(error.to_string().contains("no range 1..4, the length is 2"), "{error}");
    #[expect(clippy::reversed_empty_ranges, reason = "a mistake")]
    let backwards = numbers.slice(2..1);
    assert_eq!(backwards.expect_err("backwards").kind(), ErrorKind::OutOfRange);
    assert_eq!(numbers.slice(..=usize::MAX).expect_err("endless").kind(), ErrorKind::OutOfRange);
    assert_eq!(numbers.set_slice(3.., &[]).expect_err("set_slice").kind(), ErrorKind::OutOfRange);
    assert_eq!(numbers, [1, 2]);
    let none = SharedList::<String>::new().expect("list");
    assert_eq!(none.get(0).expect_err("empty").kind(), ErrorKind::OutOfRange);
    assert_eq!((none.pop().expect("pop"), none.last().expect("last")), (None, None));
    assert_eq!(none.slice(..).expect("nothing"), Vec::<String>::new());
    assert_eq!(none.iter().count(), 0);
    none.reverse().expect("reverse");
    none.clear().expect("clear");
    none.truncate(9).expect("truncate");
    none.extend([]).expect("nothing");
    none.set_slice(.., &[]).expect("nothing");
    assert_eq!(none.to_string(), "SharedList([])");
}

#[test]
fn where_there_is_no_room_nothing_changes() {
    let small = arena(1 << 20);
    let texts = list(&small, (0..8).map(|i| i.to_string()));
    let before = small.fsck().expect("fsck").value;
    let whole = texts.to_vec().expect("to_vec");
    let many = (0..).map_while(|i| (i < 100_000).then(|| format!("{i:0100}")));
    let error = texts.extend(many).expect_err("larger than the arena");
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    assert_eq!(texts, whole);
    assert_eq!(small.fsck().expect("fsck").value, before);
    let error = texts.push(&"x".repeat(2 << 20)).expect_err("can never fit");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    drop(texts);
    clean(&small);
    assert_eq!(small.fsck().expect("fsck").value, 0);
}

#[test]
fn where_the_middle_of_a_growth_fails_nothing_changes() {
    let small = arena(2 << 20);
    let numbers = list(&small, 0..8u64);
    let before = small.fsck().expect("fsck").value;
    // The first segments fit, and a later one does not.
    assert_eq!(numbers.extend(0..400_000).expect_err("no room").kind(), ErrorKind::OutOfMemory);
    assert_eq!(small.fsck().expect("fsck").value, before);
    numbers.extend(8..20_000).expect("extend");
    let same: Vec<u64> = (0..20_000).collect();
    let before = small.fsck().expect("fsck").value;
    let fill: Vec<SharedList<Vec<u64>>> = (0..)
        .map_while(|_| SharedList::builder().arena(&small).build_from([vec![0u64; 8000]]).ok())
        .collect();
    // Nothing of the new spine is left where its segments do not fit.
    for failed in
        [numbers.insert(0, &1), numbers.remove(0).map(drop), numbers.reverse(), numbers.set_slice(..1, &[])]
    {
        assert_eq!(failed.expect_err("no room").kind(), ErrorKind::OutOfMemory);
    }
    assert_eq!(numbers, same);
    numbers.truncate(19_999).expect("needs none");
    drop(fill);
    assert_eq!(small.fsck().expect("fsck").value, before);
    assert_eq!(numbers.remove(0).expect("room again"), 0);
    assert_eq!(numbers, same[1..19_999]);
    drop(numbers);
    clean(&small);
    assert_eq!(small.fsck().expect("fsck").value, 0);
}

#[test]
fn an_iterator_that_panics_changes_nothing() {
    let numbers = SharedList::from_slice(&[1u64]).expect("list");
    let values = (0..10).map(|i| if i == 7 { panic!("on purpose") } else { i });
    let caught = catch_unwind(AssertUnwindSafe(|| numbers.extend(values)));
    assert!(caught.is_err());
    assert_eq!(numbers, [1]);
    let caught = catch_unwind(AssertUnwindSafe(|| numbers.update(0, |_| panic!("on purpose"))));
    assert!(caught.is_err());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        numbers.push(&0).expect("push");
        numbers.sort_by(|_, _| panic!("on purpose"))
    }));
    assert!(caught.is_err());
    assert_eq!(numbers, [1, 0]);
}

#[test]
fn a_change_inside_of_an_update_is_refused_and_a_look_is_not() {
    let texts = SharedList::from_slice(&["a".to_owned(), "b".into()]).expect("list");
    let seen = texts.update(0, |text| {
        assert_eq!(texts.push(text).expect_err("own lock").kind(), ErrorKind::Deadlock);
        assert_eq!(texts.update(1, |_| ()).expect_err("own lock").kind(), ErrorKind::Deadlock);
        text.push('!');
        (texts.get(0), texts.len())
    });
    let (first, len) = seen.expect("update");
    assert_eq!((first.expect("get").as_str(), len), ("a", 2));
    assert_eq!(texts, ["a!", "b"]);
}

#[test]
fn lists_nest_and_hold_other_handles() {
    let arena = arena(16 << 20);
    let inner = list(&arena, [1u64, 2]);
    let queue = Queue::<u8>::builder().capacity(2).arena(&arena).build().expect("queue");
    let outer = list(&arena, [(1u32, inner.clone(), Some(queue.clone()))]);
    outer.push(&(2, inner.clone(), None)).expect("push");
    drop(inner);
    outer.get(1).expect("get").1.push(&3).expect("push");
    assert_eq!(outer.get(0).expect("get").1, [1, 2, 3]);
    outer.get(0).expect("get").2.expect("a queue").put(&7).expect("put");
    assert_eq!(queue.get().expect("get"), 7);
    drop(queue);
    assert_eq!(outer.iter().map(|item| item.expect("item").1.len()).sum::<usize>(), 6);
    outer.reverse().expect("reverse");
    assert_eq!(outer.slice(..1).expect("slice")[0].0, 2);
    outer.update(0, |(number, list, _)| *number += list.len() as u32).expect("update");
    clean(&arena);
    let (number, list, _) = outer.remove(0).expect("remove");
    assert_eq!((number, list.len()), (5, 3));
    assert_eq!(outer.pop().expect("pop").expect("one").1, list);
    drop(outer);
    list.push(&4).expect("its own reference");
    clean(&arena);
    drop(list);
    clean(&arena);
    assert_eq!(arena.fsck().expect("fsck").objects, 0);
}

#[test]
fn a_handle_of_another_arena_or_with_one_owner_is_refused() {
    let (here, there) = (arena(4 << 20), arena(4 << 20));
    let foreign = list(&there, [1u8]);
    let lists = SharedList::<SharedList<u8>>::builder().arena(&here).build().expect("list");
    assert_eq!(lists.push(&foreign).expect_err("another arena").kind(), ErrorKind::InvalidInput);
    assert!(lists.is_empty());
    clean(&here);
    drop(foreign);
    clean(&there);
}

#[test]
fn the_end_of_a_connection_has_one_owner() {
    let (a, b) = processing::pipe().expect("pipe");
    let ends = SharedList::new().expect("list");
    let error = ends.push(&a).expect_err("any number of readers");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(ends.is_empty());
    a.send(&1u8).expect("still here");
    assert_eq!(b.recv::<u8>().expect("recv"), 1);
}

fn add(list: SharedList<u64>, texts: SharedList<String>, who: u64) {
    for i in 0..500 {
        list.push(&(who * 1000 + i)).expect("push");
        texts.extend([format!("{who}"), format!("{who}")]).expect("extend");
        let last = texts.len().checked_sub(1).expect("some");
        let _ = texts.get(last); // may be gone by now
        if i % 3 == 0 {
            texts.pop().expect("pop").expect("mine, or another's");
            texts.pop().expect("pop").expect("mine, or another's");
        }
    }
}

#[test]
fn nothing_is_lost_between_processes() {
    let (numbers, texts) = (SharedList::new().expect("list"), SharedList::new().expect("list"));
    let start = |who| Process::new(add, (numbers.clone(), texts.clone(), who)).start().expect("start");
    for process in (0..4u64).map(start).collect::<Vec<_>>() {
        process.join().expect("join");
    }
    let mut all = numbers.to_vec().expect("to_vec");
    for who in 0..4 {
        let own: Vec<u64> = all.iter().copied().filter(|n| n / 1000 == who).collect();
        assert_eq!(own, (0..500).map(|i| who * 1000 + i).collect::<Vec<_>>(), "in order");
    }
    numbers.sort().expect("sort");
    all.sort_unstable();
    assert_eq!(numbers, all);
    assert_eq!(texts.len(), 4 * (1000 - 2 * 167));
}

/// Changes the list so that its content always says whether it is whole.
fn churn(list: SharedList<(u64, String)>, ready: Queue<u8>) {
    let pair = |n: u64| (n, n.to_string().repeat(1 + (n % 7) as usize));
    ready.put(&1).expect("put");
    for n in 0.. {
        list.push(&pair(n)).expect("push");
        list.extend([pair(n + 1), pair(n + 2)]).expect("extend");
        list.insert((n % 3) as usize, &pair(n + 3)).expect("insert");
        list.set(1, &pair(n + 4)).expect("set");
        list.set_slice(1..3, &[pair(n), pair(n), pair(n)]).expect("set_slice");
        list.reverse().expect("reverse");
        list.remove(1).expect("remove");
        list.pop().expect("pop");
        if list.len() > 40 {
            list.truncate(3).expect("truncate");
        }
    }
}

#[test]
fn a_kill_anywhere_leaves_a_whole_list() {
    let arena = arena(32 << 20);
    let pairs = list(&arena, [(0u64, "0".to_owned()), (1, "11".into())]);
    let ready = Queue::builder().capacity(1).arena(&arena).build().expect("queue");
    let whole =
        |(n, text): (u64, String)| assert_eq!(text, n.to_string().repeat(1 + (n % 7) as usize), "torn");
    for round in 0..40 {
        let process = Process::new(churn, (pairs.clone(), ready.clone())).start().expect("start");
        ready.get_timeout(LONG).expect("it is at work");
        // Beside it: what is read is whole, whatever it does.
        for _ in 0..20 * (round % 5) {
            pairs.to_vec().expect("to_vec").into_iter().for_each(whole);
            pairs.iter().for_each(|item| whole(item.expect("item")));
            if let Ok(pair) = pairs.get(1) {
                whole(pair);
            }
        }
        process.kill().expect("kill");
        process.join().expect("join");
        if round % 2 == 0 {
            // Before anybody has repaired it.
            clean(&arena);
        }
        pairs.push(&(0, "0".into())).expect("push");
        pairs.to_vec().expect("to_vec").into_iter().for_each(whole);
        clean(&arena);
    }
    drop(pairs);
    drop(ready);
    assert_eq!(arena.fsck().expect("fsck").value, 0);
}

#[test]
fn a_million_elements() {
    let numbers = SharedList::from_values(0..1_000_000u64).expect("list");
    assert_eq!(numbers.len(), 1_000_000);
    for index in [0, 7, 8, 65_535, 999_999] {
        assert_eq!(numbers.get(index).expect("get"), index as u64);
    }
    assert_eq!(numbers.slice(500_000..500_003).expect("slice"), [500_000, 500_001, 500_002]);
    numbers.insert(0, &77).expect("insert");
    numbers.reverse().expect("reverse");
    assert_eq!((numbers.get(0).expect("get"), numbers.last().expect("last")), (999_999, Some(77)));
    assert_eq!(numbers.iter().map(|n| n.expect("item")).sum::<u64>(), 499_999_500_000 + 77);
    numbers.truncate(1).expect("truncate");
    assert_eq!(numbers, [999_999]);
}

#[test]
fn a_handle_travels_in_a_message() {
    let numbers = SharedList::from_slice(&[1u8]).expect("list");
    let queue = Queue::<(u8, SharedList<u8>)>::new(1).expect("queue");
    queue.put(&(7, numbers.clone())).expect("put");
    drop(numbers);
    let (seven, numbers) = queue.get().expect("get");
    numbers.push(&seven).expect("push");
    assert_eq!(numbers, [1, 7]);
}
