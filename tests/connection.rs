//! `pipe()` and `Connection` between threads of one process.

use std::thread;
use std::time::Duration;

use processing::{ErrorKind, WaitStrategy, pipe};

#[test]
fn values_and_bytes_go_both_ways() {
    let (a, b) = pipe().unwrap();
    a.send(&vec![1, 2, 3]).unwrap();
    a.send(&"text".to_owned()).unwrap();
    a.send(&()).unwrap();
    b.send_bytes(b"thank you").unwrap();
    b.send_bytes(b"").unwrap();
    assert_eq!(b.recv::<Vec<i32>>().unwrap(), [1, 2, 3]);
    assert_eq!(b.recv::<String>().unwrap(), "text");
    b.recv::<()>().unwrap();
    assert_eq!(a.recv_bytes().unwrap(), b"thank you");
    assert_eq!(a.recv_bytes().unwrap(), b"");
}

#[test]
fn another_type_is_an_error_and_the_message_stays() {
    let (a, b) = pipe().unwrap();
    a.send(&7u64).unwrap();
    let error = b.recv::<String>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch, "{error}");
    assert_eq!(b.recv_bytes().unwrap_err().kind(), ErrorKind::TypeMismatch);
    assert_eq!(b.recv::<u64>().unwrap(), 7);
}

#[test]
fn too_small_a_buffer_hands_over_the_whole_message() {
    let (a, b) = pipe().unwrap();
    for len in [10usize, 56, 57, 1000] {
        let message: Vec<u8> = (0..len).map(|i| i as u8).collect();
        a.send_bytes(&message).unwrap();
        a.send_bytes(&message).unwrap();
        let mut small = [0u8; 9];
        let error = b.recv_bytes_into(&mut small).unwrap_err();
        assert!(error.is_buffer_too_short(), "{error}");
        assert_eq!(error.into_message(), message);
        let mut large = vec![0u8; len + 5];
        assert_eq!(b.recv_bytes_into(&mut large).unwrap(), len);
        assert_eq!(&large[..len], message);
    }
}

#[test]
fn messages_of_every_length() {
    let (a, b) = pipe().unwrap();
    let lengths: Vec<usize> = (0..200).chain([1_000, 4_096, 65_536, 1 << 20]).collect();
    let make = |len: usize| (0..len).map(|i| (i * 7 + len) as u8).collect::<Vec<u8>>();
    thread::scope(|scope| {
        let lengths = &lengths;
        scope.spawn(move || lengths.iter().for_each(|&len| a.send_bytes(&make(len)).unwrap()));
        for &len in lengths {
            assert_eq!(b.recv_bytes().unwrap(), make(len), "length {len}");
        }
    });
}

#[test]
fn the_end_of_the_stream_comes_after_the_last_message() {
    let (a, b) = pipe().unwrap();
    a.send(&1u8).unwrap();
    a.close().unwrap();
    assert!(b.poll(Duration::ZERO).unwrap());
    assert_eq!(b.recv::<u8>().unwrap(), 1);
    assert!(b.recv::<u8>().unwrap_err().is_closed());
    assert!(b.send(&2u8).unwrap_err().is_closed());
}

#[test]
fn waiting_forms() {
    let (a, b) = pipe().unwrap();
    assert!(!b.poll(Duration::from_millis(2)).unwrap());
    assert!(b.try_recv::<u8>().unwrap_err().is_empty());
    assert!(b.recv_timeout::<u8>(Duration::from_millis(2)).unwrap_err().is_timeout());
    let mut sent = 0u32;
    let error = loop {
        match a.try_send_bytes(&[0; 56]) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_full(), "{error}");
    assert!(a.send_bytes_timeout(&[0; 56], Duration::from_millis(2)).unwrap_err().is_timeout());
    for _ in 0..sent {
        b.recv_bytes().unwrap();
    }
    assert!(b.try_recv::<u8>().unwrap_err().is_empty(), "a send that failed left nothing");
    a.send(&5u8).unwrap();
    assert_eq!(b.recv::<u8>().unwrap(), 5);
}

#[test]
fn ping_pong_under_every_strategy() {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let (mut a, mut b) = pipe().unwrap();
        a.set_wait_strategy(strategy);
        b.set_wait_strategy(strategy);
        thread::scope(|scope| {
            scope.spawn(move || {
                while let Ok(n) = b.recv::<u64>() {
                    b.send(&(n + 1)).unwrap();
                }
            });
            for n in 0..2_000u64 {
                a.send(&n).unwrap();
                assert_eq!(a.recv::<u64>().unwrap(), n + 1);
            }
            drop(a);
        });
    }
}

#[test]
fn the_two_halves_work_at_the_same_time() {
    let (a, b) = pipe().unwrap();
    let (tx, rx) = a.split();
    thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..10_000u32 {
                tx.send(&n).unwrap();
            }
        });
        scope.spawn(move || {
            for _ in 0..10_000 {
                let n: u32 = b.recv().unwrap();
                b.send(&n).unwrap();
            }
        });
        for n in 0..10_000u32 {
            assert_eq!(rx.recv::<u32>().unwrap(), n);
        }
    });
}
