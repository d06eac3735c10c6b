//! The two copies of a shared value under loom: who reads beside two writers, one of which may be killed at each of its stores,
//! reads what somebody wrote whole, and nothing older than what was there when it began.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use processing::data::stamped::Stamped;
use processing::layout::value::{COPY_WORDS, Copies, which};
use processing::sync::atomic::Ordering::{Relaxed, Release};
use processing::sync::fence;

const WORDS: usize = 2;

fn of(n: u64) -> [u64; COPY_WORDS] {
    let mut value = [0; COPY_WORDS];
    value[..WORDS].fill(n);
    value
}

/// What a reader of whole values saw: none, if it would begin anew.
fn read(copies: &Copies) -> Option<u64> {
    let value = Stamped::new(copies).try_read(WORDS)?;
    assert_eq!(value, of(value[0]), "torn");
    Some(value[0])
}

fn write(copies: &Copies, n: u64) {
    Stamped::new(copies).write(&of(n), WORDS);
}

/// What a writer leaves that is killed before its store number `at`: as `Stamped::write` makes them.
fn write_until(copies: &Copies, n: u64, at: usize) {
    let number = copies.current.load(Relaxed) + 1;
    let which = which(number);
    if at > 0 {
        copies.numbers[which].store(number, Relaxed);
    }
    fence::fence(Release);
    for word in copies.words[which].iter().take(at.saturating_sub(1)) {
        word.store(n, Relaxed);
    }
}

/// One after the other, as under the lock: the second writer sees what the first did.
#[test]
fn a_reader_beside_two_changes() {
    loom::model(|| {
        let copies = Arc::new(Copies::default());
        write(&copies, 1);
        let writer = {
            let copies = Arc::clone(&copies);
            thread::spawn(move || {
                write(&copies, 2);
                write(&copies, 3);
            })
        };
        let first = read(&copies);
        let second = read(&copies);
        assert!(first != Some(0) && second != Some(0), "older than when it began");
        if let (Some(first), Some(second)) = (first, second) {
            assert!(first <= second, "{second} after {first}");
        }
        writer.join().unwrap();
        assert_eq!(read(&copies), Some(3), "alone it needs no second try");
    });
}

/// Whose change a reader sees, of that it sees all that was before.
#[test]
fn who_sees_a_change_sees_what_was_before() {
    loom::model(|| {
        let shared = Arc::new((Copies::default(), Copies::default()));
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                write(&shared.0, 7);
                write(&shared.1, 8);
            })
        };
        if read(&shared.1) == Some(8) {
            assert_eq!(read(&shared.0), Some(7));
        }
        writer.join().unwrap();
    });
}

/// Killed before each of its stores, and followed by an heir, which writes again.
#[test]
fn a_killed_writer_and_its_heir() {
    for at in 0..=WORDS + 1 {
        loom::model(move || {
            let copies = Arc::new(Copies::default());
            write(&copies, 1);
            let writers = {
                let copies = Arc::clone(&copies);
                thread::spawn(move || {
                    write_until(&copies, 9, at);
                    write(&copies, 2);
                })
            };
            let seen = read(&copies);
            assert!(matches!(seen, None | Some(1 | 2)), "{seen:?}");
            writers.join().unwrap();
            assert_eq!(read(&copies), Some(2));
            assert_eq!(Stamped::new(&copies).read_locked(WORDS), of(2));
        });
    }
}

/// As long as nobody makes two changes, one try is enough, also beside a writer that was killed or stands still.
#[test]
fn one_change_under_way_troubles_no_reader() {
    for at in 0..=WORDS + 1 {
        loom::model(move || {
            let copies = Arc::new(Copies::default());
            write(&copies, 1);
            let writer = {
                let copies = Arc::clone(&copies);
                thread::spawn(move || write_until(&copies, 9, at))
            };
            assert_eq!(read(&copies), Some(1));
            writer.join().unwrap();
            assert_eq!(read(&copies), Some(1));
        });
    }
}
