//! The rows of the engine itself, and whom each is compared with. The comparisons with queues of other
//! projects are in `benches/peers`, which builds its rows from the entries here.

pub mod array;
pub mod condition;
pub mod connection_rtt;
pub mod connection_stream;
pub mod death;
pub mod dict;
pub mod event;
mod hands;
pub mod list;
pub mod lock;
pub mod queue_large;
pub mod queue_many;
pub mod queue_open_loop;
pub mod queue_stream;
pub mod semaphore;
pub mod start_join;
pub mod structure;
pub mod value;

use crate::measure::Row;

pub fn rows() -> Vec<Row> {
    let families = [
        connection_rtt::rows(),
        connection_stream::rows(),
        queue_stream::rows(),
        queue_many::rows(),
        queue_large::rows(),
        queue_open_loop::rows(),
        lock::rows(),
        semaphore::rows(),
        condition::rows(),
        event::rows(),
        death::rows(),
        start_join::rows(),
        array::rows(),
        list::rows(),
        dict::rows(),
    ];
    families.into_iter().flatten().collect()
}
