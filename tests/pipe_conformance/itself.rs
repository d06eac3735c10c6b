//! What it is: bounds, times, types.

use super::*;

pub fn it_is_what_it_says(backend: PipeBackend) {
    let (a, b) = pair(backend);
    let can = a.capabilities();
    assert_eq!((a.backend(), b.backend(), can), (backend, backend, b.capabilities()));
    let ring = backend == PipeBackend::Ring;
    assert_eq!([can.in_memory, !can.whole, !can.told_at_once], [ring; 3], "{can:?}");
    assert_eq!((can.descriptors, can.longest_try == u64::MAX), (usize::from(!ring), can.whole));
    assert!(can.buffer > 4096);
    for text in [format!("{a:?}"), format!("{b:?}")] {
        assert!(text.contains("pipe"), "{text}");
    }
    let arena = Arena::builder().limit(64 << 20).build().expect("arena");
    let (a, b) = Connection::builder().arena(&arena).backend(backend).build().expect("pipe");
    assert_eq!(arena.fsck().expect("fsck").objects, 1);
    a.send(&1u8).expect("send");
    assert_eq!(b.recv::<u8>().expect("recv"), 1);
    drop((a, b));
    let report = arena.fsck().expect("fsck");
    assert!(report.is_clean() && report.objects == 0, "{report}");
}

pub fn the_bounds(backend: PipeBackend) {
    for len in [1usize, 8, 56, 57, 1000] {
        let (a, b) = pair(backend);
        for _ in 0..2 {
            let mut sent = 0u64;
            while a.try_send_bytes(&pattern(sent, len)).is_ok() {
                sent += 1;
            }
            assert!(sent as usize * len <= a.capabilities().buffer, "{sent} of {len} bytes");
            assert!(sent >= 3, "{sent} of {len} bytes");
            assert_eq!(kind(a.try_send_bytes(&pattern(0, len))), ErrorKind::Full);
            assert_eq!(kind(a.send_bytes_timeout(&pattern(0, len), SHORT)), ErrorKind::Timeout);
            // The other direction has room of its own.
            b.try_send(&7u8).expect("room");
            assert_eq!(a.try_recv::<u8>().expect("there"), 7);
            for n in 0..sent {
                assert_eq!(b.recv_bytes().expect("recv"), pattern(n, len), "what failed left nothing");
            }
            // Where messages pass through in pieces, there may be the first of what came too late.
            let left = kind(b.try_recv::<u8>());
            assert!(left == ErrorKind::Empty || !b.capabilities().whole && left == ErrorKind::TypeMismatch);
        }
    }
    // What is longer than the room.
    let (a, b) = pair(backend);
    let can = a.capabilities();
    if can.whole {
        let mut sent = 0;
        while a.try_send_bytes(&pattern(sent, 300_000)).is_ok() {
            sent += 1;
        }
        // They take room as those do that fit a record.
        assert!(sent >= 2 && sent as usize * 16_384 <= can.buffer, "{sent}");
        (0..sent).for_each(|n| assert!(b.recv_bytes().expect("there") == pattern(n, 300_000)));
    } else {
        let longest = can.longest_try as usize;
        a.try_send_bytes(&pattern(1, longest)).expect("room for it alone");
        assert!(b.recv_bytes().expect("there") == pattern(1, longest));
        assert_eq!(kind(a.try_send_bytes(&pattern(1, longest + 1))), ErrorKind::TooLarge);
    }
    assert_eq!(kind(b.try_recv::<u8>()), ErrorKind::Empty);
}

pub fn limits_of_time(backend: PipeBackend) {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Adaptive, WaitStrategy::Block] {
        let (a, b) = Connection::builder().backend(backend).wait(strategy).build().expect("pipe");
        for limit in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(50), SHORT, 15 * SHORT] {
            let start = Instant::now();
            let late = kind(b.recv_timeout::<u8>(limit));
            assert!(matches!(late, ErrorKind::Timeout | ErrorKind::Empty), "{late:?}");
            assert!(!b.poll(limit).expect("poll"));
            assert!(start.elapsed() >= 2 * limit, "early");
        }
        while a.try_send_bytes(&[0; 1000]).is_ok() {}
        for limit in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(50), SHORT, 15 * SHORT] {
            let start = Instant::now();
            let late = kind(a.send_bytes_timeout(&[0; 1000], limit));
            assert!(matches!(late, ErrorKind::Timeout | ErrorKind::Full), "{late:?}");
            assert!(start.elapsed() >= limit, "early");
        }
        // The longest that can be said.
        assert!(b.poll(Duration::MAX).expect("there"));
        b.recv_bytes().expect("there");
        a.send_timeout(&1u8, Duration::MAX).expect("room");
        while b.recv_bytes().is_ok() {}
        assert_eq!(b.recv_timeout::<u8>(Duration::MAX).expect("there"), 1);
    }
}

pub fn another_type_stays_in_place(backend: PipeBackend) {
    let (a, b) = pair(backend);
    for len in [3usize, 100, 5_000] {
        a.send(&pattern(1, len)).expect("send");
        for _ in 0..2 {
            for error in [
                b.recv::<String>().expect_err("another"),
                b.try_recv::<u64>().expect_err("another"),
                b.recv_bytes().map(drop).expect_err("no bytes"),
                b.recv_bytes_into(&mut [0; 9]).map(drop).expect_err("no bytes"),
            ] {
                assert_eq!(error.kind(), ErrorKind::TypeMismatch, "{error}");
            }
            assert!(b.poll(Duration::ZERO).expect("it is there"));
        }
        assert_eq!(b.recv::<Vec<u8>>().expect("as what it is"), pattern(1, len));
        a.send_bytes(&pattern(2, len)).expect("send");
        assert_eq!(kind(b.recv::<Vec<u8>>()), ErrorKind::TypeMismatch);
        assert_eq!(b.recv_bytes().expect("bytes"), pattern(2, len));
    }
}

pub fn too_short_a_buffer_hands_over_the_message(backend: PipeBackend) {
    let (a, b) = pair(backend);
    for len in [10usize, 56, 57, 1000, 20_000, 100_000] {
        if len as u64 * 2 > b.capabilities().longest_try {
            continue; // nobody receives while this thread sends
        }
        a.send_bytes(&pattern(1, len)).expect("send");
        a.send_bytes(&pattern(2, len)).expect("send");
        let error = b.recv_bytes_into(&mut [0; 9]).expect_err("too short");
        assert!(error.is_buffer_too_short(), "{error}");
        assert!(error.into_message() == pattern(1, len), "all of it");
        let mut room = vec![0; len + 5];
        assert_eq!(b.recv_bytes_into(&mut room).expect("recv"), len);
        assert!(room[..len] == pattern(2, len) && room[len..] == [0; 5]);
    }
    a.send_bytes(&[]).expect("send");
    assert_eq!(b.recv_bytes_into(&mut []).expect("recv"), 0);
}
