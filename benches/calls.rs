//! Single calls, on one thread: what an operation costs when nobody is on the other side.
//! `cargo bench -p processing-ipc`. Between processes: `processing speed`.

use criterion::{Criterion, criterion_group, criterion_main};
use processing::{Queue, pipe};

fn queue(c: &mut Criterion) {
    let small = Queue::<u64>::new(1024).expect("arena");
    c.bench_function("queue put+get u64", |b| {
        b.iter(|| {
            small.put(&7).expect("room");
            small.get().expect("message")
        });
    });
    let bytes = Queue::<[u8; 256]>::new(1024).expect("arena");
    c.bench_function("queue put+get 256 B", |b| {
        b.iter(|| {
            bytes.put(&[7; 256]).expect("room");
            bytes.get().expect("message")
        });
    });
    let text = Queue::<(u32, String)>::new(1024).expect("arena");
    let message = (7, "a string that does not fit inline".to_owned());
    c.bench_function("queue put+get (u32, String)", |b| {
        b.iter(|| {
            text.put(&message).expect("room");
            text.get().expect("message")
        });
    });
    c.bench_function("queue put+get_ref (u32, String)", |b| {
        b.iter(|| {
            text.put(&message).expect("room");
            text.get_ref().expect("message").0.to_native()
        });
    });
    let large = Queue::<Vec<u8>>::new(64).expect("arena");
    let message = vec![7u8; 64 << 10];
    c.bench_function("queue put+get_ref 64 KiB", |b| {
        b.iter(|| {
            large.put(&message).expect("room");
            large.get_ref().expect("message").len()
        });
    });
}

fn connection(c: &mut Criterion) {
    let (a, b_end) = pipe().expect("arena");
    c.bench_function("connection send+recv u64", |b| {
        b.iter(|| {
            a.send(&7u64).expect("room");
            b_end.recv::<u64>().expect("message")
        });
    });
    c.bench_function("connection send+recv 256 B", |b| {
        b.iter(|| {
            a.send_bytes(&[7; 256]).expect("room");
            b_end.recv_bytes().expect("message").len()
        });
    });
}

criterion_group!(calls, queue, connection);
criterion_main!(calls);
