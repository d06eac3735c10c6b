//! The raw limits of the machine: what the plainest code reaches, without any of the engine's promises.

pub mod condition;
pub mod eventfd;
pub mod fork;
pub mod futex;
pub mod line_copy;
pub mod memcpy;
pub mod mq;
pub mod mq_stream;
pub mod mutex;
pub mod mutex_map;
pub mod mutex_vec;
pub mod ping_pong;
pub mod pipe;
pub mod pipe_stream;
pub mod semaphore;
pub mod spsc_copy;
pub mod std_vec;
pub mod unix_socket;

use crate::measure::Row;

/// Each limit as a row of its own, without a peer.
pub fn rows() -> Vec<Row> {
    let entries = [
        ping_pong::entries(),
        futex::entries(),
        pipe::entries(),
        unix_socket::entries(),
        mq::entries(),
        pipe_stream::entries(),
        mq_stream::entries(),
        spsc_copy::entries(),
        line_copy::entries(),
        memcpy::entries(),
        fork::entries(),
        mutex::entries(),
        mutex_map::entries(),
        mutex_vec::entries(),
        std_vec::entries(),
        semaphore::entries(),
        condition::entries(),
        eventfd::entries(),
    ];
    entries.into_iter().flatten().map(Row::alone).collect()
}
